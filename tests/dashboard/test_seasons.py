"""Seasons that end: provisional, final for good in both sinks, with prizes once for each winner."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from unittest.mock import AsyncMock

import psycopg2
import pytest
import requests
from starlette.requests import Request

from boards import cache, finals, lookups, prizes, seasons, sinks, tiers
from boards.kafka import AWARDS, FINAL_BOARDS, FINAL_SEASONS, records_since
from boards.seasons import FINAL, PROVISIONAL, RUNNING, NotYet, Season, held_season, named
from boards.tiers import Tier
from clients import postgres
from dashboard.download import AWARD_COLUMNS
from dashboard.questions import seasons as questions
from games import season as lengths
from games.score import (
    GAME,
    MEMBER_TOTALS,
    PLAYER_TOTALS,
    TEAM_MVPS,
    TOP_PLAYERS,
    TOP_TEAMS,
)
from settings import PROJECT, Settings
from tests.conftest import Stack, eventually, page_server

DAY = 86_400_000
TABLES = (TOP_TEAMS, TOP_PLAYERS, TEAM_MVPS, PLAYER_TOTALS, MEMBER_TOTALS)
TODAY = lengths.SEASONS["day"].start_of(int(datetime.now(UTC).timestamp() * 1000))
OLD, LAST = TODAY - 2 * DAY, TODAY - DAY
RUNS = TODAY + DAY  # even when midnight passes
# Ten players, of whom the third and the fourth have equal totals.
TOTALS = {f"u{number}": 100 - 10 * number + (10 if number == 3 else 0) for number in range(10)}


def of_day(start: int) -> Season:
    return held_season(GAME, lengths.SEASONS["day"], start)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(cache, "CACHED_SECONDS", 0)


@pytest.fixture
def db(stores: Stack):
    """The owner's cursor; tables and what is final are empty, as triggers let nobody else do it."""
    sinks.sink("postgres", stores.settings).clear(TABLES)
    owner = postgres.connect(postgres.owner_dsn(stores.settings))
    with closing(owner) as open_db, open_db.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for table in (
            *("awards", "awardings", "prize_rules", "rows", "boards", "seasons", "published"),
        ):
            cursor.execute(f"DELETE FROM finals.{table}")
        cursor.execute("TRUNCATE moderation.decisions")
        cursor.execute("SET session_replication_role = origin")
        yield cursor


def fill(cursor, start: int, totals: dict[str, int] = TOTALS) -> None:
    """A season of one team and these players, as the jobs write it."""
    for user_id, total in totals.items():
        name, reached = f"Name of {user_id}", start + total
        row = [start, user_id, name, "T", "Team T", total, reached]
        cursor.execute("INSERT INTO flink.top_players VALUES (%s, %s, %s, %s, %s, %s, %s)", row)
        cursor.execute("INSERT INTO flink.player_totals VALUES (%s, %s, %s, %s, %s, %s, %s)", row)
        cursor.execute(
            "INSERT INTO flink.member_totals VALUES (%s, 'T', %s, %s)", [start, user_id, total]
        )
    whole, best = sum(totals.values()), max(totals, key=totals.__getitem__)
    cursor.execute(
        "INSERT INTO flink.top_teams VALUES (%s, 'T', 'Team T', %s, %s)", [start, whole, start]
    )
    mvp = [start, best, f"Name of {best}", totals[best], whole, totals[best] / whole]
    cursor.execute(
        "INSERT INTO flink.team_mvps VALUES (%s, 'T', 'Team T', %s, %s, %s, %s, %s)", mvp
    )


def ban(cursor, user_id: str, decision: str = "ban") -> None:
    cursor.execute(
        "INSERT INTO moderation.decisions (decision, kind, banned_id, reason, author) "
        "VALUES (%s, 'player', %s, 'a bot', 'Ada')",
        [decision, user_id],
    )


def finish(stores: Stack, start: int):
    sink = sinks.sink("postgres", stores.settings)
    return finals.finish(stores.settings, GAME, of_day(start), sink)


def past(stores: Stack, start: int, sink: str = "postgres"):
    return sinks.sink(sink, stores.settings).past(GAME, of_day(start))


def ranks(boards, board=TOP_PLAYERS) -> list[tuple[int, str]]:
    return [(row["rank_number"], row[board.found_by]) for row in boards.rows[board.name]]


