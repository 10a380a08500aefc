"""Lookups in a real PostgreSQL, against the same in plain Python; last events in a real broker."""

from __future__ import annotations

import getpass
import json
import os
import random
import time
from contextlib import closing
from dataclasses import replace
from unittest.mock import Mock

import psycopg2
import pytest
from kafka import KafkaProducer
from psycopg2.extras import execute_values

from boards import background, cache, ids, last_events, lookups, moderation, sinks
from boards.moderation import ModerationError, UnknownId
from boards.snapshot import Boards
from clients import kafka as broker
from clients import postgres
from clients.errors import BoardsUnavailable, SetupError
from games.score import GAME, HOT_STREAKS, MEMBER_TOTALS, PLAYER_TOTALS, TEAM_MVPS
from settings import Settings
from tests import hostile
from tests.conftest import Stack, eventually

DAY = 86_400_000
SEASON = 20_000 * DAY


@pytest.fixture
def db(stores: Stack):
    """The owner's cursor in empty tables; nothing is answered from memory."""
    sinks.sink("postgres", stores.settings).clear([PLAYER_TOTALS, MEMBER_TOTALS, TEAM_MVPS])
    owner = postgres.connect(postgres.owner_dsn(stores.settings))
    with closing(owner) as open_db, open_db.cursor() as cursor:
        cursor.execute("TRUNCATE moderation.decisions")
        yield cursor


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(cache, "CACHED_SECONDS", 0)


def write(db, *rows, season=SEASON):
    """Upsert players (user_id, total[, user_name[, reached_at]]) of the team T, as Flink does."""
    full = [(*row, *(f"Name of {row[0]}", SEASON)[len(row) - 2 :]) for row in rows]
    execute_values(
        db,
        """INSERT INTO flink.player_totals VALUES %s
            ON CONFLICT (season_start, user_id) DO UPDATE SET
            user_name = excluded.user_name, total_score = excluded.total_score,
            reached_at = excluded.reached_at""",
        [
            (season, user, name, "T", "Team T", total, reached)
            for user, total, name, reached in full
        ],
    )
    execute_values(
        db,
        """INSERT INTO flink.member_totals VALUES %s
            ON CONFLICT (season_start, team_id, user_id)
            DO UPDATE SET player_total = excluded.player_total""",
        [(season, "T", user, total) for user, total, *_ in full],
    )


def write_team(db, team_id, total, season=SEASON):
    row = [season, team_id, f"Team {team_id}", "mvp", "Mvp", total, total, 1.0]
    db.execute("INSERT INTO flink.team_mvps VALUES (%s, %s, %s, %s, %s, %s, %s, %s)", row)


def ban(db, kind, banned_id, decision="ban"):
    db.execute(
        "INSERT INTO moderation.decisions (decision, kind, banned_id, reason, author) "
        "VALUES (%s, %s, %s, %s, %s)",
        [decision, kind, banned_id, "plays with a bot", "Ada"],
    )


def counts(stores):
    """How many players and teams the newest season has."""
    sink = sinks.sink("postgres", stores.settings)
    return tuple(sink.count(GAME.table(name)) for name in GAME.counts.values())


def found(stores, text):
    return [row["user_id"] for row in lookups.find(text, stores.settings)]


