"""What a year of daily seasons costs a refresh of the boards: python -m benchmarks.seasons.

Against an empty PostgreSQL, and tables as the topics of Kafka mode are folded into: all boards of
the game are read, and rows of one written as jobs do, with one season and then with 365. The two
take turns, so that a machine which gets slower meanwhile does not decide. Milliseconds by the
clock, medians; ends with 1 when a year costs any of them more than 5 %.

And what the first viewer of Live waits for, the last hour of the history: with a day of it, in
which every place changes each minute, and with a year, in which the other days have their hours.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extras import execute_values

from boards import kafka
from boards.postgres import PostgresSink
from clients import postgres
from dashboard import refresh
from games import sql
from games.score import GAME, LATE_EVENTS, TEAM_MVPS, TOP_PLAYERS, TOP_TEAMS
from games.season import DAY_MILLIS, of
from settings import Settings, settings

DAYS, TEAMS = 365, 200
YEAR, MINUTE = timedelta(days=DAYS), timedelta(minutes=1)
ROUNDS, READS = 5, 50
MOST = 1.05
FILLED = (TOP_TEAMS, TOP_PLAYERS, TEAM_MVPS, LATE_EVENTS)
Held = tuple[str, list[tuple[Any, ...]]]
Measured = list[tuple[float, float]]  # with one season, and with all


def season(start: int, settings: Settings) -> Iterator[Held]:
    """The rows of one season, by table: a full board, and two hundred teams."""
    places, at = range(sql.places(settings)), start + 1
    yield TOP_TEAMS.name, [(start, f"T{n:05}", f"Team {n}", 10**6 - n, at) for n in places]
    yield (
        TOP_PLAYERS.name,
        [(start, f"U{n:05}", f"User {n}", f"T{n}", f"Team {n}", 10**5 - n, at) for n in places],
    )
    yield (
        TEAM_MVPS.name,
        [
            (start, f"T{n:05}", f"Team {n}", f"U{n:05}", f"User {n}", 50, 100 + n, 50 / (100 + n))
            for n in range(TEAMS)
        ],
    )
    yield LATE_EVENTS.name, [(start, 7)]


def fill(cursor: Any, starts: list[int]) -> None:
    """Write the rows of these seasons."""
    held: dict[str, list[tuple[Any, ...]]] = {}
    for start in starts:
        for table, rows in season(start, settings):
            held.setdefault(table, []).extend(rows)
    for table, rows in held.items():
        execute_values(cursor, f"INSERT INTO flink.{table} VALUES %s", rows, page_size=10_000)
    cursor.execute("VACUUM ANALYZE")


def in_postgres(cursor: Any, starts: list[int]) -> tuple[Measured, Measured]:
    """Milliseconds with the newest season alone, and with all, measured by turns.

    Those of a refresh, and those of a write.
    """
    sink = PostgresSink(settings)
    reads, writes = [], []
    for _ in range(ROUNDS):
        sink.clear(FILLED)
        fill(cursor, starts[-1:])
        alone = _millis(lambda: sink.read(GAME)), _millis(lambda: _write(cursor, starts[-1]))
        fill(cursor, starts[:-1])
        year = _millis(lambda: sink.read(GAME)), _millis(lambda: _write(cursor, starts[-1]))
        reads.append((alone[0], year[0]))
        writes.append((alone[1], year[1]))
    sink.clear(FILLED)
    return reads, writes


def _write(cursor: Any, start: int) -> None:
    """Half of a board gets a point more, as the job of the top players writes it."""
    execute_values(
        cursor,
        f"INSERT INTO flink.{TOP_PLAYERS.name} VALUES %s ON CONFLICT (season_start, user_id) "
        "DO UPDATE SET total_score = excluded.total_score",
        dict(season(start, settings))[TOP_PLAYERS.name][: sql.places(settings) // 2],
    )


def folded(starts: list[int]) -> Measured:
    """The same of the tables into which Kafka's topics are folded."""
    tables = []
    for held in (starts[-1:], starts):
        db = kafka.folded_tables(GAME.listed)
        for start in held:
            for table, rows in season(start, settings):
                places = ", ".join("?" * len(rows[0]))
                db.executemany(f"INSERT INTO flink.{table} VALUES ({places})", rows)
        tables.append(db)
    return [(_read(tables[0]), _read(tables[1])) for _ in range(ROUNDS)]