def awarded(cursor) -> list[tuple[str, int, str]]:
    cursor.execute(
        "SELECT entity_id, rank_number, prize #>> '{}' FROM leaderboard.awards "
        "ORDER BY board, rank_number, entity_id"
    )
    return cursor.fetchall()


# Seasons


def test_a_season_is_called_by_its_day_hour_or_week():
    day, hour, week = (lengths.SEASONS[name] for name in ("day", "hour", "week"))
    at = int(datetime(2026, 11, 27, 14, tzinfo=UTC).timestamp() * 1000)
    assert day.id(day.start_of(at)) == "day-2026-11-27"
    assert hour.id(at) == "hour-2026-11-27T14"
    assert week.id(week.start_of(at)) == "week-2026-11-23"
    assert lengths.SEASONS["all"].id(0) == "all-time"
    known = [held_season(GAME, each, each.start_of(at)) for each in (day, week)]
    assert named("2026-11-27", known, Settings()) == known[0]
    assert named("week-2026-11-23", known, Settings()) == known[1]
    assert named("2026-11-23", known, Settings()) is None


def test_a_season_runs_then_is_provisional_for_as_long_as_a_late_event_may_come():
    season, start = of_day(OLD), datetime.fromtimestamp(OLD / 1000, UTC)
    assert season.state(start + timedelta(hours=23)) == RUNNING
    assert season.state(start + timedelta(hours=24)) == PROVISIONAL
    assert season.final_from(max_late_hours=24) == start + timedelta(hours=48)
    assert replace(season, final_at=start).state(start) == FINAL
    assert held_season(GAME, lengths.SEASONS["all"], 0).final_from(24) is None


def test_every_season_is_listed_and_read(stores, db):
    for start, totals in ((OLD, {"a": 3, "b": 2}), (LAST, {"a": 1}), (TODAY, {"c": 9})):
        fill(db, start, totals)
    listed = sinks.sink("postgres", stores.settings).seasons(GAME)
    assert [each.start_millis for each in listed] == [TODAY, LAST, OLD]
    assert ranks(past(stores, OLD)) == [(1, "a"), (2, "b")]
    assert ranks(past(stores, LAST)) == [(1, "a")]
    assert past(stores, OLD).final_at is None
    ban(db, "a")
    assert ranks(past(stores, OLD)) == [(1, "b")]


def test_a_season_keeps_its_best_and_leaves_others_alone(stores, db):
    """125 come, of whom 120 stay; so do all of the season before."""
    for start in (LAST, TODAY):
        fill(db, start, {f"u{number:03}": number for number in range(125)})
        db.execute("SELECT season_start, count(*), min(user_id) FROM flink.top_players GROUP BY 1")
    assert sorted(db.fetchall()) == [(LAST, 120, "u005"), (TODAY, 120, "u005")]


def test_somebody_is_looked_up_in_another_season(stores, db):
    fill(db, OLD, {"a": 3, "b": 2})
    fill(db, TODAY, {"b": 9})
    season, settings = of_day(OLD), stores.settings
    one = lookups.player("b", settings, season)
    assert (one.total_score, one.rank_number, one.players, one.team_share) == (2, 2, 2, 0.4)
    assert [row["user_id"] for row in one.neighbours] == ["a", "b"]
    assert lookups.player("a", settings) is None
    assert [row["user_id"] for row in lookups.find("name of", settings, season)] == ["a", "b"]
    team = lookups.team("T", settings, season)
    assert (team.team_total, team.members, team.mvp["user_id"]) == (5, 2, "a")
    assert lookups.team("T", settings).team_total == 9


# What is final


def test_nothing_changes_what_is_final(stores, db):
    fill(db, OLD)
    ban(db, "u0")
    assert finish(stores, OLD) == []
    before = past(stores, OLD)
    assert before.final_at
    assert ranks(before) == [
        *((1, "u1"), (2, "u2"), (2, "u3")),
        *((place, f"u{place}") for place in range(4, 10)),
    ]
    assert before.rows["top_players"][0]["reached_at"] == datetime.fromtimestamp(
        (OLD + 90) / 1000, UTC
    )
    # A job, a rebuild, a ban, an unban, another size of the boards.
    db.execute("UPDATE flink.top_players SET total_score = total_score + 1000")
    sinks.sink("postgres", stores.settings).clear(TABLES)
    ban(db, "u1")
    ban(db, "u0", "unban")
    smaller = stores.changed(board_size=3)
    assert past(stores, OLD) == past(smaller, OLD) == before
    assert finish(stores, OLD) is None
    # Nor does anybody by hand.
    for change in (
        "UPDATE finals.rows SET rank_number = 1",
        "DELETE FROM finals.seasons",
        "TRUNCATE finals.awards",
    ):
        with pytest.raises(psycopg2.errors.RaiseException, match="never changed"):
            db.execute(change)


