"""How the services are, and what was rejected last: asked in the background, once for all."""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, partial
from itertools import pairwise
from typing import Generic, TypeVar

from boards import sinks
from boards.background import Background
from boards.sinks import Sink
from boards.snapshot import Row
from clients.errors import BoardsUnavailable, JobError, first_line
from compose.status import TOO_OLD, Status, status
from games import chosen
from games.board import Game
from jobs import savepoints
from jobs.names import JobName
from settings import Settings

T = TypeVar("T")

ASK_SECONDS = 5
RATE_SECONDS, LEAST_RATE_SECONDS = 60, 1  # rates are means over so long, and at least so long
# Flink renews a job's counts every 10 s or so. If one is the same for so long, it stands still.
RENEWED_SECONDS = 25
REJECTS = 1_000  # so many of the last rejected messages are known, and counted by reason

log = logging.getLogger(__name__)


class Watch(Background, Generic[T]):
    """Asks in the background while somebody wants to know; the last answer is there at once.

    `close` is called when nobody has wanted to know for a while.
    """

    def __init__(
        self,
        title: str,
        ask: Callable[[], T],
        seconds: float,
        close: Callable[[], object] = lambda: None,
    ) -> None:
        super().__init__(title, seconds)
        self._ask, self._close = ask, close
        self._forget()

    def latest(self, wait_seconds: float = 0) -> T | None:
        """The last answer; None when there was none yet, after waiting so long for the first."""
        self.wanted()
        with self._changed:
            self._changed.wait_for(lambda: self._has_asked, wait_seconds)
            return self._latest

    @property
    def has_asked(self) -> bool:
        """Whether there is an answer, so that nobody would wait for it."""
        return self._has_asked

    @property
    def known(self) -> T | None:
        """The last answer, for somebody who would not have anything asked for it."""
        return self._latest

    def _forget(self) -> None:
        self._latest: T | None = None
        self._has_asked = False
        self._close()

    def _work(self) -> None:
        answer = self._latest
        try:
            answer = self._ask()
        except JobError as error:  # the last answer is the best that is known
            log.info("%s could not be asked: %s", self._title, error)
        except Exception:  # the next answer may be better
            log.exception("%s could not be asked", self._title)
        with self._changed:
            self._latest, self._has_asked = answer, True
            self._changed.notify_all()


@dataclass(frozen=True)
class Health:
    """What the services say of themselves, with rates by topic and job.

    `silent_seconds` tells by topic for how long no record came, where that is trouble.
    """

    status: Status
    events_per_second: dict[str, float | None] = field(default_factory=dict)
    read_per_second: dict[JobName, float | None] = field(default_factory=dict)
    written_per_second: dict[JobName, float | None] = field(default_factory=dict)
    silent_seconds: dict[str, float] = field(default_factory=dict)

    def is_silent(self, topic: str) -> bool:
        """Whether nobody writes events."""
        return self.silent_seconds.get(topic, 0) >= ASK_SECONDS

    def reasons(self, topic: str) -> list[str]:
        """Why the boards of a topic may stand still, the likeliest reason first.

        Each is a sentence without its full stop.
        """
        problems = (each.rstrip(".") for each in self.status.problems)
        found = [each for each in problems if not each.startswith(TOO_OLD)]
        if self.is_silent(topic):
            seconds = self.silent_seconds[topic]
            found.append(f"the injector is silent: no new record in the topic for {seconds:.0f} s")
        return found


