"""Boards as compacted topics of Kafka: the topics, and readers who fold them into tables."""

from __future__ import annotations

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import cache
from itertools import islice
from operator import itemgetter
from threading import Lock
from typing import Any, TypeVar

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaError, KafkaTimeoutError, TopicAuthorizationFailedError

from boards.background import Background
from boards.seasons import (
    Entrant,
    NotYet,
    Season,
    Standing,
    held_season,
    millis,
    moment,
    newest_first,
    of_the_board,
    past_boards,
    thawed,
)
from boards.snapshot import Boards, Row, named_rows
from clients import kafka, offsets, registry
from clients.errors import BoardsUnavailable, SetupError, first_line
from games import avro, chosen, sql
from games import season as lengths
from games.board import Board, Game, Kept, Table, Topic
from games.campaign import DECIDED
from games.season import DAY_MILLIS, HOUR_MILLIS
from settings import SettingError, Settings

Answer = TypeVar("Answer")
Record = tuple[bytes, bytes | None, Sequence[tuple[str, bytes]]]  # key, value, headers

CONNECT_MILLIS = 15_000
SILENT_SECONDS = 3 * kafka.ANSWER_SECONDS  # after so long without an answer, boards are not shown
FOLD_SECONDS = 30  # the first fold reads every record since the last compaction
ANY_REASON = "any"
RETENTION = "retention.ms"

# Who is banned, copied from the database for readers of the boards in Kafka.
BANS = Table(name="bans", key=("kind", "banned_id"), game="moderation", schema="moderation")
# What is final, copied likewise (boards/finals.py): which seasons, their boards, the awards.
FINAL_SEASONS = Table(name="final_seasons", key=("game", "season"), game="finals", schema="finals")
FINAL_BOARDS = Table(
    name="final_boards", key=("game", "season", "board", "place"), game="finals", schema="finals"
)
AWARDS = Table(name="awards", key=("award_id",), game="finals", schema="finals")
# What was told of the boards (boards/announced.py).
ANNOUNCEMENTS = Table(
    name="announcements",
    key=("announcement_id",),
    kept=Kept("announced_at", 90 * DAY_MILLIS),
    game="announcements",
    schema="announcements",
)
COPIED = (BANS, FINAL_SEASONS, FINAL_BOARDS, AWARDS, ANNOUNCEMENTS)
FOLDED_COPIES = (BANS, FINAL_SEASONS)
# Header of a null value that ends a row for good, because its job begins anew. A job's own nulls
# have none: after a recovery it deletes who has come back to a board meanwhile.
REMOVED = "removed"

FINAL_AT_QUERY = "SELECT final_at FROM finals.final_seasons WHERE (game, season) = (?, ?)"
FINAL_SEASONS_QUERY = """
SELECT season, season_start, season_end, final_at FROM finals.final_seasons WHERE game = ?
"""
# Each start by one look into the index, as in PostgreSQL: there may be a year of them.
SEASONS_QUERY = """
WITH RECURSIVE starts AS (
    SELECT (SELECT MIN(season_start) FROM flink.{table}) AS start
    UNION ALL
    SELECT (SELECT MIN(season_start) FROM flink.{table} WHERE season_start > start)
    FROM starts
    WHERE start IS NOT NULL
)
SELECT start FROM starts WHERE start IS NOT NULL
"""
# What a record of the topic final-boards has beside the columns of its board.
FINAL_COLUMNS = ("game", "season", "board", "place", "final_at")

log = logging.getLogger(__name__)


