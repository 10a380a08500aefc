"""The boards of every minute, kept in PostgreSQL whichever sink they come from."""

from __future__ import annotations

import json
import re
from contextlib import closing
from datetime import UTC, datetime, timedelta
from time import monotonic
from types import SimpleNamespace
from urllib.parse import unquote

import psycopg2
import pytest
import requests
from playwright.sync_api import expect

from boards import cache, history, sinks
from boards.kafka import replace
from boards.snapshot import Boards
from clients import postgres
from dashboard import refresh
from games.score import GAME, HOT_STREAKS, TEAM_MVPS, TOP_PLAYERS, TOP_TEAMS
from tests.conftest import Stack, eventually, page_server

TABLES = (TOP_TEAMS, TOP_PLAYERS, TEAM_MVPS, HOT_STREAKS)
# Yesterday, all of which is over.
START = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
NINE = START + timedelta(hours=9)


def at(minute: int, second: int = 0) -> datetime:
    """So many minutes after nine."""
    return NINE + timedelta(minutes=minute, seconds=second)


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(cache, "CACHED_SECONDS", 0)
    for name in ("_of_past", "course"):
        monkeypatch.setattr(history, name, getattr(history, name).__wrapped__)


@pytest.fixture
def db(stores: Stack):
    """The owner's cursor; tables and the history are empty."""
    for sink in sinks.sinks(stores.settings):
        sink.clear(TABLES)
    owner = postgres.connect(postgres.owner_dsn(stores.settings))
    with closing(owner) as open_db, open_db.cursor() as cursor:
        cursor.execute("TRUNCATE history.minutes, history.changes")
        yield cursor


def boards(**totals: int) -> Boards:
    """Boards on which these players of a team stand, in the order of their totals."""
    found = sorted(totals.items(), key=lambda each: (-each[1], each[0]))
    rows = [
        {
            "rank_number": 1 + sum(other > total for other in totals.values()),
            "user_id": user_id,
            "user_name": f"Name of {user_id}",
            "team_id": "T",
            "team_name": "Team T",
            "total_score": total,
            "reached_at": at(0),
            "season_start": START,
        }
        for user_id, total in found
    ]
    held = {TOP_PLAYERS.name: rows, TOP_TEAMS.name: [a_team(sum(totals.values()))]}
    return Boards(GAME, {each.name: [] for each in GAME.listed} | held)


def a_team(total: int) -> dict:
    return {
        "rank_number": 1,
        "team_id": "T",
        "team_name": "Team T",
        "total_score": total,
        "reached_at": at(0),
        "season_start": START,
    }


def keep(stores: Stack, minute: int, **totals: int) -> bool:
    return history.write(stores.settings, boards(**totals), at(minute, 7))


def standing(stores: Stack, minute: int) -> list[tuple[int, str, int]] | None:
    """The players of a minute, by rank."""
    found = history.boards_at(GAME, at(minute), stores.settings)
    if found is None:
        return None
    rows = found.rows["top_players"]
    return [(row["rank_number"], row["user_id"], row["total_score"]) for row in rows]


def changes(cursor) -> list[tuple]:
    cursor.execute(
        "SELECT (EXTRACT(EPOCH FROM minute - %s) / 60)::int, found_by, rank_number, place, value, "
        "names IS NOT NULL FROM history.changes WHERE board = 'top_players' "
        "ORDER BY minute, found_by",
        [NINE],
    )
    return cursor.fetchall()


# What is kept


def test_a_minute_has_what_has_changed_and_an_hour_begins_with_everybody(stores, db):
    assert keep(stores, 0, a=9, b=7, c=7)
    assert keep(stores, 1, a=9, b=8, c=7)
    assert keep(stores, 2, b=8, c=7, d=1)
    assert keep(stores, 60, b=8, c=7)
    assert changes(db) == [
        (0, "a", 1, 1, 9, True),
        (0, "b", 2, 2, 7, True),
        (0, "c", 2, 3, 7, True),
        (1, "b", 2, 2, 8, False),
        (1, "c", 3, 3, 7, False),
        (2, "a", None, None, None, False),
        (2, "b", 1, 1, 8, False),
        (2, "c", 2, 2, 7, False),
        (2, "d", 3, 3, 1, True),
        (60, "b", 1, 1, 8, True),
        (60, "c", 2, 2, 7, True),
        (60, "d", None, None, None, False),
    ]


def test_a_minute_is_kept_once(stores, db):
    assert keep(stores, 5, a=9)
    assert not keep(stores, 5, a=10)
    assert standing(stores, 5) == [(1, "a", 9)]


