"""Every page in a real browser, on the running pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import CompletedProcess

import pytest
from playwright.sync_api import Browser, Page

from boards import sinks
from boards.snapshot import Row
from compose import services
from games.score import GAME, TEAM_MVPS, TOP_PLAYERS, TOP_TEAMS
from jobs.running import planned
from settings import Settings, read
from tests.conftest import DEADLINE_SECONDS, eventually
from tests.dashboard import watched

MILLIS = DEADLINE_SECONDS * 1000
PAGES = {"": "Live leaderboards"} | {
    name.lower(): name for name in ("Player", "Team", "Season", "Pipeline", "Moderation")
}


@pytest.fixture(scope="module")
def settings(environment: dict[str, str], started: CompletedProcess[str]) -> Settings:
    """The settings of the system that runs."""
    assert started.returncode == 0, started.stdout + started.stderr
    return read(environment)


@pytest.fixture(scope="module")
def address(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.dashboard_port}/"


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The page of the boards, live."""
    opened = browser.new_page()
    opened.goto(address)
    await_state(opened, "LIVE")
    yield opened
    opened.close()


def await_state(page: Page, word: str) -> None:
    page.get_by_role("status").get_by_text(word, exact=True).wait_for(timeout=MILLIS)


def rows_of(settings: Settings) -> dict[str, list[Row]]:
    """The rows of all boards in the database."""
    return sinks.sink("postgres", settings).read(GAME).rows


@contextmanager
def stopped(settings: Settings, service: str) -> Iterator[None]:
    """While one service is away."""
    supervisor = services.rpc(settings)
    supervisor.stopProcess(service)
    try:
        yield
    finally:
        supervisor.startProcess(service)


def rows(page: Page, board: str) -> list[list[str]]:
    """The texts of a board's cells on the page."""
    return page.locator(f".panel.{board} tbody tr").evaluate_all(
        """rows => rows.map(row => [...row.cells].map(
            cell => cell.innerText.replaceAll('\\n', ' ').trim()))"""
    )


@pytest.mark.parametrize("path", PAGES)
def test_each_page_opens_within_seconds_and_asks_nobody_else(browser, address, path):
    foreign, errors = [], []
    own = (address, address.replace("http", "ws"), "data:", "blob:")
    opened = browser.new_page()
    opened.on(
        "request",
        lambda request: foreign.append(request.url) if not request.url.startswith(own) else None,
    )
    opened.on(
        "console", lambda message: errors.append(message) if message.type == "error" else None
    )
    opened.goto(address + path)
    heading = opened.get_by_role("heading", name=PAGES[path], exact=True)
    heading.wait_for(state="attached", timeout=MILLIS)
    opened.wait_for_load_state("networkidle")
    opened.close()
    assert (foreign, [each.text for each in errors]) == ([], [])


def test_the_numbers_are_those_of_the_views_and_silence_is_told(page, settings):
    with stopped(settings, "score_generator"):
        await_state(page, "STALE")
        page.get_by_text("generator is STOPPED").wait_for(timeout=MILLIS)

        def check() -> None:
            expected = rows_of(settings)
            for board in (TOP_TEAMS, TOP_PLAYERS):
                totals = [
                    [str(row["rank_number"]), f"{row['total_score']:,}"]
                    for row in expected[board.name][:10]
                ]
                assert [[row[0], row[-1]] for row in rows(page, board.name)] == totals
            mvps, players = expected[TEAM_MVPS.name][:10], expected[TOP_PLAYERS.name][:10]
            shares = [f"{100 * row['contribution_ratio']:.1f} %" for row in mvps]
            assert [row[-1] for row in rows(page, TEAM_MVPS.name)] == shares
            names = [f"{row['user_name']} {row['team_name']}" for row in players]
            assert [row[2] for row in rows(page, TOP_PLAYERS.name)] == names

        eventually(check)
    await_state(page, "LIVE")


def test_after_a_minute_there_is_movement(page):
    page.locator(".ranks .move span.good, .ranks .move span.bad, .ranks .move .new").first.wait_for(
        timeout=MILLIS
    )
    page.locator(".ranks .spark polyline").first.wait_for(state="attached", timeout=MILLIS)