class KafkaSink:
    """A compacted topic for each table: the latest value of a key is its row."""

    name = "kafka"
    title = "Kafka"
    can_look_up = False
    is_needed = True  # events come from Kafka, whatever the sink

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def tables(self, tables: Iterable[Table]) -> list[Table]:
        return [
            table for table in tables if table.is_written(self._settings) and not table.for_lookups
        ]

    def define(self, table: Table, options: str = "") -> str:
        """The statement by which Flink knows the table; `options` are more lines of its WITH."""
        return sql.read(
            "sinks/kafka.sql",
            table=table.name,
            columns=sql.columns(table),
            board_topic=table.topic,
            sink_flush_millis=self._settings.sink_flush_millis,
            formats=registry.formats(
                self._settings,
                self._settings.board_format,
                table.topic,
                key=lambda: avro.key(table),
                value=lambda: avro.value(table),
            ),
            kafka_options=f"{kafka.table_options(self._settings)}\n    {options}",
        )

    # Creating

    def create(self, games: Sequence[Game]) -> None:
        """Create the topics that are not there yet.

        Raises SetupError when the broker does not let us in.
        """
        settings = self._settings
        check_topics(games, settings)
        try:
            admin = kafka.client(KafkaAdminClient, settings, bootstrap_timeout_ms=CONNECT_MILLIS)
        except KafkaTimeoutError:  # it names no cause
            raise SetupError(
                f"Kafka at {settings.brokers} does not answer within {CONNECT_MILLIS // 1000} s, "
                "or refuses the login, or shows a certificate that is not trusted. Its log tells "
                "which; the settings are LEADERBOARD_KAFKA_…"
            ) from None
        with closing(admin):
            known = set(admin.list_topics())
            topics = self._topics(games)
            missing = {name: options for name, options in topics.items() if name not in known}
            if missing:
                admin.create_topics(missing, wait_for_metadata=True)
            for topic in sorted({game.topic(settings) for game in games} & known):
                self._keep_longer(admin, topic)

    def _topics(self, games: Sequence[Game]) -> dict[str, dict[str, Any]]:
        settings = self._settings
        events = {"message.timestamp.type": "LogAppendTime", RETENTION: str(self._kept())}
        tables = [*(table for game in games for table in self.tables(game.tables)), *COPIED]
        if any(game.campaigns for game in games):
            tables += DECIDED
        return (
            {
                game.topic(settings): {
                    "num_partitions": settings.topic_partitions,
                    "configs": events,
                }
                for game in games
            }
            | {
                table.topic: {"num_partitions": 1, "configs": self._config(table)}
                for table in tables
            }
            | {
                topic.name: {"num_partitions": 1, "configs": _config_of(topic)}
                for game in games
                for topic in game.topics
            }
        )

    def _kept(self) -> int:
        """How long events are kept, in milliseconds; -1 is for ever."""
        kept = lengths.of(self._settings).retention_millis(self._settings)
        return -1 if kept is None else kept

    def _keep_longer(self, admin: KafkaAdminClient, topic: str) -> None:
        """Let a topic of our own broker keep events as long as the settings need; else warn.

        It never keeps less than before: a job that still runs may add up a longer season.
        """
        asked = ConfigResource(ConfigResourceType.TOPIC, topic, [RETENTION])
        try:
            told = admin.describe_configs([asked], config_filter="all")
        except (
            TopicAuthorizationFailedError
        ):  # whoever owns the broker knows how long it keeps them
            return
        now, needed = int(told["topic"][topic][RETENTION]["value"]), self._kept()
        if now < 0 or 0 <= needed <= now:
            return
        if self._settings.kafka_brokers:
            log.warning(
                "The topic %s keeps records for %s hours. Totals can be computed again from it "
                "only with %s=%s.",
                *(topic, now // HOUR_MILLIS, RETENTION, needed),
            )
            return
        change = {RETENTION: str(needed)}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, change)])

    def _config(self, table: Table) -> dict[str, str]:
        # Who opens the boards reads all that is there, and only full segments are compacted.
        # A removed row's null must outlive a reader that is away for an hour.
        compacted = {
            "cleanup.policy": "compact",
            "delete.retention.ms": str(HOUR_MILLIS),
            "segment.ms": "60000",
        }
        millis = sql.kept_millis(table, self._settings)
        if millis is None:
            return compacted
        retention = str(max(millis, 10 * 60_000))
        return compacted | {"cleanup.policy": "compact,delete", RETENTION: retention}

    def restore(self) -> None:
        self.create(chosen(self._settings))

    def clear(self, tables: Iterable[Table], since: int = 0) -> None:
        for table in tables:
            column = table.archived_by
            held = live_rows(self._settings, table.topic) if since and column else {}
            read = {key: registry.decoded(self._settings, row) for key, row in held.items()}
            old = {key: held[key] for key, row in read.items() if row[column] < since}
            replace(self._settings, table.topic, old)

    # Reading

    def read(self, game: Game) -> Boards:
        return fold_of(game, self._settings).boards()

    def find(self, table: Table, key: Mapping[str, str]) -> list[Row]:
        game = next(game for game in chosen(self._settings) if game.name == table.game)
        return found_fold_of(game, self._settings).find(table, key)

    def rows(self, game: Game, tables: Sequence[Table]) -> list[list[Row]]:
        fold = found_fold_of if all(table.is_found for table in tables) else fold_of
        return fold(game, self._settings).rows(tables)

    def seasons(self, game: Game) -> list[Season]:
        return fold_of(game, self._settings).ask(lambda db: held_seasons(db, game, self._settings))

    def past(self, game: Game, season: Season) -> Boards:
        settings = self._settings

        def ask(db: sqlite3.Connection) -> Boards:
            final = db.execute(FINAL_AT_QUERY, [game.name, season.season]).fetchone()
            if final:
                return past_boards(game, {}, moment(final[0]))
            start, size = str(season.start_millis), settings.board_size
            held = {
                each.name: list(islice(ranked(db, each, settings, start), size))
                for each in game.seasonal
            }
            return past_boards(game, held)

        found = fold_of(game, settings).ask(ask)
        if found.final_at is None:
            return found
        try:
            held = final_rows(game.name, season.season, millis(found.final_at), settings)
        except KafkaError as error:
            raise BoardsUnavailable(first_line(error)) from error
        return past_boards(game, held, found.final_at)

    def standings(self, game: Game, season: Season, keeper: Any) -> dict[str, Standing]:
        keeper.execute("SELECT kind, banned_id FROM leaderboard.bans")
        decided = set(keeper.fetchall())

        def ask(db: sqlite3.Connection) -> dict[str, Standing]:
            if set(db.execute("SELECT kind, banned_id FROM moderation.bans")) != decided:
                raise NotYet(
                    "the topic bans lacks the last decision; scripts/run_all.sh tells it again"
                )
            return {each.name: self._standing(db, game, each, season) for each in game.seasonal}

        return fold_of(game, self._settings).ask(ask)

    def _standing(
        self, db: sqlite3.Connection, game: Game, board: Board, season: Season
    ) -> Standing:
        start = str(season.start_millis)
        held = list(ranked(db, board, self._settings, start))
        if board.everybody and game.table(board.everybody) in game.listed:
            all_ranked = [
                Entrant(rank, found, name or found, value)
                for rank, found, name, value in db.execute(sql.everybody(board, start))
            ]
            return Standing(
                board,
                held,
                len(all_ranked),
                lambda limit: [each for each in all_ranked if each.rank_number <= limit],
            )
        return of_the_board(board, held, self._settings)

    def count(self, table: Table) -> int | None:
        if table.for_lookups:
            return None
        game = next(game for game in chosen(self._settings) if game.name == table.game)
        return fold_of(game, self._settings).count(table)

    def rejects(self, game: Game, limit: int) -> list[Row]:
        try:
            return self._rejects(game.table(game.rejects), limit) if game.rejects else []
        except KafkaError as error:
            raise BoardsUnavailable(first_line(error)) from error

    def _rejects(self, table: Table, limit: int) -> list[Row]:
        with closing(kafka.reader(self._settings)) as consumer:
            topic = TopicPartition(table.topic, 0)
            consumer.assign([topic])
            start, end = (
                ask([topic])[topic] for ask in (consumer.beginning_offsets, consumer.end_offsets)
            )
            consumer.seek(topic, max(start, end - limit))
            values: dict[bytes, bytes] = {}
            until = time.monotonic() + kafka.ANSWER_SECONDS
            while consumer.position(topic) < end and time.monotonic() < until:
                for records in consumer.poll(timeout_ms=500).values():
                    values |= {record.key: record.value for record in records if record.value}
        with closing(folded_tables([table])) as db:
            fold(db, table, ((key, value, ()) for key, value in values.items()), self._settings)
            return list(islice(ranked(db, table, self._settings), limit))

    def reject_counter(self, game: Game) -> LengthOfRejects:
        return LengthOfRejects(self._settings, game)


