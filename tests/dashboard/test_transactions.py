"""What others write in a transaction counts once that is committed, and is no record before.

A transaction ends with a marker in each partition, which takes an offset and is no record.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.structs import OffsetAndMetadata

from boards.last_events import LastEvents
from clients import kafka, offsets
from compose import lag
from compose.lag import Lag
from jobs import savepoints
from jobs.names import JobName
from settings import Settings
from tests import bounded
from tests.conftest import Stack, eventually

JOB = JobName("score", "top_teams", "postgres")


@pytest.fixture
def own(stores: Stack, tmp_path, request) -> Settings:
    """A topic of its own with four partitions, of which nobody has told anything yet."""
    (tmp_path / "data").mkdir()
    settings = replace(
        stores.settings, topic=request.node.name, state_folder=str(tmp_path), games="score"
    )
    bounded.create_topic(settings, keeps_times=False)
    offsets.forget(settings, [JOB.group])  # a new broker is then ready for groups
    return settings


@contextmanager
def transactions(settings: Settings, name: str = "games") -> Iterator[KafkaProducer]:
    with closing(kafka.client(KafkaProducer, settings, transactional_id=name)) as producer:
        producer.init_transactions()
        yield producer


def send(producer: KafkaProducer, settings: Settings, user_id: str, score: int, **other) -> None:
    event = {"user_id": user_id, "team_id": "T", "team_name": "Team T", "score": score}
    event |= {"event_time_millis": int(time.time() * 1000)} | other
    key, value = user_id.encode(), json.dumps(event).encode()
    producer.send(settings.topic, key=key, value=value)


def await_ends(settings: Settings, *expected: int) -> None:
    """Wait for the markers: a broker writes them after it has said that a transaction ended."""

    def check() -> None:
        with offsets.admin(settings) as client:
            ends = offsets.ends(client, offsets.partitions(client, settings.topic))
        assert [ends[number] for number in range(len(expected))] == list(expected)

    eventually(check)


def expect_scores(reader: LastEvents, user_id: str, expected: list[int]) -> None:
    assert [each["score"] for each in reader.recent(user_id).events] == expected


def test_last_events_are_committed_ones(own):
    reader = LastEvents(own)
    with transactions(own) as producer, transactions(own, "slow") as slow:
        producer.begin_transaction()
        send(producer, own, "ada", 9_000, event_id="x")
        producer.flush()  # or it would never be sent
        producer.abort_transaction()
        producer.begin_transaction()
        send(producer, own, "ada", 5, event_id="x")
        producer.commit_transaction()
        slow.begin_transaction()
        send(slow, own, "ada", 777)
        slow.flush()
        eventually(lambda: expect_scores(reader, "ada", [5]))
        slow.commit_transaction()
    eventually(lambda: expect_scores(reader, "ada", [777, 5]))


def abort(producer: KafkaProducer, settings: Settings, partition: int) -> None:
    """Send a record in a transaction that comes to nothing."""
    producer.begin_transaction()
    producer.send(settings.topic, b"{}", partition=partition)
    producer.flush()  # or it would never be sent
    producer.abort_transaction()


def commit(settings: Settings, reached: dict[int, int]) -> None:
    """As a checkpoint of the job does."""
    at = {TopicPartition(settings.topic, each): offset for each, offset in reached.items()}
    with offsets.admin(settings) as client:
        client.alter_group_offsets(
            JOB.group, {each: OffsetAndMetadata(offset, "", -1) for each, offset in at.items()}
        )


def lag_of_job(settings: Settings) -> Lag:
    """As of a moment at which every record is overdue."""
    return lag.look(settings, [JOB], late_seconds=-60).lags[JOB]


def test_markers_and_aborted_records_are_no_lag(own):
    with transactions(own) as producer:
        producer.begin_transaction()
        for partition in range(bounded.PARTITIONS):
            producer.send(own.topic, b"{}", partition=partition)
        producer.commit_transaction()
        await_ends(own, 2, 2, 2, 2)
        commit(own, dict.fromkeys(range(bounded.PARTITIONS), 1))
        assert lag_of_job(own) == Lag(0, 0)
        abort(producer, own, partition=1)
        await_ends(own, 2, 4, 2, 2)
        assert lag_of_job(own) == Lag(0, 0)
        producer.begin_transaction()
        producer.send(own.topic, b"{}", partition=2)
        producer.flush()
        assert lag_of_job(own) == Lag(0, 0)  # nobody can read it yet
        producer.commit_transaction()
        await_ends(own, 2, 4, 4, 2)
        assert lag_of_job(own) == Lag(2, 2)  # with its marker, which nobody knows from a record
        commit(own, {2: 3})
        assert lag_of_job(own) == Lag(0, 0)


def test_who_may_write_nothing_finds_no_lag_either(own):
    with transactions(own) as producer:
        abort(producer, own, partition=0)
    await_ends(own, 2)
    (own.state / "data").rmdir()
    assert [lag_of_job(own) for _ in range(2)] == [Lag(0, 0)] * 2


def test_a_partition_of_aborted_records_is_no_lag_for_a_job_that_committed_nothing_there(own):
    with transactions(own) as producer:
        abort(producer, own, partition=0)
    await_ends(own, 2)
    assert lag_of_job(own) == Lag(0, 0)


def test_a_marker_that_retention_deletes_is_no_missing_record(own):
    with transactions(own) as producer:
        for _ in range(2):
            producer.begin_transaction()
            producer.send(own.topic, b"{}", partition=0)
            producer.commit_transaction()
        await_ends(own, 4)
        commit(own, {0: 3})
        assert lag_of_job(own) == Lag(0, 0)
        with closing(kafka.client(KafkaAdminClient, own)) as admin:
            partition = TopicPartition(own.topic, 0)
            admin.delete_records({partition: 4})
            assert lag_of_job(own) == Lag(0, 0)
            assert lag.gaps(own) == []
            producer.begin_transaction()
            producer.send(own.topic, b"{}", partition=0)
            producer.commit_transaction()
            await_ends(own, 6)
            admin.delete_records({partition: 6})
    assert lag_of_job(own) == Lag(0, 0)
    (gap,) = lag.gaps(own)
    assert (gap.first, gap.last) == (4, 5)


def test_a_topic_that_lost_its_records_and_keeps_a_marker_is_complete_since_that(own):
    with transactions(own) as producer:
        producer.begin_transaction()
        producer.send(own.topic, b"{}", partition=0)
        producer.commit_transaction()
    await_ends(own, 2)
    before = int(time.time() * 1000)
    with closing(kafka.client(KafkaAdminClient, own)) as admin:
        admin.delete_records({TopicPartition(own.topic, 0): 1})
    assert 0 < offsets.complete_since(own, own.topic) <= before


def test_a_topic_that_was_made_anew_is_noticed_by_its_id_or_by_what_was_read_beyond_its_end(own):
    bounded.send(own, [bounded.Message(0, 0, b"{}")])
    commit(own, {0: 2})
    assert jobs_of_old_topics(own) == {JOB}
    commit(own, {0: 1})
    assert jobs_of_old_topics(own) == set()
    note = savepoints.Note(topic_id=offsets.topic_id_of(own, own.topic))
    savepoints._write(own, JOB, note)
    assert jobs_of_old_topics(own) == set()
    savepoints._write(own, JOB, savepoints.Note(topic_id=offsets.topic_id_of(own, "user-score")))
    assert jobs_of_old_topics(own) == {JOB}


def jobs_of_old_topics(settings: Settings) -> set[JobName]:
    return lag.look(settings, [JOB], late_seconds=40).of_old_topics
