"""What is said when what runs is not what a command expects."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xmlrpc.client import Fault
from xmlrpc.server import SimpleXMLRPCServer

import pytest
from supervisor.xmlrpc import Faults

from clients.errors import SetupError
from compose import services
from settings import Settings
from tests.conftest import free_ports


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


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({}, None),
        ({"LEADERBOARD_GAMES": "score", "LEADERBOARD_RATE_PER_SECOND": "50"}, None),
        ({"LEADERBOARD_GAMES": "score,golf"}, "games"),
        ({"LEADERBOARD_RATE_PER_SECOND": "77"}, "rate"),
    ],
)
def test_only_what_already_runs_can_be_asked_for(environment, word, settings):
    (settings.state / "conf").mkdir()
    services.note_started(settings)
    asked = Settings(
        state_folder=settings.state_folder,
        games=environment.get("LEADERBOARD_GAMES", "score"),
        rate_per_second=float(environment.get("LEADERBOARD_RATE_PER_SECOND", 2_000)),
    )
    if word is None:
        services.check_unchanged(asked, environment)
    else:
        with pytest.raises(SetupError, match=rf"To change the {word}, run scripts/stop\.sh first"):
            services.check_unchanged(asked, environment)
