"""The boards once a second for all viewers together, and what they were before.

The refresh of a game in a sink begins with its first viewer, and knows from the history what was
before. It ends, and forgets all, when nobody has looked for a while.
"""

from __future__ import annotations

import logging
import math
import sys
from collections import deque
from collections.abc import Hashable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Lock, Thread
from time import monotonic
from typing import Any, Literal

from boards import history
from boards.background import Background
from boards.cache import cached, cached_for
from boards.kafka import FOLD_SECONDS
from boards.rate import event_rate
from boards.seasons import Season
from boards.sinks import Sink
from boards.snapshot import Boards
from clients.errors import BoardsUnavailable, first_line
from dashboard import health
from games.board import Board, Game
from settings import Settings

REFRESH_SECONDS = 1
FIRST_SECONDS = FOLD_SECONDS + 5
SAMPLE_SECONDS, SAMPLES = 5, 15  # a little more than a minute
MINUTE_SECONDS, HOUR_SECONDS = 60, 3_600
MINUTES = 62  # a little more than an hour, a sample each
DAY_MINUTES = 10  # a day's first minute that is kept is one of so many
HISTORY_SECONDS = 2  # so long the first viewer waits for what was before
COUNT_SECONDS = 5

log = logging.getLogger(__name__)

Since = Literal["minute", "hour", "day"]
SINCE: tuple[Since, ...] = ("minute", "hour", "day")