def test_the_final_board_knows_its_best_when_totals_are_forgotten(stores, db):
    fill(db, OLD)
    finish(stores, OLD)
    sinks.sink("postgres", stores.settings).clear(TABLES)
    (season,) = sinks.sink("postgres", stores.settings).seasons(GAME)
    one = lookups.player("u4", stores.settings, season)
    assert (one.total_score, one.rank_number, one.players, one.team_name) == (60, 5, 10, "Team T")
    assert [row["user_id"] for row in one.neighbours] == [f"u{number}" for number in range(1, 8)]
    assert (one.team_share, one.percentile) == (None, 60)
    assert [row["user_id"] for row in lookups.find("NAME OF u4", stores.settings, season)] == ["u4"]
    team = lookups.team("T", stores.settings, season)
    assert (team.team_total, team.rank_number, team.teams, team.best) == (560, 1, 1, [])


def test_kafka_has_the_same_once_each(stores, db):
    fill(db, OLD)
    tiers.set_rule(stores.settings, TOP_PLAYERS, [Tier("crown", 1, 1)], "Ada")
    finish(stores, OLD)
    assert finals.publish(stores.settings) == 2  # the season, and the awards of a board
    assert finals.publish(stores.settings) == 0
    there = past(stores, OLD)

    def check() -> None:
        copied = past(stores, OLD, "kafka")
        assert copied.final_at is not None
        assert abs(copied.final_at - there.final_at) < timedelta(milliseconds=1)
        assert copied.rows == there.rows

    eventually(check)
    assert sinks.sink("kafka", stores.settings).seasons(GAME)[0].season == of_day(OLD).season
    # Told by halves before a crash: the rest comes, and nothing twice.
    db.execute("SET session_replication_role = replica")
    db.execute("DELETE FROM finals.published")
    db.execute("SET session_replication_role = origin")
    assert finals.publish(stores.settings) == 2
    for table, count in ((FINAL_SEASONS, 1), (FINAL_BOARDS, 12), (AWARDS, 1)):
        times = Counter(
            json.dumps(key)
            for key, value in records_since(stores.settings, table.topic, 0)
            if value["season"] == of_day(OLD).season and value.get("final_at", 1)
        )
        assert set(times.values()) == {1}, table.name
        assert len(times) >= count


# Prizes

TIERS = [Tier("crown", 1, 1), Tier({"coins": 5}, 2, 3), Tier("badge", percent=50)]
# The third and the fourth share the rank at the edge of a tier, and half of ten end with rank 5.
WINNERS = [
    ("u0", 1, "crown"),
    ("u1", 2, '{"coins": 5}'),
    ("u2", 3, '{"coins": 5}'),
    ("u3", 3, '{"coins": 5}'),
    ("u4", 5, "badge"),
]
# Without the first, the others move up; half of nine, rounded up, end with rank 5.
WITHOUT_FIRST = [
    ("u1", 1, "crown"),
    ("u2", 2, '{"coins": 5}'),
    ("u3", 2, '{"coins": 5}'),
    ("u4", 4, "badge"),
    ("u5", 5, "badge"),
]


def test_each_winner_gets_one_award(stores, db):
    fill(db, OLD)
    tiers.set_rule(stores.settings, TOP_PLAYERS, TIERS, "Ada")
    assert len(finish(stores, OLD)) == 5
    assert awarded(db) == WINNERS
    assert finish(stores, OLD) is None
    assert awarded(db) == WINNERS


def test_the_banned_get_none_and_those_behind_move_up(stores, db):
    fill(db, OLD)
    tiers.set_rule(stores.settings, TOP_PLAYERS, TIERS, "Ada")
    ban(db, "u0")
    finish(stores, OLD)
    assert awarded(db) == WITHOUT_FIRST


