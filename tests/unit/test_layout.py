"""A state folder of an earlier version is refused in one sentence, and can be wiped."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from compose import layout
from settings import PREFIX, PROJECT
from tests.conftest import environment_for


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """That of commands with a state folder and ports of their own."""
    return environment_for(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The data folder as an earlier version left it."""
    data = tmp_path / "data"
    for name in ("flink/jobs", "kafka/user-score-0", "zookeeper/version-2", "postgres-17/base"):
        (data / name).mkdir(parents=True)
    (data / "flink" / "jobs" / "top_teams to postgres.json").write_text("{}")
    if os.geteuid() == 0:  # then PostgreSQL ran as somebody else
        nobody = pwd.getpwnam("nobody")
        for path in (data / "postgres-17", data / "postgres-17" / "base"):
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
            path.chmod(0o700)
    return data


def run(
    *words: str, environment: dict[str, str], answer: str = ""
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        words, env=environment, cwd=PROJECT, capture_output=True, text=True, input=answer
    )
    assert "Traceback" not in done.stderr
    return done


def compose(*words: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "compose", *words, environment=environment)


@pytest.mark.parametrize("words", [("check",), ("start", "kafka")])
def test_nothing_starts_on_data_of_an_earlier_version(words, data, environment):
    done = compose(*words, environment=environment)
    assert done.returncode == 1
    assert f"{data} was made by an earlier version" in done.stderr
    for named in ("scripts/reset.sh", "LEADERBOARD_STATE_FOLDER", "earlier version"):
        assert named in done.stderr
    assert f"LEADERBOARD_STATE_FOLDER={data.parent} scripts/reset.sh" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (data / "layout").exists()
    assert not (data.parent / "supervisord.pid").exists()


@pytest.mark.parametrize("name", ["flink", "kafka", "zookeeper", "postgres-17"])
def test_each_services_folder_is_looked_at(name, tmp_path, environment):
    (tmp_path / "data" / name / "something").mkdir(parents=True)
    assert "earlier version" in compose("check", environment=environment).stderr


def test_data_of_another_layout_is_refused(data, environment):
    (data / "layout").write_text("1\n")
    assert "earlier version" in compose("check", environment=environment).stderr


def test_data_of_this_version_goes_on(data, environment):
    layout.mark(data)
    assert compose("check", environment=environment).returncode == 0


def test_a_new_folder_and_disks_that_were_mounted_there_are_fine(tmp_path, environment):
    for name in ("kafka", "flink", "postgres-17"):
        (tmp_path / "data" / name).mkdir(parents=True)
    assert compose("check", environment=environment).returncode == 0


def test_what_services_of_other_machines_keep_is_theirs(data, environment):
    others = {
        "KAFKA_BROKERS": "kafka.example.org:9092",
        "POSTGRES_URL": "postgresql://admin@postgres.example.org/boards",
        "FLINK_REST_ADDRESS": "flink.example.org:8081",
    }
    own = environment | {PREFIX + name: value for name, value in others.items()}
    assert compose("check", environment=own).returncode == 0


def test_an_earlier_version_is_wiped_and_then_starts_anew(data, environment, tmp_path):
    (tmp_path / "passwords.json").write_text("{}")
    done = run("scripts/reset.sh", "--yes", environment=environment)
    assert done.returncode == 0, done.stderr
    assert not data.exists()
    assert (tmp_path / "passwords.json").exists()
    assert (tmp_path / "jars").exists()
    assert compose("check", environment=environment).returncode == 0


@pytest.mark.parametrize(
    ("answer", "is_wiped"),
    [("y\n", True), ("yes\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)],
)
def test_reset_wipes_only_after_a_yes(answer, is_wiped, data, environment):
    done = run("scripts/reset.sh", environment=environment, answer=answer)
    assert done.returncode == (0 if is_wiped else 1)
    assert done.stdout.endswith("Wiped.\n" if is_wiped else "Nothing was wiped.\n")
    assert data.exists() is not is_wiped


@pytest.mark.parametrize("script", ["resume.sh", "rebuild.sh", "suspend.sh"])
def test_jobs_of_an_earlier_version_are_not_continued(script, data, environment):
    done = run(f"scripts/{script}", environment=environment)
    assert done.returncode == 1
    assert "JobManager does not answer" in done.stderr


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_the_status_of_an_earlier_version_is_not_healthy(options, data, environment):
    gap = '{"job": "top_teams to postgres", "topic": "user-score", "partition": 0, '
    gap += '"first": 1, "last": 2, "seen_at": "2026-03-01T12:00:00+00:00"}\n'
    (data / "gaps.jsonl").write_text(gap)
    done = run("scripts/status.sh", *options, environment=environment)
    assert done.returncode == 1
    assert "'top_teams to postgres' had read them" in done.stdout.replace("\n", " ")
