"""Jobs go on from a savepoint, also with another parallelism; a topic may grow meanwhile.

Their state is in RocksDB here; all other tests keep it on the heap.
"""

from __future__ import annotations

import json
import os
import time

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from jobs import checkpoints, savepoints
from jobs.environment import checkpoint_folder
from jobs.names import ALL_BOARDS, JobName
from jobs.running import running
from tests import oracle
from tests.conftest import Stack, eventually
from tests.invariants import Reader
from tests.pipeline.test_exact_boards import (
    await_records,
    expect_streaks,
    expect_totals,
    playing,
    streaks_in_postgres,
)

EVENTS = 40_000  # more than ten seconds, so that windows end in the last run
MORE_PARTITIONS = 6
ALL = JobName("score", ALL_BOARDS, "postgres")


@pytest.fixture(scope="module")
def upgraded(stack: Stack) -> Stack:
    """One job under load, suspended and resumed with parallelism 2, then with 1 again."""
    stack = stack.changed(topic="upgrades", state_backend="rocksdb")
    stack.run("compose", "create")
    stack.changed(one_job="yes").run("jobs", "--sink", "postgres", "--rebuild")
    with Reader("postgres", stack.settings) as reader:
        for number, parallelism in enumerate((2, 1), start=1):
            with playing(stack, EVENTS, number):
                await_records(stack, number * EVENTS - EVENTS // 2)
                assert f"{ALL}: suspended" in stack.run("jobs", "--suspend").stdout
                resumed = stack.changed(parallelism=parallelism).run("jobs")
                assert f"{ALL}: goes on from its savepoint" in resumed.stdout
                rename(stack, f"at {parallelism}")
    reader.expect_nothing()
    return stack


def rename(stack: Stack, players: str) -> None:
    """These players change names and teams with each event, faster than tasks keep in step.

    They are enough to play in all partitions: one that lags holds back the last windows.
    """
    producer = KafkaProducer(bootstrap_servers=stack.settings.brokers)
    now = int(time.time() * 1000)
    for number in range(4_000):
        user, team = f"{players}-{number % 40}", f"refuge-{number % 3}"
        event = {
            "event_id": f"{now}-{number}",
            "user_id": user,
            "user_name": f"Name {number}",
            "score": 1,
        }
        event |= {"team_id": team, "team_name": team.title(), "event_time_millis": now}
        producer.send(stack.settings.topic, key=user.encode(), value=json.dumps(event).encode())
    producer.close()


def test_totals_are_exact_whatever_the_parallelism_was(upgraded):
    totals = oracle.totals(oracle.accepted(upgraded.records()))
    eventually(lambda: expect_totals(upgraded, "postgres", totals))


def test_hot_streaks_go_on_from_the_savepoint(upgraded):
    events = oracle.accepted(upgraded.records())
    eventually(lambda: expect_streaks(streaks_in_postgres(upgraded), events))


def test_a_savepoint_that_is_used_is_no_more(upgraded):
    assert savepoints.suspended(upgraded.settings) == {}


def test_what_a_dead_jobmanager_left_of_a_checkpoint_goes_away(upgraded):
    job_id = running(upgraded.settings)[ALL]
    folder = checkpoint_folder(upgraded.settings) / job_id
    abandoned, unshared = folder / "chk-0", folder / "shared" / "of-chk-0"

    def check() -> None:
        abandoned.mkdir(exist_ok=True)
        unshared.touch()
        try:
            named = b"".join(file.read_bytes() for file in folder.glob("chk-*/_metadata"))
            shared = [file for file in folder.glob("shared/*") if file.name.encode() in named]
            for each in (abandoned, unshared, *shared):
                os.utime(each, (0, 0))
        except FileNotFoundError as error:
            raise AssertionError("a newer checkpoint has completed meanwhile") from error
        checkpoints.clear(upgraded.settings)
        assert not abandoned.exists()
        assert not unshared.exists()
        assert shared
        assert all(file.exists() for file in shared)

    eventually(check)  # there must be a completed one
    assert list(folder.glob("chk-*/_metadata"))


def test_sql_that_keeps_other_state_is_refused_and_the_rebuild_is_named(upgraded):
    larger = upgraded.changed(board_size=200)
    upgraded.run("jobs", "--suspend")
    refused = larger.run("jobs", check=False)
    assert refused.returncode == 1
    assert "rankEnd=120" in refused.stderr
    assert "rankEnd=220" in refused.stderr
    assert "scripts/rebuild.sh" in refused.stderr
    assert "goes on" in upgraded.run("jobs").stdout


def test_new_partitions_are_read_from_their_first_record(upgraded):
    admin = KafkaAdminClient(bootstrap_servers=upgraded.settings.brokers)
    admin.create_partitions({upgraded.settings.topic: MORE_PARTITIONS})
    admin.close()
    grown = upgraded.changed(topic_partitions=MORE_PARTITIONS)
    with playing(grown, EVENTS, 3):
        rename(grown, "at 2")  # most of them are in another partition now
    records = grown.records()
    assert {record.partition for record in records} == set(range(MORE_PARTITIONS))
    totals = oracle.totals(oracle.accepted(records))
    eventually(lambda: expect_totals(grown, "postgres", totals))
