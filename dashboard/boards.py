"""Reads the four boards as one consistent snapshot, from PostgreSQL or from Kafka."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Any

from kafka import TopicPartition

from compose import broker
from compose.topics import REMOVED
from dashboard import database
from dashboard.background import Background
from dashboard.database import BoardsUnavailable, first_line
from jobs import sql
from settings import Settings

Row = dict[str, Any]
Record = tuple[bytes, bytes | None, Sequence[tuple[str, bytes]]]  # key, value, headers

READ = (*sql.METRICS, "late_events")
LIMIT = 100  # readers show so many places at most
TIMES = ("reached_at", "window_end", "season_start", "banned_at")
FOLLOWED = (*READ, "bans")  # the topics that the boards in Kafka are made of
FRESH = {"top_teams": "reached_at", "top_players": "reached_at", "hot_streaks": "window_end"}

SILENT_SECONDS = 3 * broker.ANSWER_SECONDS  # without a word from the broker for so long, its boards are not trusted
FOLD_SECONDS = 30  # the first fold reads every record since the last compaction

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Boards:
    """The rows of each board in rank order, each with the columns of its view, at one moment.

    `late_events` counts, by season, the events that came too late for the hot streaks.
    """

    rows: dict[str, list[Row]]

    def newest(self, name: str) -> datetime | None:
        """The time of a board's newest row; None without rows, and for the MVPs, who carry no time."""
        return max((row[FRESH[name]] for row in self.rows[name]), default=None) if name in FRESH else None

    def season(self, name: str) -> datetime | None:
        """The start of a board's newest season; None without rows, and for the hot streaks, who have none."""
        return max((row["season_start"] for row in self.rows[name] if "season_start" in row), default=None)

    @property
    def season_start(self) -> datetime | None:
        """The start of the newest season on any board; None when there is none."""
        return max(filter(None, map(self.season, sql.METRICS)), default=None)

    @property
    def as_of(self) -> datetime | None:
        """The time of the newest data on any board; None when there is none."""
        return max(filter(None, map(self.newest, self.rows)), default=None)


def read(sink: str, settings: Settings) -> Boards:
    """All four boards from "postgres" or "kafka", at most 100 rows each; times are aware, in UTC.

    Raises BoardsUnavailable when the database or the broker does not answer.
    """
    return _read_postgres(settings) if sink == "postgres" else _fold(settings).boards()


def teams(settings: Settings) -> int | None:
    """How many teams the newest season has in the folded topics; None while they are not read."""
    return _fold(settings).teams()


# PostgreSQL


def _read_postgres(settings: Settings) -> Boards:
    return database.snapshot(settings, _query)


def _query(cursor: Any) -> Boards:
    rows = {}
    for name in READ:
        cursor.execute(f"SELECT * FROM leaderboard.{name} LIMIT {LIMIT}")
        rows[name] = utc_rows(cursor)
    return Boards(rows)


def utc_rows(cursor: Any) -> list[Row]:
    """What a cursor has found, 100 rows at most, by column, with times in UTC."""
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchmany(LIMIT)]
    return [{name: _utc(value) if name in TIMES else value for name, value in row.items()} for row in rows]


def _utc(value: datetime | float | None) -> datetime | None:
    if value is None:
        return None
    return value.astimezone(UTC) if isinstance(value, datetime) else datetime.fromtimestamp(value, UTC)


# Kafka: the compacted topics, folded into tables and ranked by the very SQL of the views


def tables() -> sqlite3.Connection:
    """An in-memory database with what the topics hold: empty tables, in the schemas that they have in PostgreSQL."""
    db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    db.execute("ATTACH ':memory:' AS flink")
    db.execute("ATTACH ':memory:' AS moderation")
    db.create_function("to_timestamp", 1, lambda seconds: seconds, deterministic=True)
    for name in FOLLOWED:
        db.execute(f"CREATE TABLE {_schema(name)}.{name} ({sql.columns(name).replace('STRING', 'TEXT')})")
    return db


def _schema(name: str) -> str:
    return "moderation" if name == "bans" else "flink"


def fold(db: sqlite3.Connection, name: str, records: Iterable[Record], settings: Settings) -> None:
    """Apply records of a table's topic in their order; one that is no row is skipped.

    So is one with less than is there of what only grows: a job repeats itself after a recovery. For the same reason it
    does not matter whom a job deletes from the best, but who they are.
    """
    schema = _schema(name)
    info = db.execute(f"PRAGMA {schema}.table_info({name})").fetchall()
    columns, keys = [column[1] for column in info], [column[1] for column in info if column[5]]
    upsert = _upsert(schema, name, columns)
    remove = f"DELETE FROM {schema}.{name} WHERE {' AND '.join(f'{key} = ?' for key in keys)}"
    seasons = set()
    for key, value, headers in records:
        if value is None and name in sql.BEST and REMOVED not in dict(headers):
            continue
        try:
            statement, names = (remove, keys) if value is None else (upsert, columns)
            row = json.loads(key if value is None else value)
            db.execute(statement, [row[each] for each in names])
            seasons.add(row.get("season_start"))
        except (ValueError, TypeError, KeyError, OverflowError, sqlite3.Error) as error:
            log.warning("A record of %s is no row and was skipped: %r", name, error)
    if name in sql.BEST:
        db.execute(sql.remove_beyond(name, ", ".join("?" * len(seasons)), settings), list(seasons))
    if name in sql.KEPT_MILLIS:
        column, millis = sql.KEPT_MILLIS[name]
        newest = f"(SELECT MAX({column}) FROM flink.{name})"
        db.execute(f"DELETE FROM flink.{name} WHERE {column} < {newest} - {millis}")


