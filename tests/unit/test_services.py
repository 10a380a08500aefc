"""What is said when what runs is not what a command expects."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCServer

import psutil
import pytest
from supervisor.xmlrpc import Faults

from clients.errors import SetupError
from compose import __main__ as commands
from compose import checks, services
from compose.flink import put_events_first
from compose.status import Status
from settings import SettingError, Settings
from tests.conftest import PORTS, free_ports


@contextmanager
def ending_supervisor(port: int) -> Iterator[None]:
    """Answers every question as a supervisor does that was told to end."""

    def refuse(*_: object) -> None:
        raise Fault(Faults.SHUTDOWN_STATE, "SHUTDOWN_STATE")

    with SimpleXMLRPCServer(("127.0.0.1", port), logRequests=False) as server:
        for name in ("getProcessInfo", "startProcess", "getAllProcessInfo"):
            server.register_function(refuse, f"supervisor.{name}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (port,) = free_ports(1)
    return Settings(state_folder=str(tmp_path), supervisor_port=port)


def test_a_supervisor_that_ends_while_it_starts_is_a_sentence(settings):
    refused = pytest.raises(SetupError, match="everything is being stopped")
    with ending_supervisor(settings.supervisor_port), refused:
        services.start(settings, ["kafka"])
    with pytest.raises(SetupError, match="everything is being stopped"):
        services.start(settings, ["kafka"])


def test_services_of_a_supervisor_that_ends_are_stopped(settings, monkeypatch):
    monkeypatch.setattr(services, "is_up", lambda _: True)
    (settings.state / "conf").mkdir()
    (settings.state / "conf" / "supervisord.conf").touch()
    with ending_supervisor(settings.supervisor_port):
        assert set(services.states(settings).values()) == {"STOPPED"}


@pytest.fixture
def free(tmp_path: Path) -> Settings:
    """Settings under which everything could start."""
    (tmp_path / "state").mkdir()
    ports: dict[str, Any] = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    return Settings(state_folder=str(tmp_path / "state"), **ports)


def test_what_fits_together_is_not_refused(free):
    checks.check(free)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"api_port": 20_000, "kafka_port": 20_000}, "LEADERBOARD_KAFKA_PORT and .*_API_PORT"),
        ({"supervisor_port": 20_000, "monitor_port": 20_000}, "SUPERVISOR_PORT and .*MONITOR_PORT"),
        ({"topic": "top-players"}, "LEADERBOARD_TOPIC.*: top-players"),
        ({"topic": "bans"}, "LEADERBOARD_TOPIC.*: bans"),
        ({"kafka_ca_file": "/nowhere"}, "LEADERBOARD_KAFKA_CA_FILE is '/nowhere'"),
        ({"bind_address": "0.0.0.0"}, "LEADERBOARD_BIND_ADDRESS is '0.0.0.0', which is every"),
        ({"bind_address": "0"}, "LEADERBOARD_BIND_ADDRESS is '0', which is every"),
        ({"bind_address": "192.0.2.1"}, "LEADERBOARD_BIND_ADDRESS is '192.0.2.1'"),
        ({"bind_address": "nobody.invalid"}, "LEADERBOARD_BIND_ADDRESS is 'nobody.invalid'"),
        ({"dashboard_address": "192.0.2.1"}, "LEADERBOARD_DASHBOARD_ADDRESS is '192.0.2.1'"),
        ({"flink_taskmanager_memory_mb": 500}, "TASKMANAGER_MEMORY_MB is 500 here; .* 1280 or"),
        (
            {"flink_taskmanager_memory_mb": 2048, "rocksdb_memory_mb": 1024},
            "2048 here; it must be 2304 or more",
        ),
    ],
)
def test_settings_that_do_not_fit_together_are_one_sentence(changed, named, free):
    with pytest.raises(SettingError, match=named) as refused:
        checks.check(replace(free, page_without_login="yes", **changed))
    assert "\n" not in str(refused.value)


def test_a_live_status_ends_when_what_runs_is_stopped(monkeypatch, capsys):
    answers = iter([True, True, False])
    monkeypatch.setattr(services, "is_up", lambda _: next(answers))
    monkeypatch.setattr(commands.status, "status", lambda _: Status())
    monkeypatch.setattr(commands, "WATCH_SECONDS", 0)
    commands.watch()
    assert "stopped from elsewhere" in capsys.readouterr().out
    assert list(answers) == []


def test_services_of_your_own_need_no_port_here(free):
    checks.check(replace(free, kafka_port=free.api_port, kafka_brokers="kafka:9092"))


def test_the_pages_port_is_looked_for_where_the_page_listens(free):
    with socket.socket() as other:
        other.bind(("127.0.0.2", free.dashboard_port))
        other.listen()
        checks.check(free)
        with pytest.raises(
            SetupError,
            match=r"Port \d+ on 127\.0\.0\.2 is taken.*later commands: export LEADERBOARD_",
        ):
            checks.check(replace(free, dashboard_address="127.0.0.2"))


@pytest.mark.parametrize(
    ("named", "is_ours"),
    [
        ("state/conf/supervisord.conf", True),
        ("link/conf/supervisord.conf", True),
        ("original/conf/supervisord.conf", False),
        ("gone/conf/supervisord.conf", True),  # moved while it ran
        ("", False),  # another program has its number now
    ],
)
def test_a_copy_of_a_running_system_is_not_taken_for_it(named, is_ours, free, tmp_path):
    for folder in ("state", "original"):
        (tmp_path / folder / "conf").mkdir(parents=True)
        (tmp_path / folder / "conf" / "supervisord.conf").touch()
    (tmp_path / "link").symlink_to("state")
    program = "import time; print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", program, str(tmp_path / named)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()  # its command line is there now
        (free.state / "supervisord.pid").write_text(str(process.pid))
        try:
            assert services.is_up(free) == is_ours
        finally:
            process.kill()


def test_services_whose_supervisor_was_killed_are_told_and_stopped(free, tmp_path):
    (free.state / "conf").mkdir()
    (free.state / "conf" / "supervisord.conf").touch()

    def started(name: str, folder: Path) -> subprocess.Popen:
        own = {"SUPERVISOR_PROCESS_NAME": name, "LEADERBOARD_STATE_FOLDER": str(folder)}
        # What a shell starts in the background ignores SIGINT, and so would these.
        command = ["env", "--default-signal=INT", "sleep", "60"]
        return subprocess.Popen(command, env=os.environ | own)

    (tmp_path / "link").symlink_to("state")
    with (
        started("kafka", tmp_path / "link") as kafka,
        started("postgres", free.state) as postgres,
        started("kafka", tmp_path) as of_another,
    ):
        states = services.states(free)
        assert (states["kafka"], states["postgres"]) == ("UNSUPERVISED", "UNSUPERVISED")
        assert states["zookeeper"] == "STOPPED"
        with pytest.raises(SetupError, match=r"supervisor was killed: scripts/stop\.sh first"):
            checks.check(free)
        assert services.stop(free)
        assert None not in (kafka.poll(), postgres.poll())
        assert of_another.poll() is None
        of_another.kill()
    assert not services.stop(free)
    checks.check(free)


@pytest.mark.parametrize("name", ["a:b", 'a"b', "a$b", "a`b", "a\\b", "a*", "a?", "[a]", "a\nb"])
def test_a_folder_that_some_program_cannot_find_is_one_sentence(name, free, tmp_path):
    refused = pytest.raises(SetupError, match="in its name, which Java or a shell would read")
    with refused as found:
        checks.check(replace(free, state_folder=str(tmp_path / name)))
    assert "\n" not in str(found.value)
    assert not (tmp_path / name).exists()


def test_a_state_folder_that_cannot_be_one_is_one_sentence(free, tmp_path):
    file, dangling = tmp_path / "file", tmp_path / "link"
    file.touch()
    dangling.symlink_to(tmp_path / "nowhere" / "at all")
    refused = r"^LEADERBOARD_STATE_FOLDER is '.*'; it must be a folder of yours"
    for folder in (file, file / "below", dangling, tmp_path / ("x" * 256), Path("/proc/state")):
        settings = replace(free, state_folder=str(folder))
        with pytest.raises(SettingError, match=refused):
            checks.check(settings)
        assert services.is_up(settings) is False
    for folder in (file, dangling):
        with pytest.raises(SettingError, match=refused):
            checks.check_state_folder(replace(free, state_folder=str(folder)))
    for folder in (tmp_path, tmp_path / "new"):
        checks.check_state_folder(replace(free, state_folder=str(folder)))


def test_a_folder_is_no_file_that_holds_a_secret(free, tmp_path):
    with pytest.raises(SettingError, match=r"API_TOKEN_FILE is .* must be a file"):
        checks.check(replace(free, api_token_file=str(tmp_path)))


def test_a_slow_machine_may_be_given_more_time(free):
    def refuse() -> None:
        raise ConnectionError("nobody listens")

    with pytest.raises(SetupError, match=r"ready within 1 s .* set LEADERBOARD_START_SECONDS=2\."):
        services._await("kafka", refuse, replace(free, start_seconds=1), Path("kafka.log"))


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({}, None),
        ({"games": "score", "rate_per_second": 50.0}, None),
        ({"games": "score,spins"}, "LEADERBOARD_GAMES"),
        ({"rate_per_second": 77.0}, "LEADERBOARD_RATE_PER_SECOND"),
        ({"webhooks_file": "webhooks"}, "LEADERBOARD_WEBHOOKS_FILE"),
        ({"sink": "kafka", "season": "hour"}, None),  # said by what moves the boards, and by jobs
    ],
)
def test_only_what_already_runs_can_be_asked_for(changed, refused, settings):
    (settings.state / "conf").mkdir()
    services.note_started(replace(settings, games="score", rate_per_second=50.0))
    asked = replace(settings, **{"games": "score", "rate_per_second": 2_000.0} | changed)
    environment = {f"LEADERBOARD_{name.upper()}": "given" for name in changed}
    if refused is None:
        services.check_unchanged(asked, environment)
    else:
        message = rf"with another {refused}\. To change that, run scripts/stop\.sh first"
        with pytest.raises(SetupError, match=message):
            services.check_unchanged(asked, environment)


def test_a_misspelled_game_is_said_before_anybody_stops_what_runs(settings):
    (settings.state / "conf").mkdir()
    services.note_started(settings)
    with pytest.raises(SettingError, match=r"names 'spin', which is no game; there are .*spins"):
        services.check_unchanged(
            Settings(state_folder=settings.state_folder, games="score,spin"),
            {"LEADERBOARD_GAMES": "score,spin"},
        )


def test_threads_that_write_checkpoints_give_way_to_events():
    named, is_seen = threading.Event(), threading.Event()

    def write_a_checkpoint() -> None:
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text("AsyncOperations")
        named.set()
        is_seen.wait()

    thread = threading.Thread(target=write_a_checkpoint)
    thread.start()
    named.wait()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    put_events_first(psutil.Process())
    lowered = os.getpriority(os.PRIO_PROCESS, thread.native_id)
    is_seen.set()
    thread.join()
    assert lowered == 19
    assert os.getpriority(os.PRIO_PROCESS, 0) == own
