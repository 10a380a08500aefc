"""Campaigns as programs and people read them: real database, broker and browser, without Flink."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import psutil
import pytest
import requests
from playwright.sync_api import Browser, expect
from psycopg2.extras import execute_values

from boards import campaigns, sinks
from boards.campaigns import BOARDS
from boards.kafka import replace
from clients import postgres
from dashboard.standings import Reader
from games.campaign import MOST_PLACES, Campaign, Terms
from games.spins import CAMPAIGN_LEADERS
from tests.conftest import Stack, eventually, page_server
from tests.dashboard.test_players import ban

NOW = datetime.now(UTC).replace(microsecond=0)
PLACES = 12
DAY_MINUTES = 24 * 60
# The names say the phases for hours from NOW: start and end in minutes from then.
PHASES = {
    "Running": (-60, DAY_MINUTES),
    "Closing": (-90, -2),
    "Planned": (DAY_MINUTES, 2 * DAY_MINUTES),
    "Over": (-3 * DAY_MINUTES, -2 * DAY_MINUTES),
    "Called off": (-5, DAY_MINUTES),
}
COLUMNS = (
    *("campaign_id", "board", "place", "rank_number", "player_id"),
    *("stake", "win", "spins", "window_end"),
)
Written = list[tuple[int | str | None, ...]]  # rows of the table


@pytest.fixture(scope="module")
def stack(stores: Stack) -> Stack:
    """The stores with the tables and topics of a game that has campaigns, which close late."""
    found = stores.changed(games="score,spins", campaign_grace_minutes=DAY_MINUTES)
    found.run("compose", "create")
    return found


@pytest.fixture(scope="module")
def made(stack: Stack) -> dict[str, Campaign]:
    """A campaign of each phase, by name, with boards in both sinks."""
    owner = postgres.connect(postgres.owner_dsn(stack.settings))
    with closing(owner) as db, db.cursor() as cursor:
        cursor.execute("TRUNCATE moderation.campaign_decisions, moderation.campaign_finals")
        cursor.execute("TRUNCATE moderation.decisions")
    found = {}
    for name, (start, end) in PHASES.items():
        terms = Terms(
            name=name,
            start_at=NOW + timedelta(minutes=start),
            end_at=NOW + timedelta(minutes=end),
            games=(10, 12) if name == "Running" else (),
            minimum_spins=5,
            places=PLACES,
        )
        found[name] = campaigns.create(stack.settings, terms, "Ada")
    campaigns.cancel(stack.settings, found["Called off"].campaign_id, "Ada")
    write(stack, values(found))
    (over,) = (each for each in read(stack) if each.campaign == found["Over"])
    campaigns.freeze(stack.settings, over)
    return found


def values(made: dict[str, Campaign]) -> Written:
    """What the job would have written: 15 players, of whom the third and fourth are equal.

    Place 0 has the sums of everybody.
    """
    found: Written = []
    window_end = int(NOW.timestamp()) // 10 * 10_000
    for name in ("Running", "Closing", "Over"):
        number = made[name].campaign_id
        ranks = [1, 2, 3, 3, *range(5, 16)]
        for place, rank in enumerate(ranks, 1):
            sums = (1_000, 3_000 - 100 * rank, 7)
            found.append((number, "campaign", place, rank, 100 + place, *sums, None))
        found.append((number, "campaign", 16, *[None] * 6))  # nobody any more
        found.append((number, "campaign", 0, None, 40, 50_000, 47_000, 900, None))
        found.append((number, "recent", 1, 1, 103, 300, 299, 5, None))
        found.append((number, "recent", 0, None, 3, 1_000, 700, 21, window_end))
    return found


def write(stack: Stack, rows: Written) -> None:
    """Write these rows into the table of PostgreSQL, and into the topic."""
    table = CAMPAIGN_LEADERS
    owner = postgres.connect(postgres.owner_dsn(stack.settings))
    with closing(owner) as db, db.cursor() as cursor:
        cursor.execute(f"TRUNCATE flink.{table.name}")
        names = ", ".join(COLUMNS)
        execute_values(cursor, f"INSERT INTO flink.{table.name} ({names}) VALUES %s", rows)
    named = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    keyed = {
        json.dumps({name: row[name] for name in table.key}).encode(): json.dumps(row).encode()
        for row in named
    }
    replace(stack.settings, table.topic, keyed)


def read(stack: Stack, sink: str = "postgres") -> list[campaigns.Standing]:
    return campaigns.standings(stack.settings, sink)


@contextmanager
def served(stack: Stack, **changed: object) -> Iterator[str]:
    """The address of the API's server over these stores, under these changed settings."""
    environment = stack.changed(**changed).environment
    with page_server("dashboard.api", environment=environment) as address:
        yield f"{address}/api/campaigns"