def _upsert(schema: str, name: str, columns: list[str]) -> str:
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns)
    grows = sql.GROWING.get(name, ())
    new, old = (", ".join(f"{row}.{column}" for column in grows) for row in ("excluded", name))
    is_newer = f" WHERE ({new}) >= ({old})" if grows else ""
    places = ", ".join("?" * len(columns))
    return f"INSERT INTO {schema}.{name} VALUES ({places}) ON CONFLICT DO UPDATE SET {changes}{is_newer}"


def ranked(db: sqlite3.Connection, settings: Settings) -> Boards:
    """The boards of folded tables, row for row what the views of PostgreSQL show."""
    return Boards({name: utc_rows(db.execute(sql.board(name, settings))) for name in READ})


class KafkaFold(Background):
    """Follows the boards' topics while somebody asks; starts over from their beginning after any trouble."""

    def __init__(self, settings: Settings, topics: dict[str, str] | None = None) -> None:
        """`topics` are the topics by table, those of the jobs by default."""
        super().__init__("boards from Kafka", 1)
        self._settings = settings
        self._metrics = {topic: name for name, topic in (topics or _topics()).items()}
        self._heard_at = 0.0
        self._forget()

    def boards(self) -> Boards:
        """The boards as of the last poll. Raises BoardsUnavailable."""
        self.wanted()
        with self._changed:
            self._changed.wait_for(lambda: self._db or self._trouble, FOLD_SECONDS)
            if self._db and time.monotonic() - self._heard_at < SILENT_SECONDS:
                return ranked(self._db, self._settings)
            trouble = self._trouble or ("does not answer" if self._db else "is still sending old records")
        what = f"Kafka at {self._settings.brokers} {trouble}."
        raise BoardsUnavailable(f"{what} The page comes back by itself; scripts/run_all.sh starts what is down.")

    def teams(self) -> int | None:
        """How many teams have scored in the newest season, as of the last poll."""
        newest = (
            "SELECT COUNT(*) FROM flink.team_mvps WHERE season_start = (SELECT MAX(season_start) FROM flink.team_mvps)"
        )
        with self._changed:
            return self._db.execute(newest).fetchone()[0] if self._db else None

    def _forget(self) -> None:
        self._db: sqlite3.Connection | None = None  # only while it holds all that the topics hold
        self._trouble: str | None = None

    def _work(self) -> None:
        try:
            self._follow()
        except Exception as error:
            log.info("The fold starts over: %r", error)
            with self._changed:
                self._db, self._trouble = None, f"cannot be read: {first_line(error)}"
                self._changed.notify_all()

    def _follow(self) -> None:
        # "none": when records go away under the reader, it starts over.
        with closing(broker.reader(self._settings, auto_offset_reset="none")) as consumer:
            db = tables()
            missing = set(self._metrics) - consumer.topics()
            if missing:
                raise LookupError(f"it has no topic {', '.join(sorted(missing))}")
            partitions = [TopicPartition(topic, 0) for topic in self._metrics]
            consumer.assign(partitions)
            consumer.seek_to_beginning()
            # What was there at first makes it whole: later ends run ahead for as long as somebody writes.
            first_ends = consumer.end_offsets(partitions)
            self._heard(None)
            while self._is_wanted():
                ends = consumer.end_offsets(partitions)  # raises when the broker is away; poll() would not
                if any(consumer.position(each) > ends[each] for each in partitions):
                    raise LookupError("a topic was made anew")
                self._take(db, consumer.poll(timeout_ms=500, max_records=10_000))
                is_whole = all(consumer.position(each) >= first_ends[each] for each in partitions)
                self._heard(db if is_whole else None)

    def _take(self, db: sqlite3.Connection, polled: dict[TopicPartition, list]) -> None:
        with self._changed:
            for partition, records in polled.items():
                taken = ((each.key, each.value, each.headers) for each in records)
                fold(db, self._metrics[partition.topic], taken, self._settings)

    def _heard(self, db: sqlite3.Connection | None) -> None:
        with self._changed:
            self._heard_at, self._db, self._trouble = time.monotonic(), db, None
            if db:
                self._changed.notify_all()


def _topics() -> dict[str, str]:
    return {name: sql.board_topic(name) for name in FOLLOWED}


_starting = Lock()
_folds: dict[Settings, KafkaFold] = {}


def _fold(settings: Settings) -> KafkaFold:
    with _starting:
        if settings not in _folds:
            _folds[settings] = KafkaFold(settings)
    return _folds[settings]
