"""The page, the API and the log-in below a path, behind proxies that strip it and that keep it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from socket import SHUT_WR, create_connection, socket
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, Page

from dashboard.prefix import without
from games.score import GAME, TOP_PLAYERS
from settings import PROJECT, SettingError, Settings, read
from tests.conftest import free_ports, page_server
from tests.dashboard.test_browser import serving
from tests.dashboard.test_login import Provider, login_settings

PREFIX = "/boards"


class Proxy(ThreadingTCPServer):
    """Serves what is at an address below PREFIX and nothing else, as proxies of the web do."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, port: int, *, strips: bool) -> None:
        super().__init__(("127.0.0.1", port), Passing)
        self.strips, self.backend = strips, ""
        self.lost: list[str] = []  # what was asked for above the prefix


class Passing(StreamRequestHandler):
    """Passes one request on, and then all bytes both ways until one side ends."""

    server: Proxy

    def handle(self) -> None:
        first, *others = iter(self.rfile.readline, b"\r\n")
        method, path, version = first.decode().split(" ", 2)
        if not path.startswith(f"{PREFIX}/"):
            self.server.lost.append(path)
            self.wfile.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            return
        path = path.removeprefix(PREFIX) if self.server.strips else path
        is_upgrade = any(line.lower().startswith(b"upgrade:") for line in others)
        own = rb"^(host|connection):"
        kept = [line for line in others if is_upgrade or not re.match(own, line, re.IGNORECASE)]
        if not is_upgrade:
            kept.append(b"Connection: close\r\n")
        # As nginx does by default, it asks with the backend's own name.
        kept = [line for line in kept if not line.lower().startswith(b"host:")]
        kept.append(f"Host: {self.server.backend}\r\n".encode())
        head = f"{method} {path} {version}".encode() + b"".join(kept) + b"\r\n"
        host, _, port = self.server.backend.partition(":")
        with create_connection((host, int(port))) as backend:
            backend.sendall(head)
            Thread(target=self._pass_on, args=(backend,), daemon=True).start()
            while received := backend.recv(65536):
                self.wfile.write(received)

    def _pass_on(self, backend: socket) -> None:
        try:
            while sent := self.rfile.read1(65536):
                backend.sendall(sent)
            backend.shutdown(SHUT_WR)
        except (OSError, ValueError):
            pass  # one of the sides has ended; what was read from is closed then


@contextmanager
def proxied(module: str, *names: str, strips: bool, **changed: str) -> Iterator[tuple[str, Proxy]]:
    """The address of a server's page behind a proxy, and the proxy."""
    (port,) = free_ports(1)
    url = f"http://localhost:{port}{PREFIX}"
    with (
        Proxy(port, strips=strips) as proxy,
        page_server(module, *names, environment=os.environ | changed, page_url=url) as backend,
    ):
        proxy.backend = backend.removeprefix("http://")
        with serving(proxy):
            yield url, proxy


@pytest.fixture(scope="module", params=[True, False], ids=["strips", "keeps"])
def served(request: pytest.FixtureRequest) -> Iterator[tuple[str, Proxy]]:
    with proxied("tests.dashboard.served", "Ada", "Bob", strips=request.param) as found:
        yield found


@pytest.fixture
def page(browser: Browser, served: tuple[str, Proxy]) -> Iterator[Page]:
    """A browser's page; nothing that it asks for is above the prefix."""
    served[1].lost.clear()
    with closing(browser.new_context()) as context:
        yield context.new_page()
    assert set(served[1].lost) <= {"/favicon.ico"}


def await_boards(page: Page) -> None:
    page.get_by_text("LIVE", exact=True).wait_for(timeout=60_000)
    page.locator("table.ranks tbody th").first.wait_for(timeout=60_000)


@pytest.mark.parametrize("path", ["Player", "Team", "Pipeline", "Moderation"])
def test_every_page_is_there_and_so_are_the_ways_between_them(served, page, path):
    url, _ = served
    page.goto(f"{url}/{path.lower()}")
    page.get_by_role("heading", name=path, exact=True).wait_for(timeout=60_000)
    page.get_by_role("link", name="Live", exact=True).click()
    await_boards(page)
    assert page.url in (url, f"{url}/")
    page.get_by_role("link", name=path, exact=True).click()
    page.get_by_role("heading", name=path, exact=True).wait_for(timeout=60_000)
    assert page.url == f"{url}/{path.lower()}"
    page.reload()
    page.get_by_role("heading", name=path, exact=True).wait_for(timeout=60_000)


def test_live_leads_to_a_player_and_to_the_wall_and_saves_boards(served, page):
    url, _ = served
    page.goto(f"{url}/")
    await_boards(page)
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name=TOP_PLAYERS.title).click()
    assert saved.value.path().stat().st_size > 100
    page.keyboard.press("Escape")  # what is offered covers the boards
    page.locator(f".{TOP_PLAYERS.name} tbody a").first.click()
    page.get_by_role("heading", name="Player", exact=True).wait_for(timeout=60_000)
    assert page.url == f"{url}/player?player=u0"
    page.goto(f"{url}/?view=wall")
    await_boards(page)
    assert page.locator(".panel").count() == len(GAME.boards)


