"""Boards as tables of PostgreSQL: the schema, and how readers see it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC
from typing import Any

import psycopg2
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import encrypt_password

from boards import pool
from boards.seasons import (
    EVERY_ROW,
    Entrant,
    Season,
    Standing,
    held_season,
    newest_first,
    of_the_board,
    past_boards,
    thawed,
)
from boards.snapshot import Boards, Row, named_rows
from clients import postgres
from clients.errors import BoardsUnavailable, SetupError, first_line
from clients.passwords import passwords
from clients.postgres import DATABASE, FLINK, KEEPER, MODERATOR, READER
from games import season as lengths
from games import sql
from games.board import Board, Game, Table
from games.campaign import DECIDED
from settings import Settings

ROLES = {
    "flink_role": FLINK,
    "reader_role": READER,
    "moderator_role": MODERATOR,
    "keeper_role": KEEPER,
}
# They know the letters of all alphabets: in PostgreSQL 17 on, and in any that is built with ICU.
COLLATIONS = ("pg_c_utf8", "und-x-icu")
FINAL_SEASONS_QUERY = """
SELECT game, season, season_start, season_end, final_at
FROM leaderboard.final_seasons
WHERE game = %s
"""
FINAL_ROWS_QUERY = """
SELECT board, board_row
FROM leaderboard.final_boards
WHERE (game, season) = (%s, %s)
ORDER BY board, place
"""
# Flink's connections for each table and slot: a dead job's end later than the next job begins.
CONNECTIONS_PER_SLOT = 4
# Rows that the sink holds back at most: of boards, about what changes within sink_flush_millis.
BOARD_ROWS, LOOKUP_ROWS = 5_000, 100_000


class PostgresSink:
    """A schema `flink` that jobs write, and a schema `leaderboard` of views that people read."""

    name = "postgres"
    title = "PostgreSQL"
    can_look_up = True

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def is_needed(self) -> bool:
        """Whether there is one: ours, or somebody else's that the boards go to."""
        return not self._settings.postgres_url or self._settings.sink == self.name

    def tables(self, tables: Iterable[Table]) -> list[Table]:
        return [table for table in tables if table.is_written(self._settings)]

    def define(self, table: Table) -> str:
        settings, is_slow = self._settings, table.for_lookups
        millis = settings.totals_flush_seconds * 1000 if is_slow else settings.sink_flush_millis
        return sql.read(
            "sinks/postgres.sql",
            table=table.name,
            columns=sql.columns(table),
            sink_flush_millis=millis,
            sink_flush_rows=LOOKUP_ROWS if is_slow else BOARD_ROWS,
            **postgres.flink_access(settings),
        )

    # Creating

    def create(self, games: Sequence[Game]) -> None:
        """Create database, roles, tables and views, each unless it is there; views are renewed.

        Raises SetupError when the database cannot hold every name.
        """
        settings = self._settings
        if not settings.postgres_url:
            self._create_database()
        with postgres.connect(postgres.owner_dsn(settings)) as db, db.cursor() as cursor:
            _check_encoding(cursor)
            self._create_roles(cursor, sum(len(game.tables) for game in games))
            cursor.execute(sql.read("postgres/moderation.sql", **ROLES))
            cursor.execute(sql.read("postgres/finals.sql", **ROLES))
            cursor.execute(sql.read("postgres/history.sql", **ROLES))
            cursor.execute(sql.read("postgres/announcements.sql", **ROLES))
            if any(game.campaigns for game in games):
                cursor.execute(sql.read("postgres/campaigns.sql", **ROLES))
                for table in DECIDED:
                    self._create_views(cursor, table)
            for game in games:
                for table in game.tables:
                    self._create_table(cursor, table)
                self._create_extras(cursor, game)

    def _create_database(self) -> None:
        # Not `with db`: that begins a transaction, in which no database can be created.
        admin = postgres.connect(postgres.admin_dsn(self._settings))
        with closing(admin) as db, db.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
            if not cursor.fetchone():
                cursor.execute(f"CREATE DATABASE {DATABASE}")

    def _create_roles(self, cursor: Cursor, tables: int) -> None:
        secret = passwords(self._settings.state)
        # Only their hashes: the server writes a statement that fails into its log.
        hashes = {
            f"{name}_password": encrypt_password(
                secret[f"postgres_{name}"], role, cursor, "scram-sha-256"
            )
            for name, role in (
                ("flink", FLINK),
                ("reader", READER),
                ("moderator", MODERATOR),
                ("keeper", KEEPER),
            )
        }
        connections = CONNECTIONS_PER_SLOT * tables * self._settings.parallelism
        cursor.execute(
            sql.read("postgres/roles.sql", **ROLES, **hashes, flink_connections=connections)
        )
        if not self._settings.postgres_url:
            cursor.execute(sql.read("postgres/database.sql", database=DATABASE, **ROLES))

    def _create_table(self, cursor: Cursor, table: Table) -> None:
        settings, name = self._settings, table.name
        columns = sql.columns(table).replace("STRING", "TEXT")
        cursor.execute(sql.read("postgres/table.sql", table=name, columns=columns, **ROLES))
        self._create_views(cursor, table)
        if table.grows:
            new, old = (
                ", ".join(f"{row}.{each}" for each in table.grows) for row in ("NEW", "OLD")
            )
            statement = sql.read("postgres/reject_lower_totals.sql", table=name, new=new, old=old)
            cursor.execute(statement)
        if isinstance(table, Board) and table.keeps_best:
            # As an array, which an index finds; the planner knows nothing of a subquery's size.
            changed = f"{table.period} = ANY (ARRAY(SELECT {table.period} FROM inserted))"
            delete = sql.delete_outside_top_n(table, changed, settings)
            cursor.execute(
                sql.read(
                    "postgres/keep_top_n.sql",
                    table=name,
                    delete_outside_top_n=delete,
                    flink_role=FLINK,
                )
            )
        millis = sql.kept_millis(table, settings)
        if table.kept and millis:
            column = table.kept.column
            cursor.execute(
                sql.read("postgres/forget_old.sql", table=name, column=column, millis=millis)
            )
        elif table.kept:
            cursor.execute(f"DROP TRIGGER IF EXISTS forget_old ON flink.{name}")

    def _create_views(self, cursor: Cursor, table: Table) -> None:
        for view, select in self._views(table).items():
            cursor.execute(sql.read("postgres/view.sql", view=view, select=select, **ROLES))

    def _views(self, table: Table) -> dict[str, str]:
        if not sql.has(table, "rank.sql"):
            return {}
        views = {table.name: sql.rank(table, self._settings)}
        if table.is_seasonal:
            every_season = sql.rank(table, self._settings, every_period=True)
            views[f"{table.name}_by_season"] = every_season
        return views

    def _create_seasonal(self, cursor: Cursor, board: Board) -> None:
        """How the seasons of a board are listed, and how one of them is read."""
        select = sql.rank(board, self._settings, period="season")
        values = {"table": board.name, "select": select, **ROLES}
        cursor.execute(sql.read("postgres/seasonal.sql", **values))
        if board.everybody:
            select = sql.everybody(board, "season")
            values = {"board": board.name, "select": select, **ROLES}
            cursor.execute(sql.read("postgres/everybody.sql", **values))

    def _create_extras(self, cursor: Cursor, game: Game) -> None:
        """What needs more than one table of the game: functions, and views that count."""
        values = {**game.values(self._settings), **ROLES, "collation": _collation(cursor)}
        for table in game.tables:
            if sql.has(table, "postgres.sql"):
                cursor.execute(sql.read(f"{table.folder}/postgres.sql", **values))
        for board in game.seasonal:
            self._create_seasonal(cursor, board)
        for name in game.counts.values():
            table = game.table(name)
            has_own = sql.has(table, "count.sql")
            select = sql.read(f"{table.folder}/count.sql") if has_own else sql.count(table)
            named = f"SELECT ({select.strip()}) AS count"
            cursor.execute(
                sql.read("postgres/view.sql", view=f"{name}_count", select=named, **ROLES)
            )

    def restore(self) -> None:
        pass  # no job waits for a table

    def clear(self, tables: Iterable[Table], since: int = 0) -> None:
        owner = postgres.owner_dsn(self._settings)
        with postgres.connect(owner) as db, db.cursor() as cursor:
            for table in tables:
                column = table.archived_by if since else None
                delete = f"DELETE FROM flink.{table.name} WHERE {column} >= {since}"
                cursor.execute(delete if column else f"TRUNCATE flink.{table.name}")

    # Reading

    def read(self, game: Game) -> Boards:
        def ask(cursor: Any) -> Boards:
            return Boards(game, {each.name: ranked(cursor, each) for each in game.listed})

        def ranked(cursor: Any, table: Table) -> list[Row]:
            limit = self._settings.board_size
            cursor.execute(f"SELECT * FROM leaderboard.{table.name} LIMIT {limit}")
            return rows(cursor)

        return pool.snapshot(self._settings, ask)

    def rows(self, game: Game, tables: Sequence[Table]) -> list[list[Row]]:
        def ask(cursor: Any) -> list[list[Row]]:
            return [everything(cursor, table) for table in tables]

        def everything(cursor: Any, table: Table) -> list[Row]:
            cursor.execute(f"SELECT * FROM leaderboard.{table.name}")
            return rows(cursor)

        return pool.snapshot(self._settings, ask)

    def find(self, table: Table, key: Mapping[str, str]) -> list[Row]:
        held = " AND ".join(f"{column} = %s" for column in key)

        def ask(cursor: Any) -> list[Row]:
            query = f"SELECT * FROM leaderboard.{table.name} WHERE {held}"
            cursor.execute(query, list(key.values()))
            return rows(cursor)

        return pool.snapshot(self._settings, ask)

    def seasons(self, game: Game) -> list[Season]:
        length = lengths.of(self._settings)

        def ask(cursor: Any) -> list[Season]:
            cursor.execute(FINAL_SEASONS_QUERY, [game.name])
            found = {each["season"]: Season(**each) for each in rows(cursor)}
            for board in game.seasonal:
                cursor.execute(f"SELECT season_start FROM leaderboard.{board.name}_seasons")
                for (start,) in cursor:
                    found.setdefault(length.id(start), held_season(game, length, start))
            return list(found.values())

        return newest_first(pool.snapshot(self._settings, ask))

    def past(self, game: Game, season: Season) -> Boards:
        def ask(cursor: Any) -> Boards:
            cursor.execute(
                "SELECT final_at FROM leaderboard.final_seasons WHERE (game, season) = (%s, %s)",
                [game.name, season.season],
            )
            final = cursor.fetchone()
            if not final:
                return past_boards(
                    game, {each.name: self._in(cursor, each, season) for each in game.seasonal}
                )
            cursor.execute(FINAL_ROWS_QUERY, [game.name, season.season])
            held: dict[str, list[Row]] = {}
            for board, row in cursor:
                held.setdefault(board, []).append(thawed(row))
            return past_boards(game, held, final[0].astimezone(UTC))

        return pool.snapshot(self._settings, ask)

    def _in(self, cursor: Any, board: Board, season: Season, limit: int | None = None) -> list[Row]:
        cursor.execute(
            f"SELECT * FROM leaderboard.{board.name}_in(%s) LIMIT %s",
            [season.start_millis, limit or self._settings.board_size],
        )
        return rows(cursor)

    def standings(self, game: Game, season: Season, keeper: Any) -> dict[str, Standing]:
        return {each.name: self._standing(game, each, season, keeper) for each in game.seasonal}

    def _standing(self, game: Game, board: Board, season: Season, keeper: Any) -> Standing:
        start = season.start_millis
        ranked = self._in(keeper, board, season, EVERY_ROW)
        if self._knows_everybody(game, board, start):

            def best(limit: int) -> list[Entrant]:
                keeper.execute(
                    f"SELECT * FROM leaderboard.{board.name}_everybody(%s) "
                    "WHERE rank_number <= %s ORDER BY rank_number, entity_id",
                    [start, limit],
                )
                return [Entrant(*row) for row in keeper]

            keeper.execute(f"SELECT COUNT(*) FROM leaderboard.{board.name}_everybody(%s)", [start])
            (count,) = keeper.fetchone()
            return Standing(board, ranked, count, best)
        return of_the_board(board, ranked, self._settings)

    def _knows_everybody(self, game: Game, board: Board, start: int) -> bool:
        """Whether all of a season are held, and not forgotten yet, as old ones are bit by bit."""
        if not board.everybody or not self.tables([game.table(board.everybody)]):
            return False
        kept = sql.kept_millis(game.table(board.everybody), self._settings)
        return kept is None or time.time() * 1000 <= start + kept

    def count(self, table: Table) -> int | None:
        def ask(cursor: Any) -> int | None:
            cursor.execute(f"SELECT count FROM leaderboard.{table.name}_count")
            (number,) = cursor.fetchone()
            return int(number) if number is not None else None

        return pool.snapshot(self._settings, ask)

    def rejects(self, game: Game, limit: int) -> list[Row]:
        def ask(cursor: Any) -> list[Row]:
            cursor.execute(f"SELECT * FROM leaderboard.{game.rejects} LIMIT %s", [limit])
            return rows(cursor)

        return pool.snapshot(self._settings, ask) if game.rejects else []

    def reject_counter(self, game: Game) -> RejectsByReason:
        return RejectsByReason(self._settings, game)