class History:
    """What the services said in the last minute, from which rates come."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        games = chosen(settings)
        self._quiet = {game.topic(settings) for game in games if game.may_be_silent}
        self._past: deque[tuple[float, Status]] = deque()
        self._grew_at: dict[str, float] = {}  # by topic, as long as its ends are known

    def ask(self) -> Health:
        """Ask all services once more."""
        return self.add(status(self._settings), time.monotonic())

    def add(self, latest: Status, now: float) -> Health:
        """Take what they say at this moment (seconds on a monotonic clock) into account."""
        while self._past and now - self._past[0][0] > RATE_SECONDS:
            self._past.popleft()
        topics = [topic for topic, ends in latest.ends.items() if ends]
        self._grew_at = {topic: self._grew(topic, latest, now) for topic in topics}
        self._past.append((now, latest))
        return Health(
            latest,
            {topic: self._topic_rate(topic) for topic in topics},
            {name: self._job_rate(name, "records_read") for name in latest.jobs},
            {name: self._job_rate(name, "rows_written") for name in latest.jobs},
            {topic: now - at for topic, at in self._grew_at.items() if topic not in self._quiet},
        )

    def _grew(self, topic: str, latest: Status, now: float) -> float:
        """When a topic is known to have grown last."""
        earlier = [_records(topic, each) for _, each in self._past if each.ends.get(topic)]
        stands_still = earlier and earlier[-1] == _records(topic, latest)
        return self._grew_at.get(topic, now) if stands_still else now

    def _topic_rate(self, topic: str) -> float | None:
        return _rate(self._counts(partial(_records, topic)), LEAST_RATE_SECONDS)

    def _job_rate(self, name: JobName, count: str) -> float | None:
        def counted(said: Status) -> float | None:
            return getattr(said.jobs[name], count) if name in said.jobs else None

        counts = self._counts(counted)
        renewed = [later for earlier, later in pairwise(counts) if later[1] != earlier[1]]
        if renewed and counts[-1][0] - renewed[-1][0] < RENEWED_SECONDS:
            return _rate(renewed, LEAST_RATE_SECONDS)  # from one renewal to another
        return _rate(counts, RENEWED_SECONDS)

    def _counts(self, count: Callable[[Status], float | None]) -> list[tuple[float, float]]:
        """What a count was, where it was known, and when."""
        return [(at, number) for at, each in self._past if (number := count(each)) is not None]


def _rate(counts: list[tuple[float, float]], least_seconds: float) -> float | None:
    """How fast a count grew; None when it was not known for long enough."""
    seconds = counts[-1][0] - counts[0][0] if counts else 0
    return max(0, counts[-1][1] - counts[0][1]) / seconds if seconds >= least_seconds else None


def _records(topic: str, said: Status) -> int | None:
    """How many records a topic ever had."""
    ends = said.ends.get(topic)
    return sum(ends.values()) if ends else None


@dataclass(frozen=True)
class Rejects:
    """The last rejected messages, the newest first, and how many were rejected for each reason."""

    rows: list[Row]
    reasons: Counter[str]
    since: datetime | None
    trouble: str | None = None


def rejects(game: Game, sink: Sink) -> Rejects:
    """A game's last rejected messages. Raises nothing: the answer says when it cannot be read."""
    try:
        rows = sink.rejects(game, REJECTS)
    except BoardsUnavailable as error:
        return Rejects([], Counter(), None, first_line(error))
    since = min((row["rejected_at"] for row in rows), default=None)
    return Rejects(rows, Counter(row["reason"] for row in rows), since)


@cache
def watch(settings: Settings) -> Watch[Health]:
    """The one watch over the services."""
    return Watch("services", History(settings).ask, ASK_SECONDS)


@cache
def watch_rejects(game: Game, sink_name: str, settings: Settings) -> Watch[Rejects]:
    """The one watch over a game's rejected messages in a sink."""
    ask = partial(rejects, game, sinks.sink(sink_name, settings))
    return Watch("rejected messages", ask, 2 * ASK_SECONDS)


@cache
def _watch_sink(settings: Settings) -> Watch[str | None]:
    return Watch("the sink in use", partial(savepoints.sink_in_use, settings), ASK_SECONDS)


def sink_in_use(settings: Settings) -> Sink:
    """The sink that the jobs write to, as last known; while it never was, that of the settings."""
    name = _watch_sink(settings).latest(wait_seconds=2) or settings.sink
    return sinks.sink(name, settings)


def is_sink_known(settings: Settings) -> bool:
    """Whether sink_in_use() would answer at once."""
    return _watch_sink(settings).has_asked
