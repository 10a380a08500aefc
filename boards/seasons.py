"""Seasons that the boards remember, and who stood where in them (docs/contract.md, 4.1).

A season runs, then it is provisional for as long as a late event can still change it, and then it
is final for good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from boards.snapshot import TIME_ENDINGS, Boards, Row
from games import season as lengths
from games.board import Board, Game
from settings import Settings

RUNNING, PROVISIONAL, FINAL = "running", "provisional", "final"
EVERY_ROW = 2**31 - 1
EVERYBODY = (
    "Everybody's totals are in PostgreSQL only, with totals_flush_seconds above 0, as long as a "
    "season can change: move the boards there, or set other prizes."
)


class NotYet(Exception):
    """A season cannot be made final now, but later; the message says why."""


@dataclass(frozen=True)
class Season:
    """A season of a game, which a board holds or held.

    `season` is its id, such as day-2026-11-27; `season_end` is None for one that never ends.
    """

    game: str
    season: str
    season_start: datetime
    season_end: datetime | None
    final_at: datetime | None = None

    @property
    def start_millis(self) -> int:
        return millis(self.season_start)

    @property
    def length(self) -> str:
        """The name of its length, as the setting `season` has it: hour, day, week or all."""
        return self.season.partition("-")[0]

    @property
    def label(self) -> str:
        """Its id without the length: 2026-11-27. The one that never ends is all-time."""
        return self.season if self.season_end is None else self.season.partition("-")[2]

    def state(self, now: datetime) -> str:
        """RUNNING, PROVISIONAL or FINAL."""
        if self.final_at:
            return FINAL
        has_ended = self.season_end is not None and self.season_end <= now
        return PROVISIONAL if has_ended else RUNNING

    def final_from(self, max_late_hours: int) -> datetime | None:
        """When no late event can change it any more; None is never."""
        if self.season_end is None:
            return None
        return moment(millis(self.season_end) + max_late_hours * lengths.HOUR_MILLIS)


def held_season(game: Game, length: lengths.Season, start: int) -> Season:
    """The season of this start (epoch milliseconds) that boards hold, not final yet."""
    end = length.end_of(start)
    return Season(game.name, length.id(start), moment(start), None if end is None else moment(end))


def newest_first(found: Iterable[Season]) -> list[Season]:
    """Seasons, the one that began last first; of those that began at once, the shortest."""
    return sorted(found, key=lambda each: (each.season_start, each.season), reverse=True)


def named(text: str, known: Iterable[Season], settings: Settings) -> Season | None:
    """The season that an address means: by its id, or by its label among those of one length.

    2026-11-27 is that day's season while seasons are days; week-2026-11-23 is always that week's.
    """
    by_id = {each.season: each for each in known}
    return by_id.get(text) or by_id.get(f"{settings.season}-{text}")


def address_of(season: Season, settings: Settings) -> str:
    """How an address names a season: by its label, or by its id when it has another length."""
    return season.label if season.length == settings.season else season.season


def past_boards(
    game: Game, rows: Mapping[str, list[Row]], final_at: datetime | None = None
) -> Boards:
    """The boards of one season; those that know no seasons are empty."""
    return Boards(game, {each.name: rows.get(each.name, []) for each in game.listed}, final_at)


# Who stands where


class Entrant(NamedTuple):
    """Somebody on a board with a rank."""

    rank_number: int
    entity_id: str
    name: str
    value: Any


@dataclass(frozen=True)
class Standing:
    """A board of one season: its ranked rows, and how many could be ranked in all.

    `count` is None when that is unknown. `best` gives all whose rank is at most a number.
    """

    board: Board
    rows: list[Row]
    count: int | None
    best: Callable[[int], list[Entrant]]


def of_the_board(board: Board, rows: list[Row], settings: Settings) -> Standing:
    """A standing of which only the board itself is known; a whole board knows everybody."""
    is_whole = not board.keeps_best or len(rows) < settings.board_size
    return of_rows(board, rows, len(rows) if is_whole else None, is_whole)


def of_rows(board: Board, rows: list[Row], count: int | None, is_whole: bool) -> Standing:
    """A standing of so many, of whom these rows are all, or the best."""

    def best(limit: int) -> list[Entrant]:
        if not is_whole and rows[-1]["rank_number"] <= limit:
            raise NotYet(
                f"prizes of {board.name} go to rank {limit:,}, and only the best {len(rows):,} are "
                f"known. {EVERYBODY}"
            )
        return [entrant(board, row) for row in rows if row["rank_number"] <= limit]

    return Standing(board, rows, count, best)


def entrant(board: Board, row: Row) -> Entrant:
    """Whom a row of a board is about."""
    entity_id = str(row[board.entity.id_column])
    name = row[board.entity.name_column] or entity_id
    return Entrant(row["rank_number"], entity_id, name, row[board.value])


# Rows as JSON has them: times in epoch milliseconds, as in the topics


def frozen(row: Row) -> Row:
    return {
        key: millis(value) if isinstance(value, datetime) else value for key, value in row.items()
    }


def thawed(row: Row) -> Row:
    return {
        key: moment(value) if key.endswith(TIME_ENDINGS) and value is not None else value
        for key, value in row.items()
    }


def millis(time: datetime) -> int:
    return round(time.timestamp() * 1000)


def moment(epoch_millis: int) -> datetime:
    return datetime.fromtimestamp(epoch_millis / 1000, UTC)
