"""Runs the SQL of the jobs over messages with chosen times, on the real Kafka, Flink and PostgreSQL."""

from __future__ import annotations

import dataclasses
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from psycopg2.extensions import parse_dsn
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from compose import postgres
from dashboard import boards
from jobs import job, sql
from settings import Settings
from tests.conftest import DEADLINE_SECONDS, Stack
from tests.invariants import Reader
from tests.oracle import Record

if TYPE_CHECKING:
    from pyflink.table import TableEnvironment

PARTITIONS = 4
Row = dict[str, object]


@dataclass(frozen=True)
class Message:
    """A record to be: its partition, the broker's timestamp in epoch milliseconds, and its value."""

    partition: int
    timestamp: int
    value: bytes | None


def run(stack: Stack, messages: list[Message], **changed: object) -> tuple[list[Record], dict[str, list[Row]]]:
    """The records that the messages became, and the rows of every table once all jobs, as one, have read them.

    `changed` are settings other than the stack's.
    """
    settings = _prepare(stack, changed)
    records = send(settings, messages)
    with Reader("postgres", settings) as reader:
        _submit(settings, is_bounded=True)
        await_end(settings, settings.topic)
    reader.expect_nothing()
    return records, rows(settings)


@contextmanager
def running(stack: Stack, messages: list[Message], **changed: object) -> Iterator[Settings]:
    """The settings of a job that has these messages to read and waits for more; it is cancelled in the end."""
    settings = _prepare(stack, changed)
    send(settings, messages)
    with Reader("postgres", settings) as reader:
        _submit(settings, is_bounded=False)
        try:
            yield settings
        finally:
            job.cancel(settings, job.running(settings)[settings.topic])
    reader.expect_nothing()


def send(settings: Settings, messages: list[Message]) -> list[Record]:
    """Append messages to the topic; the records that they became, offsets counted from the first of these."""
    producer = KafkaProducer(bootstrap_servers=settings.brokers, acks="all")
    offsets: dict[int, int] = defaultdict(int)
    records = []
    for each in messages:
        producer.send(settings.topic, each.value, None, None, each.partition, each.timestamp)
        records.append(Record(each.partition, offsets[each.partition], each.timestamp, each.value))
        offsets[each.partition] += 1
    producer.close()
    return records


def rows(settings: Settings) -> dict[str, list[Row]]:
    """The rows of every table."""
    with postgres.connect(postgres.owner_dsn(settings)) as db, db.cursor() as cursor:
        return {table: _rows(cursor, table) for table in sql.TABLES}


def ranked(rows: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The boards that a reader sees of these rows of the tables."""
    db = boards.tables()
    for name in boards.READ:
        for row in rows.get(name, []):
            db.execute(f"INSERT INTO flink.{name} VALUES ({', '.join('?' * len(row))})", list(row.values()))
    return boards.ranked(db, Settings()).rows


def _prepare(stack: Stack, changed: dict[str, object]) -> Settings:
    """Settings with a topic of their own and empty tables in a database beside that of the jobs that run."""
    topic = f"bounded-{uuid.uuid4().hex[:8]}"
    settings = dataclasses.replace(stack.settings, topic=topic, postgres_url=database(stack, "bounded"), **changed)
    create_topic(settings)
    postgres.create(settings)
    postgres.clear(settings, sql.TABLES)
    with postgres.connect(postgres.owner_dsn(settings)) as db, db.cursor() as cursor:
        for name in sql.kept_millis(settings):
            cursor.execute(f"ALTER TABLE flink.{name} DISABLE TRIGGER forget_old")  # all are compared
    return settings


def _submit(settings: Settings, is_bounded: bool) -> None:
    """One job for all tables, named like its topic."""
    environment = job.table_environment(settings)
    job.define_tables(environment, "postgres", settings, group=settings.topic)
    if is_bounded:
        end_with_the_topic(environment, settings)
    job.execute(environment, job.compile_plan(environment, sql.TABLES, settings), settings.topic)


def database(stack: Stack, name: str) -> str:
    """URL of a database of this name beside that of the jobs that run."""
    admin = parse_dsn(postgres.admin_dsn(stack.settings))
    db = postgres.connect(postgres.admin_dsn(stack.settings))
    with db.cursor() as cursor:
        cursor.execute("SELECT FROM pg_database WHERE datname = %s", [name])
        if not cursor.rowcount:
            cursor.execute(f"CREATE DATABASE {name}")
    db.close()
    return "postgresql://{user}:{password}@{host}:{port}/{name}".format(**admin, name=name)


def create_topic(settings: Settings) -> None:
    """Create the topic with PARTITIONS partitions, whose records keep the times that they are sent with."""
    admin = KafkaAdminClient(bootstrap_servers=settings.brokers)
    configs = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
    admin.create_topics({settings.topic: {"num_partitions": PARTITIONS, "configs": configs}}, wait_for_metadata=True)
    admin.close()


def end_with_the_topic(environment: TableEnvironment, settings: Settings) -> None:
    """Let jobs that are submitted from now on finish where the topic ends now."""
    unbounded = sql.sources(settings, group=settings.topic)[0]
    bounded = unbounded.replace("'format' = 'raw'", "'format' = 'raw', 'scan.bounded.mode' = 'latest-offset'")
    assert bounded != unbounded
    environment.execute_sql("DROP TEMPORARY TABLE messages")
    environment.execute_sql(bounded)


def await_end(settings: Settings, name: str, deadline_seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until the job of this name has finished."""

    def state() -> str:
        jobs = job.rest(settings, "GET", "/jobs/overview")["jobs"]
        return next(each["state"] for each in jobs if each["name"] == name)

    waiting = Retrying(
        retry=retry_if_result(lambda found: found not in job.ENDED),
        wait=wait_fixed(0.5),
        stop=stop_after_delay(deadline_seconds),
    )
    assert waiting(state) == "FINISHED"


def _rows(cursor, table: str) -> list[Row]:
    cursor.execute(f"SELECT * FROM flink.{table}")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