def test_boards_are_as_of_the_last_minute_until_then(stores, db):
    keep(stores, 0, a=9, b=7)
    keep(stores, 1, b=10, a=9)
    keep(stores, 75, a=12, b=10)
    expected = {
        -1: None,
        0: [(1, "a", 9), (2, "b", 7)],
        1: [(1, "b", 10), (2, "a", 9)],
        74: [(1, "b", 10), (2, "a", 9)],
        75: [(1, "a", 12), (2, "b", 10)],
    }
    assert {minute: standing(stores, minute) for minute in expected} == expected
    assert history.boards_at(GAME, at(74), stores.settings).minute == at(1)
    assert history.first_minute(GAME, stores.settings) == at(0)
    assert history.last_minute(GAME, stores.settings) == at(75)


def test_a_row_of_the_past_has_what_is_kept(stores, db):
    keep(stores, 0, a=2**62)
    (row,) = history.boards_at(GAME, at(0), stores.settings).rows["top_players"]
    assert row == {
        "rank_number": 1,
        "user_id": "a",
        "user_name": "Name of a",
        "team_id": "T",
        "team_name": "Team T",
        "total_score": 2**62,
        "season_start": START,
    }


def test_names_come_back_with_whoever_comes_back(stores, db):
    keep(stores, 0, a=9)
    keep(stores, 1, b=1)
    keep(stores, 2, a=9)
    found = history.boards_at(GAME, at(2), stores.settings)
    assert [row["user_name"] for row in found.rows["top_players"]] == ["Name of a"]


def test_minutes_are_read_one_after_the_other(stores, db):
    keep(stores, 59, a=9, b=7)
    keep(stores, 61, a=9, b=10)
    keep(stores, 62, b=10)
    found = history.minutes(GAME, at(61), at(70), stores.settings)
    assert [each.read_at for each in found] == [at(61, 7), at(62, 7)]
    assert [
        {user_id: place.rank_number for user_id, place in each.places["top_players"].items()}
        for each in found
    ] == [{"a": 2, "b": 1}, {"b": 1}]
    assert found[0].period_starts == {
        board.name: START if board in (TOP_PLAYERS, TOP_TEAMS) else None for board in GAME.boards
    }


