"""The boards of every minute, in PostgreSQL, whichever sink they come from (docs/contract.md, 11).

The upkeep writes them. Readers find the boards as of any minute that is kept, and what became of
somebody in a season.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import dropwhile
from math import ceil
from typing import Any, NamedTuple

from psycopg2.extras import execute_values

from boards import pool
from boards.cache import cached, cached_for
from boards.lookups import sendable
from boards.postgres import PostgresSink
from boards.snapshot import Boards, Row
from clients import postgres
from games import chosen
from games.board import Board, Game
from settings import Settings

MINUTE = timedelta(minutes=1)
LOCK = "history.minutes"  # one at a time writes a minute
COURSE_POINTS = 720  # of somebody's course, at most: more than a plot has pixels for
COURSE_SECONDS = 30  # a minute comes once in a while
# Of each step the last change: the rows of one key, found by the primary key.
COURSE_QUERY = """
SELECT DISTINCT ON (step) minute, rank_number, value
FROM (
    SELECT date_bin(%s, minute, %s) AS step, minute, rank_number, value
    FROM leaderboard.history
    WHERE board = %s AND found_by = %s AND minute BETWEEN %s AND %s
) AS changes
ORDER BY step, minute DESC
"""
# A minute that is over never changes. So many stay in memory: those of two races of a day.
KEPT_SECONDS, KEPT_MINUTES = 600, 48


class Place(NamedTuple):
    """Where somebody stands on a board: the value, the rank, and the place in the list, from 1."""

    value: float
    rank_number: int
    place: int


class Change(NamedTuple):
    """Where somebody stands from a minute on; a place of None is off the board.

    `names` are the ids and names in the row, None when they are as before.
    """

    found_by: str
    place: Place | None
    names: Row | None


class Held(NamedTuple):
    """What a board held in a minute, by whom it is found by."""

    places: dict[str, Place]
    names: dict[str, Row]


class Step(NamedTuple):
    """Somebody's rank and value from a minute on; both are None off the board."""

    minute: datetime
    rank_number: int | None
    value: float | None


class Minute(NamedTuple):
    """All boards of a minute, by name: where everybody stood, and the period that they showed."""

    read_at: datetime
    places: dict[str, dict[str, Place]]
    period_starts: dict[str, datetime | None]


def missing(game: Game, settings: Settings) -> str | None:
    """Why there is no history of a game, and what would help; None when there is one."""
    if not settings.history_days:
        return "No history is kept: the setting LEADERBOARD_HISTORY_DAYS is 0."
    if not PostgresSink(settings).is_needed:
        return (
            "There is no history: it lies in PostgreSQL, and the boards are in Kafka alone. "
            "To have it, leave LEADERBOARD_POSTGRES_URL empty, so that one is started beside them."
        )
    if not game.seasonal:
        return f"There is no history of {game.title}: it is kept of games with seasons."
    return None


def kept_games(settings: Settings) -> list[Game]:
    """The chosen games of which a history is kept."""
    return [game for game in chosen(settings) if missing(game, settings) is None]


def minute_of(at: datetime) -> datetime:
    """The minute in which a moment lies."""
    return at.astimezone(UTC).replace(second=0, microsecond=0)


def minute_named(text: str) -> datetime | None:
    """The minute that a text names, such as 2026-11-28T09:41Z; None when it names none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return minute_of(found) if found.tzinfo else None


def address_of(minute: datetime) -> str:
    """How an address names a minute."""
    return f"{minute:%Y-%m-%dT%H:%MZ}"


def hour_of(at: datetime) -> datetime:
    """The hour in which a moment lies."""
    return minute_of(at).replace(minute=0)


# Writing


def write(settings: Settings, boards: Boards, read_at: datetime) -> bool:
    """Keep boards as those of the minute in which they were read; False when it was kept before.

    What it writes comes in one transaction. Raises psycopg2.Error.
    """
    minute = minute_of(read_at)
    with closing(postgres.connect(postgres.keeper_dsn(settings))) as db:
        db.autocommit = False
        with db, db.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [LOCK])
            names = [board.name for board in boards.game.boards]
            last = _last_minutes(cursor, names, minute)
            if any(each == minute for each in last.values()):
                return False
            hours = {hour_of(each) for each in last.values()}
            if hours != {hour_of(minute)}:
                cursor.execute(
                    "SELECT history.begin_hour(%s, %s)", [hour_of(minute), settings.history_days]
                )
            for board in boards.game.boards:
                _write_board(cursor, boards, board, minute, last.get(board.name), read_at)
            return True


def _write_board(
    cursor: Any,
    boards: Boards,
    board: Board,
    minute: datetime,
    last: datetime | None,
    read_at: datetime,
) -> None:
    before = _held(cursor, {board.name: last})[board.name] if last else Held({}, {})
    begins = last is None or hour_of(last) != hour_of(minute)
    changed = changes(before, held(board, boards.rows[board.name]), everybody=begins)
    cursor.execute(
        "INSERT INTO history.minutes VALUES (%s, %s, %s, %s)",
        [board.name, minute, read_at, boards.period_start(board)],
    )
    rows = [
        (board.name, each.found_by, minute, *(each.place or (None,) * 3), _as_json(each.names))
        for each in changed
    ]
    execute_values(cursor, "INSERT INTO history.changes VALUES %s", rows, page_size=1_000)


def held(board: Board, rows: Iterable[Row]) -> Held:
    """What is kept of a board's rows, which stand in the order of their places."""
    found = Held({}, {})
    for place, row in enumerate(rows, 1):
        found_by = sendable(row[board.found_by])
        found.places[found_by] = Place(row[board.value], row["rank_number"], place)
        found.names[found_by] = {
            name: value
            for name, value in row.items()
            if isinstance(value, str) and name != board.found_by
        }
    return found


