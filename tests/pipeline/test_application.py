"""The boards as an application with its own cluster, as on Kubernetes: crash and upgrade."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import requests
from psycopg2.extensions import parse_dsn
from ruamel.yaml import YAML
from tenacity import Retrying, stop_after_delay, wait_fixed

import settings as settings_module
from clients import flink, postgres
from clients.errors import JobError
from clients.passwords import passwords
from jobs.names import ALL_BOARDS, JobName
from settings import PREFIX, PROJECT
from tests import bounded, oracle
from tests.conftest import DEADLINE_SECONDS, Stack, eventually, free_ports

DEPLOYMENT = next(YAML(typ="safe").load_all(PROJECT / "deploy" / "flink.yaml"))["spec"]
STORED = (
    "high-availability.storageDir",
    "execution.checkpointing.dir",
    "execution.checkpointing.savepoint-dir",
)
TITLE = JobName("score", ALL_BOARDS, "postgres").title


@pytest.fixture
def own(stack: Stack, tmp_path: Path) -> Stack:
    """The stack's Kafka and PostgreSQL, with an own topic, database and JobManager.

    The passwords are given, as on Kubernetes.
    """
    url = parse_dsn(bounded.database(stack, "application"))
    changed = {
        "state_folder": str(tmp_path),
        "topic": "application",
        "postgres_url": "postgresql://{user}@{host}:{port}/{dbname}".format(**url),
        "flink_rest_address": f"127.0.0.1:{free_ports(1)[0]}",
    }
    environment = stack.environment | {
        PREFIX + name.upper(): value for name, value in changed.items()
    }
    application = Stack(settings_module.read(environment), environment)
    (tmp_path / "jars").symlink_to(stack.settings.state / "jars")
    (tmp_path / "passwords").mkdir()
    for name in ("postgres_flink", "postgres_reader", "postgres_moderator", "postgres_keeper"):
        (tmp_path / "passwords" / name).write_text(passwords(stack.settings.state)[name])
    replace(application, environment=environment | {"PGPASSWORD": url["password"]}).run(
        "compose", "create"
    )
    _write_configuration(application)
    return application


def _write_configuration(own: Stack) -> None:
    """What the operator writes for Flink, with ZooKeeper and a folder instead of Kubernetes."""
    given = {
        key: value
        for key, value in DEPLOYMENT["flinkConfiguration"].items()
        if not key.startswith("kubernetes.")
    }
    host, rest_port = own.settings.flink_rest.split(":")
    rpc, blob, taskmanager, data = free_ports(4)
    addresses = ["jobmanager.rpc.address", "rest.address", "taskmanager.host"]
    addresses += ["jobmanager.bind-host", "rest.bind-address", "taskmanager.bind-host"]
    given |= dict.fromkeys(addresses, host)
    given |= dict.fromkeys(STORED, f"file://{own.settings.state}/storage")
    given |= {
        "parallelism.default": DEPLOYMENT["job"]["parallelism"],
        "taskmanager.numberOfTaskSlots": DEPLOYMENT["job"]["parallelism"],
        "jobmanager.memory.process.size": DEPLOYMENT["jobManager"]["resource"]["memory"],
        "taskmanager.memory.process.size": DEPLOYMENT["taskManager"]["resource"]["memory"],
        "high-availability.type": "zookeeper",
        "high-availability.zookeeper.quorum": f"{host}:{own.settings.zookeeper_port}",
        "high-availability.cluster-id": "/application",
        # A JobManager that was killed leads until then.
        "high-availability.zookeeper.client.session-timeout": "5 s",
        "high-availability.jobmanager.port": rpc,
        "rest.port": rest_port,
        "blob.server.port": blob,
        "taskmanager.rpc.port": taskmanager,
        "taskmanager.data.port": data,
    }
    given["env.java.opts.taskmanager"] += f" {own.settings.flink_taskmanager_java_options}"
    conf = own.settings.state / "conf" / "flink"
    conf.mkdir(parents=True)
    YAML().dump(given, conf / "config.yaml")
    shutil.copy(flink.home() / "conf" / "log4j-console.properties", conf)


@contextmanager
def process(own: Stack, *words: str) -> Iterator[subprocess.Popen]:
    """One of Flink's programs, in the project's folder as in the image, until this is left."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = own.environment | flink.environment(own.settings.state) | {"PATH": programs}
    command: list[str | Path] = [flink.home() / "bin" / words[0], "start-foreground", *words[1:]]
    with (own.settings.state / f"{words[0]}.log").open("a") as log:
        started = subprocess.Popen(command, env=environment, cwd=PROJECT, stdout=log, stderr=log)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


def jobmanager(own: Stack, *options: str) -> AbstractContextManager[subprocess.Popen]:
    """A JobManager that starts the application, as in the pod that the operator makes."""
    asked = DEPLOYMENT["job"]
    return process(
        own, "standalone-job.sh", *options, "--job-classname", asked["entryClass"], *asked["args"]
    )


def play(own: Stack, seed: int) -> None:
    """Send events, and wait until the boards hold every point that the topic does."""
    own.run(
        "generator", "--seed", str(seed), "--rate", "0", "--count", "2000", "--duplicates", "40"
    )
    points = sum(event.score for event in oracle.accepted(own.records()))

    def check() -> None:
        with postgres.connect(postgres.reader_dsn(own.settings)) as db, db.cursor() as cursor:
            cursor.execute("SELECT SUM(total_score) FROM leaderboard.top_teams_by_season")
            assert cursor.fetchone() == (points,)

    eventually(check)


def checkpoints(own: Stack) -> dict:
    """What Flink says of the job's checkpoints. Raises AssertionError while it does not run."""
    try:
        return flink.rest(
            own.settings, "GET", f"/jobs/{flink.running(own.settings)[TITLE]}/checkpoints"
        )
    except (JobError, KeyError) as error:
        raise AssertionError(f"the job does not run: {error}") from error


def await_checkpoint(own: Stack) -> None:
    """Wait for a completed checkpoint."""

    def check() -> None:
        assert checkpoints(own)["counts"]["completed"]

    eventually(check)


def await_start_from(own: Stack, savepoint: str | None) -> None:
    """Wait until the job runs, restored from this savepoint, or from a checkpoint."""

    def check() -> None:
        restored = checkpoints(own)["latest"]["restored"]
        assert restored
        assert restored["is_savepoint"] == bool(savepoint)
        assert savepoint in (None, restored["external_path"])

    eventually(check)


def stop(own: Stack) -> str:
    """Stop the job with a savepoint, as the operator does; where the savepoint lies."""
    url = f"http://{own.settings.flink_rest}/jobs/{flink.running(own.settings)[TITLE]}"
    trigger = requests.post(f"{url}/stop", json={"drain": False}, timeout=10).json()["request-id"]

    def location() -> str:
        answer = requests.get(f"{url}/savepoints/{trigger}", timeout=10).json()
        return answer["operation"]["location"]

    return Retrying(wait=wait_fixed(0.1), stop=stop_after_delay(DEADLINE_SECONDS))(location)


def test_a_job_comes_back_after_a_crash_and_goes_on_from_its_savepoint_after_an_upgrade(own):
    with process(own, "taskmanager.sh"):
        with jobmanager(own):
            play(own, seed=1)
            await_checkpoint(own)
        with jobmanager(own) as upgraded:
            await_start_from(own, savepoint=None)
            play(own, seed=2)
            savepoint = stop(own)
            assert upgraded.wait(DEADLINE_SECONDS) == 0
        with jobmanager(own, f"-Dexecution.state-recovery.path={savepoint}"):
            await_start_from(own, savepoint)
            play(own, seed=3)