@dataclass(frozen=True)
class Counts:
    """How much is going on; None is unknown. `rows` are what the game counts, by title."""

    events_per_second: float | None = None
    events: int | None = None  # that the topic ever had
    rows: dict[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """Everybody's rank and value on each board at one moment, and the period that it showed.

    All are by the board's name, and ranks and values by whom they are found by, too.
    """

    at: float  # time.monotonic()
    places: dict[str, dict[str, tuple[int, float]]]
    period_starts: dict[str, datetime | None]


@dataclass(frozen=True)
class Refreshed:
    """What a viewer sees: the boards last read, at `read_at`, and why there are no newer ones.

    `is_missing` says that there are none, and will be none.
    """

    boards: Boards | None = None
    trouble: str | None = None
    read_at: datetime | None = None
    counts: Counts = Counts()
    now: Sample | None = None
    samples: tuple[Sample, ...] = ()  # every 5 s for a minute, the oldest first
    minutes: tuple[Sample, ...] = ()  # one for each minute of an hour, likewise
    day: Sample | None = None  # after the first minute of this day, in UTC
    is_missing: bool = False
    # What is made of it once for all who see it: a page's HTML, and the API's answers.
    drawn: dict[Hashable, str] = field(default_factory=dict, compare=False)
    encoded: dict[Hashable, Any] = field(default_factory=dict, compare=False)

    def movement(
        self, board: Board, found_by: str, since: Since = "minute"
    ) -> int | Literal["new"] | None:
        """Ranks that somebody has gone up (below 0: down) since then, or "new".

        None when that is unknown: off the board, no sample of then, or another period then.
        """
        now = self.now
        then = self._then(now, since) if now else None
        if now is None or then is None or found_by not in now.places[board.name]:
            return None
        if then.period_starts[board.name] != now.period_starts[board.name]:
            return None
        if found_by not in then.places[board.name]:
            return "new"
        return then.places[board.name][found_by][0] - now.places[board.name][found_by][0]

    def _then(self, now: Sample, since: Since) -> Sample | None:
        if since == "day":
            return self.day
        if since == "hour":
            return _ago(now, self.minutes, HOUR_SECONDS, MINUTE_SECONDS)
        # One of another minute will do when nobody has watched for so long.
        exact = _ago(now, self.samples, MINUTE_SECONDS, SAMPLE_SECONDS)
        return exact or _ago(now, self.minutes, MINUTE_SECONDS, MINUTE_SECONDS)

    def trend(self, board: Board, found_by: str) -> list[float]:
        """Somebody's values in each minute of the last hour on the board, then the present one.

        Of a total, which only rises, it is what each minute has added. What is of another period is
        left out.
        """
        if self.now is None:
            return []
        start = self.now.period_starts[board.name]
        known = [
            (each.at, place[1])
            for each in (*self.minutes, self.now)
            if each.period_starts[board.name] == start
            and (place := each.places[board.name].get(found_by))
        ]
        if not board.is_total:
            return [value for _, value in known]
        # The minute that runs is not over: its gain would always look small.
        whole = [each for each in known if each[0] < self.now.at]
        return [
            (value - before) * MINUTE_SECONDS / (at - since)
            for (since, before), (at, value) in pairwise(whole)
        ]


def _ago(now: Sample, samples: Sequence[Sample], seconds: float, step: float) -> Sample | None:
    """The sample of so long ago, one step more or less, where there is one each step."""
    about = seconds - SAMPLE_SECONDS / 2
    ages = ((now.at - each.at, each) for each in reversed(samples))
    age, then = next((found for found in ages if found[0] >= about), (0, None))
    return then if age <= about + 2 * step else None


def refreshed(game: Game, sink: Sink, settings: Settings) -> Refreshed:
    """A game's boards as last read, at most a second or so ago unless there is `trouble`.

    The first viewer waits until they are read; all others are answered from memory.
    """
    return _refresh(game, sink, settings).latest()


def is_read(game: Game, sink: Sink, settings: Settings) -> bool:
    """Whether they are in memory, so that nobody would wait."""
    return _refresh(game, sink, settings).has_read


@cached
def seasons(game: Game, sink: Sink, settings: Settings) -> list[Season]:
    """The seasons of a game that a sink holds, the newest first. Raises BoardsUnavailable."""
    return sink.seasons(game)


@cached
def past(game: Game, sink: Sink, season: Season, settings: Settings) -> Refreshed:
    """The seasonal boards of one season, or why they cannot be read."""
    try:
        return Refreshed(sink.past(game, season), read_at=datetime.now(UTC))
    except BoardsUnavailable as error:
        return Refreshed(trouble=str(error))


def of_season(game: Game, sink: Sink, season: Season | None, settings: Settings) -> Refreshed:
    """The boards of a season, by default the newest."""
    return past(game, sink, season, settings) if season else refreshed(game, sink, settings)


@cached_for(REFRESH_SECONDS, history.KEPT_MINUTES)
def at_minute(game: Game, minute: datetime, settings: Settings) -> Refreshed:
    """The boards as of a minute, or why they cannot be read."""
    if why := history.missing(game, settings):
        return Refreshed(trouble=why, is_missing=True)
    try:
        boards = history.boards_at(game, minute, settings)
        if boards:
            return Refreshed(boards, read_at=boards.minute)
        first = history.first_minute(game, settings)
    except BoardsUnavailable as error:
        return Refreshed(trouble=str(error))
    begins = f"it begins at {first:%Y-%m-%d %H:%M} UTC" if first else "it is still empty"
    why = f"The history has no boards of {minute:%Y-%m-%d %H:%M} UTC: {begins}."
    return Refreshed(trouble=why, is_missing=True)


def _refresh(game: Game, sink: Sink, settings: Settings) -> Refresh:
    key = game.name, sink.name, settings
    with _starting:
        if key not in _refreshes:
            _refreshes[key] = Refresh(game, sink, settings)
        return _refreshes[key]


@dataclass
class Memory:
    """What a refresh keeps of the boards that it has read, and of those before."""

    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=SAMPLES))
    minutes: deque[Sample] = field(default_factory=lambda: deque(maxlen=MINUTES))
    day: Sample | None = None
    last_at: datetime | None = None

    def keep(self, sample: Sample, read_at: datetime) -> None:
        if not self.samples or sample.at - self.samples[-1].at >= SAMPLE_SECONDS:
            self.samples.append(sample)
        if not self.minutes or sample.at - self.minutes[-1].at >= MINUTE_SECONDS:
            self.minutes.append(sample)
        is_another_day = self.last_at and self.last_at.date() != read_at.date()
        if is_another_day or (read_at.hour, read_at.minute) == (0, 0):
            self.day = sample  # the last of the first minute: the day's season has begun by then
        self.last_at = read_at

    def know(self, past: Past) -> None:
        """Take in what was before the first sample."""
        own = list(self.minutes)
        before = [each for each in past.minutes if not own or each.at < own[0].at - SAMPLE_SECONDS]
        self.minutes = deque([*before, *own], maxlen=MINUTES)
        self.day = self.day or past.day


@dataclass(frozen=True)
class Past:
    """What the history knows: the minutes of the last hour, and how this day began."""

    minutes: tuple[Sample, ...] = ()
    day: Sample | None = None


def past_of(game: Game, settings: Settings) -> Past:
    """What was before now. Raises BoardsUnavailable."""
    if history.missing(game, settings):
        return Past()
    now, mono = datetime.now(UTC), monotonic()

    def sampled(minute: history.Minute) -> Sample:
        places = {
            board: {
                sys.intern(found_by): (place.rank_number, float(place.value))
                for found_by, place in standing.items()
            }
            for board, standing in minute.places.items()
        }
        age = (now - minute.read_at).total_seconds()
        return Sample(mono - age, places, minute.period_starts)

    hour = history.minutes(game, now - timedelta(minutes=MINUTES), now, settings)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    # What the day's first minute ended with, unless nobody wrote it down then.
    begin, end = (midnight + timedelta(minutes=minutes) for minutes in (1, DAY_MINUTES))
    first = history.minutes(game, begin, end, settings)
    return Past(tuple(map(sampled, hour)), sampled(first[0]) if first else None)


