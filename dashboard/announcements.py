"""What was told of the boards: read once a second for all together, and shown as a ticker."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial

from boards import announced, deliveries
from boards.postgres import PostgresSink
from boards.snapshot import Row
from clients.errors import BoardsUnavailable
from dashboard import html
from dashboard.health import Watch
from games.board import Game
from settings import Settings

READ_SECONDS, RECEIVERS_SECONDS, WAIT_SECONDS = 1, 5, 3
LAST = 100  # are in memory
SHOWN, SHOWN_FOR = 5, timedelta(minutes=10)  # by the ticker, where there is room
SENTENCE_LENGTH = 200


@dataclass(frozen=True)
class Told:
    """The last announcements of a game, the newest first, or why they cannot be read."""

    rows: tuple[Row, ...] = ()
    trouble: str | None = None


def latest(game: Game, settings: Settings, wait_seconds: float = WAIT_SECONDS) -> Told:
    """The last announcements, at most a second or so old; the first are waited for so long."""
    found = _watch(game, settings).latest(wait_seconds)
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
        return Told(tuple(announced.newest(settings, game, LAST)))
    except BoardsUnavailable as error:
        return Told(trouble=str(error))


def missing(settings: Settings) -> str | None:
    """Why there can be no announcements; None when there can."""
    return None if PostgresSink(settings).is_needed else announced.NEEDED


def receivers(settings: Settings) -> list[Row]:
    """Who gets announcements, and how that goes; nothing while it is not known."""
    return _watch_receivers(settings).latest(WAIT_SECONDS) or []


@cache
def _watch_receivers(settings: Settings) -> Watch[list[Row]]:
    return Watch("receivers of announcements", partial(_receivers, settings), RECEIVERS_SECONDS)


def _receivers(settings: Settings) -> list[Row]:
    try:
        return [] if missing(settings) else deliveries.listed(settings)
    except BoardsUnavailable:  # the page says it already
        return []


def ticker(game: Game, settings: Settings) -> str:
    """What was told last, as a line of HTML; nothing for games of which nothing is told.

    Whoever was banned since is left out.
    """
    if not game.announced:
        return ""
    now = datetime.now(UTC)
    rows = [
        row
        for row in latest(game, settings, wait_seconds=0).rows
        if row["banned_at"] is None and now - row["announced_at"] < SHOWN_FOR
    ][:SHOWN]
    # A wall keeps room for it, so that no board jumps.
    if not (rows or html.is_wall()):
        return ""
    listed = "".join(_item(game, row) for row in rows)
    return f'<section class="ticker" aria-label="What has changed"><ul>{listed}</ul></section>'


def _item(game: Game, row: Row) -> str:
    said, name = row["sentence"], row["entity_name"]
    words = html.text(said, SENTENCE_LENGTH)
    if name and said.startswith(f"{name} "):
        page = game.board(row["board"]).entity.page
        after = html.text(said.removeprefix(name), SENTENCE_LENGTH)
        words = f"{html.link(page, row['entity_id'], name)} {after}"
    return f"<li><time>{row['announced_at']:%H:%M}</time> {words}</li>"