@pytest.fixture(scope="module")
def address(stack: Stack, made: dict[str, Campaign]) -> Iterator[str]:
    with served(stack) as found:
        yield found


def asked(url: str, status: int = 200) -> dict[str, Any]:
    answer = requests.get(url, timeout=60)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    found: dict[str, Any] = answer.json()
    return found


SINKS = pytest.mark.parametrize("sink", sinks.NAMES)


@SINKS
def test_campaigns_are_listed_with_their_phases_but_for_cancelled_ones(address, made, sink):
    found = asked(f"{address}?sink={sink}")
    assert (found["sink"], found["total"], found["next_offset"]) == (sink, 4, None)
    phases = {each["name"]: each["phase"] for each in found["campaigns"]}
    expected = {"Planned": "planned", "Running": "running", "Closing": "closing", "Over": "final"}
    assert list(phases.items()) == list(expected.items())  # the latest start first
    running = found["campaigns"][1]
    assert running["campaign_id"] == made["Running"].campaign_id
    assert (running["games"], running["minimum_spins"], running["places"]) == ([10, 12], 5, PLACES)
    assert (running["players"], running["spins"], running["stake"]) == (40, 900, 50_000)
    assert datetime.fromisoformat(running["end_at"]) == made["Running"].end_at
    assert datetime.fromisoformat(running["window_end"]) <= NOW
    assert running["frozen_at"] is None and found["campaigns"][3]["frozen_at"]
    page = asked(f"{address}?sink={sink}&limit=1&offset=2")
    assert [each["name"] for each in page["campaigns"]] == ["Closing"]
    assert page["next_offset"] == 3


@SINKS
@pytest.mark.parametrize("name", ["Running", "Over"])
def test_a_campaigns_board_comes_in_pages_by_exact_rank(address, made, sink, name):
    url = f"{address}/{made[name].campaign_id}?sink={sink}"
    first = asked(url)
    assert (first["name"], first["board"], first["total"]) == (name, "campaign", PLACES)
    assert [row["rank_number"] for row in first["rows"]] == [1, 2, 3, 3, 5, 6, 7, 8, 9, 10]
    assert first["rows"][0] == {
        "rank_number": 1, "place": 1, "player_id": 101, "ratio": 2.9, "win": 2_900,
        "stake": 1_000, "spins": 7,
    }  # fmt: skip
    rest = asked(f"{url}&limit=1000&offset={first['next_offset']}")
    assert ([row["place"] for row in rest["rows"]], rest["next_offset"]) == ([11, 12], None)


@SINKS
def test_the_board_of_the_last_minutes_is_another_and_ends_with_the_campaign(address, made, sink):
    recent = asked(f"{address}/{made['Running'].campaign_id}?board=recent&sink={sink}")
    (row,) = recent["rows"]
    assert (row["player_id"], row["win"], row["stake"]) == (103, 299, 300)
    assert row["ratio"] == pytest.approx(299 / 300)
    over = asked(f"{address}/{made['Over'].campaign_id}?board=recent&sink={sink}")
    assert (over["phase"], over["rows"]) == ("final", [])


