"""Nothing listens beyond this machine or shows a password; no role may do too much."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import requests

from clients import postgres
from clients.passwords import NAMES, passwords
from compose import services
from settings import PROJECT, Settings
from tests import bounded
from tests.conftest import Stack

HOUR_OLD = 1_772_366_400_000
# What Flink's REST interface tells about itself, a process, a job and an operator of it.
CLUSTER = (
    "config",
    "overview",
    "jobs/overview",
    "jobs/metrics",
    "jobmanager/config",
    "jobmanager/environment",
)
PROCESS = ("", "/logs", "/log", "/stdout", "/metrics", "/thread-dump")
JOB = (
    "", "/config", "/plan", "/exceptions", "/accumulators", "/checkpoints", "/checkpoints/config",
    "/metrics",
    "/resource-requirements", "/jobmanager/config", "/jobmanager/environment",
)  # fmt: skip
VERTEX = (
    "",
    "/backpressure",
    "/accumulators",
    "/subtasktimes",
    "/taskmanagers",
    "/watermarks",
    "/metrics",
)


@pytest.fixture(scope="module")
def running(stack: Stack) -> Iterator[Settings]:
    """All services but the injector, and a job that writes every table to PostgreSQL."""
    stack.run("compose", "start", "dashboard", "api", "monitor")
    with bounded.running(stack, [bounded.Message(0, HOUR_OLD, b"{}")]):
        yield stack.settings
    for name in ("dashboard", "api", "monitor"):
        services.rpc(stack.settings).stopProcess(name)


@pytest.fixture
def secrets(running: Settings) -> list[str]:
    return list(passwords(running.state).values())


def family(settings: Settings) -> list[psutil.Process]:
    """The supervisor and all that it started."""
    supervisor = services.supervisor(settings)
    assert supervisor
    return [supervisor, *supervisor.children(recursive=True)]


def told(
    processes: list[psutil.Process], question: Callable[[psutil.Process], Any]
) -> list[tuple[psutil.Process, Any]]:
    """What each process says, without those that have ended meanwhile."""
    answers = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            answers.append((process, question(process)))
    return answers


def listening(processes: list[psutil.Process]) -> dict[int, str]:
    """Every TCP port that these processes listen on, with its address."""
    asked = told(processes, lambda process: process.net_connections("tcp"))
    connections = [each for _, opened in asked for each in opened]
    return {
        each.laddr.port: each.laddr.ip for each in connections if each.status == psutil.CONN_LISTEN
    }


def open_to_others(found: dict[int, str]) -> dict[int, str]:
    return {
        port: at
        for port, at in found.items()
        if not ip_address(at.removeprefix("::ffff:")).is_loopback
    }


def shown(text: str, secrets: list[str]) -> bool:
    return any(secret in text for secret in secrets)


def test_there_is_a_password_for_everybody(secrets):
    assert len(set(secrets)) == len(NAMES)
    assert all(len(secret) >= 32 for secret in secrets)


def test_every_service_listens_on_this_machine_only(running):
    found = listening(family(running))
    ports = {"supervisor_port": running.supervisor_port}
    for service in services.services(running):
        ports |= service.ports if service.name != "score_generator" else {}
    assert set(ports.values()) <= set(found)
    assert open_to_others(found) == {}


def test_whoever_submits_a_job_listens_on_this_machine_only(running):
    this = psutil.Process()  # with PyFlink's Java side as a child
    found = listening(
        [this, *(each for each in this.children(recursive=True) if each.name() == "java")]
    )
    assert found
    assert open_to_others(found) == {}


def test_flink_takes_no_jars_over_http(running):
    jar = b"PK of somebody else"
    url = f"http://{running.flink_rest}/jars"
    assert requests.get(url, timeout=10).status_code == 404
    assert requests.post(f"{url}/upload", timeout=10).status_code == 404
    assert (
        requests.post(f"{url}/upload", files={"jarfile": ("x.jar", jar)}, timeout=10).status_code
        == 400
    )
    assert [
        file for file, content in contents(running.state / "data" / "flink") if jar in content
    ] == []


def test_flink_shows_no_password(running, secrets):
    texts = list(everything(running))
    assert len(texts) > 60
    assert any(
        "postgres" in text for _, text in texts
    )  # the job's plan and its sinks were looked at
    assert [path for path, text in texts if shown(text, secrets)] == []


def everything(settings: Settings) -> Iterator[tuple[str, str]]:
    """Path and text of all that Flink's REST interface tells."""

    def get(path: str) -> requests.Response:
        return requests.get(f"http://{settings.flink_rest}/{path}", timeout=30)

    managers = [f"taskmanagers/{each['id']}" for each in get("taskmanagers").json()["taskmanagers"]]
    jobs = [f"jobs/{each['id']}" for each in get("jobs").json()["jobs"]]
    vertices = [
        f"{job}/vertices/{each['id']}" for job in jobs for each in get(job).json()["vertices"]
    ]
    processes = ["jobmanager", *managers]
    logs = [
        f"{process}/logs/{each['name']}"
        for process in processes
        for each in get(f"{process}/logs").json()["logs"]
    ]
    parts = ((processes, PROCESS), (jobs, JOB), (vertices, VERTEX))
    paths = [f"{start}{end}" for starts, ends in parts for start in starts for end in ends]
    for path in [*CLUSTER, *paths, *logs]:
        yield path, get(path).text