def rows(cursor: Any) -> list[Row]:
    """What a cursor has found, by column, with times in UTC."""
    # One after the other: `fetchall` would keep Python to itself until the last of very many.
    return named_rows([column[0] for column in cursor.description], cursor)


class RejectsByReason:
    """Counts rejected messages by reason, among those that came since it was asked first."""

    def __init__(self, settings: Settings, game: Game) -> None:
        self._settings, self._game = settings, game
        self._counts: Counter[str] = Counter()
        # The list only grows: in each partition, this offset was not counted yet. A topic that was
        # made anew begins before it.
        self._next: dict[int, int] = {}

    def count(self, ends: dict[int, int]) -> dict[str, float]:
        """The counts by reason. Raises BoardsUnavailable when the list cannot be read."""
        if self._game.rejects is None:
            return {}
        try:
            dsn = postgres.reader_dsn(self._settings)
            with closing(postgres.connect(dsn)) as db, db.cursor() as cursor:
                for partition, end in ends.items():
                    self._next[partition] = min(end, self._next.get(partition, end))
                    self._add(cursor, partition, self._next[partition])
        except psycopg2.Error as error:
            raise BoardsUnavailable(first_line(error)) from error
        return dict(self._counts)

    def _add(self, cursor: Cursor, partition: int, first: int) -> None:
        cursor.execute(
            f'SELECT reason, count(*), max("offset") FROM leaderboard.{self._game.rejects} '
            'WHERE topic = %s AND partition = %s AND "offset" >= %s GROUP BY reason',
            [self._game.topic(self._settings), partition, first],
        )
        for reason, count, last in cursor:
            self._counts[reason] += count
            self._next[partition] = max(self._next[partition], last + 1)


def _check_encoding(cursor: Cursor) -> None:
    cursor.execute("SELECT current_database(), current_setting('server_encoding')")
    ((database, encoding),) = cursor.fetchall()
    if encoding != "UTF8":
        raise SetupError(
            f"The database {database} has the encoding {encoding}, which cannot hold every name. "
            "Name one with the encoding UTF8 in LEADERBOARD_POSTGRES_URL."
        )


def _collation(cursor: Cursor) -> str:
    """One that knows the letters of all alphabets, where this server has one."""
    cursor.execute(
        "SELECT collname FROM pg_collation WHERE collname = ANY (%s)", [list(COLLATIONS)]
    )
    known = {name for (name,) in cursor.fetchall()}
    return f'"{next((name for name in COLLATIONS if name in known), "default")}"'