def _config_of(topic: Topic) -> dict[str, str]:
    """The configuration of a topic beside the events' and the tables'."""
    kept = {"message.timestamp.type": "LogAppendTime", RETENTION: str(topic.kept_millis)}
    compacted = {"cleanup.policy": "compact,delete", "segment.ms": "60000"}
    return kept | compacted if topic.is_compacted else kept


def check_topics(games: Iterable[Game], settings: Settings) -> None:
    """Raise SettingError when one topic would be used for two things."""
    used = [table.topic for table in (*COPIED, *DECIDED)]
    for game in games:
        used += [game.topic(settings), *(table.topic for table in game.tables)]
        used += [topic.name for topic in game.topics]
    twice = sorted({topic for topic in used if used.count(topic) > 1})
    if twice:
        raise SettingError(
            f"LEADERBOARD_TOPIC, LEADERBOARD_GAMES: {', '.join(twice)} would be the topic of two "
            "things. Events need a topic of their own, which holds no board."
        )


class LengthOfRejects:
    """Counts rejected messages by the length of their topic: without reasons, repetitions too."""

    def __init__(self, settings: Settings, game: Game) -> None:
        self._settings, self._game = settings, game

    def count(self, ends: dict[int, int]) -> dict[str, float]:
        """The length as the reason "any". Raises BoardsUnavailable when Kafka does not answer."""
        if self._game.rejects is None:
            return {}
        topic = self._game.table(self._game.rejects).topic
        try:
            return {ANY_REASON: offsets.end(self._settings, topic)}
        except KafkaError as error:
            raise BoardsUnavailable(first_line(error)) from error


