"""Seeded events through the injector, the topic and Flink: every board, in both sinks, equals the oracle's."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta

import psycopg2
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from compose import postgres
from dashboard import boards
from jobs import sql
from tests import hostile, oracle
from tests.conftest import Stack
from tests.oracle import Record

EVENTS = 40_000
FAULTS = ["--late", "40", "--duplicates", "40", "--minimal", "40", "--corrupt", "50", "--hopping-robots", "5"]
SLIDE = timedelta(seconds=2)
DEADLINE_SECONDS = 90


@pytest.fixture(scope="module")
def records(stack: Stack) -> list[Record]:
    """What the topic holds after the injector's run and all hostile messages, which the jobs saw live."""
    stack.run("jobs", "--sink", "postgres")
    producer = KafkaProducer(bootstrap_servers=stack.settings.brokers)
    for message in hostile.messages(int(time.time() * 1000)):
        producer.send(stack.settings.topic, key=b"hostile", value=message)
    producer.close()
    stack.run("generator", "--seed", "7", "--rate", "1500", "--count", str(EVENTS), *FAULTS)
    return read_topic(stack)


@pytest.fixture(scope="module")
def totals(records) -> oracle.Totals:
    return oracle.totals(oracle.accepted(records))


def read_topic(stack: Stack) -> list[Record]:
    consumer = KafkaConsumer(bootstrap_servers=stack.settings.brokers, enable_auto_commit=False)
    partitions = [TopicPartition(stack.settings.topic, number) for number in range(stack.settings.topic_partitions)]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends = consumer.end_offsets(partitions)
    records = []
    while any(consumer.position(each) < ends[each] for each in partitions):
        for polled in consumer.poll(timeout_ms=1000).values():
            records += [Record(each.partition, each.offset, each.timestamp, each.value) for each in polled]
    consumer.close()
    return records


def eventually(check: Callable[[], None]) -> None:
    """Repeat the check until it holds; the last failure is raised when it does not in time."""
    for attempt in Retrying(
        retry=retry_if_exception_type((AssertionError, boards.BoardsUnavailable)),
        wait=wait_fixed(0.5),
        stop=stop_after_delay(DEADLINE_SECONDS),
        reraise=True,
    ):
        with attempt:
            check()


def expect_totals(stack: Stack, sink: str, totals: oracle.Totals) -> None:
    read = boards.read(sink, stack.settings).rows
    assert read["top_teams"] == oracle.top_teams(totals)
    assert read["top_players"] == oracle.top_players(totals)
    assert read["team_mvps"] == oracle.team_mvps(totals)[:100]


def expect_streaks(windows: dict[int, list[dict]], records: list[Record]) -> None:
    """Every window of the last minute is the oracle's, and the last one is as late as the watermark allows.

    Older ones hold nothing but late events, of which the watermark lets in as many as come early enough.
    """
    events = oracle.accepted(records)
    newest = max(event.time for event in events)
    recent = {window_end: rows for window_end, rows in windows.items() if window_end > newest - 60_000}
    assert max(recent) > newest - 5_000 - 2 * 2_000
    for window_end, rows in recent.items():
        expected = [
            {name: value for name, value in row.items() if name not in ("rank_number", "window_end")}
            for row in oracle.hot_streaks(events, window_end)
        ]
        by_player = sorted(rows, key=lambda row: row["user_id"])
        assert by_player == sorted(expected, key=lambda row: row["user_id"]), f"{newest - window_end} ms before the end"


def whole_windows(rows: list[dict]) -> dict[int, list[dict]]:
    """Rows of flink.hot_streaks by window, without the marker rows and the windows still being written."""
    windows: dict[int, list[dict]] = defaultdict(list)
    sizes: dict[int, int] = {}
    for row in rows:
        window_end, size = row.pop("window_end"), row.pop("window_rows")
        sizes[window_end] = size
        windows[window_end] += [row] if row["user_id"] else []
    return {window_end: rows for window_end, rows in windows.items() if len(rows) == sizes[window_end]}


def streaks_in_postgres(stack: Stack) -> dict[int, list[dict]]:
    with postgres.connect(postgres.owner_dsn(stack.settings)) as db, db.cursor() as cursor:
        cursor.execute("SELECT * FROM flink.hot_streaks")
        names = [column[0] for column in cursor.description]
        return whole_windows([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])


def streaks_in_kafka(stack: Stack) -> dict[int, list[dict]]:
    consumer = KafkaConsumer(bootstrap_servers=stack.settings.brokers, enable_auto_commit=False)
    partition = TopicPartition(sql.board_topic("hot_streaks"), 0)
    consumer.assign([partition])
    consumer.seek_to_beginning()
    end = consumer.end_offsets([partition])[partition]
    rows = {}
    while consumer.position(partition) < end:
        for polled in consumer.poll(timeout_ms=1000).values():
            rows.update((each.key, json.loads(each.value)) for each in polled)
    consumer.close()
    return whole_windows(list(rows.values()))


def test_totals_in_postgres_are_exact(stack, totals):
    eventually(lambda: expect_totals(stack, "postgres", totals))


def test_hot_streaks_in_postgres_are_exact(stack, records):
    eventually(lambda: expect_streaks(streaks_in_postgres(stack), records))


def test_every_rejected_message_is_listed_once_with_its_reason(stack, records):
    def check() -> None:
        with postgres.connect(postgres.reader_dsn(stack.settings)) as db, db.cursor() as cursor:
            cursor.execute('SELECT partition, "offset", reason FROM leaderboard.rejected_events')
            assert {(partition, offset): reason for partition, offset, reason in cursor} == oracle.rejected(records)

    eventually(check)


def test_a_job_that_runs_is_not_submitted_twice(stack, records):
    again = stack.run("jobs", "--sink", "postgres")
    assert again.stdout.count("runs already") == len(sql.TABLES)


def test_totals_in_kafka_are_exact_after_moving_there(stack, records, totals):
    stack.run("jobs", "--sink", "kafka", "--switch")
    eventually(lambda: expect_totals(stack, "kafka", totals))


def test_hot_streaks_in_kafka_are_exact(stack, records):
    eventually(lambda: expect_streaks(streaks_in_kafka(stack), records))


def test_one_job_computes_the_same(stack, records, totals):
    stack.run("jobs", "--sink", "postgres", "--one-job", "--rebuild")
    eventually(lambda: expect_totals(stack, "postgres", totals))
    eventually(lambda: expect_streaks(streaks_in_postgres(stack), records))


def test_the_reader_role_reads_views_only(stack):
    with postgres.connect(postgres.reader_dsn(stack.settings)) as db, db.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM leaderboard.top_teams")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("SELECT * FROM flink.top_teams")


def test_a_refused_submission_is_one_readable_sentence(stack):
    refused = stack.run("jobs", "top_golfers", check=False)
    assert refused.returncode == 2
    assert "no metric is called top_golfers" in refused.stderr
