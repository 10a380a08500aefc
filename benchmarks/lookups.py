"""How long looking up one of many players takes: python -m benchmarks.lookups [players].

Against an empty PostgreSQL: it fills the tables of totals with invented players of three kinds of
games, says how large they are with their indexes, asks, and empties them again. Milliseconds by
the clock, of the database alone, the median and the slowest of all that were asked.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from contextlib import closing
from typing import Any

from benchmarks import system
from boards.postgres import PostgresSink
from clients import postgres
from games.score import MEMBER_TOTALS, PLAYER_TOTALS, TEAM_MVPS
from settings import settings

ASKED = 200
BATCH = 50_000
FILLED = (PLAYER_TOTALS, MEMBER_TOTALS, TEAM_MVPS)
SPREADS = {
    "few have most": "(1 + 3e7 / (1 + number * 7919::bigint % 1000003))::bigint",
    "all about 5,000": "(5000 + 70 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))"
    "::bigint",
    "all the same": "7",
}
FIRST = (
    "ARRAY['Ada', 'Grace', 'Émile', 'Łukasz', '王小明', 'Иван', "
    "'Bob', 'Maria', 'Chen', 'Sofía', 'Noah', 'Zoë']"
)
LAST = (
    "ARRAY['Lovelace', 'Hopper', 'Zola', 'Nowak', 'Smith', 'Петров', "
    "'Garcia', 'Müller', 'Tanaka', 'Johnson', 'Li']"
)
TEXTS = {
    "find a whole id": "usr-0123456",
    "find what many have": "love",
    "find what few have": "zola 3f9a",
    "find what nobody has": "qqqq",
    "find one letter of another alphabet": "明",
    "find one letter": "q",
}


def main() -> int:
    """0 when it was measured, 1 when the tables are not empty."""
    about = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lookups", description=about)
    parser.add_argument("players", type=int, nargs="?", default=1_000_000)
    players = parser.parse_args().players
    owner = closing(postgres.connect(postgres.owner_dsn(settings)))
    reader = closing(postgres.connect(postgres.reader_dsn(settings)))
    with owner as owned, reader as read, owned.cursor() as cursor, read.cursor() as asking:
        cursor.execute(f"SELECT FROM flink.{PLAYER_TOTALS.name} LIMIT 1")
        if cursor.rowcount:
            print("There are players already; this is for an empty database.", file=sys.stderr)
            return 1
        cursor.execute("SET statement_timeout = 0")
        for title, total in SPREADS.items():
            _fill(cursor, players, total)
            size = sum(system.counts(settings, system.SIZES).values())
            print(f"{players:,} players, {title}: {size / system.MEGABYTE:,.0f} MB")
            _measure(asking, players)
            PostgresSink(settings).clear(FILLED)
    return 0


def _fill(cursor: Any, players: int, total: str) -> None:
    for first in range(0, players, BATCH):
        cursor.execute(
            f"""INSERT INTO flink.{PLAYER_TOTALS.name}
            SELECT
                0,
                'USR-' || lpad(number::text, 7, '0'),
                concat_ws(
                    ' ',
                    ({FIRST})[1 + number % 12],
                    ({LAST})[1 + number % 11],
                    left(md5(number::text), 4)
                ),
                'TEAM-' || number / 100,
                'Team ' || number / 100,
                {total},
                number
            FROM generate_series({first}, {min(first + BATCH, players) - 1}) AS number"""
        )
    cursor.execute(
        f"""INSERT INTO flink.{MEMBER_TOTALS.name}
        SELECT season_start, team_id, user_id, total_score FROM flink.{PLAYER_TOTALS.name}"""
    )
    cursor.execute(
        f"""INSERT INTO flink.{TEAM_MVPS.name}
        SELECT
            season_start,
            team_id,
            MAX(team_name),
            MIN(user_id),
            '',
            MAX(total_score),
            SUM(total_score),
            0
        FROM flink.{PLAYER_TOTALS.name}
        GROUP BY season_start, team_id"""
    )
    cursor.execute("ANALYZE")


def _measure(cursor: Any, players: int) -> None:
    chance = random.Random(1)
    ids = [f"USR-{chance.randrange(players):07d}" for _ in range(ASKED)]
    teams = [f"TEAM-{chance.randrange(players // 100)}" for _ in range(ASKED)]
    questions = {
        "player": ("player", ids),
        "neighbours": ("player_neighbours", ids),
        "team": ("team", teams),
        "members": ("team_members", teams),
    } | {name: ("find_players", [text] * 20) for name, text in TEXTS.items()}
    for name, (function, values) in questions.items():
        millis = [_millis(cursor, function, value) for value in values]
        median, slowest = statistics.median(millis), max(millis)
        print(f"  {name}: {median:.1f} ms, at most {slowest:.1f} ms", flush=True)


def _millis(cursor: Any, function: str, value: str) -> float:
    began = time.perf_counter()
    cursor.execute(f"SELECT * FROM leaderboard.{function}(%s)", [value])
    cursor.fetchall()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(main())