@pytest.mark.parametrize("module", ["tests.dashboard.served", "dashboard.api"])
@pytest.mark.parametrize("strips", [True, False])
def test_the_api_is_below_the_prefix_and_lists_itself_there(module, strips):
    with proxied(module, strips=strips) as (url, proxy):
        paths = [
            each["path"] for each in requests.get(f"{url}/api", timeout=20).json()["addresses"]
        ]
        assert f"{PREFIX}/api/boards" in paths
        origin = url.removesuffix(PREFIX)
        assert requests.get(f"{origin}{PREFIX}/healthz", timeout=20).json() == {"status": "alive"}
        answer = requests.get(f"{url}/api/golf", timeout=20)
        assert answer.status_code == 404
        assert f"there are {PREFIX}/api/boards" in answer.json()["error"]
        # Whoever asks without the proxy needs no prefix.
        direct = requests.get(f"http://{proxy.backend}/api/golf", timeout=20)
        assert direct.json() == answer.json()


@pytest.mark.parametrize("strips", [True, False], ids=["strips", "keeps"])
def test_an_address_below_a_pages_leads_to_the_page(strips):
    """There the page's shell would find none of its scripts, and stay white."""
    with proxied("tests.dashboard.served", strips=strips) as (url, _):
        for path, leads_to in (
            ("/player/USR-42?top=5", "/player?top=5"),
            ("/golf/9/holes", "/golf"),
            ("/\\x.example/y", "/%5Cx.example"),
        ):
            answer = requests.get(url + path, allow_redirects=False, timeout=20)
            assert (answer.status_code, answer.headers["Location"]) == (302, PREFIX + leads_to)
        script = re.search(r'src="\./(static/[^"]+)"', requests.get(f"{url}/", timeout=20).text)
        assert script
        for path in ("_stcore/health", script[1]):
            answer = requests.get(f"{url}/{path}", allow_redirects=False, timeout=20)
            assert answer.status_code == 200


@pytest.mark.parametrize("strips", [True, False], ids=["strips", "keeps"])
def test_people_log_in_below_the_prefix(browser, tmp_path: Path, strips: bool):
    provider = Provider()
    provider.claims = {"email": "ada@example.org", "email_verified": True}
    changed = login_settings(provider, tmp_path)
    with (
        serving(provider),
        proxied("tests.dashboard.served", "Ada", strips=strips, **changed) as (url, proxy),
        closing(browser.new_context()) as context,
    ):
        page = context.new_page()
        page.goto(f"{url}/player")
        page.get_by_role("button", name="Log in").click(timeout=60_000)
        await_boards(page)
        assert page.url in (url, f"{url}/")
        page.goto(f"{url}/team")
        page.get_by_role("heading", name="Team", exact=True).wait_for(timeout=60_000)
        paths = {each["path"] for each in context.cookies() if "user" in each["name"]}
        assert paths == {PREFIX}
        assert set(proxy.lost) <= {"/favicon.ico"}


@pytest.mark.parametrize(
    ("path", "own"),
    [
        ("/boards", "/"),
        ("/boards/", "/"),
        ("/boards/team", "/team"),
        ("/boardsx", "/boardsx"),
        ("/team", "/team"),
        ("/", "/"),
    ],
)
def test_a_path_is_the_same_with_the_prefix_and_without(path, own):
    assert without(PREFIX, path) == own
    assert without("", own) == own


@pytest.mark.parametrize(
    "text", ["https://example.org", "http://localhost:8080/a/b-1/", "https://x/"]
)
def test_a_page_url_may_have_a_path(text):
    assert read({"LEADERBOARD_PAGE_URL": text}).page_prefix == urlsplit(text).path.rstrip("/")


@pytest.mark.parametrize(
    "text",
    ["example.org", "https://example.org/a b", "https://x/?a", "https://x/../y", "https:///x"],
)
def test_what_is_no_page_url_is_refused(text):
    with pytest.raises(SettingError, match=r"LEADERBOARD_PAGE_URL is .* must be like"):
        read({"LEADERBOARD_PAGE_URL": text})


def test_a_proxy_that_shows_the_page_to_others_needs_a_login():
    shown = Settings(page_url="https://example.org/boards")
    assert not shown.is_page_for_this_machine
    with pytest.raises(SettingError, match=r"everybody who reaches https://example\.org/boards"):
        shown.check_login()
    assert Settings(page_url="http://localhost:8080/boards").is_page_for_this_machine


@pytest.mark.parametrize("path", ["/player", "/api", "/api/x", "/healthz"])
def test_a_prefix_that_could_mean_a_page_is_refused(path):
    done = subprocess.run(
        [sys.executable, "-m", "dashboard"],
        env=os.environ | {"LEADERBOARD_PAGE_URL": f"http://localhost{path}"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "its path must not be that of a page or of the API: /player, /team," in done.stderr
