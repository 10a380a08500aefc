"""A real browser at the page asks nobody else for anything, whatever players call themselves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseServer
from threading import Thread

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect

from games.score import GAME, TOP_PLAYERS
from tests.conftest import page_server

NAMES = [
    "![x]({evil}/markdown.png)",
    "<img src={evil}/element.png>",
    "<script src={evil}/script.js></script>",
    "[x]({evil}/link)",
    "<style>@import '{evil}/style.css'</style>",
    "{evil}/plain.png",
]


class Evil(ThreadingHTTPServer):
    """Another site: remembers what it is asked for, and shows the page at `framed` in a frame."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str] = []
        self.framed = ""
        self.address = f"http://127.0.0.1:{self.server_address[1]}"


class Answer(BaseHTTPRequestHandler):
    server: Evil

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(
            f"<h1>Free points</h1><iframe src='{self.server.framed}'></iframe>".encode()
        )

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    """Lets a server work in the background."""
    with server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield
        server.shutdown()


@pytest.fixture(scope="module")
def evil() -> Iterator[Evil]:
    opened = Evil()
    with serving(opened):
        yield opened


@contextmanager
def served(*names: str, **changed: str) -> Iterator[str]:
    """The address of the page over boards with these names, under these changed settings."""
    with page_server("tests.dashboard.served", *names, environment=os.environ | changed) as address:
        yield address


@pytest.fixture(scope="module")
def address(evil: Evil) -> Iterator[str]:
    with served(*(name.format(evil=evil.address) for name in NAMES)) as found:
        yield found


@pytest.fixture(scope="module")
def page(browser: Browser, address: str) -> Page:
    """A browser's page that shows the boards."""
    opened = browser.new_page()
    opened.goto(address)
    await_boards(opened)
    return opened


def await_boards(page: Page) -> None:
    last = len(GAME.boards) * len(NAMES) - 1
    page.get_by_text("LIVE", exact=True).wait_for(timeout=60_000)
    page.locator("table.ranks tbody th").nth(last).wait_for(timeout=60_000)


def test_names_make_no_request_and_run_nothing(browser, address, evil):
    evil.asked.clear()
    asked, errors = [], []
    opened = browser.new_page()
    opened.on("request", lambda request: asked.append(request.url))
    opened.on(
        "console", lambda message: errors.append(message.text) if message.type == "error" else None
    )
    opened.goto(address)
    await_boards(opened)
    opened.wait_for_load_state("networkidle")
    opened.close()
    own = (address, "data:", "blob:")
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith(own)] == []
    assert evil.asked == []
    assert errors == []


@pytest.mark.parametrize(
    ("attempt", "directive"),
    [
        ("fetch(evil).catch(() => 0)", "connect-src"),
        ("new WebSocket(evil.replace('http', 'ws'))", "connect-src"),
        ("navigator.sendBeacon(evil)", "connect-src"),
        ("document.body.append(Object.assign(new Image(), {src: evil}))", "img-src"),
        (
            "document.body.append(Object.assign(document.createElement('script'), {src: evil}))",
            "script-src-elem",
        ),
        (
            "document.body.append(Object.assign(document.createElement('script'), {text: '1'}))",
            "script-src-elem",
        ),
        ("document.body.setAttribute('onclick', '1'); document.body.click()", "script-src-attr"),
        (
            "document.body.append(Object.assign(document.createElement('iframe'), {src: evil}))",
            "frame-src",
        ),
        (
            "document.fonts.load('1em evil', "
            "document.fonts.add(new FontFace('evil', `url(${evil})`)))",
            "font-src",
        ),
    ],
)
def test_what_got_in_all_the_same_is_refused_by_the_browser(page, evil, attempt, directive):
    evil.asked.clear()
    refused = f"""evil => new Promise((tell, fail) => {{
        document.addEventListener(
            'securitypolicyviolation', event => tell(event.effectiveDirective), {{once: true}})
        setTimeout(() => fail('nothing was refused'), 10000)
        {attempt}
    }})"""
    assert page.evaluate(refused, evil.address) == directive
    assert evil.asked == []