@pytest.mark.parametrize("most", [20, 2_000, 10**6, 2**62])
def test_ranks_and_neighbours_are_those_of_everybody_counted(stores, db, most):
    """Many writes of random rows, some of which go up, and a few bans."""
    chance = random.Random(most)
    totals: dict[str, tuple[int, int]] = {}
    for _ in range(30):
        batch = {
            f"u{chance.randrange(1_500):04d}": int(most * chance.random() ** 5) for _ in range(100)
        }
        more = {
            user: (totals.get(user, (0, 0))[0] // 2 + total, chance.randrange(5))
            for user, total in batch.items()
        }
        rows = {user: new for user, new in more.items() if new >= totals.get(user, (0, 0))}
        totals |= rows
        write(db, *((user, total, user, reached) for user, (total, reached) in rows.items()))
    banned = set(chance.sample(sorted(totals), 5))
    for user in banned:
        ban(db, "player", user)
    listed = sorted(
        set(totals) - banned, key=lambda user: (-totals[user][0], totals[user][1], user)
    )
    ranks = {
        user: 1 + sum(totals[other][0] > totals[user][0] for other in listed) for user in listed
    }
    for place in {
        0,
        1,
        2,
        3,
        len(listed) - 1,
        len(listed) - 2,
        *chance.sample(range(len(listed)), 40),
    }:
        one = lookups.player(listed[place], stores.settings)
        assert (one.rank_number, one.players) == (ranks[one.user_id], len(listed))
        assert one.percentile == pytest.approx(100 * (1 - (one.rank_number - 1) / len(listed)))
        around = listed[max(0, place - 3) : place + 4]
        assert [(row["user_id"], row["rank_number"]) for row in one.neighbours] == [
            (user, ranks[user]) for user in around
        ]
    for user in banned:
        one = lookups.player(user, stores.settings)
        assert (one.rank_number, one.percentile, one.neighbours) == (None, None, [])
        assert one.ban_reason == "plays with a bot" and one.banned_at.tzinfo


def test_many_players_are_found_at_once_as_each_alone(stores, db):
    write(db, *((f"U{number}", number // 2) for number in range(20)))
    ban(db, "player", "U7")
    wanted = [*(f"U{number}" for number in range(20)), "nobody", "", "a\0b", "x" * 200]
    alone = {each: lookups.player(each, stores.settings) for each in wanted}
    found = lookups.players(wanted, stores.settings)
    assert found == {each: player for each, player in alone.items() if player}
    assert len(found) == 20


def test_a_player_has_a_share_of_the_team(stores, db):
    write(db, ("a", 30), ("b", 10))
    write_team(db, "T", 40)
    one = lookups.player("a", stores.settings)
    assert (one.points_for_team, one.team_total, one.team_share) == (30, 40, 0.75)
    assert (one.user_name, one.team_name, one.total_score) == ("Name of a", "Team T", 30)


def test_points_for_the_team_are_no_more_than_all_points(stores, db):
    write(db, ("a", 30))
    write_team(db, "T", 40)
    db.execute("UPDATE flink.member_totals SET player_total = 35")  # written before the total
    one = lookups.player("a", stores.settings)
    assert (one.total_score, one.points_for_team, one.team_total) == (30, 30, 40)


def test_a_team_that_is_not_written_yet_leaves_the_share_unknown(stores, db):
    write(db, ("a", 0))
    one = lookups.player("a", stores.settings)
    assert (one.team_share, one.rank_number, one.percentile) == (None, 1, 100)


def test_nobody_is_found_where_nobody_is(stores, db):
    assert lookups.player("a", stores.settings) is None
    assert lookups.team("T", stores.settings) is None
    assert lookups.find("a", stores.settings) == []
    write(db, ("a", 1))
    for wanted in (
        "",
        "b",
        "A",
        "x" * 1_000,
        "a\0",
        "a'; DROP TABLE flink.player_totals; --",
        "\ud800",
    ):
        assert lookups.player(wanted, stores.settings) is None
        assert lookups.team(wanted, stores.settings) is None
    assert counts(stores) == (1, 0)


def test_only_the_newest_season_counts(stores, db):
    write(db, ("old", 99), ("both", 98), season=SEASON - DAY)
    write(db, ("both", 1), ("new", 2))
    assert lookups.player("old", stores.settings) is None
    assert (lookups.player("both", stores.settings).rank_number, counts(stores)[0]) == (2, 2)
    assert found(stores, "old") == []


def test_a_season_is_forgotten_when_nothing_can_change_it_any_more(stores, db):
    """A day, a day in which events may come late, and a day for which jobs may be down."""
    for days in range(6):
        write(db, ("always", 1), (f"day{days}", 2), season=SEASON + days * DAY)
    write(db, ("always", 2), season=SEASON + 5 * DAY)
    for table in ("player_totals", "member_totals", "player_counts"):
        db.execute(f"SELECT DISTINCT season_start FROM flink.{table} ORDER BY 1")
        assert [start for (start,) in db.fetchall()] == [
            SEASON + days * DAY for days in (2, 3, 4, 5)
        ]
    db.execute("SELECT user_id FROM flink.player_names ORDER BY 1")
    assert [user for (user,) in db.fetchall()] == ["always", "day2", "day3", "day4", "day5"]


def test_a_total_that_a_recovered_job_writes_again_does_not_go_back(stores, db):
    write(db, ("a", 6))
    write(db, ("a", 5))
    assert lookups.player("a", stores.settings).total_score == 6
    db.execute("SELECT player_total FROM flink.member_totals")
    assert db.fetchall() == [(6,)]
    db.execute("SELECT width, SUM(players) FROM flink.player_counts GROUP BY 1")
    assert sorted(db.fetchall()) == [(1, 1), (100, 1)]


def test_a_rebuild_counts_from_nothing(stores, db):
    write(db, ("a", 6), ("b", 5), season=SEASON - DAY)
    write(db, ("a", 6), ("b", 5))
    sinks.sink("postgres", stores.settings).clear([PLAYER_TOTALS], since=SEASON)
    db.execute("SELECT season_start, width, SUM(players) FROM flink.player_counts GROUP BY 1, 2")
    assert sorted(db.fetchall()) == [(SEASON - DAY, 1, 2), (SEASON - DAY, 100, 2)]
    sinks.sink("postgres", stores.settings).clear([PLAYER_TOTALS])
    db.execute("SELECT FROM flink.player_counts")
    assert not db.rowcount


def test_whole_ids_and_names_are_found_first_then_the_best(stores, db):
    write(
        db,
        ("u1", 1, "ann"),
        ("u2", 9, "Joanna"),
        ("u3", 5, "ANNA"),
        ("ann", 0, "Zed"),
        ("u4", 7, "Bob"),
    )
    assert found(stores, "ANN") == ["u1", "ann", "u2", "u3"]
    assert found(stores, " nna ") == ["u2", "u3"]
    assert [row["is_exact"] for row in lookups.find("ann", stores.settings)] == [
        True,
        True,
        False,
        False,
    ]


def test_a_search_shows_the_best_twenty(stores, db):
    write(db, *((f"u{number:03d}", number) for number in range(100)))
    assert found(stores, "NAME OF U") == [f"u{number:03d}" for number in range(99, 79, -1)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("王小明", "小"),
        ("王小明", "小明"),
        ("Émile Zola", "éMILE z"),
        ("Łukasz", "łuk"),
        ("ИВАН", "иван"),
        ("🦊🦊", "🦊"),
        ("100% _real_", "% _r"),
        ("back\\slash", "k\\s"),
        ("O'Neil", "o'n"),
        ("<script>alert(1)</script>", "<SCRIPT>"),
        ("\u202eright", "\u202eR"),
        ("xy", "x"),
        ("n" * 200, "n" * 200),
        ("Jos\u00e9", "jose\u0301"),
        ("Jose\u0301", "JOS\u00c9"),
        ("Jose\u0301", "jose"),
        ("Ｆｕｌｌ", "full"),
        ("ﬁne", "FIN"),
        ("Straße", "STRASSE"),
        ("ΟΔΥΣΣΕΥΣ", "ευς"),
        ("ΟΔΥΣΣΕΥΣ", "δυσ"),
        ("İstanbul", "istan"),
        ("ｶﾞﾝﾀﾞﾑ", "ガンダム"),
        ("한국", "\u1112\u1161\u11ab"),
        ("Ёлка", "елка"),
        ("\u212bngström", "ångstrom"),
    ],
)
def test_any_part_of_any_name_is_found_far_below_the_best(stores, db, monkeypatch, name, text):
    # So many with more points that nobody looks through all of them.
    db.execute(
        f"""INSERT INTO flink.player_totals SELECT {SEASON}, 'better' || number, '…', 'T', 'T', 9, 0
            FROM generate_series(1, 3500) AS number"""
    )
    write(db, ("wanted", 1, name))
    assert found(stores, text) == ["wanted"]


def test_a_search_tells_vowels_of_other_scripts_and_syllables_apart(stores, db):
    write(db, ("a", 5, "हिन्दी"), ("b", 4, "हन्द"), ("c", 3, "한"), ("d", 2, "하"))
    assert found(stores, "हिन्दी") == ["a"]
    assert found(stores, "하") == ["d"]


def test_search_folds_and_identity_does_not(stores, db):
    """Ids that look alike are different players, and the one that is asked for comes first."""
    alike = ["ts", "ts ", " ts", "TS", "t\u017f", "ｔｓ"]
    write(db, *((user, number) for number, user in enumerate(alike)))
    for user in alike:
        assert lookups.player(user, stores.settings).user_id == user
        assert found(stores, user)[0] == user
        assert set(found(stores, user)) == set(alike)
    write(db, ("\u00a0", 9))
    assert found(stores, "\u00a0") == ["\u00a0"]
    assert found(stores, "  ") == []


@pytest.mark.parametrize(
    "name",
    [
        *("Jos\u00e9", "Jose\u0301", "Ｆｕｌｌ", "ﬁne", "Straße", "ΟΔΥΣΣΕΥΣ", "İstanbul", "ｶﾞﾝﾀﾞﾑ"),
        *("한국", "Ёлка", "\u212bngström", "हिन्दी", "王小明 🦊", "<b>O'Neil</b>", "\u00a0x\u2003"),
    ],
)
def test_python_folds_a_name_as_postgresql_does(stores, db, name):
    db.execute("SELECT leaderboard.folded(%s)", [name])
    assert db.fetchone() == (ids.folded(name),)


def test_who_changes_name_is_found_by_the_new_one(stores, db):
    write(db, ("a", 5, "Before"))
    write(db, ("a", 5, "After"))
    assert (found(stores, "before"), found(stores, "after")) == ([], ["a"])


def test_hostile_ids_and_names_are_kept_as_they_are(stores, db):
    texts = [
        each for each in hostile.LIMITS["user_id"] + hostile.LIMITS["user_name"] if "\0" not in each
    ]
    ids = [each for each in texts if len(each) <= 128]
    write(db, *((user, 5, name[:200]) for user, name in zip(ids, reversed(ids), strict=True)))
    for user in ids:
        assert lookups.player(user, stores.settings).user_id == user
        assert user in found(stores, user)


def test_a_banned_player_is_found_and_said_to_be(stores, db):
    write(db, ("a", 5), ("b", 4))
    ban(db, "player", "a")
    assert [
        (row["user_id"], row["is_banned"]) for row in lookups.find("name of", stores.settings)
    ] == [
        ("a", True),
        ("b", False),
    ]
    assert lookups.player("b", stores.settings).rank_number == 1
    ban(db, "player", "a", "unban")
    assert lookups.player("b", stores.settings).rank_number == 2


def test_a_team_has_a_rank_members_and_shares(stores, db):
    write(db, ("a", 30), ("b", 10), ("c", 10), ("d", 0))
    for team_id, total in (("T", 50), ("R", 60), ("S", 50), ("Q", 70)):
        write_team(db, team_id, total)
    ban(db, "team", "Q")
    one = lookups.team("T", stores.settings)
    assert (one.rank_number, one.teams, one.members, one.team_total) == (2, 3, 4, 50)
    assert one.mvp["user_id"] == "a"
    assert [
        (row["rank_number"], row["user_id"], row["share"], row["fair_share"]) for row in one.best
    ] == [
        (1, "a", 0.6, 2.4),
        (2, "b", 0.2, 0.8),
        (2, "c", 0.2, 0.8),
        (4, "d", 0.0, 0.0),
    ]
    ban(db, "player", "a")
    assert lookups.team("T", stores.settings).mvp["user_id"] == "b"
    banned = lookups.team("Q", stores.settings)
    assert (banned.rank_number, banned.ban_reason, banned.teams) == (None, "plays with a bot", 3)


def test_a_team_shows_its_hundred_best(stores, db):
    write(db, *((f"u{number:03d}", number) for number in range(150)))
    write_team(db, "T", sum(range(150)))
    one = lookups.team("T", stores.settings)
    assert (one.members, len(one.best), one.best[-1]["user_id"]) == (150, 100, "u050")


def test_a_team_without_points_has_no_mvp_and_no_shares(stores, db):
    write(db, ("a", 0))
    write_team(db, "T", 0)
    one = lookups.team("T", stores.settings)
    assert (one.mvp, one.best[0]["share"], one.best[0]["fair_share"]) == (None, None, None)


@pytest.mark.parametrize(
    "table", ["player_totals", "member_totals", "player_counts", "player_names"]
)
def test_readers_have_the_functions_and_not_the_tables(stores, db, table):
    refused = pytest.raises(psycopg2.errors.InsufficientPrivilege)
    with (
        closing(postgres.connect(postgres.reader_dsn(stores.settings))) as own,
        own.cursor() as cursor,
    ):
        cursor.execute("SELECT * FROM leaderboard.player('a')")
        with refused:
            cursor.execute(f"SELECT * FROM flink.{table}")


def test_flink_writes_totals_and_cannot_touch_what_is_counted(stores, db):
    access = postgres.flink_access(stores.settings)
    dsn = psycopg2.extensions.make_dsn(
        postgres.reader_dsn(stores.settings),
        user=access["jdbc_user"],
        password=access["jdbc_password"],
    )
    with closing(postgres.connect(dsn)) as own, own.cursor() as cursor:
        write(cursor, ("a", 5))
        write(cursor, ("a", 7))
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("UPDATE flink.player_counts SET players = 0")
    assert lookups.player("a", stores.settings).rank_number == 1


def test_a_database_that_cannot_hold_every_name_is_refused_in_a_sentence(stores):
    owner = postgres.owner_dsn(stores.settings)
    with closing(postgres.connect(owner)) as own, own.cursor() as cursor:
        cursor.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    latin = replace(
        stores.settings, postgres_url=psycopg2.extensions.make_dsn(owner, dbname="latin")
    )
    with pytest.raises(SetupError, match="latin has the encoding LATIN1, which cannot hold every"):
        sinks.sink("postgres", latin).create([GAME])


def test_a_database_that_is_away_is_said_in_a_sentence(stores):
    away = replace(stores.settings, postgres_port=1)
    for ask in (lookups.find, lookups.player, lookups.team):
        with pytest.raises(BoardsUnavailable, match="PostgreSQL cannot be reached"):
            ask("a", away)


# The end of the topic


def send(
    stores, user_id, *scores, key=None, seconds_ago=1.0, codec=None, partition=None, **changed
):
    producer = KafkaProducer(bootstrap_servers=stores.settings.brokers, compression_type=codec)
    for number, score in enumerate(scores):
        event = {
            "event_id": f"{user_id}-{time.time()}-{number}",
            "user_id": user_id,
            "team_id": "T",
            "team_name": "Team T",
            "score": score,
            "event_time_millis": int((time.time() - seconds_ago) * 1000),
        }
        value = json.dumps(event | changed).encode()
        producer.send(
            stores.settings.topic, key=(key or user_id).encode(), value=value, partition=partition
        )
    producer.close()


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        # From librdkafka's own test of its partitioners (rd_unittest_partitioners).
        ("23456", 0xB1B451D7),
        ("this is another string with more length to it perhaps", 0xB0150DF7),
    ],
)
@pytest.mark.parametrize("count", [1, 2, 4, 7, 100])
def test_a_player_is_looked_for_where_librdkafka_puts_the_key(key, hashed, count):
    assert hashed % count in last_events.Follower(key, Settings()).partitions(count)


def test_last_events_are_found_whichever_client_sent_them(stores):
    """ "crc-a" is in partition 3 of 4 by librdkafka's default, and in 2 by that of Kafka's own."""
    assert last_events.Follower("crc-a", stores.settings).partitions(4) == [2, 3]
    send(stores, "crc-a", 10, 20, partition=3)
    send(stores, "crc-a", 60)
    recent = last_events.recent("crc-a", stores.settings)
    assert sorted(event["score"] for event in recent.events) == [10, 20, 60]
    assert (recent.short_term_events, recent.short_term_average) == (3, 30)
    send(stores, "crc-a", 30, partition=3)
    send(stores, "crc-a", 40, 40, event_id="sent again by the other client")
    send(stores, "crc-a", 40, event_id="sent again by the other client", partition=3)
    assert last_events.recent("crc-a", stores.settings).long_term_events == 5


def test_averages_need_a_minute_of_both_partitions(stores, monkeypatch):
    """A partition that is read from its first record on limits nothing."""
    send(stores, "crc-b", 1, 2, partition=1)
    send(stores, "crc-b", 3, 4, partition=0)
    assert last_events.recent("crc-b", stores.settings).long_term_average == 2.5
    monkeypatch.setattr(last_events, "LOOKED_BACK_RECORDS", 1)
    short = last_events.LastEvents(stores.settings).recent("crc-b")
    assert sorted(event["score"] for event in short.events) == [2, 4]
    assert short.long_term_average is None


def test_last_events_and_form_come_from_the_end_of_the_topic(stores):
    send(stores, "form-a", 10, 20, seconds_ago=30)
    send(stores, "form-a", 60, 80, 100)
    send(stores, "form-b", 7)
    recent = last_events.recent("form-a", stores.settings)
    assert [event["score"] for event in recent.events][-2:] == [20, 10]
    assert {event["score"] for event in recent.events} == {10, 20, 60, 80, 100}
    assert (recent.short_term_average, recent.long_term_average) == (80, 54)
    assert (recent.short_term_events, recent.long_term_events, recent.is_streak) == (3, 5, True)
    assert recent.hotness == pytest.approx(80 / 54)
    send(stores, "form-a", 1)
    assert last_events.recent("form-a", stores.settings).short_term_events == 4


def test_what_does_not_count_is_no_event(stores):
    send(stores, "form-c", -1, 1_000_001, 3.5, "many", None, [1], 5)
    send(stores, "form-c", 6, 6, event_id="the same")
    send(stores, "other", 7, key="form-c")
    assert sorted(
        event["score"] for event in last_events.recent("form-c", stores.settings).events
    ) == [5, 6]
    producer = KafkaProducer(bootstrap_servers=stores.settings.brokers)
    for message in hostile.messages(int(time.time() * 1000)):
        producer.send(stores.settings.topic, key=b"form-d", value=message)
    producer.close()
    assert last_events.recent("form-d", stores.settings).events == []


@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_events_are_read_whatever_compresses_them(codec, stores):
    send(stores, f"packed-{codec}", 5, codec=codec)
    recent = last_events.recent(f"packed-{codec}", stores.settings)
    assert [event["score"] for event in recent.events] == [5]


def test_who_did_nothing_lately_has_no_form(stores):
    recent = last_events.recent("nobody", stores.settings)
    assert (recent.events, recent.short_term_average, recent.hotness, recent.is_streak) == (
        [],
        None,
        None,
        False,
    )
    form = last_events.form("nobody", recent, None)
    assert form["hotness"] is None


def test_a_look_that_goes_back_less_than_a_minute_tells_no_averages(stores, monkeypatch):
    monkeypatch.setattr(last_events, "LOOKED_BACK_RECORDS", 2)
    send(stores, "form-e", 1, 2, 3)
    recent = last_events.recent("form-e", stores.settings)
    assert [event["score"] for event in recent.events] == [3, 2]
    assert (recent.records, recent.short_term_average) == (2, None)
    assert recent.looked_back_to is not None


def test_the_board_of_hot_streaks_goes_before_the_topic():
    row = {"user_id": "a", "hotness": 2.0, "rank_number": 1, "window_end": None} | dict.fromkeys(
        ("short_term_average", "long_term_average", "short_term_events", "long_term_events"), 3
    )
    boards = Boards(GAME, {HOT_STREAKS.name: [row]})
    assert last_events.form("a", None, boards)["hotness"] == 2.0
    assert last_events.form("b", None, boards)["hotness"] is None


def test_a_broker_that_is_away_is_said_too(stores, monkeypatch):
    monkeypatch.setattr(broker, "ANSWER_SECONDS", 0.2)
    with pytest.raises(BoardsUnavailable, match=r"Kafka at .* cannot be read"):
        last_events.recent("a", replace(stores.settings, kafka_brokers="127.0.0.1:1"))


def test_the_broker_is_left_when_nobody_asks(stores, monkeypatch):
    monkeypatch.setattr(background, "IDLE_SECONDS", 0.2)
    reader = last_events.LastEvents(stores.settings)
    reader.recent("form-a")
    assert reader._consumer

    def check():
        assert not reader._consumer
        assert not reader._followers

    eventually(check)


def decide(stores, kind, banned_id, decision="ban", **options):
    return moderation.decide(stores.settings, decision, kind, banned_id, "a bot", "Ada", **options)


def banned(stores):
    return sorted(row[1:3] for row in moderation.bans(stores.settings))


def test_a_ban_that_may_be_a_mistake_needs_a_second_word(stores, db):
    write(db, ("USR-1", 10))
    write_team(db, "T", 10)
    assert decide(stores, "player", "USR-1") == decide(stores, "team", "T") == []
    (again,) = decide(stores, "player", "USR-1")
    assert "was banned already" in again
    for kind in moderation.KINDS:
        with pytest.raises(UnknownId, match=f"knows no {kind} with the id USR-9 in this season"):
            decide(stores, kind, "USR-9")
    assert banned(stores) == [("player", "USR-1"), ("team", "T")]
    for kind in moderation.KINDS:
        assert decide(stores, kind, "USR-9", anyway=True) == []
    assert banned(stores) == [
        ("player", "USR-1"),
        ("player", "USR-9"),
        ("team", "T"),
        ("team", "USR-9"),
    ]
    assert decide(stores, "player", "USR-1", "unban") == []


def test_a_ban_hits_the_very_id(stores, db):
    """A blank at the end, a capital letter or an accent is another player."""
    alike = ["ts", "ts ", "TS", "Jos\u00e9", "Jose\u0301"]
    write(db, *((user, 10) for user in alike))
    for user in alike:
        decide(stores, "player", user)
        assert banned(stores) == [("player", user)]
        assert [each for each in alike if lookups.player(each, stores.settings).banned_at] == [user]
        decide(stores, "player", user, "unban")


def test_who_bans_an_id_that_nobody_has_is_told_of_those_like_it(stores, db):
    write(db, ("ts ", 10))
    with pytest.raises(UnknownId, match=r"the id ts in this season; did you mean ts␠\?$"):
        decide(stores, "player", "ts")
    write_team(db, "Jos\u00e9", 10)
    with pytest.raises(UnknownId, match="did you mean Jos\u00e9"):
        decide(stores, "team", "jose")


def test_an_id_as_a_message_gives_it_can_be_banned(stores, db):
    write(db, ("a?", 10), ("\u00a0", 9))
    decide(stores, "player", "a\ud800")  # contract 1.4: a lone surrogate is read as "?"
    decide(stores, "player", "\u00a0")
    assert banned(stores) == [("player", "a?"), ("player", "\u00a0")]
    with pytest.raises(ModerationError, match=r"contains U\+0000"):
        decide(stores, "player", "a\0", anyway=True)


def test_a_reason_and_an_author_may_come_from_another_encoding(stores, db):
    """A shell hands on bytes that are not UTF-8, as Python's lone surrogates."""
    write(db, ("USR-1", 10))
    moderation.decide(stores.settings, "ban", "player", "USR-1", "caf\udce9", "Jos\udce9")
    assert [row[3:] for row in moderation.bans(stores.settings)] == [("caf?", "Jos?")]
    with pytest.raises(ModerationError, match=r"contains U\+0000"):
        moderation.decide(stores.settings, "unban", "player", "USR-1", "a\0", "Ada")


def test_who_decides_is_told_by_number_where_the_machine_knows_no_name(monkeypatch):
    monkeypatch.setattr(getpass, "getuser", Mock(side_effect=KeyError("uid not found: 12345")))
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert moderation.login_name() == "user 12345"


def test_the_command_warns_first_and_shows_ids_as_they_are(stores, db):
    write(db, ("ts", 10))

    def run(*words):
        done = stores.run("boards.moderation", *words, check=False)
        return done.returncode, done.stdout + done.stderr

    why = ("--reason", "a bot", "--by", "Ada")
    code, said = run("ban", "player", "ts ", *why)
    assert (code, banned(stores)) == (1, [])
    assert "with the id ts␠ in this season; did you mean ts? --anyway bans" in said
    code, said = run("ban", "player", "ts ", *why, "--anyway")
    assert (code, banned(stores)) == (0, [("player", "ts ")])
    assert "player ts␠: banned" in said
    assert "ts␠" in run("list")[1]
    assert "ts␠" in run("list", "--history")[1]


def test_teams_are_found_as_players_are(stores, db):
    write_team(db, "swans", 10)
    write_team(db, "TEAM-1", 30)
    write_team(db, "Ｓｗａｎｓ", 20)
    db.execute("UPDATE flink.team_mvps SET team_name = 'Teal Swáns' WHERE team_id = 'TEAM-1'")
    ban(db, "team", "TEAM-1")
    rows = lookups.find_teams("swans", stores.settings)
    assert [(row["team_id"], row["team_total"], row["is_banned"]) for row in rows] == [
        ("swans", 10, False),
        ("Ｓｗａｎｓ", 20, False),
        ("TEAM-1", 30, True),
    ]
    assert lookups.find_teams("nobody", stores.settings) == []
    assert lookups.find_teams(" ", stores.settings) == []
