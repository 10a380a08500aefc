"""The boards once a second for all viewers together, with what they were before and how much is going on.

A refresh of a sink begins with its first viewer; it ends, and forgets all, when nobody has looked for a while.
"""

from __future__ import annotations

import logging
import math
import sys
from collections import deque
from collections.abc import Hashable
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Event, Lock
from time import monotonic
from typing import Literal

from kafka import TopicPartition

from compose import broker
from dashboard import boards, players
from dashboard.background import Background
from dashboard.boards import Boards, BoardsUnavailable, Row
from dashboard.database import first_line
from settings import Settings

REFRESH_SECONDS = 1
FIRST_SECONDS = boards.FOLD_SECONDS + 5
TREND_SECONDS, TREND_SAMPLES = 5, 120  # 10 minutes
PLACE_SECONDS, PLACE_SAMPLES = 10, 360  # an hour
MINUTE_SECONDS = 60
RATE_SECONDS = 10  # events per second are the average of so many
COUNT_SECONDS = 5

log = logging.getLogger(__name__)

# What a row of each board is found by, and what its line shows.
KEYS = {"top_teams": "team_id", "top_players": "user_id", "hot_streaks": "user_id", "team_mvps": "team_id"}
VALUES = {
    "top_teams": "total_score",
    "top_players": "total_score",
    "hot_streaks": "hotness",
    "team_mvps": "contribution_ratio",
}


@dataclass(frozen=True)
class Counts:
    """How much is going on; None is unknown."""

    events_per_second: float | None = None
    events: int | None = None  # that the topic ever had
    players: int | None = None  # of the newest season
    teams: int | None = None


@dataclass(frozen=True)
class Sample:
    """Rank and value of everybody on each board at one moment, and the season of each board."""

    at: float  # time.monotonic()
    seen: dict[str, dict[str, tuple[int, float]]]
    seasons: dict[str, datetime | None]


@dataclass(frozen=True)
class Look:
    """What a viewer sees: the boards last read, at `read_at`, and why there are no newer ones, if so."""

    boards: Boards | None = None
    trouble: str | None = None
    read_at: datetime | None = None
    counts: Counts = Counts()
    now: Sample | None = None
    samples: tuple[Sample, ...] = ()  # every 5 s for 10 minutes, the oldest first
    places: tuple[tuple[datetime, dict[str, int]], ...] = ()  # rank by team, every 10 s for an hour
    drawn: dict[Hashable, str] = field(default_factory=dict, compare=False)  # what a screen has made of it, for all

    def movement(self, board: str, key: str) -> int | Literal["new"] | None:
        """Ranks that a team or player has gone up (below 0: down) in the last minute, or "new" on the board.

        None when that is unknown: off the board, no look so long ago, or another season then.
        """
        then = self._minute_ago()
        if then is None or key not in self.now.seen[board] or then.seasons[board] != self.now.seasons[board]:
            return None
        if key not in then.seen[board]:
            return "new"
        return then.seen[board][key][0] - self.now.seen[board][key][0]

    def _minute_ago(self) -> Sample | None:
        ages = ((self.now.at - each.at, each) for each in reversed(self.samples)) if self.now else ()
        about = MINUTE_SECONDS - TREND_SECONDS / 2
        age, then = next(((age, each) for age, each in ages if age >= about), (0, None))
        return then if age <= about + 2 * TREND_SECONDS else None

    def trend(self, board: str, key: str) -> list[float]:
        """Its values, every 5 s of the last 10 minutes in which it was on the board, the present one last."""
        line = [*self.samples, *([self.now] if self.now else [])]
        return [each.seen[board][key][1] for each in line if key in each.seen[board]]

    def team_places(self, team_id: str) -> list[tuple[datetime, int]]:
        """A team's rank on the board of teams, every 10 s of the last hour in which it was there."""
        return [(at, places[team_id]) for at, places in self.places if team_id in places]


def look(sink: str, settings: Settings) -> Look:
    """The boards of "postgres" or "kafka" as last read, at most a second or so ago unless there is `trouble`.

    The first viewer waits until they are read; all others are answered from memory.
    """
    with _starting:
        if (sink, settings) not in _refreshes:
            _refreshes[sink, settings] = Refresh(sink, settings)
    return _refreshes[sink, settings].look()


@dataclass
class Memory:
    """What a refresh keeps of what it has seen."""

    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=TREND_SAMPLES))
    places: deque[tuple[datetime, dict[str, int]]] = field(default_factory=lambda: deque(maxlen=PLACE_SAMPLES))
    placed_at: float = 0.0

    def take(self, sample: Sample, read_at: datetime) -> None:
        if not self.samples or sample.at - self.samples[-1].at >= TREND_SECONDS:
            self.samples.append(sample)
        if not self.places or sample.at - self.placed_at >= PLACE_SECONDS:
            self.places.append((read_at, {key: rank for key, (rank, _) in sample.seen["top_teams"].items()}))
            self.placed_at = sample.at