def first_look(cursor: Any) -> tuple[float, float]:
    """Milliseconds with a day of history, and with a year."""
    cursor.execute("SELECT date_trunc('minute', now()), date_trunc('day', now())")
    now, today = cursor.fetchone()
    took = []
    for first, last, every in ((today, now, "1 minute"), (today - YEAR, today - MINUTE, "1 hour")):
        fill_history(cursor, first, last, every)
        took.append(_millis(lambda: refresh.past_of(GAME, settings)))
    cursor.execute("TRUNCATE history.minutes, history.changes")
    return took[0], took[1]


def fill_history(cursor: Any, first: datetime, last: datetime, every: str) -> None:
    """Every minute of all boards; all their places change every so often."""
    values = {"boards": [each.name for each in GAME.boards], "places": sql.places(settings)}
    values |= {"first": first, "last": last, "every": every, "days": DAYS + 1}
    cursor.execute(
        "SELECT history.begin_hour(day, %(days)s) "
        "FROM generate_series(%(first)s, %(last)s, '1 day') AS day",
        values,
    )
    cursor.execute(
        "INSERT INTO history.minutes SELECT board, minute, minute, date_trunc('day', minute) "
        "FROM unnest(%(boards)s) AS board, "
        "generate_series(%(first)s, %(last)s, '1 minute') AS minute",
        values,
    )
    cursor.execute(
        "INSERT INTO history.changes SELECT board, 'U' || place, minute, 1000000 - place, place, "
        """place, '{"user_name": "Ada Lovelace", "team_name": "Azure Wombat"}' """
        "FROM unnest(%(boards)s) AS board, generate_series(1, %(places)s) AS place, "
        "generate_series(%(first)s, %(last)s, %(every)s::interval) AS minute",
        values,
    )
    cursor.execute("VACUUM ANALYZE history.minutes, history.changes")


def _read(db: Any) -> float:
    return _millis(lambda: kafka.ranked_boards(db, GAME, settings))


def _millis(read: Callable[[], object]) -> float:
    took = []
    for _ in range(READS):
        began = time.perf_counter()
        read()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def main() -> int:
    """0 when a year costs at most 5 %, 1 when it costs more or the tables are not empty."""
    about = (__doc__ or "").splitlines()[0]
    argparse.ArgumentParser(prog="python -m benchmarks.seasons", description=about).parse_args()
    today = of(settings).start_of(int(time.time() * 1000))
    starts = [today - DAY_MILLIS * days for days in reversed(range(DAYS))]
    owner = closing(postgres.connect(postgres.owner_dsn(settings)))
    with owner as owned, owned.cursor() as cursor:
        for table in FILLED:
            cursor.execute(f"SELECT FROM flink.{table.name} LIMIT 1")
            if cursor.rowcount:
                print("There are rows already; this is for an empty database.", file=sys.stderr)
                return 1
        reads, writes = in_postgres(cursor, starts)
        day, whole_year = first_look(cursor)
    results = {
        "A refresh from PostgreSQL": reads,
        "A write to PostgreSQL": writes,
        "A refresh from Kafka's topics, folded": folded(starts),
    }
    worst = 0.0
    for where, measured in results.items():
        alone, year = (statistics.median(column) for column in zip(*measured, strict=True))
        worst = max(worst, year / alone)
        print(f"{where}: {alone:.2f} ms with one season, {year:.2f} ms with {DAYS}", flush=True)
    looks = f"{day:.1f} ms with a day of it, {whole_year:.1f} ms with a year"
    print(f"The history at the first look: {looks}", flush=True)
    print(f"A year costs {100 * (worst - 1):+.1f} % at most", flush=True)
    return int(worst > MOST)


if __name__ == "__main__":
    sys.exit(main())
