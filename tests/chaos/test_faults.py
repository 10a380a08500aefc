"""Any part may die under load: the boards move again, and nothing is lost or counted twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests

from compose import services
from tests.chaos import system
from tests.chaos.system import System, away, kill, kill_everything, kill_injector
from tests.conftest import Stack, eventually

RATE_PER_SECOND = (
    500  # a quarter of what scripts/soak plays: boards must come back on slow machines
)
OUTAGE_SECONDS = 30

FAULTS = {
    "TaskManager killed": kill("taskmanager"),
    "JobManager killed": kill("jobmanager"),
    "Kafka killed": kill("kafka"),
    "ZooKeeper killed": kill("zookeeper"),
    "injector killed": kill_injector,
    "everything killed": kill_everything,
}
POSTGRES_FAULTS = {
    "PostgreSQL killed": kill("postgres"),
    f"PostgreSQL away for {OUTAGE_SECONDS} s": away("postgres", OUTAGE_SECONDS),
}


@pytest.fixture(scope="module", params=["postgres", "kafka"])
def under_load(stack: Stack, request: pytest.FixtureRequest) -> Iterator[System]:
    """A system with a topic of its own."""
    topic = f"chaos-{request.param}"
    own = stack.changed(topic=topic)
    own.run("compose", "create")
    with system.under_load(own, request.param, RATE_PER_SECOND, seed=5) as loaded_system:
        yield loaded_system


@pytest.mark.parametrize("name", FAULTS)
def test_the_boards_move_again_within_a_minute(under_load, name):
    under_load.survive(name, FAULTS[name])


@pytest.mark.parametrize("under_load", ["postgres"], indirect=True)
@pytest.mark.parametrize("name", POSTGRES_FAULTS)
def test_they_do_so_after_their_database_was_gone(under_load, name):
    under_load.survive(name, POSTGRES_FAULTS[name])


def test_nothing_was_lost_or_counted_twice(under_load):
    under_load.expect_nothing_lost()
    under_load.reader.expect_nothing()


@pytest.fixture
def at_the_edges(stack: Stack) -> Iterator[tuple[str, ...]]:
    """The services at both ends of the pipeline, for as long as they are needed."""
    names = "score_generator", "dashboard"
    stack.run("compose", "start", *names)
    yield names
    for name in names:
        services.rpc(stack.settings).stopProcess(name)


def test_the_injector_and_the_page_come_back(stack, at_the_edges):
    rpc = services.rpc(stack.settings)
    before = {name: rpc.getProcessInfo(name)["pid"] for name in at_the_edges}
    for name in before:
        stack.kill(name)

    def check() -> None:
        for name, pid in before.items():
            now = rpc.getProcessInfo(name)
            assert now["statename"] == "RUNNING"
            assert now["pid"] != pid
        page = f"http://127.0.0.1:{stack.settings.dashboard_port}/_stcore/health"
        assert requests.get(page, timeout=5).ok

    eventually(check)
