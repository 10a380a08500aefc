"""The boards once a second for all viewers together, and what they were before.

The refresh of a game in a sink begins with its first viewer. It ends, and forgets all, when nobody
has looked for a while.
"""

from __future__ import annotations

import logging
import math
import sys
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import Any, Literal

from boards import history
from boards.background import Background
from boards.cache import cached
from boards.kafka import FOLD_SECONDS
from boards.rate import event_rate
from boards.seasons import Season
from boards.sinks import Sink
from boards.snapshot import Boards
from clients.errors import BoardsUnavailable, first_line
from games.board import Board, Game
from settings import Settings

REFRESH_SECONDS = 1
FIRST_SECONDS = FOLD_SECONDS + 5
TREND_SECONDS, TREND_SAMPLES = 5, 120  # 10 minutes
RANKS_SECONDS, RANKS_SAMPLES = 10, 360  # an hour
MINUTE_SECONDS = 60
COUNT_SECONDS = 5

EVER = datetime(1970, 1, 1, tzinfo=UTC)

log = logging.getLogger(__name__)

Ranks = dict[str, dict[str, int]]  # by board and whom it is found by


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
    samples: tuple[Sample, ...] = ()  # every 5 s for 10 minutes, the oldest first
    ranks: tuple[tuple[datetime, Ranks], ...] = ()  # every 10 s for an hour
    is_missing: bool = False
    # What is made of it once for all who see it: a page's HTML, and the API's answers.
    drawn: dict[Hashable, str] = field(default_factory=dict, compare=False)
    encoded: dict[Hashable, Any] = field(default_factory=dict, compare=False)

    def movement(self, board: Board, found_by: str) -> int | Literal["new"] | None:
        """Ranks that somebody has gone up (below 0: down) in the last minute, or "new".

        None when that is unknown: off the board, no sample so long ago, or another period then.
        """
        now = self.now
        then = self._minute_ago(now) if now else None
        if now is None or then is None or found_by not in now.places[board.name]:
            return None
        if then.period_starts[board.name] != now.period_starts[board.name]:
            return None
        if found_by not in then.places[board.name]:
            return "new"
        return then.places[board.name][found_by][0] - now.places[board.name][found_by][0]

    def _minute_ago(self, now: Sample) -> Sample | None:
        about = MINUTE_SECONDS - TREND_SECONDS / 2
        ages = ((now.at - each.at, each) for each in reversed(self.samples))
        age, then = next((found for found in ages if found[0] >= about), (0, None))
        return then if age <= about + 2 * TREND_SECONDS else None

    def trend(self, board: Board, found_by: str) -> list[float]:
        """Somebody's values, every 5 s of the last 10 minutes on the board, then the present."""
        samples = [*self.samples, *([self.now] if self.now else [])]
        places = (each.places[board.name].get(found_by) for each in samples)
        return [place[1] for place in places if place]

    def ranks_of(self, board: Board, found_by: str) -> list[tuple[datetime, int]]:
        """Somebody's ranks, every 10 s of the last hour on the board."""
        ranks = ((at, each[board.name].get(found_by)) for at, each in self.ranks)
        return [(at, rank) for at, rank in ranks if rank]


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


@cached
def at_minute(game: Game, minute: datetime, settings: Settings) -> Refreshed:
    """The boards as of a minute, or why they cannot be read."""
    if why := history.missing(game, settings):
        return Refreshed(trouble=why, is_missing=True)
    try:
        boards = history.boards_at(game, minute, settings)
        if boards:
            return Refreshed(boards, read_at=boards.minute)
        first = history.first_minute(game, EVER, settings)
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
    """What a refresh keeps of the boards that it has read."""

    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=TREND_SAMPLES))
    ranks: deque[tuple[datetime, Ranks]] = field(
        default_factory=lambda: deque(maxlen=RANKS_SAMPLES)
    )
    ranked_at: float = 0.0

    def keep(self, sample: Sample, read_at: datetime) -> None:
        if not self.samples or sample.at - self.samples[-1].at >= TREND_SECONDS:
            self.samples.append(sample)
        if not self.ranks or sample.at - self.ranked_at >= RANKS_SECONDS:
            ranks = {
                board: {found_by: rank for found_by, (rank, _) in places.items()}
                for board, places in sample.places.items()
            }
            self.ranks.append((read_at, ranks))
            self.ranked_at = sample.at


class Refresh(Background):
    """Reads the boards of one game from one sink."""

    def __init__(self, game: Game, sink: Sink, settings: Settings) -> None:
        super().__init__(f"boards of {game.name} in {sink.name}", REFRESH_SECONDS)
        self._game, self._sink = game, sink
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
        before = tuple(self._memory.samples)
        self._memory.keep(now, read_at)
        ranks = tuple(self._memory.ranks)
        return Refreshed(boards, None, read_at, self._counts(is_read=True), now, before, ranks)

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
