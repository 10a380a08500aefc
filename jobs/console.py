"""Flink's SQL client with every table, topic and view at hand: python -m jobs.console [-e SQL]."""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg2
from rich.console import Console
from rich.table import Table as Shown

from boards.kafka import KafkaSink
from boards.postgres import PostgresSink
from clients import flink, postgres
from clients.errors import first_line
from clients.passwords import write_secret
from clients.signs import printable
from games import chosen
from jobs import environment
from settings import Settings, settings

if TYPE_CHECKING:
    from pyflink.table import TableResult

GROUP = "leaderboard.sql"  # the consumer group
# A writer of such a table needs a prefix for its transactions, which is not here: Flink refuses
# to write to it.
READ_ONLY = "'sink.delivery-guarantee' = 'exactly-once',"
UNTIL_NOW = "'scan.bounded.mode' = 'latest-offset',"
OF_A_GROUP = f"'properties.group.id' = '{GROUP}',"
TOPICS, VIEWS = "topics", "leaderboard"
# Flink's types of the columns of views; others are left out.
TYPES = {
    "text": "STRING",
    "integer": "INT",
    "bigint": "BIGINT",
    "double precision": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp with time zone": "TIMESTAMP(3)",
}
COLUMNS = """
SELECT table_name, column_name, data_type FROM information_schema.columns
WHERE table_schema = 'leaderboard' ORDER BY table_name, ordinal_position
"""
ANSWERING = {  # how a question is asked whose answer ends
    "execution.checkpointing.checkpoints-after-tasks-finish": "false",
    "restart-strategy.type": "none",
    "pipeline.name": "scripts/sql",
    "parallelism.default": "1",
}
AT_ONCE = {  # without each step on the way to an answer
    "table.exec.mini-batch.enabled": "true",
    "table.exec.mini-batch.allow-latency": "1 min",
    "table.exec.mini-batch.size": "1000000",
}


def definitions(settings: Settings, options: str = "") -> Iterator[str]:
    """The statements that define a database for each game, for the boards' topics and the views.

    `options` are more lines of the WITH of what is in Kafka.
    """
    own = f"{READ_ONLY}\n    {options}"
    yield from environment.function_statements()
    for game in chosen(settings):
        yield from _database(game.name)
        yield from environment.source_statements(game, settings, GROUP, options=own)
    yield from _database(TOPICS)
    topics = KafkaSink(settings)
    for game in chosen(settings):
        for table in topics.tables(game.tables):
            yield topics.define(table, f"{OF_A_GROUP}\n    {own}")
    if PostgresSink(settings).is_needed:
        yield from _database(VIEWS)
        yield from _views(settings)
    yield f"USE {chosen(settings)[0].name}"


def _database(name: str) -> list[str]:
    return [f"CREATE DATABASE IF NOT EXISTS {name}", f"USE {name}"]


def _views(settings: Settings) -> Iterator[str]:
    """The boards as readers see them, by the role that may do nothing else."""
    columns: dict[str, list[str]] = {}
    try:
        with closing(postgres.connect(postgres.reader_dsn(settings))) as db, db.cursor() as cursor:
            cursor.execute(COLUMNS)
            for view, column, kind in cursor:
                listed = columns.setdefault(view, [])
                listed += [f"`{column}` {TYPES[kind]}"] if kind in TYPES else []
    except psycopg2.OperationalError as error:
        print(f"Without the views: PostgreSQL does not answer ({first_line(error)}).")
    access = postgres.reader_access(settings)
    for view, listed in columns.items():
        if listed:
            yield (
                f"CREATE TEMPORARY TABLE `{view}` ({', '.join(listed)}) WITH (\n"
                f"'connector' = 'jdbc', 'url' = '{access['jdbc_url']}',\n"
                f"'table-name' = '{VIEWS}.{view}', 'username' = '{access['jdbc_user']}',\n"
                f"'password' = '{access['jdbc_password']}')"
            )


def open_client(settings: Settings) -> None:
    """Become Flink's SQL client. Raises OSError when it is not there."""
    host, port = settings.flink_rest.rsplit(":", 1)
    begin = [
        "SET 'execution.target' = 'remote'",
        f"SET 'rest.address' = '{host}'",
        f"SET 'rest.port' = '{port}'",
        "SET 'table.local-time-zone' = 'UTC'",
        *(f"SET '{name}' = '{value}'" for name, value in ANSWERING.items()),
        *definitions(settings),
    ]
    script = "".join(f"{_without_comments(each)};\n" for each in begin)
    write_secret(settings.state / "conf" / "console.sql", script)
    wheel, conf, library = flink.home(), settings.state / "conf" / "flink", settings.state / "jars"
    _link(wheel / "conf" / "log4j-cli.properties", conf)
    for jar in (wheel / "opt").glob("*.jar"):  # the client itself, and what it needs
        _link(jar, library / "sql")
    # As our Flink does, it runs in the state folder: no path has to be quoted.
    os.chdir(settings.state)
    place = flink.STATE_IN_FLINK
    own = flink.environment(place) | {"FLINK_OPT_DIR": str(place / "jars" / "sql")}
    program = str(wheel / "bin" / "sql-client.sh")
    # The client looks for its own server there, whatever our services listen on.
    words = ["embedded", "-Drest.bind-address=localhost"]
    words += ["-i", "conf/console.sql", "-hist", "conf/console.history"]
    os.execve(program, [program, *words], os.environ | own)


def _link(file: Path, folder: Path) -> None:
    (folder / file.name).unlink(missing_ok=True)
    (folder / file.name).symlink_to(file)


def _without_comments(statement: str) -> str:
    return "\n".join(line for line in statement.splitlines() if not line.startswith("--"))


def answer(settings: Settings, statement: str) -> Shown:
    """What Flink answers to one statement, of what there is until now."""
    own = environment.table_environment(settings)
    for name, value in (ANSWERING | AT_ONCE).items():
        own.get_config().set(name, value)
    for each in definitions(settings, UNTIL_NOW):
        own.execute_sql(each)
    result = own.execute_sql(statement.strip().rstrip(";"))
    shown = Shown(*map(printable, result.get_table_schema().get_field_names()))
    for row in _rows(result):
        shown.add_row(*row)
    return shown


def _rows(result: TableResult) -> Iterable[tuple[str, ...]]:
    """The rows that are left when all changes are made, as they are printed."""
    from pyflink.common import RowKind

    rows: Counter[tuple[str, ...]] = Counter()
    with result.collect() as changes:
        for change in changes:
            row = tuple(printable("NULL" if each is None else str(each)) for each in change)
            is_added = change.get_row_kind() in (RowKind.INSERT, RowKind.UPDATE_AFTER)
            rows[row] += 1 if is_added else -1
    return rows.elements()


def main(arguments: list[str] | None = None) -> int:
    """0 when it is answered, 1 with a message when it could not be, 2 for wrong usage."""
    parser = argparse.ArgumentParser(prog="scripts/sql", description=__doc__)
    parser.add_argument("-e", metavar="SQL", help="print the answer to one statement and end")
    options = parser.parse_args(arguments)
    try:
        flink.rest(settings, "GET", "/overview")
        if options.e is None:
            open_client(settings)
        Console(markup=False).print(answer(settings, options.e))
    except Exception as error:  # Flink's come as many types; a person reads one sentence
        print(f"Could not ask: {flink.readable(error)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