def test_another_site_cannot_frame_the_page(browser, address, evil):
    evil.framed = address
    opened = browser.new_page()
    refused = []
    opened.on(
        "console",
        lambda message: refused.append(message.text) if "frame-ancestors" in message.text else None,
    )
    opened.goto(evil.address)
    assert refused
    assert not opened.frames[1].get_by_text("Live leaderboards").count()
    opened.close()


@pytest.mark.parametrize(
    ("origin", "answer"), [("{own}", 101), ("http://evil.example", 403), ("null", 403)]
)
def test_another_site_cannot_drive_the_page(address, origin, answer):
    """Who may ban must not do so for a site that is open in the next tab."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Origin": origin.format(own=address),
    }
    headers |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    with requests.get(
        f"{address}/_stcore/stream", headers=headers, stream=True, timeout=10
    ) as asked:
        assert asked.status_code == answer


def places(page: Page, number: int) -> Locator:
    return page.get_by_role("radiogroup", name="Places").get_by_role(
        "radio", name=str(number), exact=True
    )


def test_each_choice_is_a_step_in_the_browsers_history_and_no_refresh_is(browser, address):
    opened = browser.new_page()
    opened.goto(address)
    await_boards(opened)
    begin = opened.evaluate("history.length")
    for number in (25, 50):
        places(opened, number).click()
        opened.wait_for_url(f"{address}/?top={number}")
    opened.get_by_text("Pause", exact=True).click()
    opened.wait_for_url(f"{address}/?top=50&paused=true")
    opened.get_by_text("PAUSED", exact=True).wait_for()
    opened.go_back()
    for _ in range(3):
        await_refresh(opened)
    assert opened.evaluate("history.length") == begin + 3
    for search, number in (("?top=50", 50), ("?top=25", 25), ("", 10)):
        opened.wait_for_url(f"{address}/{search}")
        opened.get_by_text("LIVE", exact=True).wait_for()
        expect(places(opened, number)).to_be_checked()
        if search:
            opened.go_back()
    opened.go_forward()
    opened.wait_for_url(f"{address}/?top=25")
    expect(places(opened, 25)).to_be_checked()
    opened.close()


def test_each_team_is_a_step_in_the_history_and_so_is_each_page(browser, address):
    opened = browser.new_page()
    opened.goto(f"{address}/team")
    box = opened.get_by_role("combobox", name="Choose a team")
    for place in (0, 1):
        box.click(timeout=60_000)
        opened.get_by_role("option").nth(place).click()
        opened.wait_for_url(f"{address}/team?team=t{place}")
    opened.get_by_role("link", name="Player", exact=True).click()
    opened.wait_for_url(f"{address}/player")
    search = opened.get_by_role("textbox", name="Search")
    search.fill("ada", timeout=60_000)
    search.press("Enter")
    opened.wait_for_url(f"{address}/player?search=ada")
    opened.go_back()
    opened.wait_for_url(f"{address}/player")
    expect(search).to_have_value("")
    opened.go_back()
    opened.wait_for_url(f"{address}/team?team=t1")
    opened.go_back()
    opened.wait_for_url(f"{address}/team?team=t0")
    opened.get_by_role("heading", name="Team", exact=True).wait_for()
    opened.go_back()
    opened.wait_for_url(f"{address}/team")
    opened.get_by_role("heading", name="Top teams").wait_for(timeout=60_000)
    opened.close()


@pytest.mark.parametrize(
    ("path", "title"),
    [("", "Live leaderboards"), ("pipeline", "Pipeline · Live leaderboards")],
)
def test_tabs_and_bookmarks_name_the_page(browser, address, path, title):
    opened = browser.new_page()
    opened.goto(f"{address}/{path}")
    expect(opened).to_have_title(title, timeout=60_000)
    opened.close()


def test_a_board_is_saved_as_a_file(browser, address):
    opened = browser.new_page()
    opened.goto(address)
    await_boards(opened)
    opened.get_by_role("button", name="Download").click()
    with opened.expect_download() as saved:
        opened.get_by_role("button", name=TOP_PLAYERS.title).click()
    assert saved.value.suggested_filename.startswith("top_players_day-2")
    text = saved.value.path().read_text(encoding="utf-8-sig")
    assert text.startswith("rank_number,user_id,user_name,")
    assert len(text.splitlines()) == 1 + len(NAMES)
    opened.close()


def test_a_refresh_leaves_the_keyboard_where_it_is(page):
    link = page.locator(f".{TOP_PLAYERS.name} table a").first
    link.focus()
    page.evaluate("() => window.focused = document.activeElement")
    for _ in range(3):
        await_refresh(page)
    assert page.evaluate(
        "() => document.activeElement.tagName == 'A' && document.activeElement === window.focused"
    )


def await_refresh(page: Page) -> None:
    """Wait until the page has been told the boards' age anew."""
    page.evaluate(
        """() => new Promise((tell, fail) => {
            new MutationObserver((_, observer) => { observer.disconnect(); tell() }).observe(
                document.querySelector('.facts'),
                {subtree: true, characterData: true, childList: true})
            setTimeout(() => fail('no refresh'), 30000)
        })"""
    )