@SINKS
@pytest.mark.parametrize("player_id", [101, 103, 104, 112, 113, 999, -1])
def test_a_player_is_told_the_place_in_all_campaigns_that_run(address, stack, sink, player_id):
    found = asked(f"{address}?player={player_id}&sink={sink}")
    assert (found["player_id"], found["in_play"]) == (player_id, 2)
    told = {each["name"]: {board: each[board] for board in BOARDS} for each in found["campaigns"]}
    rows = {
        each.campaign.name: {
            board: next((row for row in rows if row["player_id"] == player_id), None)
            for board, rows in each.boards.items()
        }
        for each in read(stack, sink)
        if each.campaign.name in ("Running", "Closing")
    }
    assert told == {name: places for name, places in rows.items() if any(places.values())}


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/99999", 404, "No campaign has the id '99999'; /api/campaigns lists them"),
        ("/x%0Ay", 404, "No campaign has the id 'x\\ny'"),
        ("/" + "9" * 5_000, 404, "No campaign has the id"),
        ("/1?board=best", 400, "board must be one of campaign, recent"),
        ("/1?limit=0", 400, "limit must be a whole number from 1 to 1000"),
        ("/1?offset=-1", 400, "offset must be"),
        ("/1?place=2", 400, "there are board, sink, limit, offset, format"),
        ("?limit=101", 400, "limit must be a whole number from 1 to 100"),
        ("?format=csv", 400, "No parameter is called 'format'"),
        ("?sink=oracle", 400, "sink must be one of postgres, kafka"),
        ("?player=Ada", 400, "player must be the whole number that is a player's id"),
        ("?player=", 400, "player must be"),
        ("?player=1&limit=2", 400, "No parameter is called 'limit'; there are player, sink"),
    ],
)
def test_what_cannot_be_answered_says_why(address, path, status, says):
    assert says in asked(address + path, status)["error"]


def test_a_board_is_a_file_of_the_same_columns(address, made):
    number = made["Running"].campaign_id
    answer = requests.get(f"{address}/{number}?format=csv", timeout=20)
    assert answer.headers["Content-Type"].startswith("text/csv")
    assert f'filename="campaign-{number}_campaign_' in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    told = asked(f"{address}/{number}?limit=1000")["rows"]
    assert rows == [{name: str(value) for name, value in row.items()} for row in told]
    assert list(rows[0]) == list(told[0])


def test_what_has_not_changed_is_not_sent_again(address, made):
    number = made["Over"].campaign_id
    for path in (f"/{number}", "?player=101"):
        first = requests.get(address + path, timeout=20)
        known = {"If-None-Match": first.headers["ETag"]}
        again = requests.get(address + path, headers=known, timeout=20)
        assert (again.status_code, again.content) == (304, b"")


def test_the_api_lists_the_questions_about_campaigns_where_there_are_any(address, stores):
    listing = asked(address.removesuffix("/campaigns"))
    found = {each["path"]: each["parameters"] for each in listing["addresses"]}
    assert found["/api/campaigns"] == ["player", "sink", "limit", "offset"]
    assert found["/api/campaigns/{id}"] == ["board", "sink", "limit", "offset", "format"]
    with page_server("dashboard.api", environment=stores.environment) as without:
        error = asked(f"{without}/api/campaigns", 404)["error"]
        assert error.startswith("No such address") and "campaigns," not in error


def test_a_database_that_is_away_is_said(stack):
    with served(stack, postgres_port=1) as address:
        for path in ("", "/1", "?player=101"):
            assert "PostgreSQL cannot be reached" in asked(address + path, 503)["error"]


def readers() -> set[psutil.Process]:
    """The processes that read campaigns for servers which these tests have started."""
    found = set()
    for each in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "dashboard.reading" in each.cmdline():
                found.add(each)
    return found


def is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended, even if nobody has asked how."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_the_process_that_reads_is_replaced_when_it_dies_and_ends_with_its_server(stack, made):
    others = readers()
    with served(stack) as address:
        url, ready = f"{address}/{made['Running'].campaign_id}", address[: -len("api/campaigns")]
        rows = asked(url)["rows"]
        (first,) = readers() - others
        server = first.parent()

        def check_said() -> None:
            for each in readers() - others:
                each.kill()
            for path in (url, f"{ready}readyz"):
                error = asked(path, 503)["error"]
                assert error.startswith(
                    "The process that reads the campaigns has ended: exit status -9. Another is"
                )

        def check_read() -> None:
            assert asked(url)["rows"] == rows

        eventually(check_said)
        eventually(check_read)
        (last,) = readers() - others
        assert is_gone(first) and last.parent() == server
        server.kill()

        def check_gone() -> None:
            assert is_gone(last)

        eventually(check_gone)