def test_a_ban_after_the_award_is_listed_and_takes_nothing_back(stores, db, monkeypatch):
    """And one that comes between the reading of the board and the award is after it."""
    fill(db, OLD)
    tiers.set_rule(stores.settings, TOP_PLAYERS, TIERS, "Ada")
    sink, standings = sinks.sink("postgres", stores.settings), None

    def banned_meanwhile(*about):
        found = standings(*about)
        ban(db, "u0")
        return found

    standings = sink.standings
    monkeypatch.setattr(sink, "standings", banned_meanwhile)
    finish(stores, OLD)
    assert awarded(db) == WINNERS
    given = prizes.given(stores.settings, of_day(OLD))
    assert [row["entity_id"] for row in given if row["banned_at"]] == ["u0"]
    assert ranks(past(stores, OLD))[0] == (1, "u0")


def test_per_cent_are_of_all_not_of_the_board(stores, db):
    small = stores.changed(board_size=4)
    totals = {f"u{number:02}": 100 - number for number in range(20)}
    fill(db, LAST, totals)
    db.execute(
        "DELETE FROM flink.top_players WHERE total_score < 93"
    )  # as the small board keeps it
    tiers.set_rule(stores.settings, TOP_PLAYERS, [Tier("badge", percent=50)], "Ada")
    finish(small, LAST)
    assert [user for user, *_ in awarded(db)] == [f"u{number:02}" for number in range(10)]


def test_nothing_is_final_while_a_winner_is_unknown(stores, db):
    small = stores.changed(board_size=4, totals_flush_seconds=0)  # nobody writes everybody's totals
    fill(db, LAST)
    db.execute("SELECT count(*) FROM leaderboard.top_players_in(%s)", [LAST])
    tiers.set_rule(stores.settings, TOP_PLAYERS, [Tier("badge", percent=50)], "Ada")
    sink = sinks.PostgresSink(small.settings)
    rows = sink.past(GAME, of_day(LAST)).rows
    assert len(rows["top_players"]) == 4
    with pytest.raises(NotYet, match="unknown how many they are"):
        tiers.awards(
            seasons.of_the_board(TOP_PLAYERS, rows["top_players"], small.settings),
            prizes.rules(stores.settings)["top_players"],
            "score",
            "day-2026-11-27",
        )


def test_who_is_on_a_board_twice_gets_one_award():
    rows = [
        {"rank_number": rank, "user_id": user, "user_name": None, "contribution_ratio": 1 / rank}
        for rank, user in ((1, "a"), (2, "b"), (3, "a"))
    ]
    standing = seasons.of_the_board(TEAM_MVPS, rows, Settings())
    won = tiers.awards(standing, tiers.Rule(7, (Tier("cup", 1, 3),)), "score", "day-2026-11-27")
    assert [(each.entity.entity_id, each.entity.rank_number) for each in won] == [
        *(("a", 1), ("b", 2)),
    ]
    again = tiers.awards(standing, tiers.Rule(7, (Tier("cup", 1, 3),)), "score", "day-2026-11-27")
    other = tiers.awards(standing, tiers.Rule(8, (Tier("cup", 1, 3),)), "score", "day-2026-11-27")
    ids = [{each.award_id for each in awards} for awards in (won, again, other)]
    assert ids[0] == ids[1] and not ids[0] & ids[2]


