"""How the services are, and what was rejected last: looked at in the background, once for all who watch."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Generic, TypeVar

from kafka import TopicPartition
from kafka.errors import KafkaError

from compose import broker
from compose.status import TOO_OLD, Status, status
from dashboard import database
from dashboard.background import Background
from dashboard.boards import BoardsUnavailable, Row
from jobs import job, sql
from settings import Settings

T = TypeVar("T")

LOOK_SECONDS = 5
RATE_SECONDS, LEAST_RATE_SECONDS = 30, 10  # rates are means over so long: Flink renews its counts every 10 s
REJECTS = 1_000  # so many of the last rejected messages are counted by reason
REJECTS_SHOWN = 50

log = logging.getLogger(__name__)


class Watch(Background, Generic[T]):
    """Looks in the background while somebody asks, and hands out what it saw last at once."""

    def __init__(self, title: str, look: Callable[[], T], seconds: float) -> None:
        super().__init__(title, seconds)
        self._look = look
        self._forget()

    def latest(self, wait_seconds: float = 0) -> T | None:
        """What was seen last; None when nothing was yet, after waiting so long for the first look."""
        self.wanted()
        with self._changed:
            self._changed.wait_for(lambda: self._has_looked, wait_seconds)
            return self._latest

    def _forget(self) -> None:
        self._latest: T | None = None
        self._has_looked = False

    def _work(self) -> None:
        seen = self._latest
        try:
            seen = self._look()
        except job.JobError as error:  # what was seen last is the best that is known
            log.info("The look at %s failed: %s", self._title, error)
        except Exception:  # the next look may be better
            log.exception("The look at %s failed", self._title)
        with self._changed:
            self._latest, self._has_looked = seen, True
            self._changed.notify_all()


@dataclass(frozen=True)
class Health:
    """What the services say of themselves, and rates by job; `silent_seconds` is how long the topic got no record."""

    status: Status
    events_per_second: float | None = None
    read_per_second: dict[str, float] = field(default_factory=dict)
    written_per_second: dict[str, float] = field(default_factory=dict)
    silent_seconds: float = 0

    def reasons(self) -> list[str]:
        """Why the boards may stand still, each a sentence without its full stop, the likeliest first."""
        found = [each for each in self.status.problems if not each.startswith(TOO_OLD)]
        if self.silent_seconds >= LOOK_SECONDS:
            found.append(f"the injector is silent: no new record in the topic for {self.silent_seconds:.0f} s")
        return found


class Looks:
    """The looks of the last half minute, from which rates come."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._past: deque[tuple[float, Status]] = deque()
        self._grew_at = time.monotonic()

    def look(self) -> Health:
        """Look at everything once more."""
        return self.add(status(self._settings), time.monotonic())

    def add(self, shown: Status, now: float) -> Health:
        """Take a look of this moment (seconds on a monotonic clock) into account."""
        while self._past and now - self._past[0][0] > RATE_SECONDS:
            self._past.popleft()
        known = [each for _, each in self._past if each.ends]
        if not (shown.ends and known and sum(known[-1].ends.values()) == sum(shown.ends.values())):
            self._grew_at = now
        self._past.append((now, shown))
        jobs = shown.jobs
        return Health(
            shown,
            self._rate(lambda each: sum(each.ends.values()) if each.ends else None),
            {name: self._rate(lambda each, name=name: each.jobs[name].records_read, name) for name in jobs},
            {name: self._rate(lambda each, name=name: each.jobs[name].rows_written, name) for name in jobs},
            now - self._grew_at,
        )

    def _rate(self, count: Callable[[Status], float | None], job: str | None = None) -> float | None:
        """How fast a count grew, of a job or of the topic; None when it was not seen for long enough."""
        counts = [(at, count(each)) for at, each in self._past if job is None or job in each.jobs]
        counts = [(at, each) for at, each in counts if each is not None]
        seconds = counts[-1][0] - counts[0][0] if counts else 0
        if seconds < (LEAST_RATE_SECONDS if job else 1):
            return None
        return max(0, counts[-1][1] - counts[0][1]) / seconds


@dataclass(frozen=True)
class Rejects:
    """The last rejected messages, the newest first, and how many of them were rejected for each reason."""

    rows: list[Row]
    reasons: Counter[str]
    since: datetime | None
    trouble: str | None = None


def rejects(settings: Settings, sink: str) -> Rejects:
    """The last rejected messages of a sink. Raises nothing: that they cannot be read is told in the answer."""
    try:
        rows = database.snapshot(settings, _rows) if sink == "postgres" else _from_kafka(settings)
    except (BoardsUnavailable, KafkaError) as error:
        return Rejects([], Counter(), None, database.first_line(error))
    since = min((row["rejected_at"] for row in rows), default=None)
    return Rejects(rows[:REJECTS_SHOWN], Counter(row["reason"] for row in rows), since)


def _rows(cursor: Any) -> list[Row]:
    cursor.execute("SELECT * FROM leaderboard.rejected_events LIMIT %s", [REJECTS])
    names = [column.name for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _from_kafka(settings: Settings) -> list[Row]:
    with closing(broker.reader(settings)) as consumer:
        topic = TopicPartition(sql.board_topic("rejected_events"), 0)
        consumer.assign([topic])
        start, end = consumer.beginning_offsets([topic])[topic], consumer.end_offsets([topic])[topic]
        consumer.seek(topic, max(start, end - REJECTS))
        rows: dict[bytes, Row] = {}
        until = time.monotonic() + broker.ANSWER_SECONDS
        while consumer.position(topic) < end and time.monotonic() < until:
            for records in consumer.poll(timeout_ms=500).values():
                rows |= {record.key: json.loads(record.value) for record in records if record.value}
    made = [_row(each) for each in rows.values()]
    return sorted(made, key=lambda row: row["rejected_at"], reverse=True)


def _row(value: Row) -> Row:
    """A record of the topic with the columns of the view."""
    columns = {name.removeprefix("event_"): each for name, each in value.items()}
    return columns | {"rejected_at": datetime.fromtimestamp(columns["rejected_at"] / 1000, UTC)}


@cache
def watch(settings: Settings) -> Watch[Health]:
    """The one watch over the services."""
    return Watch("services", Looks(settings).look, LOOK_SECONDS)


@cache
def watch_rejects(settings: Settings, sink: str) -> Watch[Rejects]:
    """The one watch over the rejected messages of a sink."""
    return Watch("rejected messages", partial(rejects, settings, sink), 2 * LOOK_SECONDS)


@cache
def _watch_sink(settings: Settings) -> Watch[str | None]:
    return Watch("the sink in use", partial(job.sink_in_use, settings), LOOK_SECONDS)


def sink(settings: Settings) -> str:
    """The sink that the jobs write to, as last known; the one of the settings while it never was."""
    return _watch_sink(settings).latest(wait_seconds=2) or settings.sink
