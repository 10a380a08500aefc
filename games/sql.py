"""The SQL files of the games, with their placeholders filled in.

A placeholder that nothing fills is a KeyError: no half-filled SQL runs.
"""

from __future__ import annotations

from string import Template

from games import season
from games.board import Board, Game, Table
from settings import PROJECT, Settings

SPARE_PLACES = 20  # kept beyond the board's size: when somebody is banned, others move up

# In how many parts a key's event ids lie. RocksDB reads and writes a part whole for each event.
PARTS = {"hashmap": 1, "rocksdb": 1024}


def read(path: str, **values: object) -> str:
    """The text of `sql/<path>` with every `${name}` replaced by its value.

    Raises KeyError for a placeholder without a value.
    """
    return Template((PROJECT / "sql" / path).read_text()).substitute(values)


def has(table: Table, file: str) -> bool:
    """Whether the table's folder has this file."""
    return (PROJECT / "sql" / table.folder / file).exists()


def sources(game: Game, settings: Settings, **where: str) -> list[str]:
    """Statements that define what the game's SELECTs read from.

    `where` says how its topic is reached: `group`, the consumer group, `kafka_options`,
    `registry_options`, and `startup_mode`, where a job without state begins.
    """
    values = _values(game, settings) | where
    return [read(f"{game.name}/sources/{file}", **values) for file in game.sources]


def metric(game: Game, table: Table, settings: Settings) -> str:
    """The SELECT that computes a table."""
    return read(f"{table.folder}/metric.sql", **_values(game, settings))


def _values(game: Game, settings: Settings) -> dict[str, object]:
    kept = season.of(settings).retention_millis(settings)
    return {
        "topic": game.topic(settings),
        "places": places(settings),
        "spare_places": SPARE_PLACES,
        "season_start": season.of(settings).start_sql("event_millis"),
        "max_late_millis": settings.max_late_hours * season.HOUR_MILLIS,
        "kept_minutes": (kept or 0) // season.MINUTE_MILLIS,  # 0 is for ever
        "parts": PARTS[settings.state_backend],
        **game.values(settings),
    }


def places(settings: Settings) -> int:
    """How many of the best are kept, of a period or a window."""
    return settings.board_size + SPARE_PLACES


def columns(table: Table) -> str:
    """The columns and the primary key of a table, in Flink's types."""
    return f"{fields(table)},\nPRIMARY KEY ({', '.join(table.primary_key)})"


def fields(table: Table) -> str:
    """The columns alone."""
    return read(f"{table.folder}/columns.sql").strip()


def rank(
    table: Table, settings: Settings, every_period: bool = False, period: str | None = None
) -> str:
    """The SELECT that ranks a table where it is read, in PostgreSQL or SQLite.

    `${newest}` is a condition that leaves the newest season or hour, unless all are wanted, or
    another one: its start as SQL has it, in epoch milliseconds.
    """
    start = period or f"(SELECT MAX({table.period}) FROM flink.{table.name})"
    return read(
        f"{table.folder}/rank.sql",
        board_size=settings.board_size,
        spare_places=SPARE_PLACES,
        newest="" if every_period else f"AND {table.period} = {start}",
    ).strip()


def everybody(board: Board, season_start: str) -> str:
    """The SELECT that ranks all of a season, whose start is given as SQL has it."""
    return read(f"{board.folder}/everybody.sql", season_start=season_start).strip()


def count(table: Table) -> str:
    """The SELECT that counts the rows of a table's newest period, in PostgreSQL or SQLite."""
    return (
        f"SELECT COUNT(*) FROM flink.{table.name} "
        f"WHERE {table.period} = (SELECT MAX({table.period}) FROM flink.{table.name})"
    )


def delete_outside_top_n(board: Board, is_changed: str, settings: Settings) -> str:
    """The statement, for PostgreSQL or SQLite, that leaves the best of some periods in a table.

    `is_changed` is the condition that a row is of one of them. It is asked twice.
    """
    return read(
        "postgres/delete_outside_top_n.sql",
        table=board.name,
        period=board.period,
        key=board.found_by,
        value=board.value,
        is_changed=is_changed,
        places=places(settings),
    ).strip()


def kept_millis(table: Table, settings: Settings) -> int | None:
    """How long old rows of a table stay, in milliseconds; None is for ever."""
    if table.kept is None:
        return None
    return table.kept.millis or season.of(settings).retention_millis(settings)