def test_a_crash_at_any_step_makes_no_second_and_no_missing_award(stores, db):
    """Many seasons: in each a process is killed one step later, and others come after it.

    Meanwhile one player is banned, another unbanned, and the tables are rebuilt.
    """
    starts = [OLD - DAY * number for number in range(1, 100)]
    few = {user: TOTALS[user] for user in ("u0", "u1", "u2", "u3")}
    before = [("u0", 1, "crown"), ("u2", 2, "cup"), ("u3", 2, "cup")]
    after = [("u1", 1, "crown"), ("u2", 2, "cup"), ("u3", 2, "cup")]
    for start in starts:
        fill(db, start, few)
    ban(db, "u1")
    tiers.set_rule(stores.settings, TOP_PLAYERS, [Tier("crown", 1, 1), Tier("cup", 2, 2)], "Ada")
    command = [sys.executable, "-m", "tests.dashboard.killed", "finish", *map(str, starts)]
    done = subprocess.run(
        command, env=stores.environment, cwd=PROJECT, capture_output=True, text=True, timeout=300
    )
    *steps, last = done.stdout.splitlines()
    assert last.endswith("ended with 3"), done.stdout + done.stderr  # it lived: no step is left
    assert {"before the commit", "after the commit", "a record to awards"} <= set(steps)
    starts = starts[: len(steps)]
    # What the first run has made final stays, and all else is made final once.
    db.execute("SELECT season FROM finals.seasons")
    final = {season for (season,) in db.fetchall()}
    ban(db, "u0")
    ban(db, "u1", "unban")
    sinks.sink("postgres", stores.settings).clear(TABLES)
    for start in starts:
        fill(db, start, few)
    for _ in range(2):
        for start in starts:
            finish(stores, start)
        finals.publish(stores.settings)
    db.execute(
        "SELECT season, entity_id, rank_number, prize #>> '{}' FROM leaderboard.awards "
        "ORDER BY season, rank_number, entity_id"
    )
    found: dict[str, list] = {of_day(start).season: [] for start in starts}
    for season, *award in db.fetchall():
        found.setdefault(season, []).append(tuple(award))
    lived = of_day(OLD - DAY * (len(steps) + 1)).season
    assert lived in final and 2 < len(final) < len(steps)
    assert found == {season: before if season in final else after for season in found}
    # The ids of the records are those of the rows, once each.
    db.execute("SELECT award_id::text FROM leaderboard.awards")
    given = sorted(award for (award,) in db.fetchall())
    told = [key["award_id"] for key, _ in records_since(stores.settings, AWARDS.topic, 0)]
    assert sorted(each for each in told if each in set(given)) == given


def test_the_keeper_adds_what_is_final_and_nothing_else(stores, db):
    fill(db, OLD)
    finish(stores, OLD)
    with closing(postgres.connect(postgres.keeper_dsn(stores.settings))) as keeper:
        for statement in (
            "DELETE FROM finals.seasons",
            "UPDATE finals.rows SET place = 7",
            "SELECT * FROM flink.top_players",
            "INSERT INTO moderation.decisions DEFAULT VALUES",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), keeper.cursor() as cursor:
                cursor.execute(statement)


# The command line


@pytest.fixture
def command(stores, monkeypatch, capsys):
    """Calls python -m boards.prizes; gives the exit code and what was printed."""
    monkeypatch.setattr(prizes, "settings", stores.settings)

    def call(*words: str) -> tuple[int, str]:
        code = prizes.main(list(words))
        told = capsys.readouterr()
        return code, told.out + told.err

    return call


def test_prizes_are_set_shown_and_given_on_the_command_line(command, stores, db, tmp_path):
    fill(db, OLD)
    fill(db, TODAY)
    day = of_day(OLD).label
    assert command("list") == (0, "No prizes are set.\n")
    code, told = command(
        "set", "top_players", "--tier", "1", "Crown\u202e", "--tier", "2-3", '{"coins": 5}'
    )
    assert code == 0 and "with 2 tiers" in told
    code, told = command("list")
    assert code == 0 and "Crown<U+202E>" in told and '{"coins": 5}' in told
    code, told = command("preview")
    assert (code, told.count("coins")) == (0, 3) and of_day(TODAY).label in told
    code, told = command("award", "top_players", "--season", day)
    assert code == 1 and "is not final" in told
    finish(stores, OLD)
    code, told = command("list", "--season", day)
    assert code == 0 and "Name of u3" in told
    code, told = command("award", "top_players", "--season", day)
    assert code == 0 and "were given before" in told
    # A board that had no prizes then gets them later, once, without those who are banned by now.
    file = tmp_path / "tiers.json"
    file.write_text('[{"percent": 100, "prize": "cup"}]')
    assert command("set", "team_mvps", "--file", str(file), "--by", "Ada")[0] == 0
    ban(db, "u0")
    assert "0 awards given" in command("award", "team_mvps", "--season", day)[1]
    assert command("set", "top_teams", "--tier", "100%", "cup", "--by", "Ada")[0] == 0
    assert "1 awards given" in command("award", "top_teams", "--season", day)[1]
    assert "were given before" in command("award", "top_teams", "--season", day)[1]
    assert command("set", "top_teams", "--none")[1].endswith("with no prizes\n")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("set", "hot_streaks", "--tier", "1", "x"), "there are top_teams, top_players, team_mvps"),
        (("set", "top_teams", "--tier", "0", "x"), "give 1, 2-10 or 5%"),
        (("set", "top_teams", "--tier", "3-2", "x"), "give the smaller one first"),
        (("set", "top_teams", "--tier", "101%", "x"), "at most 100"),
        (("set", "top_teams", "--tier", "1", " "), "has no prize"),
        (("set", "top_teams", "--tier", "1", "{x"), "begins like JSON"),
        (("set", "top_teams", "--file", "/nowhere.json"), "No such file"),
        (("list", "--season", "1999-01-01"), "there is no season 1999-01-01"),
        (("preview", "--game", "golf"), "golf is no game with seasons; there are score"),
    ],
)
def test_what_cannot_be_done_says_why(command, db, words, says):
    code, told = command(*words)
    assert code == 1 and says in told


