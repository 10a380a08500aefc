"""All boards of a game at one moment, whichever sink they come from (docs/contract.md, 5 and 8)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from games.board import Board, Game

Row = dict[str, Any]

# The watermark's 5 s, a window's slide, a checkpoint's hiccup; older data means trouble. The alert
# BoardStale in compose/monitoring/alerts.yml has the same number.
STALE_SECONDS = 30
# A board that is so far behind another stands still. A partition of garbage may hold back windows
# by 65 s, and one that falls silent by 30 s more.
LEFT_BEHIND_SECONDS = 120
TIME_ENDINGS = ("_at", "_start", "_end")  # of columns that are times


@dataclass(frozen=True)
class Boards:
    """The rows of each board in rank order, and of its counts of late events, by table name.

    Each row has the columns of its view; times are aware, in UTC. Of a season that is final,
    `final_at` is the time since when it is. Boards of the past are as of a `minute`, and their rows
    have the columns that are kept (boards/history.py).
    """

    game: Game
    rows: dict[str, list[Row]]
    final_at: datetime | None = None
    minute: datetime | None = None

    def newest(self, board: Board) -> datetime | None:
        """The time of a board's newest row; None without rows, or when they carry no time."""
        if board.newest is None:
            return None
        times = (row.get(board.newest) for row in self.rows[board.name])
        return max(filter(None, times), default=None)

    def period_start(self, board: Board) -> datetime | None:
        """The start of the season or hour that a board shows; None without one."""
        if board.period is None:
            return None
        return max((row[board.period] for row in self.rows[board.name]), default=None)

    @property
    def season_start(self) -> datetime | None:
        """The start of the newest season on any board; None when there is none."""
        return max(filter(None, map(self.period_start, self.game.seasonal)), default=None)

    @property
    def as_of(self) -> datetime | None:
        """The time of the newest data on any board; None when there is none."""
        return max(filter(None, map(self.newest, self.game.boards)), default=None)

    def left_behind(self, places: int) -> dict[str, float]:
        """How many seconds a board is behind the newest one, by its name, if it stands still.

        On a board with fewer rows than these places is everybody, so it is as new as the others.
        On a full one the best may have done nothing for a while.
        """
        as_of = self.as_of
        return {
            board.name: behind
            for board in self.game.boards
            if as_of
            and not board.may_be_empty
            and len(self.rows[board.name]) < places
            and (newest := self.newest(board))
            and (behind := (as_of - newest).total_seconds()) > LEFT_BEHIND_SECONDS
        }

    def late_events(self, board: Board) -> int | None:
        """How many events of the newest season came too late for a board; None if uncounted."""
        if board.late_events is None:
            return None
        rows = self.rows[board.late_events]
        return int(rows[0]["events"]) if rows else 0


def named_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[Row]:
    """Rows by column, with times in UTC."""
    found = [dict(zip(names, row, strict=True)) for row in rows]
    for name in names:
        if name.endswith(TIME_ENDINGS):
            for row in found:
                row[name] = _utc(row[name])
    return found


def _utc(value: datetime | float | None) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.fromtimestamp(value, UTC)