class Refresh(Background):
    """Reads the boards of one sink."""

    def __init__(self, sink: str, settings: Settings) -> None:
        super().__init__(f"boards of {sink}", REFRESH_SECONDS)
        self._sink, self._settings = sink, settings
        self._pulse = _pulse(settings)
        self._forget()

    def look(self) -> Look:
        self._pulse.wanted()
        self.wanted()
        with self._changed:
            self._changed.wait_for(lambda: self._look, FIRST_SECONDS)
            return self._look or Look(trouble="The boards are being read for the first time.")

    def _forget(self) -> None:
        self._look: Look | None = None
        self._memory = Memory()
        self._counted: tuple[int | None, int | None] = (None, None)
        self._counted_at = -math.inf

    def _work(self) -> None:
        made = self._read()
        with self._changed:
            self._look = made
            self._changed.notify_all()

    def _read(self) -> Look:
        try:
            read = boards.read(self._sink, self._settings)
        except BoardsUnavailable as error:
            return self._in_trouble(str(error))
        except Exception as error:  # the viewers are told, and the next second may be better
            log.exception("The boards cannot be read")
            return self._in_trouble(f"The boards cannot be read: {first_line(error)}. The page's log tells more.")
        now, read_at = sample(read), datetime.now(UTC)
        before = tuple(self._memory.samples)
        self._memory.take(now, read_at)
        return Look(read, None, read_at, self._counts(read), now, before, tuple(self._memory.places))

    def _in_trouble(self, trouble: str) -> Look:
        last = self._look or Look()
        return replace(last, trouble=trouble, counts=self._counts())

    def _counts(self, read: Boards | None = None) -> Counts:
        """How much goes on; players and teams are counted every 5 s, and only when the boards can be read."""
        if read and monotonic() - self._counted_at >= COUNT_SECONDS:
            self._counted, self._counted_at = self._count(read), monotonic()
        return Counts(*self._pulse.rate(), *self._counted)

    def _count(self, read: Boards) -> tuple[int | None, int | None]:
        if self._sink == "kafka":
            return None, boards.teams(self._settings)
        try:
            return players.counts(self._settings)
        except BoardsUnavailable:
            return None, None


def sample(read: Boards) -> Sample:
    """What is remembered of boards."""
    seen = {name: {_key(row[key]): _place(name, row) for row in read.rows[name]} for name, key in KEYS.items()}
    return Sample(monotonic(), seen, {name: read.season(name) for name in KEYS})


def _key(key: str) -> str:
    return sys.intern(key)  # one string for all samples


def _place(name: str, row: Row) -> tuple[int, float]:
    return row["rank_number"], float(row[VALUES[name]])


class Pulse(Background):
    """How many records the topic of the events has ever had, and how many more each second."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("events per second", REFRESH_SECONDS)
        self._settings = settings
        self._forget()

    def rate(self) -> tuple[float | None, int | None]:
        """Events per second over the last 10 s, and events in all; None when the broker does not answer."""
        with self._changed:
            if not self._ends or monotonic() - self._ends[-1][0] > broker.ANSWER_SECONDS:
                return None, None
            (began, first), (now, last) = self._ends[0], self._ends[-1]
            return max(0, last - first) / (now - began) if now > began else None, last

    def _forget(self) -> None:
        self._ends: deque[tuple[float, int]] = deque(maxlen=RATE_SECONDS + 1)

    def _work(self) -> None:
        try:
            self._follow()
        except Exception as error:  # whatever a broker that is away makes of it: unknown for now
            log.info("Nobody counts the events: %r", error)
            with self._changed:
                self._forget()

    def _follow(self) -> None:
        with closing(broker.reader(self._settings)) as consumer:
            while self._is_wanted():
                began = monotonic()
                numbers = consumer.partitions_for_topic(self._settings.topic) or ()
                ends = consumer.end_offsets([TopicPartition(self._settings.topic, number) for number in numbers])
                with self._changed:
                    self._ends.append((monotonic(), sum(ends.values())))
                Event().wait(max(0, began + REFRESH_SECONDS - monotonic()))


_starting = Lock()
_refreshes: dict[tuple[str, Settings], Refresh] = {}
_pulses: dict[Settings, Pulse] = {}


def _pulse(settings: Settings) -> Pulse:
    return _pulses.setdefault(settings, Pulse(settings))