# The API


def test_a_file_has_all_awards_and_an_answer_the_first_100(monkeypatch):
    rows = [dict.fromkeys(AWARD_COLUMNS) | {"award_id": number} for number in range(150)]
    monkeypatch.setattr(prizes, "given", lambda settings, season: rows)
    monkeypatch.setattr(questions, "sink_in_use", AsyncMock())
    monkeypatch.setattr(questions, "season_of", AsyncMock(return_value=of_day(OLD)))

    def asked(query: str) -> bytes:
        request = Request({"type": "http", "query_string": query.encode(), "headers": []})
        return bytes(asyncio.run(questions.season_awards(request, Settings())).body)

    assert len(json.loads(asked(""))["awards"]) == 100
    assert len(asked("format=csv").splitlines()) == 1 + 150


def test_the_api_tells_of_seasons_and_awards(stores, db):
    fill(db, OLD)
    fill(db, RUNS, {"u1": 7})
    tiers.set_rule(stores.settings, TOP_PLAYERS, [Tier({"coins": 5}, 1, 1)], "Ada")
    finish(stores, OLD)
    day = of_day(OLD).label

    def asked(path: str, status: int = 200):
        answer = requests.get(f"{address}/api/{path}", timeout=20)
        assert answer.status_code == status, answer.text
        return answer.json() if "json" in answer.headers["Content-Type"] else answer.text

    with page_server("dashboard.api", environment=stores.environment) as address:
        listed = asked("seasons?sink=postgres")
        states = [(each["season"], each["state"]) for each in listed["seasons"]]
        assert states == [(of_day(RUNS).label, "running"), (day, "final")]
        assert (listed["total"], asked("seasons?limit=1&sink=postgres")["next_offset"]) == (2, 1)
        found = asked(f"boards/top_players?season={day}&limit=2")
        assert [row["user_id"] for row in found["rows"]] == ["u0", "u1"]
        assert (found["state"], found["total"], found["rows"][0]["movement"]) == ("final", 10, None)
        assert asked(f"boards?season=day-{day}")["boards"][1]["rows"] == 10
        assert asked("boards/top_players")["total"] == 1
        assert asked(f"players/u5?season={day}")["rank_number"] == 6
        assert "in the newest season" in asked("players/u5", 404)["error"]
        assert f"in season {day}" in asked(f"players/x?season={day}", 404)["error"]
        assert asked(f"teams/T?season={day}")["team_total"] == 560
        assert len(asked(f"players?name=name&season={day}")["players"]) == 10
        (award,) = asked(f"awards?season={day}&board=top_players")["awards"]
        assert (award["entity_id"], award["prize"], award["banned_at"]) == (
            "u0",
            {"coins": 5},
            None,
        )
        assert asked(f"awards?season={day}&board=top_teams")["awards"] == []
        csv = asked(f"awards?season={day}&format=csv")
        assert '"{""coins"": 5}"' in csv and csv.startswith("award_id,season,board")
        for path, status, says in (
            ("boards/hot_streaks?season=" + day, 400, "knows no seasons; those that do are top_te"),
            ("boards/top_teams?season=1999-01-01", 404, "has no season '1999-01-01'"),
            ("players/u5?season=x", 404, "has no season 'x'"),
            ("awards", 400, "season must be given"),
            (f"awards?season={day}&board=hot_streaks", 400, "board must be one of"),
        ):
            assert says in asked(path, status)["error"], path
