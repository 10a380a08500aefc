"""What was told of the boards, read once a second for all viewers and streams together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial

from boards import announced
from boards.postgres import PostgresSink
from boards.snapshot import Row
from clients.errors import BoardsUnavailable
from dashboard.health import Watch
from games.board import Game
from settings import Settings

READ_SECONDS, WAIT_SECONDS = 1, 3
LAST = 100  # are in memory


@dataclass(frozen=True)
class Told:
    """The last announcements of a game, the newest first, or why they cannot be read."""

    rows: tuple[Row, ...] = ()
    trouble: str | None = None


def latest(game: Game, settings: Settings) -> Told:
    """The last announcements, at most a second or so old."""
    found = _watch(game, settings).latest(WAIT_SECONDS)
    return found or Told(trouble="The announcements are being read for the first time.")


def is_read(game: Game, settings: Settings) -> bool:
    """Whether they are in memory, so that nobody would wait."""
    return _watch(game, settings).has_asked


@cache
def _watch(game: Game, settings: Settings) -> Watch[Told]:
    """The one watch over a game's announcements."""
    return Watch(f"announcements of {game.name}", partial(_read, game, settings), READ_SECONDS)


def _read(game: Game, settings: Settings) -> Told:
    if why := missing(settings):
        return Told(trouble=why)
    try:
        return Told(tuple(announced.newest(settings, game, LAST)[1]))
    except BoardsUnavailable as error:
        return Told(trouble=str(error))


def missing(settings: Settings) -> str | None:
    """Why there can be no announcements; None when there can."""
    return None if PostgresSink(settings).is_needed else announced.NEEDED
