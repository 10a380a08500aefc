"""Runs the SQL of the jobs over messages with chosen times, on real services."""

from __future__ import annotations

import dataclasses
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from psycopg2.extensions import parse_dsn
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

import games
from boards.kafka import folded_tables, ranked_boards
from boards.sinks import sink
from clients import flink, kafka, postgres
from games.board import Table
from jobs import environment as flink_environment
from settings import Settings
from tests.conftest import DEADLINE_SECONDS, Stack
from tests.invariants import Reader
from tests.oracle import Record

if TYPE_CHECKING:
    from pyflink.table import TableEnvironment

GAME = games.load("score")
PARTITIONS = 4
Row = dict[str, Any]


@dataclass(frozen=True)
class Message:
    """A record to be: its partition, its timestamp in epoch milliseconds, and its value."""

    partition: int
    timestamp: int
    value: bytes | None


def run(
    stack: Stack, messages: list[Message], **changed: Any
) -> tuple[list[Record], dict[str, list[Row]]]:
    """The records that the messages became, and the rows of every table once they are read.

    `changed` are settings other than the stack's.
    """
    settings = prepare(stack, changed)
    records = send(settings, messages)
    with _reader(settings) as reader:
        submit(settings, GAME.tables, settings.topic, is_bounded=True)
        await_end(settings, settings.topic)
    reader.expect_nothing()
    return records, rows(settings)


@contextmanager
def running(stack: Stack, messages: list[Message], **changed: Any) -> Iterator[Settings]:
    """The settings of a job that reads these messages and waits for more, until this is left."""
    settings = prepare(stack, changed)
    send(settings, messages)
    with _reader(settings) as reader:
        submit(settings, GAME.tables, settings.topic)
        job_id = flink.running(settings)[settings.topic]
        try:
            yield settings
        except AssertionError as error:
            error.add_note(_told_of(job_id, settings))
            raise
        finally:
            flink.cancel(settings, job_id)
    reader.expect_nothing()


def _told_of(job_id: str, settings: Settings) -> str:
    """What Flink says of a job: how far each task is, and what went wrong."""

    def ask(what: str) -> Any:
        return flink.rest(settings, "GET", f"/jobs/{job_id}{what}")

    lines = [
        f"{each['status']} {ask('/vertices/' + each['id'] + '/watermarks')} {each['name']}"
        for each in ask("")["vertices"]
    ]
    return "\n".join([*lines, str(ask("/exceptions")["exceptionHistory"])])


def _reader(settings: Settings) -> Reader:
    """A reader of the usual number of places, however many the tables keep."""
    return Reader("postgres", dataclasses.replace(settings, board_size=Settings().board_size))


def send(settings: Settings, messages: list[Message]) -> list[Record]:
    """Append messages to the topic; the records that they became, counted from offset 0."""
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
        return {table.name: _rows(cursor, table.name) for table in GAME.tables}


def ranked(rows: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """The boards that a reader sees of these rows of the tables."""
    db = folded_tables(GAME.listed)
    for table in GAME.listed:
        for row in rows.get(table.name, []):
            places = ", ".join("?" * len(row))
            db.execute(f"INSERT INTO flink.{table.name} VALUES ({places})", list(row.values()))
    return ranked_boards(db, GAME, Settings()).rows


def prepare(stack: Stack, changed: dict[str, Any]) -> Settings:
    """Settings with a topic of their own and empty tables in a database beside the jobs' own."""
    topic = f"bounded-{uuid.uuid4().hex[:8]}"
    url = database(stack, "bounded")
    settings = dataclasses.replace(stack.settings, topic=topic, postgres_url=url, **changed)
    create_topic(settings)
    own = sink("postgres", settings)
    own.create([GAME])
    own.clear(GAME.tables)
    with postgres.connect(postgres.owner_dsn(settings)) as db, db.cursor() as cursor:
        for table in GAME.tables:
            if table.kept:  # all rows are compared, also old ones
                cursor.execute(f"ALTER TABLE flink.{table.name} DISABLE TRIGGER forget_old")
    return settings


def submit(
    settings: Settings,
    tables: Iterable[Table],
    title: str,
    sink_name: str = "postgres",
    is_bounded: bool = False,
) -> None:
    """Start one job that writes these tables. A bounded one ends where the topic ends now."""
    environment = flink_environment.table_environment(settings)
    group = title.replace(" ", "-")
    flink_environment.define_tables(environment, GAME, sink_name, settings, group)
    if is_bounded:
        end_with_the_topic(environment, settings)
    held = sink(sink_name, settings).tables(tables)
    plan = flink_environment.compile_plan(environment, GAME, held, settings)
    flink_environment.execute(environment, plan, title)


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


def create_topic(settings: Settings, keeps_times: bool = True) -> None:
    """Create the topic with PARTITIONS partitions, kept for ever.

    A record of one that keeps times has the time that it was sent with; else the broker's.
    """
    kind = "CreateTime" if keeps_times else "LogAppendTime"
    configs = {"message.timestamp.type": kind, "retention.ms": "-1"}
    with closing(kafka.client(KafkaAdminClient, settings)) as admin:
        wanted = {settings.topic: {"num_partitions": PARTITIONS, "configs": configs}}
        admin.create_topics(wanted, wait_for_metadata=True)


def end_with_the_topic(environment: TableEnvironment, settings: Settings) -> None:
    """Let jobs that are submitted from now on finish where the topic ends now."""
    unbounded = flink_environment.source_statements(GAME, settings, settings.topic)[0]
    bounded = unbounded.replace(
        "'connector' = 'kafka'", "'connector' = 'kafka', 'scan.bounded.mode' = 'latest-offset'"
    )
    assert bounded != unbounded
    environment.execute_sql("DROP TEMPORARY TABLE messages")
    environment.execute_sql(bounded)


def await_end(settings: Settings, title: str, deadline_seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until the job of this title has finished."""

    def state() -> str:
        jobs = flink.rest(settings, "GET", "/jobs/overview")["jobs"]
        return next(each["state"] for each in jobs if each["name"] == title)

    waiting = Retrying(
        retry=retry_if_result(lambda found: found not in flink.ENDED),
        wait=wait_fixed(0.5),
        stop=stop_after_delay(deadline_seconds),
    )
    assert waiting(state) == "FINISHED"


def _rows(cursor, table: str) -> list[Row]:
    cursor.execute(f"SELECT * FROM flink.{table}")
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
