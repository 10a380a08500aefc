"""The Avro schemas of a game: of its events, in a file, and of its tables, from their columns."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from games import sql
from games.board import Game, Table
from settings import PROJECT, SettingError

EVENT = "event.avsc"
NAMESPACE = "leaderboard"
TYPES = {
    "STRING": "string",
    "INT": "int",
    "BIGINT": "long",
    "DOUBLE PRECISION": "double",
    "BOOLEAN": "boolean",
}
COLUMN = re.compile(r"^\s*(\w+) ([A-Z][^,\n]*?),?\s*$", re.MULTILINE)


def event(game: Game) -> dict[str, Any]:
    """The schema of a game's events. Raises SettingError when it has none."""
    path = PROJECT / "sql" / game.name / EVENT
    if not path.exists():
        raise SettingError(
            f"LEADERBOARD_EVENT_FORMAT=avro: the game {game.name} has no schema of its events; "
            f"write it into sql/{game.name}/{EVENT}."
        )
    schema: dict[str, Any] = json.loads(path.read_text())
    return schema


def key(table: Table) -> dict[str, Any]:
    """The schema of the keys in a table's topic."""
    return _record(f"{table.name}_key", table, table.primary_key)


def value(table: Table) -> dict[str, Any]:
    """The schema of the values in a table's topic."""
    return _record(table.name, table, _types(table))


def _record(name: str, table: Table, columns: Iterable[str]) -> dict[str, Any]:
    types = _types(table)
    fields = [_field(column, types[column], column in table.primary_key) for column in columns]
    return {"type": "record", "name": name, "namespace": NAMESPACE, "fields": fields}


def _field(column: str, kind: str, is_key: bool) -> dict[str, Any]:
    """What may be NULL has a default: so a column may be added, and old readers go on."""
    if is_key:
        return {"name": column, "type": kind}
    return {"name": column, "type": ["null", kind], "default": None}


def _types(table: Table) -> dict[str, str]:
    """The Avro type of each column, in the order of the columns. Raises KeyError for a new one."""
    listed = sql.read(f"{table.folder}/columns.sql")
    return {column: TYPES[kind] for column, kind in COLUMN.findall(listed)}