# Rows of a compacted topic


def replace(settings: Settings, topic: str, rows: Mapping[bytes, bytes]) -> None:
    """Make these the rows of a compacted topic; others end by a null value with REMOVED.

    Raises KafkaError when the broker does not take them.
    """
    with closing(kafka.client(KafkaProducer, settings, acks="all")) as producer:
        values: dict[bytes, bytes | None] = dict.fromkeys(live_rows(settings, topic))
        values |= rows
        sent = [
            producer.send(topic, key=key, value=value, headers=None if value else [(REMOVED, b"")])
            for key, value in values.items()
        ]
        for each in sent:
            each.get(timeout=30)


def live_rows(settings: Settings, topic: str) -> dict[bytes, bytes]:
    """The value of each key that a compacted topic holds now."""
    with closing(kafka.client(KafkaConsumer, settings, enable_auto_commit=False)) as consumer:
        numbers = consumer.partitions_for_topic(topic) or ()
        partitions = [TopicPartition(topic, number) for number in numbers]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(partitions)
        latest: dict[bytes, bytes | None] = {}
        while any(consumer.position(each) < ends[each] for each in partitions):
            for records in consumer.poll(timeout_ms=1000).values():
                latest.update((record.key, record.value) for record in records)
    return {key: value for key, value in latest.items() if value is not None}