class Refresh(Background):
    """Reads the boards of one game from one sink."""

    def __init__(self, game: Game, sink: Sink, settings: Settings) -> None:
        super().__init__(f"boards of {game.name} in {sink.name}", REFRESH_SECONDS)
        self._game, self._sink, self._settings = game, sink, settings
        self._event_rate = event_rate(settings, game.topic(settings))
        self._forget()

    def latest(self) -> Refreshed:
        self._event_rate.wanted()
        self.wanted()
        with self._changed:
            self._changed.wait_for(lambda: self._latest, FIRST_SECONDS)
            first = Refreshed(trouble="The boards are being read for the first time.")
            return self._latest or first

    @property
    def has_read(self) -> bool:
        return self._latest is not None

    def _forget(self) -> None:
        self._latest: Refreshed | None = None
        self._memory = Memory()
        self._past: Future[Past] | None = None
        self._past_asked_at, self._knows_past = -math.inf, False
        self._counted: dict[str, int | None] = {}
        self._counted_at = -math.inf

    def _work(self) -> None:
        latest = self._read()
        with self._changed:
            self._latest = latest
            self._changed.notify_all()

    def _read(self) -> Refreshed:
        try:
            boards = self._sink.read(self._game)
        except BoardsUnavailable as error:
            return self._in_trouble(str(error))
        except Exception as error:  # the viewers are told, and the next second may be better
            log.exception("The boards cannot be read")
            why = f"The boards cannot be read: {first_line(error)}. The page's log tells more."
            return self._in_trouble(why)
        now, read_at = sample(boards), datetime.now(UTC)
        self._ask_history()
        memory = self._memory
        samples, minutes = tuple(memory.samples), tuple(memory.minutes)
        memory.keep(now, read_at)
        counts = self._counts(is_read=True)
        return Refreshed(boards, None, read_at, counts, now, samples, minutes, memory.day)

    def _ask_history(self) -> None:
        """Take in what was before, once; where it cannot be read, a minute later.

        The boards are not kept waiting: they may be in Kafka, and the database may be frozen.
        """
        if self._past is None and monotonic() - self._past_asked_at >= MINUTE_SECONDS:
            self._past, self._past_asked_at = Future(), monotonic()
            Thread(target=self._read_history, args=(self._past,), daemon=True).start()
            wait([self._past], HISTORY_SECONDS)
        if self._past and self._past.done() and not self._knows_past:
            try:
                self._memory.know(self._past.result())
                self._knows_past = True
            except Exception as error:  # the boards are shown all the same
                log.warning("What was before cannot be read: %r", error)
                self._past = None

    def _read_history(self, found: Future[Past]) -> None:
        try:
            is_in_use = health.sink_in_use(self._settings) == self._sink
            found.set_result(past_of(self._game, self._settings) if is_in_use else Past())
        except Exception as error:  # whoever waits for it raises it
            found.set_exception(error)

    def _in_trouble(self, trouble: str) -> Refreshed:
        last = self._latest or Refreshed()
        return replace(last, trouble=trouble, counts=self._counts(is_read=False))

    def _counts(self, is_read: bool) -> Counts:
        """How much goes on; rows are counted every 5 s, and only when the boards can be read."""
        if is_read and monotonic() - self._counted_at >= COUNT_SECONDS:
            self._counted, self._counted_at = self._count(), monotonic()
        return Counts(*self._event_rate.rate(), self._counted)

    def _count(self) -> dict[str, int | None]:
        tables = {title: self._game.table(name) for title, name in self._game.counts.items()}
        try:
            return {title: self._sink.count(table) for title, table in tables.items()}
        except BoardsUnavailable:
            return {}


def sample(boards: Boards) -> Sample:
    """What is remembered of boards."""
    places = {
        board.name: {
            # One string for all samples.
            sys.intern(row[board.found_by]): (row["rank_number"], float(row[board.value]))
            for row in boards.rows[board.name]
        }
        for board in boards.game.boards
    }
    starts = {board.name: boards.period_start(board) for board in boards.game.boards}
    return Sample(monotonic(), places, starts)


_starting = Lock()
_refreshes: dict[tuple[str, str, Settings], Refresh] = {}
