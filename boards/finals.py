"""What is final: a season's boards and its awards, written once, in one transaction.

PostgreSQL has them, whatever the sink. The topics final-seasons, final-boards and awards are a copy
for readers in Kafka: it is made after the transaction, and again until it is whole.

docs/contract.md (4.1, 10) says what readers may rely on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from kafka import KafkaProducer
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ, connection
from psycopg2.extras import Json, execute_values

from boards import tiers
from boards.kafka import AWARDS, FINAL_BOARDS, FINAL_SEASONS, records_since
from boards.seasons import Season, Standing, entrant, frozen, millis, of_rows
from boards.sinks import Sink
from boards.snapshot import Row
from boards.tiers import Award, Rule
from clients import kafka, postgres
from games.board import Board, Game, Table
from settings import Settings

LOCK = "finals.seasons"  # one at a time makes something final, or tells Kafka of it
SEND_SECONDS = 30


@contextmanager
def keeper(settings: Settings) -> Iterator[connection]:
    """A connection of the role that adds what is final; one at a time, others wait for it."""
    with closing(postgres.connect(postgres.keeper_dsn(settings))) as db:
        with db.cursor() as cursor:
            # Before any transaction begins: its moment must not be one before the wait.
            cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [LOCK])
        yield db


def finish(settings: Settings, game: Game, season: Season, sink: Sink) -> list[Award] | None:
    """Make a season final, with its awards; None when it has been before.

    Whoever calls says that no job will write to it any more. Raises NotYet, BoardsUnavailable or
    psycopg2.Error; nothing is written then.
    """
    with keeper(settings) as db:
        db.set_session(ISOLATION_LEVEL_REPEATABLE_READ, autocommit=False)
        with db, db.cursor() as cursor:
            if _is_final(cursor, season):
                return None
            standings = sink.standings(game, season, cursor)
            held = tiers.rules(cursor)
            _write_season(cursor, season)
            won: list[Award] = []
            for name, standing in standings.items():
                _write_board(cursor, season, standing, settings)
                if name in held and held[name].tiers:
                    won += _award(cursor, season, standing, held[name])
            return won


def _is_final(cursor: Any, season: Season) -> bool:
    cursor.execute(
        "SELECT FROM finals.seasons WHERE (game, season) = (%s, %s)", [season.game, season.season]
    )
    return bool(cursor.rowcount)


def _write_season(cursor: Any, season: Season) -> None:
    values = [season.game, season.season, season.season_start, season.season_end]
    cursor.execute(
        "INSERT INTO finals.seasons (game, season, season_start, season_end) "
        "VALUES (%s, %s, %s, %s)",
        values,
    )


def _write_board(cursor: Any, season: Season, standing: Standing, settings: Settings) -> None:
    board = standing.board
    key = [season.game, season.season, board.name]
    cursor.execute(
        "INSERT INTO finals.boards VALUES (%s, %s, %s, %s, %s)",
        [*key, board.kind, standing.count],
    )
    places = enumerate(standing.rows[: settings.board_size], 1)
    rows = [
        (*key, place, row["rank_number"], entrant(board, row).entity_id, Json(frozen(row)))
        for place, row in places
    ]
    execute_values(cursor, "INSERT INTO finals.rows VALUES %s", rows, page_size=1_000)


def _award(cursor: Any, season: Season, standing: Standing, rule: Rule) -> list[Award]:
    won = tiers.awards(standing, rule, season.game, season.season)
    key = [season.game, season.season, standing.board.name]
    cursor.execute(
        "INSERT INTO finals.awardings (game, season, board, rule_version) VALUES (%s, %s, %s, %s)",
        [*key, rule.version],
    )
    rows = [
        (
            each.award_id,
            *key,
            each.tier,
            each.entity.entity_id,
            each.entity.name,
            each.entity.rank_number,
            Json(each.entity.value),
            Json(each.prize),
        )
        for each in won
    ]
    execute_values(cursor, "INSERT INTO finals.awards VALUES %s", rows, page_size=1_000)
    return won


def award_later(settings: Settings, season: Season, board: Board) -> list[Award] | None:
    """Give the prizes of a board whose season became final before it had any.

    None when they were given, then or later: a board's prizes are given once. Whoever is banned by
    now gets none. Raises NotYet when the final board does not show who is within the tiers.
    """
    with keeper(settings) as db:
        db.set_session(ISOLATION_LEVEL_REPEATABLE_READ, autocommit=False)
        with db, db.cursor() as cursor:
            key = [season.game, season.season, board.name]
            cursor.execute(
                "SELECT FROM finals.awardings WHERE (game, season, board) = (%s, %s, %s)", key
            )
            if cursor.rowcount:
                return None
            rule = tiers.rules(cursor).get(board.name)
            if not rule or not rule.tiers:
                return []
            return _award(cursor, season, _without_banned(cursor, key, board), rule)


def _without_banned(cursor: Any, key: list[str], board: Board) -> Standing:
    """How a final board stands when those are left out who were banned since."""
    cursor.execute(
        "SELECT board_row, entities, banned_at FROM leaderboard.final_boards "
        "WHERE (game, season, board) = (%s, %s, %s) ORDER BY place",
        key,
    )
    found = cursor.fetchall()
    kept = [row for row, _, banned_at in found if banned_at is None]
    count = found[0][1] if found else 0
    is_whole = count is not None and count <= len(found)
    for row in kept:
        row["rank_number"] = 1 + sum(other[board.value] > row[board.value] for other in kept)
    left = None if count is None else count - (len(found) - len(kept))
    return of_rows(board, kept, left, is_whole)


# The copy in Kafka


def publish(settings: Settings) -> int:
    """Copy to Kafka what is final and not there yet. Returns how many parts were copied.

    What was sent before a crash is found in the topics, and not sent again. Raises KafkaError when
    the broker does not take it.
    """
    with keeper(settings) as db, db.cursor() as cursor:
        parts = _unpublished(cursor)
        if not parts:
            return 0
        with closing(kafka.client(KafkaProducer, settings, acks="all")) as producer:
            for game, season, board in parts:
                key = [game, season, board]
                if board:
                    copied = [(AWARDS, _award_records(cursor, key))]
                else:
                    # The season last: who sees it finds its boards.
                    copied = [
                        (FINAL_BOARDS, _board_records(cursor, key)),
                        (FINAL_SEASONS, _season_records(cursor, key)),
                    ]
                for table, records in copied:
                    _send(producer, settings, table, records)
                cursor.execute(
                    "INSERT INTO finals.published (game, season, board) VALUES (%s, %s, %s)", key
                )
        return len(parts)


def _unpublished(cursor: Any) -> list[tuple[str, str, str]]:
    """Seasons (with an empty board), and the boards whose awards are not in the topic yet."""
    cursor.execute(
        """
        SELECT game, season, board
        FROM (
            SELECT game, season, '' AS board, final_at AS at FROM finals.seasons
            UNION ALL
            SELECT game, season, board, awarded_at FROM finals.awardings
        ) AS parts
        WHERE (game, season, board) NOT IN (SELECT game, season, board FROM finals.published)
        ORDER BY at, season, board
        """
    )
    return list(cursor.fetchall())


Records = tuple[int, list[tuple[Row, Row]]]  # since when they may have been sent; keys and values


def _season_records(cursor: Any, key: list[str]) -> Records:
    columns = ("game", "season", "season_start", "season_end", "final_at")
    cursor.execute(
        f"SELECT {', '.join(columns)} FROM finals.seasons WHERE (game, season) = (%s, %s)", key[:2]
    )
    row = frozen(dict(zip(columns, cursor.fetchone(), strict=True)))
    return row["final_at"], [({name: row[name] for name in FINAL_SEASONS.primary_key}, row)]


def _board_records(cursor: Any, key: list[str]) -> Records:
    cursor.execute(
        "SELECT season_start, final_at, board, place, board_row FROM leaderboard.final_boards "
        "WHERE (game, season) = (%s, %s) ORDER BY board, place",
        key[:2],
    )
    found = cursor.fetchall()
    records = []
    for start, final_at, board, place, row in found:
        of = {"game": key[0], "season": key[1], "board": board, "place": place}
        times = {"season_start": millis(start), "final_at": millis(final_at)}
        records.append((of, of | times | row))
    return min((millis(each[1]) for each in found), default=0), records


def _award_records(cursor: Any, key: list[str]) -> Records:
    columns = (
        *("award_id", "game", "season", "board", "rule_version", "tier", "entity_kind"),
        *("entity_id", "entity_name", "rank_number", "value", "prize", "awarded_at"),
    )
    cursor.execute(
        f"SELECT {', '.join(columns)} FROM leaderboard.awards "
        "WHERE (game, season, board) = (%s, %s, %s) ORDER BY rank_number, entity_id",
        key,
    )
    rows = [frozen(dict(zip(columns, row, strict=True))) for row in cursor]
    since = min((row["awarded_at"] for row in rows), default=0)
    return since, [({"award_id": row["award_id"]}, row) for row in rows]


def _send(producer: KafkaProducer, settings: Settings, table: Table, records: Records) -> None:
    since, wanted = records
    if not wanted:
        return
    known = {json.dumps(key) for key, _ in records_since(settings, table.topic, since)}
    sent = [
        producer.send(table.topic, key=json.dumps(key).encode(), value=json.dumps(value).encode())
        for key, value in wanted
        if json.dumps(key) not in known
    ]
    for each in sent:
        each.get(timeout=SEND_SECONDS)
