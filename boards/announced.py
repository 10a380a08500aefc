"""What was told of the boards: in PostgreSQL, whatever the sink, with a copy in Kafka.

PostgreSQL also has what is remembered, written in the transaction that tells something: whatever
dies, and whenever, nothing is told twice.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError
from psycopg2.extras import Json, execute_values

from boards import pool
from boards.announcements import Announcement, Memory
from boards.cache import cached
from boards.deliveries import NotTaken
from boards.kafka import ANNOUNCEMENTS, records_since
from boards.postgres import rows
from boards.requests import PRODUCER
from boards.seasons import Season, frozen, past_boards, thawed
from boards.snapshot import Boards, Row
from clients import kafka, postgres
from clients.errors import first_line
from games.board import Game
from settings import Settings

COLUMNS = (
    *("announcement_number", "announcement_id", "announced_at", "game", "season", "board", "kind"),
    *("sentence", "entity_kind", "entity_id", "entity_name", "rank_number", "value", "banned_at"),
)
NEEDED = (
    "Announcements are kept in PostgreSQL, whatever the sink, and there is none: with "
    "LEADERBOARD_POSTGRES_URL, let the boards go there, or leave it empty to have one started."
)
REMEMBER = """
INSERT INTO announcements.memory AS known (game, version, remembered) VALUES (%s, %s, %s)
ON CONFLICT (game) DO UPDATE SET version = EXCLUDED.version, remembered = EXCLUDED.remembered
WHERE known.version = EXCLUDED.version - 1
"""
TELL = """
INSERT INTO announcements.records (
    announcement_id, game, season, board, kind, sentence,
    entity_kind, entity_id, entity_name, rank_number, value
) VALUES %s
ON CONFLICT (announcement_id) DO NOTHING
"""
FORGET = "DELETE FROM announcements.records WHERE announced_at < now() - %s * interval '1 ms'"
WANTED = "FROM leaderboard.announcements WHERE game = %s"
OF_KIND = "AND kind = %s"
NEWEST = "ORDER BY announcement_number DESC LIMIT %s OFFSET %s"
SINCE = """
SELECT * FROM leaderboard.announcements WHERE game = %s AND announcement_number > %s
ORDER BY announcement_number LIMIT %s
"""
FINAL_SINCE = """
SELECT game, season, season_start, season_end, final_at
FROM leaderboard.final_seasons
WHERE game = %s AND final_at > %s
ORDER BY final_at
"""
FIRSTS = """
SELECT board, board_row FROM leaderboard.final_boards
WHERE (game, season) = (%s, %s) AND rank_number = 1 ORDER BY board, place
"""


class Remembered(NamedTuple):
    """What is remembered of a game, and which version of it this is; 0 before the first."""

    version: int
    memory: Memory | None


def remembered(settings: Settings, game: Game) -> Remembered:
    """What is remembered of a game. Raises psycopg2.Error."""
    with closing(postgres.connect(postgres.keeper_dsn(settings))) as db, db.cursor() as cursor:
        cursor.execute(
            "SELECT version, remembered FROM announcements.memory WHERE game = %s", [game.name]
        )
        found = cursor.fetchone()
    return Remembered(found[0], Memory.of_json(found[1])) if found else Remembered(0, None)


def keep(
    settings: Settings, game: Game, before: int, memory: Memory, told: Sequence[Announcement]
) -> bool:
    """Tell these, and remember this since, in one transaction.

    Returns False, and does nothing, when another version than `before` is remembered by now:
    somebody else tells, too. Raises psycopg2.Error; nothing is written then.
    """
    with closing(postgres.connect(postgres.keeper_dsn(settings))) as db:
        db.autocommit = False
        with db, db.cursor() as cursor:
            cursor.execute(REMEMBER, [game.name, before + 1, Json(memory.as_json())])
            if not cursor.rowcount:
                return False
            execute_values(cursor, TELL, [_values(each) for each in told])
            cursor.execute(FORGET, [ANNOUNCEMENTS.kept.millis if ANNOUNCEMENTS.kept else None])
            return True


def _values(told: Announcement) -> tuple[Any, ...]:
    return (
        told.announcement_id,
        told.game,
        told.season,
        told.board,
        told.kind,
        told.sentence,
        told.entity_kind,
        told.entity_id,
        told.entity_name,
        told.rank_number,
        Json(told.value),
    )


# Reading


def newest(settings: Settings, game: Game, limit: int) -> list[Row]:
    """The last announcements of a game, the newest first. Each has COLUMNS.

    Raises BoardsUnavailable.
    """

    def ask(cursor: Any) -> list[Row]:
        cursor.execute(f"SELECT * {WANTED} {NEWEST}", [game.name, limit, 0])
        return rows(cursor)

    return pool.snapshot(settings, ask)


@cached
def page(
    settings: Settings, game: Game, limit: int, offset: int, kind: str | None
) -> tuple[int, list[Row]]:
    """How many there are of a game, or of a kind, and some of them, the newest first.

    Raises BoardsUnavailable.
    """
    wanted = f"{WANTED} {OF_KIND if kind else ''}"
    values = [game.name, *([kind] if kind else [])]

    def ask(cursor: Any) -> tuple[int, list[Row]]:
        cursor.execute(f"SELECT COUNT(*) {wanted}", values)
        (total,) = cursor.fetchone()
        cursor.execute(f"SELECT * {wanted} {NEWEST}", [*values, limit, offset])
        return total, rows(cursor)

    return pool.snapshot(settings, ask)


def since(settings: Settings, game: Game, number: int, limit: int) -> list[Row]:
    """Those of a game that came after the one of this number, in order, so many at most.

    Raises BoardsUnavailable.
    """

    def ask(cursor: Any) -> list[Row]:
        cursor.execute(SINCE, [game.name, number, limit])
        return rows(cursor)

    return pool.snapshot(settings, ask)


def final_since(settings: Settings, game: Game, until: str) -> list[tuple[Season, Boards]]:
    """Seasons that became final after a time (ISO 8601), with who is first on their boards.

    Raises BoardsUnavailable.
    """

    def ask(cursor: Any) -> list[tuple[Season, Boards]]:
        cursor.execute(FINAL_SINCE, [game.name, until])
        return [(each, firsts(cursor, each)) for each in (Season(**row) for row in rows(cursor))]

    def firsts(cursor: Any, season: Season) -> Boards:
        cursor.execute(FIRSTS, [season.game, season.season])
        held: dict[str, list[Row]] = {}
        for board, row in cursor:
            held.setdefault(board, []).append(thawed(row))
        return past_boards(game, held, season.final_at)

    return pool.snapshot(settings, ask)


class KafkaCopy:
    """The topic `announcements`: each once, whatever dies, because it looks what is there."""

    name = "kafka"
    patience_seconds: float | None = None
    begins_now = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._is_sure = False  # that the next one is not there: it may be, after a crash

    def send(self, announcement: Row) -> None:
        """Send one, unless it is there. Raises NotTaken."""
        row = frozen({name: announcement[name] for name in COLUMNS if name != "banned_at"})
        try:
            is_there = not self._is_sure and self._is_there(row)
            self._is_sure = False
            if not is_there:
                self._send(row)
            self._is_sure = True
        except KafkaError as error:
            raise NotTaken(first_line(error)) from error

    def _is_there(self, row: Row) -> bool:
        sent = records_since(self._settings, ANNOUNCEMENTS.topic, row["announced_at"])
        return any(key["announcement_id"] == row["announcement_id"] for key, _ in sent)

    def _send(self, row: Row) -> None:
        key = json.dumps({"announcement_id": row["announcement_id"]}).encode()
        with closing(kafka.client(KafkaProducer, self._settings, **PRODUCER)) as producer:
            sent = producer.send(ANNOUNCEMENTS.topic, key=key, value=json.dumps(row).encode())
            sent.get(timeout=kafka.ANSWER_SECONDS)
