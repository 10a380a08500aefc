"""What readers see of rows that jobs write: of Kafka records that are folded, and of PostgreSQL."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from psycopg2.extras import execute_values

from boards import kafka, sinks
from boards.kafka import BANS, REMOVED, KafkaFold
from boards.snapshot import Boards
from clients import kafka as broker
from clients import postgres
from clients.errors import BoardsUnavailable
from games import load
from games.score import GAME, HOT_STREAKS, TOP_TEAMS
from settings import Settings

DAY = 86_400_000
NEWEST = 20_000 * DAY
WINDOW = NEWEST + 60_000


def team(team_id, total, season_start=NEWEST, reached_at=NEWEST + 1_500, **other):
    row = {
        "team_name": f"Name of {team_id}",
        "total_score": total,
        "reached_at": reached_at,
    } | other
    return record({"season_start": season_start, "team_id": team_id}, row)


def streak(user_id, hotness, window_rows, window_end=WINDOW, long_events=6):
    names = {"user_name": user_id.lower(), "team_name": "Red Fox"}
    averages = {"short_term_average": hotness, "long_term_average": 1, "hotness": hotness}
    counts = {"short_term_events": 3, "long_term_events": long_events, "window_rows": window_rows}
    return record({"window_end": window_end, "user_id": user_id}, names | averages | counts)


def mvp(team_id, total):
    row = {
        "team_name": team_id,
        "user_id": f"of {team_id}",
        "user_name": None,
        "player_total": total,
    }
    row |= {"team_total": total, "contribution_ratio": 1.0}
    return record({"season_start": NEWEST, "team_id": team_id}, row)


def ban(kind, banned_id):
    row = {"reason": "cheats", "author": "Ada", "banned_at": NEWEST}
    return record({"kind": kind, "banned_id": banned_id}, row)


def record(key, row):
    return json.dumps(key).encode(), json.dumps(key | row).encode(), []


def deleted(record):
    """By the job, as somebody who is not among the best any more."""
    return record[0], None, []


def removed(record):
    """For good, as all rows before a rebuild."""
    return record[0], None, [(REMOVED, b"")]


def folded():
    """Empty tables, as a reader of the topics begins with."""
    return kafka.folded_tables(GAME.listed)


def boards_of(db) -> Boards:
    return kafka.ranked_boards(db, GAME, Settings())


def ranked(name, *records):
    db = folded()
    kafka.fold(db, GAME.table(name), records, Settings())
    return boards_of(db).rows[name]


def ranks(rows, key):
    return [(row["rank_number"], row[key]) for row in rows]


def test_equal_totals_share_a_rank_and_are_listed_by_who_reached_them_first():
    rows = ranked(
        "top_teams",
        team("a", 5),
        team("b", 7, reached_at=NEWEST + 2),
        team("c", 7, reached_at=NEWEST + 1),
        team("d", 9),
    )
    assert ranks(rows, "team_id") == [(1, "d"), (2, "c"), (2, "b"), (4, "a")]


def test_a_row_has_the_columns_and_types_of_the_view():
    assert ranked("top_teams", team("a", 5)) == [
        {
            "rank_number": 1,
            "team_id": "a",
            "team_name": "Name of a",
            "total_score": 5,
            "reached_at": datetime.fromtimestamp(NEWEST // 1000 + 1.5, UTC),
            "season_start": datetime.fromtimestamp(NEWEST // 1000, UTC),
        }
    ]


def test_numbers_and_texts_keep_their_types():
    rows = ranked("top_teams", team("7", 2**62, team_name="0042"))
    assert (rows[0]["team_id"], rows[0]["team_name"], rows[0]["total_score"]) == (
        "7",
        "0042",
        2**62,
    )
    assert type(ranked("hot_streaks", streak("A", 2, 1))[0]["hotness"]) is float


def test_a_removed_row_is_gone():
    assert ranks(
        ranked("top_teams", team("a", 5), team("b", 4), removed(team("a", 5))), "team_id"
    ) == [(1, "b")]


def test_a_deleted_row_is_gone():
    assert ranks(
        ranked("team_mvps", mvp("a", 5), mvp("b", 4), deleted(mvp("a", 5))), "team_id"
    ) == [(1, "b")]


def test_the_latest_value_of_a_key_counts():
    assert ranks(ranked("top_teams", team("a", 5), team("a", 6)), "total_score") == [(1, 6)]


def test_a_total_that_a_recovered_job_writes_again_does_not_go_back():
    assert ranks(ranked("top_teams", team("a", 6), team("a", 5)), "total_score") == [(1, 6)]
    assert ranks(
        ranked("top_teams", team("a", 6), removed(team("a", 6)), team("a", 5)), "total_score"
    ) == [(1, 5)]


def test_nor_does_one_that_it_deletes_before():
    assert ranks(
        ranked("top_teams", team("a", 6), deleted(team("a", 6)), team("a", 5)), "total_score"
    ) == [(1, 6)]


def test_a_banned_team_leaves_no_gap_and_comes_back():
    db = folded()
    kafka.fold(db, TOP_TEAMS, [team("a", 9), team("b", 7), team("c", 5)], Settings())
    kafka.fold(db, BANS, [ban("team", "a"), ban("player", "b")], Settings())
    assert ranks(boards_of(db).rows["top_teams"], "team_id") == [(1, "b"), (2, "c")]
    kafka.fold(db, BANS, [removed(ban("team", "a"))], Settings())
    assert ranks(boards_of(db).rows["top_teams"], "team_id") == [(1, "a"), (2, "b"), (3, "c")]


def test_only_the_newest_season_is_shown():
    rows = ranked("top_teams", team("old", 99, NEWEST - DAY), team("new", 1))
    assert ranks(rows, "team_id") == [(1, "new")]


def test_a_window_is_shown_when_all_its_streaks_are_there():
    whole = [streak("A", 1.5, 2), streak("B", 1.5, 2, long_events=9)]
    half = streak("A", 3, 2, WINDOW + 2_000)
    rows = ranked("hot_streaks", *whole, half)
    assert ranks(rows, "user_id") == [(1, "B"), (1, "A")]
    rows = ranked("hot_streaks", *whole, half, streak("C", 4, 2, WINDOW + 2_000))
    assert ranks(rows, "user_id") == [(1, "C"), (2, "A")]


def test_a_window_without_streaks_empties_the_board():
    assert ranked("hot_streaks", streak("A", 2, 1), streak("", None, 0, WINDOW + 2_000)) == []


def test_windows_more_than_a_minute_before_the_newest_go_away():
    db = folded()
    kafka.fold(db, HOT_STREAKS, [streak("A", 2, 1), streak("A", 2, 2, WINDOW + 60_001)], Settings())
    assert db.execute("SELECT window_end FROM flink.hot_streaks").fetchall() == [(WINDOW + 60_001,)]


@pytest.mark.parametrize(
    "bad",
    [
        (b"{", b"{", []),
        (b"null", b"{}", []),
        (None, None, [(REMOVED, b"")]),
        (b"1", b"[]", []),
        team("a", {"total": 1}),
        team("a", 2**63),
        team("a", 2, float("nan")),
        team("\ud800", 1),
    ],
)
def test_a_record_that_is_no_row_is_skipped(bad):
    assert ranks(ranked("top_teams", bad, team("b", 1)), "team_id") == [(1, "b")]


def test_a_board_holds_a_hundred_rows():
    assert (
        len(ranked("top_teams", *(team(f"{number}", number) for number in range(120))))
        == Settings().board_size
        == 100
    )


def test_the_best_of_each_season_are_kept_whoever_comes():
    db = folded()
    for season in (NEWEST - DAY, NEWEST):
        kafka.fold(
            db,
            TOP_TEAMS,
            [team(f"{number:03}", number // 2, season) for number in range(200)],
            Settings(),
        )
        kafka.fold(db, TOP_TEAMS, [team("late", 30, season), team("best", 100, season)], Settings())
    for season in (NEWEST - DAY, NEWEST):
        kept = (
            "SELECT team_id FROM flink.top_teams "
            "WHERE season_start = ? ORDER BY total_score DESC, team_id"
        )
        ids = [team_id for (team_id,) in db.execute(kept, [season])]
        assert (len(ids), ids[0], ids[-1]) == (120, "best", "080")


@pytest.fixture
def flink(stores):
    """A cursor with the rights of Flink in an empty PostgreSQL."""
    sink = sinks.sink("postgres", stores.settings)
    sink.clear([TOP_TEAMS])
    with (
        closing(postgres.connect(postgres.owner_dsn(stores.settings))) as db,
        db.cursor() as cursor,
    ):
        cursor.execute(f"SET ROLE {postgres.FLINK}")
        yield cursor
    sink.clear([TOP_TEAMS])


def write(flink, *totals, season_start=NEWEST):
    rows = [(season_start, team_id, team_id, total, NEWEST) for team_id, total in totals]
    upsert = (
        "INSERT INTO flink.top_teams VALUES %s ON CONFLICT (season_start, team_id) "
        "DO UPDATE SET total_score = excluded.total_score"
    )
    execute_values(flink, upsert, rows, page_size=50)


def test_a_total_that_is_deleted_and_written_again_does_not_go_back_in_postgresql(stores, flink):
    write(flink, ("a", 6), ("b", 4))
    flink.execute("DELETE FROM flink.top_teams WHERE team_id = 'a'")
    write(flink, ("a", 5))
    rows = sinks.sink("postgres", stores.settings).read(GAME).rows[TOP_TEAMS.name]
    assert [(row["team_id"], row["total_score"]) for row in rows] == [("a", 6), ("b", 4)]


def test_the_best_of_each_season_are_kept_in_postgresql_whoever_comes(flink):
    for season in (NEWEST - DAY, NEWEST):
        write(flink, *((f"{number:03}", number // 2) for number in range(200)), season_start=season)
        write(flink, ("late", 30), ("best", 100), season_start=season)
    flink.execute(
        "SELECT season_start, COUNT(*), MIN(total_score), MAX(total_score) "
        "FROM flink.top_teams GROUP BY 1"
    )
    assert sorted(flink.fetchall()) == [(NEWEST - DAY, 120, 40, 100), (NEWEST, 120, 40, 100)]


def test_the_boards_are_as_new_as_their_newest_row():
    db = folded()
    assert boards_of(db).as_of is None
    kafka.fold(db, TOP_TEAMS, [team("a", 1)], Settings())
    kafka.fold(db, HOT_STREAKS, [streak("A", 2, 1)], Settings())
    assert boards_of(db).as_of == datetime.fromtimestamp(WINDOW // 1000, UTC)


def test_a_database_that_is_away_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(postgres, "reader_dsn", lambda _: "host=127.0.0.1 port=1 dbname=none")
    with pytest.raises(
        BoardsUnavailable, match=r"PostgreSQL cannot be reached: .*\. Start it with"
    ):
        sinks.sink("postgres", Settings()).read(GAME)


def test_a_broker_that_is_away_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(broker, "ANSWER_SECONDS", 0.2)
    with pytest.raises(BoardsUnavailable, match=r"Kafka at 127\.0\.0\.1:1 cannot be read: "):
        KafkaFold(GAME, Settings(kafka_brokers="127.0.0.1:1")).boards()


@pytest.mark.parametrize("season", ["all", "hour", "all"])
def test_old_rows_go_as_the_season_that_is_set_now_says(stores, season):
    settings = replace(stores.settings, season=season)
    sinks.sink("postgres", settings).create([GAME])
    with (
        closing(postgres.connect(postgres.owner_dsn(stores.settings))) as db,
        db.cursor() as cursor,
    ):
        cursor.execute("TRUNCATE flink.member_totals")
        cursor.execute(
            "INSERT INTO flink.member_totals VALUES (0, 'T', 'a', 1), (%s, 'T', 'a', 1)", [NEWEST]
        )
        cursor.execute("SELECT COUNT(*) FROM flink.member_totals")
        assert cursor.fetchone() == ((2,) if season == "all" else (1,))
        cursor.execute("TRUNCATE flink.member_totals")
    sinks.sink("postgres", stores.settings).create([GAME])


def test_a_game_that_is_created_takes_no_connection_from_jobs_of_others(stores):
    def most_connections():
        with (
            closing(postgres.connect(postgres.admin_dsn(stores.settings))) as db,
            db.cursor() as cursor,
        ):
            cursor.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'leaderboard_flink'")
            return cursor.fetchone()[0]

    own = sinks.sink("postgres", stores.settings)
    own.create([GAME])
    before = most_connections()
    own.create([load("spins")])  # has fewer tables
    assert most_connections() == before


def test_events_are_kept_as_long_as_a_longer_season_needs_and_never_shorter(stores):
    hours = []
    for season in ("day", "week", "hour", "all", "day"):
        settings = replace(stores.settings, season=season)
        sinks.sink("kafka", settings).create([GAME])
        resource = ConfigResource(ConfigResourceType.TOPIC, settings.topic, ["retention.ms"])
        with closing(broker.client(KafkaAdminClient, settings)) as admin:
            told = admin.describe_configs([resource], config_filter="all")
        millis = int(told["topic"][settings.topic]["retention.ms"]["value"])
        hours.append(millis if millis < 0 else millis // 3_600_000)
    assert hours == [24 + 48, 168 + 48, 168 + 48, -1, -1]


def test_a_topic_of_somebody_elses_broker_is_left_as_it_is_with_a_warning(stores, caplog):
    topic = "of-somebody-else"
    brokers = stores.settings.brokers
    settings = replace(stores.settings, topic=topic, season="hour", kafka_brokers=brokers)
    sinks.sink("kafka", settings).create([GAME])
    assert warnings(caplog) == []
    sinks.sink("kafka", replace(settings, season="day")).create([GAME])
    assert warnings(caplog) == [
        f"The topic {topic} keeps records for 49 hours. Totals can be computed again from it only "
        "with retention.ms=259200000."
    ]


def warnings(caplog):
    return [each.getMessage() for each in caplog.records if each.name == "boards.kafka"]