def test_no_argument_and_no_environment_holds_a_password(running, secrets):
    for process, words in told(family(running), psutil.Process.cmdline):
        assert not shown(" ".join(words), secrets), process
    for process, environment in told(family(running), psutil.Process.environ):
        assert not shown(str(environment), secrets), process
    for service in services.services(running):
        assert not shown(f"{service.command}", secrets), service.name


def test_no_log_holds_a_password(running, secrets):
    logs = [file for file in (running.state / "logs").rglob("*") if file.is_file()]
    assert {"jobmanager.log", "taskmanager.log", "kafka.log", "postgres.log"} <= {
        file.name for file in logs
    }
    assert [file.name for file in logs if shown(file.read_text(errors="replace"), secrets)] == []


def test_what_holds_a_password_is_for_its_owner_only(running, secrets):
    holding = [
        file
        for file, content in contents(running.state)
        if shown(content.decode("latin-1"), secrets)
    ]
    assert {"passwords.json", "supervisord.conf"} <= {file.name for file in holding}
    assert [str(file) for file in holding if is_open(file, running.state)] == []


def contents(state: Path) -> Iterator[tuple[Path, bytes]]:
    """What the files hold, but for jars and long ones; jobs at work delete some meanwhile."""
    for folder, _, names in os.walk(
        state
    ):  # unlike Path.rglob, it passes over a folder that has gone
        for file in (Path(folder) / name for name in names):
            with suppress(FileNotFoundError):
                status = file.stat()
                is_short = stat.S_ISREG(status.st_mode) and status.st_size < 50_000_000
                if is_short and "jars" not in file.relative_to(state).parts:
                    yield file, file.read_bytes()


def is_open(file: Path, state: Path) -> bool:
    """Whether somebody else can reach the file through its folders, and read it."""
    way = [each for each in file.parents if each.is_relative_to(state) and each != state]
    bits = [stat.S_IRGRP | stat.S_IROTH, *(stat.S_IXGRP | stat.S_IXOTH for _ in way)]
    return all(
        each.stat().st_mode & wanted for each, wanted in zip([file, *way], bits, strict=True)
    )


def test_passwords_stay_out_of_git():
    ignored = ["git", "check-ignore", "--quiet", ".leaderboard/passwords.json"]
    assert subprocess.run(ignored, cwd=PROJECT).returncode == 0


def test_the_supervisor_answers_nobody_without_a_login(running):
    for path in ("/", "/RPC2", "/logtail/kafka"):
        answer = requests.get(
            f"http://{running.bind_address}:{running.supervisor_port}{path}", timeout=10
        )
        assert answer.status_code == 401


ROLES = {
    "flink": lambda settings: flink_dsn(settings),
    "reader": postgres.reader_dsn,
    "moderator": postgres.moderator_dsn,
}


def flink_dsn(settings: Settings) -> str:
    access = postgres.flink_access(settings)
    return psycopg2.extensions.make_dsn(
        postgres.reader_dsn(settings), user=access["jdbc_user"], password=access["jdbc_password"]
    )


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.mine (a INT)",
        "CREATE TABLE flink.mine (a INT)",
        "CREATE TABLE leaderboard.mine (a INT)",
        "CREATE TEMPORARY TABLE mine (a INT)",
        "CREATE SCHEMA mine",
        "CREATE ROLE mine",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "DROP TABLE flink.top_teams",
        "CREATE OR REPLACE VIEW leaderboard.top_teams AS SELECT 1",
        "DELETE FROM moderation.decisions",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT * FROM pg_authid",
    ],
)
def test_a_role_may_do_nothing_but_its_work(stack, role, statement):
    with closing(postgres.connect(ROLES[role](stack.settings))) as db, db.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_forgets_ends_by_itself(stack, role):
    with closing(postgres.connect(ROLES[role](stack.settings))) as db, db.cursor() as cursor:
        for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute("SELECT setting::int FROM pg_settings WHERE name = %s", [name])
            assert 0 < cursor.fetchone()[0] <= 30_000


def test_a_role_leaves_connections_to_others(stack):
    with (
        ExitStack() as held,
        pytest.raises(psycopg2.OperationalError, match="too many connections for role"),
    ):
        for _ in range(30):
            held.enter_context(closing(postgres.connect(postgres.reader_dsn(stack.settings))))
    with closing(postgres.connect(postgres.admin_dsn(stack.settings))) as db, db.cursor() as cursor:
        cursor.execute(
            "SELECT sum(rolconnlimit) FROM pg_roles "
            "WHERE rolname LIKE 'leaderboard\\_%' AND NOT rolsuper"
        )
        connections_of_roles = cursor.fetchone()[0]
        cursor.execute("SHOW max_connections")
        assert 0 < connections_of_roles < int(cursor.fetchone()[0])


def test_another_role_cannot_enter_the_database(stack):
    with closing(postgres.connect(postgres.owner_dsn(stack.settings))) as db, db.cursor() as cursor:
        cursor.execute("SELECT has_database_privilege('pg_monitor', current_database(), 'CONNECT')")
        assert cursor.fetchone() == (False,)