def changes(before: Held, now: Held, everybody: bool = False) -> list[Change]:
    """What has changed from one minute to another; when an hour begins, everybody is told."""
    found = []
    for found_by, place in now.places.items():
        names = now.names[found_by]
        has_new_names = everybody or before.names.get(found_by) != names
        if has_new_names or before.places[found_by] != place:
            found.append(Change(found_by, place, names if has_new_names else None))
    gone = [each for each in before.places if each not in now.places]
    return found + [Change(each, None, None) for each in gone]


def _as_json(names: Row | None) -> str | None:
    return None if names is None else sendable(json.dumps(names, ensure_ascii=False))


# Reading


@cached
def last_minute(game: Game, settings: Settings, until: datetime | None = None) -> datetime | None:
    """The last minute that is kept of a game, or the last one until then; None without any.

    Raises BoardsUnavailable.
    """

    def ask(cursor: Any) -> datetime | None:
        return _last_minutes(cursor, [game.boards[0].name], until).get(game.boards[0].name)

    return pool.snapshot(settings, ask)


@cached
def first_minute(
    game: Game, settings: Settings, season_start: datetime | None = None
) -> datetime | None:
    """The first minute that is kept of a game, or in which it showed a season; None without any.

    Raises BoardsUnavailable.
    """
    return pool.snapshot(
        settings, lambda cursor: _first_minute(cursor, game.seasonal[0].name, season_start)
    )


def _first_minute(cursor: Any, board: str, season_start: datetime | None) -> datetime | None:
    # When a season begins, the last one is on the boards until the first score comes.
    shown = "minute >= %s AND period_start = %s" if season_start else "TRUE"
    cursor.execute(
        f"SELECT MIN(minute) FROM leaderboard.history_minutes WHERE board = %s AND {shown}",
        [board, *([season_start] * 2 if season_start else [])],
    )
    (found,) = cursor.fetchone()
    return _utc(found)


@cached_for(KEPT_SECONDS, KEPT_MINUTES)
def _of_past(game: Game, minute: datetime, settings: Settings) -> Boards | None:
    return _boards_at(game, minute, settings)


def boards_at(game: Game, minute: datetime, settings: Settings) -> Boards | None:
    """The boards as of a minute: those of the last minute until then that is kept.

    None when nothing so old is kept. Raises BoardsUnavailable.
    """
    is_over = datetime.now(UTC) - minute > 2 * MINUTE
    return (_of_past if is_over else _boards_at)(game, minute, settings)


def _boards_at(game: Game, minute: datetime, settings: Settings) -> Boards | None:
    def ask(cursor: Any) -> Boards | None:
        names = [board.name for board in game.boards]
        last = _last_minutes(cursor, names, minute)
        if not last:
            return None
        starts = _period_starts(cursor, last)
        found = _held(cursor, last)
        rows: dict[str, list[Row]] = {each.name: [] for each in game.listed}
        for board in game.boards:
            if board.name in found:
                rows[board.name] = _rows(board, found[board.name], starts[board.name])
        return Boards(game, rows, minute=max(last.values()))

    return pool.snapshot(settings, ask)


def minutes(game: Game, first: datetime, last: datetime, settings: Settings) -> list[Minute]:
    """Those of these minutes that are kept, the oldest first. Raises BoardsUnavailable."""

    def ask(cursor: Any) -> list[Minute]:
        found: dict[datetime, Minute] = {}
        for board in game.boards:
            places = _places(cursor, board.name, first, last)
            for minute, read_at, start in _looks(cursor, board.name, first, last):
                each = found.setdefault(minute, Minute(read_at, {}, {}))
                each.places[board.name] = places(minute)
                each.period_starts[board.name] = start
        names = {board.name for board in game.boards}
        return [found[minute] for minute in sorted(found) if found[minute].places.keys() == names]

    return pool.snapshot(settings, ask)