@SINKS
def test_a_thousand_places_come_whole_and_what_is_the_same_comes_once(stack, made, sink):
    terms = Terms(
        name="Large",
        start_at=NOW,
        end_at=NOW + timedelta(hours=1),
        places=MOST_PLACES,
    )
    number = campaigns.create(stack.settings, terms, "Ada").campaign_id
    rows = [
        (number, board, place, place, place, 1_000, 5_000 - place, 7, None)
        for board in campaigns.BOARDS
        for place in range(1, MOST_PLACES + 1)
    ]
    reader = Reader(sink, stack.settings)

    def check(rows: Written) -> None:
        latest = reader.read()
        assert latest.trouble is None and number in latest.by_id
        wins = [row[6] for row in rows]
        boards = latest.by_id[number].boards
        assert [row["win"] for board in campaigns.BOARDS for row in boards[board]] == wins

    try:
        write(stack, values(made) + rows)
        eventually(lambda: check(rows))
        before = reader.read()
        rows[0] = (*rows[0][:6], 9_999, *rows[0][7:])
        write(stack, values(made) + rows)
        eventually(lambda: check(rows))
        for campaign_id, standing in reader.read().by_id.items():
            assert (standing is before.by_id[campaign_id]) == (campaign_id != number)
    finally:
        reader.close()
        campaigns.cancel(stack.settings, number, "Ada")
        write(stack, values(made))


def test_a_banned_player_leaves_no_gap_and_a_final_table_stays(address, stack, made):
    running, over = (f"{address}/{made[name].campaign_id}" for name in ("Running", "Over"))
    owner = postgres.connect(postgres.owner_dsn(stack.settings))
    with closing(owner) as db, db.cursor() as cursor:
        ban(cursor, "player", "101")
        try:

            def check() -> None:
                rows = asked(f"{running}?limit=100")["rows"]
                assert [row["player_id"] for row in rows] == list(range(102, 114))
                assert [row["rank_number"] for row in rows[:4]] == [1, 2, 2, 4]

            eventually(check)
            assert asked(over)["rows"][0]["player_id"] == 101
        finally:
            ban(cursor, "player", "101", "unban")


def test_a_decision_shows_within_seconds_and_nothing_restarts(address, stack):
    terms = Terms(name="New", start_at=NOW + timedelta(days=1), end_at=NOW + timedelta(days=2))
    number = campaigns.create(stack.settings, terms, "Ada").campaign_id

    def told(phase: str, **expected: object) -> None:
        def check() -> None:
            for sink in sinks.NAMES:
                found = asked(f"{address}/{number}?sink={sink}")
                assert found | {"phase": phase} | expected == found

        eventually(check)

    told("planned", name="New", rows=[], players=0, window_end=None)
    campaigns.change(stack.settings, number, "Ada", name="Newer", start_at=NOW)
    told("running", name="Newer")
    campaigns.end(stack.settings, number, "Ada")
    told("closing")
    campaigns.cancel(stack.settings, number, "Ada")

    def check_gone() -> None:
        for sink in sinks.NAMES:
            asked(f"{address}/{number}?sink={sink}", 404)

    eventually(check_gone)


def test_somebody_makes_a_campaign_on_the_page_and_sees_it_come(stack, browser: Browser, made):
    name = "<b>Bold</b> & [link](x)"
    with page_server("dashboard", environment=stack.environment) as address:
        page = browser.new_page(viewport={"width": 390, "height": 1400})
        page.goto(f"{address}/campaigns")
        shown = page.locator(".hero h2")
        expect(shown).to_contain_text("Running", timeout=120_000)
        expect(page.get_by_role("timer")).to_have_accessible_name(re.compile("^ends in "))
        expect(page.get_by_role("table", name="Whole campaign").locator("tbody tr")).to_have_count(
            10
        )
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        page.get_by_role("button", name="New campaign").click()
        page.get_by_label("Name").fill(name)
        page.get_by_label("End, UTC").fill(f"{NOW + timedelta(days=40):%Y-%m-%d %H:%M}")
        page.get_by_role("button", name="Create", exact=True).click()
        page.get_by_role("link", name="Show it").click(timeout=120_000)
        expect(shown).to_contain_text(name, timeout=120_000)
        cards = page.get_by_role("navigation", name="All campaigns").get_by_role("listitem")
        expect(cards.filter(has_text=name)).to_contain_text("starts in")
        page.close()
    (one,) = (each for each in campaigns.listed(stack.settings) if each.name == name)
    assert one.end_at - NOW > timedelta(days=39)
    campaigns.cancel(stack.settings, one.campaign_id, "Ada")