def final_rows(
    game: str, season: str, final_millis: int, settings: Settings
) -> dict[str, list[Row]]:
    """The rows of a season that is final, by board, in the order of their places.

    Raises KafkaError when the broker does not answer.
    """
    wanted = {"game": game, "season": season}
    held: dict[str, list[tuple[int, Row]]] = {}
    for key, row in records_since(settings, FINAL_BOARDS.topic, final_millis):
        if wanted.items() <= key.items():
            named = {name: value for name, value in row.items() if name not in FINAL_COLUMNS}
            held.setdefault(key["board"], []).append((key["place"], thawed(named)))
    return {
        board: [row for _, row in sorted(placed, key=itemgetter(0))]
        for board, placed in held.items()
    }


def records_since(
    settings: Settings, topic: str, since_millis: int
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Keys and values of a copied topic's records that came after something became final.

    Raises KafkaError when the broker does not answer.
    """
    with closing(kafka.reader(settings)) as consumer:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        # The broker's clock, and ours, may differ a little.
        since = consumer.offsets_for_times({partition: max(0, since_millis - HOUR_MILLIS)})
        end = consumer.end_offsets([partition])[partition]
        first = since[partition].offset if since[partition] else end
        consumer.seek(partition, first)
        heard_at = time.monotonic()
        while consumer.position(partition) < end:
            for records in consumer.poll(timeout_ms=500).values():
                heard_at = time.monotonic()
                for record in records:
                    if record.value is not None:
                        yield json.loads(record.key), json.loads(record.value)
            if time.monotonic() - heard_at > kafka.ANSWER_SECONDS:
                raise KafkaTimeoutError(f"the topic {topic} cannot be read to its end")


# Folding: the topics as tables of SQLite, ranked by the very SQL of PostgreSQL's views


def folded_tables(tables: Iterable[Table]) -> sqlite3.Connection:
    """An in-memory database with empty tables, in the schemas that they have in PostgreSQL."""
    db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    db.execute("ATTACH ':memory:' AS flink")
    db.execute("ATTACH ':memory:' AS moderation")
    db.execute("ATTACH ':memory:' AS finals")
    db.create_function("to_timestamp", 1, lambda seconds: seconds, deterministic=True)
    for table in (*tables, *FOLDED_COPIES, *DECIDED):
        columns = sql.columns(table).replace("STRING", "TEXT")
        db.execute(f"CREATE TABLE {table.schema}.{table.name} ({columns})")
    return db


def fold(
    db: sqlite3.Connection, table: Table, records: Iterable[Record], settings: Settings
) -> None:
    """Apply records of a table's topic in their order; a record that is no row is skipped.

    So is a row with less than the one that is there, where totals only grow: a job repeats itself
    after a recovery. For the same reason a board of the best decides by itself who falls off, and
    ignores the job's deletes.
    """
    keeps_best = isinstance(table, Board) and table.keeps_best
    info = db.execute(f"PRAGMA {table.schema}.table_info({table.name})").fetchall()
    columns, keys = [column[1] for column in info], table.primary_key
    upsert = _upsert(table, columns)
    found = " AND ".join(f"{key} = ?" for key in keys)
    delete = f"DELETE FROM {table.schema}.{table.name} WHERE {found}"
    periods = set()
    for key, value, headers in records:
        if value is None and keeps_best and REMOVED not in dict(headers):
            continue
        try:
            row = registry.decoded(settings, key if value is None else value)
            names: Sequence[str] = keys if value is None else columns
            db.execute(delete if value is None else upsert, [row[each] for each in names])
            periods.add(row.get(table.period))
        except (ValueError, TypeError, KeyError, OverflowError, sqlite3.Error) as error:
            log.warning("A record of %s is no row and was skipped: %r", table.name, error)
    if isinstance(table, Board) and table.keeps_best:
        changed = f"{table.period} IN ({', '.join('?' * len(periods))})"
        db.execute(sql.delete_outside_top_n(table, changed, settings), [*periods, *periods])
    millis = sql.kept_millis(table, settings)
    if table.kept and millis:
        column = table.kept.column
        newest = f"(SELECT MAX({column}) FROM flink.{table.name})"
        db.execute(f"DELETE FROM flink.{table.name} WHERE {column} < {newest} - {millis}")


def _upsert(table: Table, columns: Sequence[str]) -> str:
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns)
    new, old = (
        ", ".join(f"{row}.{column}" for column in table.grows) for row in ("excluded", table.name)
    )
    is_newer = f" WHERE ({new}) >= ({old})" if table.grows else ""
    places = ", ".join("?" * len(columns))
    insert = f"INSERT INTO {table.schema}.{table.name} VALUES ({places})"
    return f"{insert} ON CONFLICT DO UPDATE SET {changes}{is_newer}"


def ranked(
    db: sqlite3.Connection, table: Table, settings: Settings, period: str | None = None
) -> Iterator[Row]:
    """The rows of a folded table, just as the view in PostgreSQL shows them.

    They are those of the newest season or hour, or of the one that starts then (epoch millis).
    """
    cursor = db.execute(sql.rank(table, settings, period=period))
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield from named_rows(names, [row])


def ranked_boards(db: sqlite3.Connection, game: Game, settings: Settings) -> Boards:
    """All boards of a game in folded tables, `board_size` places at most of each."""
    size = settings.board_size
    rows = {each.name: list(islice(ranked(db, each, settings), size)) for each in game.listed}
    return Boards(game, rows)


def held_seasons(db: sqlite3.Connection, game: Game, settings: Settings) -> list[Season]:
    """The seasons that folded tables hold, and those that are final, the newest first."""
    length, found = lengths.of(settings), {}
    for name, start, end, final_at in db.execute(FINAL_SEASONS_QUERY, [game.name]):
        times = [moment(each) for each in (start, end, final_at)]
        found[name] = Season(game.name, name, *times)
    for board in game.seasonal:
        for (start,) in db.execute(SEASONS_QUERY.format(table=board.name)):
            found.setdefault(length.id(start), held_season(game, length, start))
    return newest_first(found.values())


@cache
def columns(game: Game, table: Table, settings: Settings) -> tuple[str, ...]:
    """The columns that readers of a table see, also while it has no rows."""
    with closing(folded_tables(game.tables)) as db:
        return tuple(column[0] for column in db.execute(sql.rank(table, settings)).description)


class KafkaFold(Background):
    """Follows a game's topics while somebody asks; starts over from their beginning after trouble.

    `topics` are the topics by table name, those of the jobs by default, and `tables` the tables
    that are followed, those of the boards by default.
    """

    def __init__(
        self,
        game: Game,
        settings: Settings,
        topics: Mapping[str, str] | None = None,
        tables: Sequence[Table] | None = None,
    ) -> None:
        super().__init__(f"boards of {game.name} from Kafka", 1)
        self._game, self._settings = game, settings
        self._folded = (*game.listed, *game.of_campaigns) if tables is None else tables
        followed = (*self._folded, *FOLDED_COPIES, *(DECIDED if game.campaigns else ()))
        self._tables = {(topics or {}).get(each.name, each.topic): each for each in followed}
        self._heard_at = 0.0
        self._forget()

    def boards(self) -> Boards:
        """The boards as of the last poll. Raises BoardsUnavailable."""
        return self.ask(lambda db: ranked_boards(db, self._game, self._settings))

    def rows(self, tables: Sequence[Table]) -> list[list[Row]]:
        """All rows of tables as of the last poll. Raises BoardsUnavailable."""
        return self.ask(lambda db: [[*ranked(db, each, self._settings)] for each in tables])

    def find(self, table: Table, key: Mapping[str, str]) -> list[Row]:
        """The rows of a table with these values, as of the last poll. Raises BoardsUnavailable."""
        held = " AND ".join(f"{column} = ?" for column in key)
        query = f"SELECT * FROM ({sql.rank(table, self._settings)}) AS held WHERE {held}"

        def ask(db: sqlite3.Connection) -> list[Row]:
            cursor = db.execute(query, list(key.values()))
            return named_rows([column[0] for column in cursor.description], cursor)

        return self.ask(ask)

    def ask(self, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
        """What is found in the tables as of the last poll. Raises BoardsUnavailable."""
        self.wanted()
        with self._changed:
            self._changed.wait_for(lambda: self._db or self._trouble, FOLD_SECONDS)
            if self._db and time.monotonic() - self._heard_at < SILENT_SECONDS:
                return question(self._db)
            default = "does not answer." if self._db else "is still sending old records."
            trouble = self._trouble or default
        what = f"Kafka at {self._settings.brokers} {trouble}"
        raise BoardsUnavailable(f"{what} The page comes back by itself.")

    def count(self, table: Table) -> int | None:
        """How many rows a table's newest period has, as of the last poll; None before it."""
        with self._changed:
            if self._db is None:
                return None
            return int(self._db.execute(sql.count(table)).fetchone()[0])

    def _forget(self) -> None:
        self._db: sqlite3.Connection | None = None  # only while it holds all that the topics hold
        self._trouble: str | None = None

    def _work(self) -> None:
        try:
            self._follow()
        except Exception as error:  # whatever a broker that is away makes of it
            log.info("The fold starts over: %r", error)
            remedy = kafka.remedy(error, self._settings)
            with self._changed:
                self._db, self._trouble = None, f"cannot be read: {first_line(error)}. {remedy}"
                self._changed.notify_all()

    def _follow(self) -> None:
        # "none": when records go away under the reader, it starts over.
        with closing(kafka.reader(self._settings, auto_offset_reset="none")) as consumer:
            db = folded_tables(self._folded)
            missing = set(self._tables) - consumer.topics()
            if missing:
                names = ", ".join(sorted(missing))
                raise LookupError(f"it has no topic {names}; scripts/rebuild.sh makes it again")
            partitions = [TopicPartition(topic, 0) for topic in self._tables]
            consumer.assign(partitions)
            consumer.seek_to_beginning()
            # What was there at first makes it whole: later ends run ahead while somebody writes.
            first_ends = consumer.end_offsets(partitions)
            self._heard(None)
            while self._is_wanted():
                # This raises when the broker is away; poll() would not.
                ends = consumer.end_offsets(partitions)
                if any(consumer.position(each) > ends[each] for each in partitions):
                    raise LookupError("a topic was made anew")
                self._take(db, consumer.poll(timeout_ms=500, max_records=10_000))
                is_whole = all(consumer.position(each) >= first_ends[each] for each in partitions)
                self._heard(db if is_whole else None)

    def _take(self, db: sqlite3.Connection, polled: Mapping[TopicPartition, list[Any]]) -> None:
        with self._changed:
            for partition, polled_records in polled.items():
                records = ((each.key, each.value, each.headers) for each in polled_records)
                fold(db, self._tables[partition.topic], records, self._settings)

    def _heard(self, db: sqlite3.Connection | None) -> None:
        with self._changed:
            self._heard_at, self._db, self._trouble = time.monotonic(), db, None
            if db:
                self._changed.notify_all()


_starting = Lock()
_folds: dict[tuple[str, tuple[Table, ...], Settings], KafkaFold] = {}


def fold_of(game: Game, settings: Settings) -> KafkaFold:
    """The one fold of a game's boards under these settings."""
    return _fold_of(game, (*game.listed, *game.of_campaigns), settings)


def found_fold_of(game: Game, settings: Settings) -> KafkaFold:
    """The one fold of the tables in which rows are found by key; boards do without their size."""
    return _fold_of(game, game.found, settings)


def _fold_of(game: Game, tables: tuple[Table, ...], settings: Settings) -> KafkaFold:
    key = game.name, tables, settings
    with _starting:
        if key not in _folds:
            _folds[key] = KafkaFold(game, settings, tables=tables)
        return _folds[key]
