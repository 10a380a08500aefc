"""Kafka records folded into the boards: the rows and ranks that readers see."""

import json
from datetime import UTC, datetime

import pytest

from compose import broker
from dashboard import boards, database
from settings import Settings

DAY = 86_400_000
NEWEST = 20_000 * DAY
WINDOW = NEWEST + 60_000


def team(team_id, total, season_start=NEWEST, reached_at=NEWEST + 1_500, **other):
    row = {"team_name": f"Name of {team_id}", "total_score": total, "reached_at": reached_at} | other
    return record({"season_start": season_start, "team_id": team_id}, row)


def streak(user_id, hotness, window_rows, window_end=WINDOW, long_events=6):
    names = {"user_name": user_id.lower(), "team_name": "Red Fox"}
    averages = {"short_term_average": hotness, "long_term_average": 1, "hotness": hotness}
    counts = {"short_term_events": 3, "long_term_events": long_events, "window_rows": window_rows}
    return record({"window_end": window_end, "user_id": user_id}, names | averages | counts)


def ban(kind, banned_id):
    row = {"reason": "cheats", "author": "Ada", "banned_at": NEWEST}
    return record({"kind": kind, "banned_id": banned_id}, row)


def record(key, row):
    return json.dumps(key).encode(), json.dumps(key | row).encode()


def ranked(name, *records):
    db = boards.tables()
    boards.fold(db, name, records)
    return boards.ranked(db, Settings()).rows[name]


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
    assert (rows[0]["team_id"], rows[0]["team_name"], rows[0]["total_score"]) == ("7", "0042", 2**62)
    assert type(ranked("hot_streaks", streak("A", 2, 1))[0]["hotness"]) is float


def test_a_null_removes_its_key():
    key, value = team("a", 5)
    assert ranked("top_teams", (key, value), team("b", 4), (key, None))[0]["team_id"] == "b"


def test_the_latest_value_of_a_key_counts():
    assert ranks(ranked("top_teams", team("a", 5), team("a", 6)), "total_score") == [(1, 6)]


def test_a_total_that_a_recovered_job_writes_again_does_not_go_back():
    assert ranks(ranked("top_teams", team("a", 6), team("a", 5)), "total_score") == [(1, 6)]
    key, value = team("a", 6)
    assert ranks(ranked("top_teams", (key, value), (key, None), team("a", 5)), "total_score") == [(1, 5)]


def test_a_banned_team_leaves_no_gap_and_comes_back():
    db = boards.tables()
    boards.fold(db, "top_teams", [team("a", 9), team("b", 7), team("c", 5)])
    key, value = ban("team", "a")
    boards.fold(db, "bans", [(key, value), ban("player", "b")])
    assert ranks(boards.ranked(db, Settings()).rows["top_teams"], "team_id") == [(1, "b"), (2, "c")]
    boards.fold(db, "bans", [(key, None)])
    assert ranks(boards.ranked(db, Settings()).rows["top_teams"], "team_id") == [(1, "a"), (2, "b"), (3, "c")]


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
    db = boards.tables()
    boards.fold(db, "hot_streaks", [streak("A", 2, 1), streak("A", 2, 2, WINDOW + 60_001)])
    assert db.execute("SELECT window_end FROM flink.hot_streaks").fetchall() == [(WINDOW + 60_001,)]


@pytest.mark.parametrize(
    "bad",
    [
        (b"{", b"{"),
        (b"null", b"{}"),
        (None, None),
        (b"1", b"[]"),
        team("a", {"total": 1}),
        team("a", 2**63),
        team("\ud800", 1),
    ],
)
def test_a_record_that_is_no_row_is_skipped(bad):
    assert ranks(ranked("top_teams", bad, team("b", 1)), "team_id") == [(1, "b")]


def test_a_board_holds_a_hundred_rows():
    assert len(ranked("top_teams", *(team(f"{number}", number) for number in range(120)))) == boards.LIMIT


def test_the_boards_are_as_new_as_their_newest_row():
    db = boards.tables()
    assert boards.ranked(db, Settings()).as_of is None
    boards.fold(db, "top_teams", [team("a", 1)])
    boards.fold(db, "hot_streaks", [streak("A", 2, 1)])
    assert boards.ranked(db, Settings()).as_of == datetime.fromtimestamp(WINDOW // 1000, UTC)


def test_a_database_that_is_away_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(database.postgres, "reader_dsn", lambda _: "host=127.0.0.1 port=1 dbname=none")
    with pytest.raises(boards.BoardsUnavailable, match=r"PostgreSQL cannot be reached: .*\. Start it with"):
        boards.read("postgres", Settings())


def test_a_broker_that_is_away_is_said_in_a_sentence(monkeypatch):
    monkeypatch.setattr(broker, "ANSWER_SECONDS", 0.2)
    with pytest.raises(boards.BoardsUnavailable, match=r"Kafka at 127\.0\.0\.1:1 cannot be read: "):
        boards.KafkaFold(Settings(kafka_brokers="127.0.0.1:1")).boards()