def test_a_restart_of_the_database_is_shown_and_survived(page, settings):
    page.evaluate("() => window.sameDocument = true")
    with stopped(settings, "postgres"):
        await_state(page, "STALE")
        page.get_by_text("PostgreSQL cannot be reached").first.wait_for(timeout=MILLIS)
        assert len(rows(page, TOP_PLAYERS.name)) == 10
    await_state(page, "LIVE")
    assert page.evaluate("() => window.sameDocument")


def test_the_pipeline_page_shows_what_flows(page, address):
    page.goto(address + "pipeline")
    jobs = page.get_by_role("table", name="Jobs")
    for board in GAME.boards:
        jobs.get_by_text(f"{board.name} to postgres").wait_for(timeout=MILLIS)
    count = len(planned([(GAME.name, job) for job in GAME.jobs], "postgres", Settings()))
    page.get_by_text(f"{count} of {count} jobs well").wait_for(timeout=MILLIS)
    page.locator(".flow .big", has_text="/s").first.wait_for(timeout=MILLIS)
    assert (
        page.get_by_role("link", name="Flink's own page")
        .get_attribute("href")
        .startswith("http://127.0.0.1:")
    )


def test_a_ban_takes_a_player_off_the_boards_and_unbanning_brings_back(page, address, settings):
    best = rows_of(settings)[TOP_PLAYERS.name][0]["user_id"]

    def is_listed() -> bool:
        return best in [row["user_id"] for row in rows_of(settings)[TOP_PLAYERS.name]]

    for decision in ("Ban", "Unban"):
        page.goto(f"{address}moderation?id={best}")
        page.get_by_role("radio", name=decision, exact=True).click(timeout=MILLIS)
        page.get_by_label("Reason").fill("<b>tested</b>")
        page.get_by_role("button", name=f"{decision} player", exact=True).click()
        page.get_by_text(f"{best} is {decision.lower()}ned").wait_for(timeout=MILLIS)
        page.get_by_role("table", name="Decisions").get_by_text("<b>tested</b>").first.wait_for(
            timeout=MILLIS
        )
        assert is_listed() is (decision == "Unban")


def test_an_open_page_keeps_its_memory(browser, address, settings):
    """Ten minutes are watched with python -m tests.dashboard.watched."""
    uses = list(watched.watch(browser, address, settings.dashboard_port, 60, every=5))
    assert watched.grown(uses) == []


def test_a_player_is_found_by_a_part_of_the_name(page, address, settings):
    row = rows_of(settings)[TOP_PLAYERS.name][0]
    page.goto(f"{address}player")
    search = page.get_by_role("textbox", name="Search")
    search.fill(row["user_name"][1:].upper(), timeout=MILLIS)
    search.press("Enter")
    page.get_by_text(row["user_id"], exact=True).first.wait_for(timeout=MILLIS)
    page.goto(f"{address}player?player={row['user_id']}")
    marked = page.get_by_role("table", name="Neighbours in rank").locator("tr[aria-current]")
    marked.get_by_text(row["user_name"]).wait_for(timeout=MILLIS)
    page.get_by_role("table", name="Last events").locator("tbody tr").nth(1).wait_for(
        timeout=MILLIS
    )


def test_a_name_on_the_boards_leads_to_the_player_and_on_to_the_team(page):
    page.locator(f".{TOP_PLAYERS.name} tbody a").first.click()
    page.get_by_role("heading", name="Form").wait_for(timeout=MILLIS)
    page.locator(".facts a").first.click()
    page.get_by_role("table", name="Members").locator("tbody tr").first.wait_for(timeout=MILLIS)


def test_a_teams_rank_and_points_are_drawn_from_the_history(page, address, settings):
    team = rows_of(settings)[TOP_TEAMS.name][0]["team_id"]
    page.goto(f"{address}team?team={team}")
    page.locator("[data-testid=stVegaLiteChart] :is(canvas, svg)").first.wait_for(
        state="attached", timeout=MILLIS
    )