@cached_for(COURSE_SECONDS)
def course(
    board: Board, found_by: str, season_start: datetime, last: datetime, settings: Settings
) -> list[Step]:
    """Where somebody stood in a season, from one minute to the other, COURSE_POINTS steps at most.

    The last step is of the last minute that is kept. It is empty for somebody who was not on the
    board. Raises BoardsUnavailable.
    """

    def ask(cursor: Any) -> list[Step]:
        first = _first_minute(cursor, board.name, season_start)
        until = _last_minutes(cursor, [board.name], last).get(board.name)
        if not (first and until and first <= until):
            return []
        width = step_width(first, until)
        cursor.execute(COURSE_QUERY, [width, first, board.name, sendable(found_by), first, until])
        found = (
            Step(minute.astimezone(UTC), rank, None if value is None else _number(value))
            for minute, rank, value in cursor
        )
        # Whoever was on the board of the season before has left it with the first minute.
        steps = list(dropwhile(lambda step: step.rank_number is None, found))
        if steps and until > steps[-1].minute:
            steps.append(steps[-1]._replace(minute=until))
        return steps

    return pool.snapshot(settings, ask)


def step_width(first: datetime, last: datetime) -> timedelta:
    """How many minutes are one step of a course."""
    return max(1, ceil((last - first) / (COURSE_POINTS * MINUTE))) * MINUTE


def _looks(
    cursor: Any, board: str, first: datetime, last: datetime
) -> list[tuple[datetime, datetime, datetime | None]]:
    """The minutes in which a board was kept, when it was read, and the period that it showed."""
    cursor.execute(
        "SELECT minute, read_at, period_start FROM leaderboard.history_minutes "
        "WHERE board = %s AND minute BETWEEN %s AND %s ORDER BY minute",
        [board, first, last],
    )
    return [(minute.astimezone(UTC), read_at, _utc(start)) for minute, read_at, start in cursor]


def _places(
    cursor: Any, board: str, first: datetime, last: datetime
) -> Callable[[datetime], dict[str, Place]]:
    """Where everybody stood in one minute after the other."""
    coming = deque(_changes(cursor, board, hour_of(first), last))
    found = Held({}, {})

    def until(minute: datetime) -> dict[str, Place]:
        while coming and coming[0][0] <= minute:
            apply(found, coming.popleft()[1])
        return dict(found.places)

    return until


def _rows(board: Board, found: Held, period_start: datetime | None) -> list[Row]:
    """The rows of a board as they are kept: rank, ids and names, the value, and the period."""
    period = {board.period: period_start} if board.period else {}
    in_order = sorted(found.places.items(), key=lambda each: each[1].place)
    return [
        {"rank_number": place.rank_number, board.found_by: found_by}
        | dict.fromkeys(_named_by(board))
        | found.names[found_by]
        | {board.value: place.value}
        | period
        for found_by, place in in_order
    ]


def _named_by(board: Board) -> list[str]:
    """The columns with names that a board shows; a name may be missing in a row."""
    entity = board.entity
    return [
        each
        for each in (entity.id_column, entity.name_column, entity.beside)
        if each and each != board.found_by
    ]


def _last_minutes(
    cursor: Any, boards: Iterable[str], until: datetime | None
) -> dict[str, datetime]:
    """The last minute of each board, by its name; those without any are left out."""
    cursor.execute(
        "SELECT wanted, (SELECT MAX(minute) FROM leaderboard.history_minutes "
        "WHERE board = wanted AND minute <= %s) FROM unnest(%s) AS wanted",
        [until or "infinity", list(boards)],
    )
    return {name: minute.astimezone(UTC) for name, minute in cursor if minute}


def _period_starts(cursor: Any, minutes: Mapping[str, datetime]) -> dict[str, datetime | None]:
    cursor.execute(
        "SELECT board, period_start FROM leaderboard.history_minutes "
        "WHERE (board, minute) IN (SELECT * FROM unnest(%s, %s::timestamptz[]))",
        [list(minutes), list(minutes.values())],
    )
    return {board: _utc(start) for board, start in cursor}


def _held(cursor: Any, minutes: Mapping[str, datetime]) -> dict[str, Held]:
    """What boards held in a minute of each, by the board's name.

    Everybody is told when an hour begins, so what came since then is all.
    """
    found = {board: Held({}, {}) for board in minutes}
    for board, minute in minutes.items():
        for _, change in _changes(cursor, board, hour_of(minute), minute):
            apply(found[board], change)
    return found


def _changes(
    cursor: Any, board: str, first: datetime, last: datetime
) -> Iterator[tuple[datetime, Change]]:
    """The changes of a board in these minutes, in their order."""
    # The times are literals, so the planner looks at no day but theirs.
    cursor.execute(
        "SELECT minute, found_by, value, rank_number, place, names FROM leaderboard.history "
        "WHERE board = %s AND minute BETWEEN %s AND %s ORDER BY minute",
        [board, first, last],
    )
    for minute, found_by, value, rank, place, names in cursor:
        stands = None if rank is None else Place(_number(value), rank, place)
        yield minute.astimezone(UTC), Change(found_by, stands, names)


def _number(value: Decimal) -> float:
    """A value as the boards have it: totals are whole numbers."""
    return int(value) if value == value.to_integral_value() else float(value)


def apply(found: Held, change: Change) -> None:
    """Let a change be made."""
    if change.place is None:
        found.places.pop(change.found_by, None)
        found.names.pop(change.found_by, None)
        return
    found.places[change.found_by] = change.place
    if change.names is not None:
        found.names[change.found_by] = change.names


def _utc(at: datetime | None) -> datetime | None:
    return at and at.astimezone(UTC)