@pytest.mark.parametrize("width", [390, 1400, 3840])
@pytest.mark.parametrize("view", ["", "?view=wall", "?top=100"])
def test_nothing_is_cut_off_at_the_side(browser, address, width, view):
    opened = browser.new_page(
        viewport={"width": width, "height": width * 9 // 16 if width > 400 else 844}
    )
    opened.goto(address + view, timeout=120_000)
    await_boards(opened)
    assert opened.evaluate("document.documentElement.scrollWidth") <= width
    wider = """cells => cells.filter(cell => cell.scrollWidth > cell.clientWidth + 1
        && getComputedStyle(cell).textOverflow != 'ellipsis').length"""
    assert opened.locator("table.ranks th, table.ranks td").evaluate_all(wider) == 0
    opened.close()


@pytest.mark.parametrize(
    ("width", "height"), [(1280, 720), (1920, 1080), (1600, 1200), (3840, 2160)]
)
def test_all_boards_fit_on_a_wall(browser, address, width, height):
    wall = browser.new_page(viewport={"width": width, "height": height})
    wall.goto(f"{address}?view=wall", timeout=120_000)
    await_boards(wall)
    assert wall.locator(".panel").count() == len(GAME.boards)
    fits = "() => [...document.querySelectorAll('.panel')].every(is_inside)"
    is_inside = "panel => panel.getBoundingClientRect().bottom <= innerHeight"
    wall.wait_for_function(fits.replace("is_inside", is_inside), timeout=60_000)
    wall.close()


def test_on_a_phone_the_way_to_a_page_closes_nothing_and_the_state_comes_first(browser, address):
    phone = browser.new_page(viewport={"width": 390, "height": 844})
    phone.goto(address, timeout=120_000)
    await_boards(phone)
    # All at one moment, because the page moves while it settles.
    tops = phone.evaluate(
        "names => names.map(name => document.querySelector(name).getBoundingClientRect().top)",
        ["h1", ".facts", ".st-key-controls", ".boards"],
    )
    assert tops == sorted(tops)
    phone.get_by_role("link", name="Team", exact=True).click()
    phone.get_by_role("heading", name="Team", exact=True).wait_for(timeout=60_000)
    phone.get_by_role("link", name="Live", exact=True).click()
    await_boards(phone)
    phone.close()


def test_a_small_wall_has_larger_names_in_place_of_trends(browser, address):
    wall = browser.new_page(viewport={"width": 1280, "height": 720})
    wall.goto(f"{address}?view=wall", timeout=120_000)
    await_boards(wall)
    size = "cell => parseFloat(getComputedStyle(cell).fontSize)"
    assert wall.locator("table.ranks tbody th").first.evaluate(size) > 12.5
    assert wall.locator("table.ranks .trend > *:visible").count() == 0
    wall.close()


def test_every_answer_has_the_headers(address):
    for path in ("/", "/_stcore/health", "/static/nothing.js", "/a/b"):
        headers = requests.get(address + path, timeout=5).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_the_policy_names_no_other_site():
    from dashboard.headers import CONTENT

    words = {word for value in CONTENT.values() for word in value.split()}
    assert {word for word in words if not word.startswith("'")} == {"data:", "blob:"}
    assert "'unsafe-eval'" not in words
    assert "'unsafe-inline'" not in CONTENT["script-src"]
