"""The scripts find their folder and their programs, from wherever and however they are called."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from settings import PROJECT

HOSTILE = {"CDPATH": "/tmp:/", "PYTHONHOME": "/nowhere", "PIP_TARGET": "/nowhere"}


def output(*command: str | Path, folder: Path = PROJECT, **changed: str) -> str:
    done = subprocess.run(
        command, env=os.environ | changed, cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("name", ["status.sh", "renamed"])
def test_a_link_to_a_script_is_as_good_as_the_script(name, tmp_path):
    (tmp_path / "scripts").mkdir()
    (tmp_path / name).symlink_to(PROJECT / "scripts" / "status.sh")
    (tmp_path / "scripts" / "again").symlink_to(f"../{name}")
    expected = output("scripts/status.sh", "--help")
    assert "Says how everything is" in expected
    for link in (f"./{name}", tmp_path / name, "scripts/again"):
        assert output(link, "--help", folder=tmp_path) == expected
    assert (
        output("bash", "-c", f"{name} --help", PATH=f"{tmp_path}:{os.environ['PATH']}") == expected
    )


def test_the_callers_variables_lead_nowhere_else():
    program = 'source "$(dirname "$0")/_environment.sh" && pwd && env'
    script = "scripts/status.sh"
    where, *variables = output(
        "bash", "-c", program, script, PIP_INDEX_URL="https://pypi.example.org/simple", **HOSTILE
    ).splitlines()
    assert where == str(PROJECT)
    names = {line.split("=")[0] for line in variables}
    assert not names & HOSTILE.keys()
    assert "PIP_INDEX_URL" in names


@pytest.mark.parametrize("option", ["", "--json"])
@pytest.mark.parametrize(
    ("where", "said"),
    [
        (">&-", ""),  # closed, as where only the exit code is wanted
        (">/dev/full", "No space left on device\n"),
        ("| true", ""),
    ],
)
def test_a_status_that_nobody_can_read_ends_without_a_traceback(option, where, said, tmp_path):
    command = f"set -o pipefail; python -m compose status {option} {where}"
    environment = os.environ | {"LEADERBOARD_STATE_FOLDER": str(tmp_path)}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], env=environment, cwd=PROJECT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, said)  # nothing runs


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rate"], "--rate needs a value."),
        (["--rat", "3"], "There is no option --rat."),
        (["--sink", "oracle"], "--sink is 'oracle'; it must be postgres or kafka."),
        (["--rate", "abc"], "LEADERBOARD_RATE_PER_SECOND is 'abc'; it must be a number"),
    ],
)
def test_a_wrong_word_is_refused_by_its_name(words, said):
    command = ["scripts/run_all.sh", *words]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert "Traceback" not in done.stderr
