"""Who may read a page that others can reach.

The OpenID Connect provider is made up; the login and the browser are real.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from playwright.sync_api import Browser, Page

from settings import PROJECT, SettingError, Settings
from tests.dashboard.test_browser import served, serving

CLIENT, SECRET = "leaderboard", "client-4f1d9c0b7e"


class Provider(ThreadingHTTPServer):
    """Knows one person at a time, `claims`, and logs everybody in as that person without asking."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.key = RSAKey.generate_key(2048, {"kid": "1"})
        self.claims: dict[str, object] = {}
        self.nonces: dict[str, str] = {}

    def id_token(self, code: str) -> str:
        times = {"iat": int(time()), "exp": int(time()) + 60}
        who = {"iss": self.address, "aud": CLIENT, "sub": "1", "nonce": self.nonces.pop(code)}
        return jwt.encode({"alg": "RS256", "kid": "1"}, who | times | self.claims, self.key)


class Answer(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        at, asked = (
            self.server.address,
            {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()},
        )
        if self.path.startswith("/authorize"):
            code = f"code{len(self.server.nonces)}"
            self.server.nonces[code] = asked["nonce"]
            back = urlencode({"code": code, "state": asked["state"]})
            self.answer(302, {}, Location=f"{asked['redirect_uri']}?{back}")
        elif self.path == "/keys":
            self.answer(200, {"keys": [self.server.key.as_dict(private=False)]})
        else:
            self.answer(
                200,
                {
                    "issuer": at,
                    "authorization_endpoint": f"{at}/authorize",
                    "token_endpoint": f"{at}/token",
                    "jwks_uri": f"{at}/keys",
                    "id_token_signing_alg_values_supported": ["RS256"],
                },
            )

    def do_POST(self) -> None:
        asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        token = {
            "access_token": "x",
            "token_type": "Bearer",
            "id_token": self.server.id_token(asked["code"][0]),
        }
        self.answer(200, token)

    def answer(self, status: int, body: dict, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    provider = Provider()
    with serving(provider):
        yield provider


def login_settings(provider: Provider, folder: Path) -> dict[str, str]:
    """The environment of a page on which people log in there; its secret is in a file."""
    (folder / "secret").write_text(SECRET)
    return {
        "LEADERBOARD_STATE_FOLDER": str(folder),
        "LEADERBOARD_OIDC_METADATA_URL": f"{provider.address}/.well-known/openid-configuration",
        "LEADERBOARD_OIDC_CLIENT_ID": CLIENT,
        "LEADERBOARD_OIDC_CLIENT_SECRET_FILE": str(folder / "secret"),
    }


@pytest.fixture(scope="module")
def address(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page for ada@example.org and everybody of example.com."""
    changed = login_settings(provider, tmp_path_factory.mktemp("login"))
    changed["LEADERBOARD_OIDC_ALLOWED"] = "ada@example.org, @example.com"
    with served("Ada", **changed) as found:
        yield found


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A browser that nobody has logged in with, at the page."""
    with closing(browser.new_context()) as context:
        opened = context.new_page()
        opened.goto(address)
        opened.get_by_role("button", name="Log in").wait_for(timeout=60_000)
        yield opened


def test_without_a_login_nothing_is_shown(page):
    assert "Top teams" not in page.content()


@pytest.mark.parametrize("email", ["ada@example.org", "Bob@Example.com"])
def test_who_is_allowed_sees_the_boards(page, provider, email):
    provider.claims = {"email": email, "email_verified": True}
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("LIVE", exact=True).wait_for(timeout=60_000)
    page.get_by_role("heading", name="Top teams").wait_for()


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "eve@example.org", "email_verified": True},
        {"email": "ada@example.org", "email_verified": False},
        {"email": "eve@evil-example.com", "email_verified": True},
        {},
    ],
)
def test_who_is_not_allowed_is_told_so(page, provider, claims):
    provider.claims = claims
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("may not read this page").wait_for(timeout=60_000)
    assert "Top teams" not in page.content()
    page.get_by_role("button", name="Log out").click()
    page.get_by_role("button", name="Log in").wait_for(timeout=60_000)


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.1", "::", "boards.example.org"])
def test_a_page_that_others_reach_is_not_served_without_a_login(address):
    with pytest.raises(SettingError, match="open to everybody"):
        Settings(bind_address=address).check_login()
    with pytest.raises(SettingError, match="open to everybody"):
        Settings(dashboard_address=address).check_login()
    Settings(dashboard_address=address, page_without_login="yes").check_login()


def test_half_a_login_is_refused_by_what_is_missing():
    with pytest.raises(SettingError, match="LEADERBOARD_OIDC_CLIENT_ID"):
        Settings(oidc_metadata_url="https://example.org").check_login()


@pytest.mark.parametrize("words", [("dashboard",), ("dashboard.api",), ("compose", "check")])
def test_nothing_starts_for_everybody_unasked(words, tmp_path: Path):
    changed = {
        "LEADERBOARD_DASHBOARD_ADDRESS": "0.0.0.0",
        "LEADERBOARD_STATE_FOLDER": str(tmp_path),
    }
    command = [sys.executable, "-m", *words]
    done = subprocess.run(
        command, env=os.environ | changed, cwd=PROJECT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert "LEADERBOARD_PAGE_WITHOUT_LOGIN" in done.stderr
    assert "Traceback" not in done.stderr