def test_a_course_has_the_changes_of_one_alone_and_ends_with_the_last_minute(stores, db):
    keep(stores, 0, a=9, b=7)
    keep(stores, 1, a=9, b=8)
    keep(stores, 2, b=10)
    keep(stores, 3, a=12, b=10)
    keep(stores, 9, a=12, b=13)
    keep(stores, 12, a=12, b=14)

    def course(user_id: str, last: datetime, start: datetime = START) -> list[tuple]:
        steps = history.course(TOP_PLAYERS, user_id, start, last, stores.settings)
        return [((each.minute - NINE) // history.MINUTE, *each[1:]) for each in steps]

    expected = [(0, 1, 9), (2, None, None), (3, 1, 12), (9, 2, 12), (12, 2, 12)]
    assert course("a", at(30)) == expected
    assert course("a", at(8)) == [*expected[:3]]
    assert course("nobody", at(30)) == []
    assert course("\ud800", at(30)) == []
    assert course("a", at(30), START - timedelta(days=1)) == []


def test_a_season_begins_with_the_first_minute_that_shows_it(stores, db):
    """Before, the boards still show the last one."""
    yesterday = START - timedelta(days=1)
    last = boards(a=9, b=7)
    for row in last.rows["top_players"] + last.rows["top_teams"]:
        row["season_start"] = yesterday
    history.write(stores.settings, last, START)
    history.write(stores.settings, boards(b=1), START + history.MINUTE)
    until = START + 5 * history.MINUTE
    assert history.first_minute(GAME, stores.settings, START) == START + history.MINUTE
    assert history.course(TOP_PLAYERS, "a", START, until, stores.settings) == []
    assert history.course(TOP_PLAYERS, "b", START, until, stores.settings) == [
        (START + history.MINUTE, 1, 1)
    ]
    assert history.course(TOP_PLAYERS, "a", yesterday, START, stores.settings) == [(START, 1, 9)]


def test_the_page_knows_at_the_first_look_what_was_before(stores, db):
    now = datetime.now(UTC)
    for minutes, total in ((3, 5), (2, 9)):
        read_at = now - timedelta(minutes=minutes)
        history.write(stores.settings, boards(a=total, b=7), read_at)
    known = refresh.past_of(GAME, stores.settings).minutes
    assert [each.places["top_players"]["a"] for each in known] == [(2, 5), (1, 9)]
    ages = [monotonic() - each.at for each in known]
    assert ages == pytest.approx([180, 120], abs=30)


def test_the_page_knows_how_the_day_began(stores, db, monkeypatch):
    """After its first minute: at midnight the boards may still show the season before."""
    monkeypatch.setattr(refresh, "datetime", SimpleNamespace(now=lambda zone: NINE))
    for minute, total in ((0, 900), (1, 3), (2, 5)):
        history.write(stores.settings, boards(a=total), START + minute * history.MINUTE)
    day = refresh.past_of(GAME, stores.settings).day
    assert day and day.places["top_players"]["a"] == (1, 3)


def test_days_are_forgotten_whole(stores, db):
    for days in (3, 2, 1, 0):
        read_at = NINE - timedelta(days=days)
        history.write(stores.changed(history_days=1).settings, boards(a=days + 1), read_at)
    db.execute("SELECT count(DISTINCT minute) FROM history.minutes")
    assert db.fetchone() == (2,)
    old = {f"changes_{START - timedelta(days=days):%Y%m%d}" for days in (2, 3)}

    def check_partitions() -> None:
        # One that somebody has read meanwhile is dropped in a later hour.
        db.execute("SELECT history.begin_hour(%s, 1)", [NINE])
        db.execute("SELECT relname FROM pg_class WHERE relname LIKE 'changes_2%'")
        assert not old & {name for (name,) in db.fetchall()}

    eventually(check_partitions)
    db.execute("SELECT DISTINCT date_trunc('day', minute, 'UTC') FROM history.changes ORDER BY 1")
    assert [day for (day,) in db.fetchall()] == [START - timedelta(days=1), START]


def test_the_plan_looks_at_one_day_and_one_hour(stores, db):
    for days in range(3):
        history.write(stores.settings, boards(a=days), NINE - timedelta(days=days))
    db.execute(
        "EXPLAIN SELECT * FROM leaderboard.history "
        "WHERE board = %s AND minute BETWEEN %s AND %s ORDER BY minute",
        ["top_players", at(0), at(59)],
    )
    plan = "\n".join(line for (line,) in db.fetchall())
    assert plan.count(" on changes_2") == 1, plan


def test_the_keeper_adds_minutes_and_changes_none(stores, db):
    keep(stores, 0, a=9)
    with closing(postgres.connect(postgres.keeper_dsn(stores.settings))) as keeper:
        for statement in (
            "DELETE FROM history.changes",
            "UPDATE history.minutes SET read_at = now()",
            "DROP TABLE history.minutes",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), keeper.cursor() as cursor:
                cursor.execute(statement)


# Both sinks


def fill_postgres(cursor, totals: dict[str, int], start: int) -> None:
    for user_id, total in totals.items():
        cursor.execute(
            "INSERT INTO flink.top_players VALUES (%s, %s, %s, 'T', 'Team T', %s, %s) "
            "ON CONFLICT (season_start, user_id) "
            "DO UPDATE SET total_score = EXCLUDED.total_score",
            [start, user_id, f"Name of {user_id}", total, start + total],
        )


def fill_kafka(stores: Stack, totals: dict[str, int], start: int) -> None:
    rows = {}
    for user_id, total in totals.items():
        key = {"season_start": start, "user_id": user_id}
        names = {"user_name": f"Name of {user_id}", "team_id": "T", "team_name": "Team T"}
        row = key | names | {"total_score": total, "reached_at": start + total}
        rows[json.dumps(key).encode()] = json.dumps(row).encode()
    replace(stores.settings, TOP_PLAYERS.topic, rows)


@pytest.mark.parametrize("name", sinks.NAMES)
def test_both_sinks_make_the_same_history(stores, db, name):
    """Three minutes of a board, as its job writes it; then the history as a reader finds it."""
    start = round(START.timestamp() * 1000)
    sink = sinks.sink(name, stores.settings)
    minutes = [{"a": 9, "b": 7}, {"a": 9, "b": 12}, {"a": 9, "b": 12, "c": 9}]
    for minute, totals in enumerate(minutes):
        if name == "kafka":
            fill_kafka(stores, totals, start)
        else:
            fill_postgres(db, totals, start)

        def is_read(totals=totals) -> None:
            rows = sink.read(GAME).rows["top_players"]
            assert {row["user_id"]: row["total_score"] for row in rows} == totals

        eventually(is_read)
        history.write(stores.settings, sink.read(GAME), at(minute, 5))
    assert [standing(stores, minute) for minute in range(3)] == [
        [(1, "a", 9), (2, "b", 7)],
        [(1, "b", 12), (2, "a", 9)],
        [(1, "b", 12), (2, "a", 9), (2, "c", 9)],
    ]
    assert [each[:3] for each in changes(db)] == [
        *((0, "a", 1), (0, "b", 2)),
        *((1, "a", 2), (1, "b", 1)),
        (2, "c", 2),
    ]


# The API


def test_the_api_has_the_boards_as_of_a_minute(stores, db):
    keep(stores, 0, a=9, b=7)
    keep(stores, 1, b=10, a=9)

    def asked(path: str, status: int = 200):
        answer = requests.get(f"{address}/api/{path}", timeout=20)
        assert answer.status_code == status, answer.text
        return answer.json() if "json" in answer.headers["Content-Type"] else answer.text

    def named(minute: int) -> str:
        return history.address_of(at(minute))

    with page_server("dashboard.api", environment=stores.environment) as address:
        found = asked(f"boards/top_players?at={named(0)}&limit=1")
        assert [row["user_id"] for row in found["rows"]] == ["a"]
        assert (found["total"], found["next_offset"], found["rows"][0]["movement"]) == (2, 1, None)
        assert found["at"] == at(0).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        later = asked(f"boards/top_players?at={named(30)}")
        assert [row["user_id"] for row in later["rows"]] == ["b", "a"]
        assert later["at"].startswith(f"{at(1):%Y-%m-%dT%H:%M}")
        counts = {each["board"]: each["rows"] for each in asked(f"boards?at={named(1)}")["boards"]}
        assert (counts["top_players"], counts["hot_streaks"]) == (2, 0)
        csv = asked(f"boards/top_players?at={named(1)}&format=csv").splitlines()
        assert csv[0].startswith("rank_number,user_id,user_name,team_id,team_name,total_score")
        assert csv[1].startswith("1,b,Name of b,T,Team T,10")
        for path, status, says in (
            (f"at={named(-1)}", 404, f"it begins at {at(0):%Y-%m-%d %H:%M} UTC"),
            ("at=yesterday", 400, "such as 2026-11-28T09:41Z"),
            ("at=2026-11-28T09:41", 400, "such as 2026-11-28T09:41Z"),
            ("at=2999-01-01T00:00Z", 400, "must not be to come"),
            (f"at={named(0)}&season=2026-11-28", 400, "at and season do not go"),
            (f"at={named(0)}&sink=kafka", 400, "at and sink do not go together"),
        ):
            assert says in asked(f"boards/top_players?{path}", status)["error"], path


# In a browser


def a_day(stores: Stack) -> None:
    """The rest of a day, hour by hour; b passes a in the last one."""
    for hour in range(14):
        keep(stores, 60 * hour, a=1_000 + hour, b=100 + 75 * hour, c=50)


def test_a_race_and_the_plots_are_drawn_in_a_browser(stores, db, browser):
    """Bars and lines are drawn, and nothing is refused by the page's own headers."""
    a_day(stores)
    fill_postgres(db, {"a": 1, "b": 2}, round(START.timestamp() * 1000))
    started = history.address_of(at(0))
    with page_server("dashboard", environment=stores.environment) as address:
        page = browser.new_page()
        refused: list[str] = []
        page.on("console", lambda said: refused.append(said.text) if said.type == "error" else None)
        page.goto(f"{address}/?at={started}", timeout=120_000)
        first = page.locator(".panel.top_players tbody tr").first
        expect(first).to_contain_text("Name of a", timeout=120_000)
        page.get_by_role("button", name="Play").click()
        bar = page.locator(".race li", has_text="Name of b")
        expect(bar).to_have_attribute("style", re.compile(r"translateY\(1\.8rem\)"), timeout=60_000)
        expect(first).to_contain_text("Name of b", timeout=60_000)  # it has ended by itself
        assert f"at={history.address_of(at(13 * 60))}" in unquote(page.url)
        page.go_back()
        for name in ("Back", "Forward"):
            page.get_by_role("button", name=name).click()
        page.goto(f"{address}/player?player=a&season={START:%Y-%m-%d}", timeout=120_000)
        expect(page.get_by_role("heading", name="worst 2")).to_be_visible(timeout=120_000)
        plots = page.locator("[data-testid=stVegaLiteChart] :is(canvas, svg)")
        expect(plots).to_have_count(2, timeout=120_000)
        expect(page.locator("table.course tbody tr")).to_have_count(14)  # one of each hour
        assert not [each for each in refused if "Content Security Policy" in each]
        page.close()
