"""Tables as files of comma-separated values (RFC 4180), for spreadsheets and programs."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from boards.kafka import columns
from boards.prizes import prize_text
from boards.seasons import Season
from boards.snapshot import Row
from dashboard.refresh import Refreshed
from games import season as lengths
from games.board import Board, Game
from settings import Settings

CSV = "text/csv"
MOVEMENT = "movement"
PLAYER_COLUMNS = (
    *("user_id", "user_name", "team_id", "team_name"),
    *("total_score", "is_exact", "is_banned"),
)


AWARD_COLUMNS = (
    *("award_id", "season", "board", "rank_number", "entity_kind", "entity_id", "entity_name"),
    *("value", "tier", "prize", "rule_version", "awarded_at", "banned_at"),
)


class File(NamedTuple):
    """A file's name and its text."""

    name: str
    text: str

    @property
    def content(self) -> bytes:
        """The text in UTF-8."""
        return self.text.encode(errors="replace")


def placed(latest: Refreshed, board: Board, rows: Iterable[Row]) -> list[Row]:
    """Rows of a board, each with the ranks it has gone up in the last minute."""
    return [row | {MOVEMENT: latest.movement(board, row[board.found_by])} for row in rows]


def board_file(
    latest: Refreshed,
    board: Board,
    rows: list[Row],
    settings: Settings,
    season: Season | None = None,
) -> File:
    """Some rows of a board, of the newest season or this one. `latest` must have boards.

    Boards of the past have the columns that are kept.
    """
    assert latest.boards
    boards = latest.boards
    names = (*columns(boards.game, board, settings), MOVEMENT)
    if boards.minute:
        kept = {name for row in rows for name in row}
        names = tuple(name for name in names if name in kept)
        rows = [dict.fromkeys(names) | row for row in rows]
    start, at = boards.season_start, boards.final_at or boards.minute or boards.as_of
    called = season.season if season else _season(settings, start)
    name = _name(board.name, called, at or _now())
    return File(name, _text(names, placed(latest, board, rows)))


def players_file(rows: list[Row], settings: Settings, season: Season | None = None) -> File:
    """Players that were found, in the season that runs or this one."""
    called = season.season if season else _season(settings, None)
    return File(_name("players", called, _now()), _text(PLAYER_COLUMNS, rows))


def awards_file(rows: list[Row], season: Season) -> File:
    """The awards of a season."""
    shown = (row | {"prize": prize_text(row["prize"])} for row in rows)
    return File(_name("awards", season.season, _now()), _text(AWARD_COLUMNS, shown))


def rejects_file(game: Game, rows: list[Row], settings: Settings) -> File:
    """Rejected messages. The game must list them."""
    assert game.rejects
    names = columns(game, game.table(game.rejects), settings)
    # They belong to no season: what is rejected need not have a time.
    return File(_name(game.rejects, None, _now()), _text(names, rows))


def table_file(what: str, names: Sequence[str], rows: Iterable[Row], at: datetime | None) -> File:
    """These columns of some rows, which are of this moment; now without one."""
    return File(_name(what, None, at or _now()), _text(names, rows))


def _now() -> datetime:
    return datetime.now(UTC)


def _season(settings: Settings, start: datetime | None) -> str:
    """The season's id, in characters that every file system takes; the one that runs for None."""
    length = lengths.of(settings)
    millis = int((start or _now()).timestamp() * 1000)
    return length.id(millis if start else length.start_of(millis))


def _name(what: str, in_season: str | None, at: datetime) -> str:
    """top_players_day-2026-11-21_2026-11-21T181258Z.csv."""
    parts = (what, in_season, f"{at.astimezone(UTC):%Y-%m-%dT%H%M%SZ}")
    return "_".join(part for part in parts if part) + ".csv"


def _text(names: Sequence[str], rows: Iterable[Row]) -> str:
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(names)
    writer.writerows([_cell(row[name]) for name in names] for row in rows)
    return written.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return moment(value)
    return _harmless(value) if isinstance(value, str) else str(value)


def moment(value: datetime) -> str:
    """A time in ISO 8601, in UTC."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: one that could be has an apostrophe before.

    So has one that begins with an apostrophe. To have the text back, take one away.
    """
    # Full-width signs count, too, and blanks and unseen signs before do not help.
    visible = (each for each in unicodedata.normalize("NFKC", text) if each.isprintable())
    begins = "".join(visible).lstrip()[:1]
    return f"'{text}" if begins in ("=", "+", "-", "@", "'") else text
