"""Serves the page, with JSON beside it: python -m dashboard.

Its headers keep a browser from asking anybody else.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.routing import Route

from clients.errors import SetupError
from dashboard import api, login, navigation
from settings import PROJECT, SettingError, Settings, settings

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Below the root a browser would first ask beneath the page's own path, in vain, where the server
# is: this tells it.
SERVER_SCRIPT = "window.__streamlit = {BACKEND_BASE_URL: location.origin}"
SERVER_HASH = base64.b64encode(hashlib.sha256(SERVER_SCRIPT.encode()).digest()).decode()

# The one inline script in Streamlit's index.html.
INLINE_SCRIPT = "'sha256-THxz9J9+wf7rhwR2YkXJoSZ13UCmYyC+3lNDv2+8ugA='"

CONTENT = {
    "default-src": "'self'",
    "script-src": f"'self' {INLINE_SCRIPT} 'sha256-{SERVER_HASH}'",
    "style-src": "'self' 'unsafe-inline'",  # Streamlit writes its styles into the page
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in CONTENT.items()),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


class SecurityHeaders:
    """Adds HEADERS to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _below_root(request: Request) -> HTMLResponse:
    shell = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    page = shell.replace("<head>", f"<head><script>{SERVER_SCRIPT}</script>", 1)
    return HTMLResponse(page, headers={"Cache-Control": "no-cache"})


def paths(settings: Settings) -> list[str]:
    """The paths of all pages below the root."""
    return [f"/{page.path}" for page in navigation.pages(settings) if page.path]


def main() -> None:
    """Serve until a signal ends it.

    Raises SystemExit with a message when the settings are wrong, or when others could read the
    page unasked.
    """
    try:
        settings.check_login()
        secrets = login.secrets(settings)
        below_root = [Route(path, _below_root) for path in paths(settings)]
        routes = [*api.routes(settings), *below_root]
    except (SetupError, SettingError) as error:
        sys.exit(f"dashboard: {error}")
    options = {
        "server.address": settings.page_address,
        "server.port": settings.dashboard_port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        # Python collects garbage by itself; doing so after each refresh as well took nine tenths
        # of a refresh's time.
        "runner.postScriptGC": False,
    }
    headers = [Middleware(SecurityHeaders)]
    script = PROJECT / "dashboard" / "pages" / "app.py"
    app = st.App(script, secrets=secrets, routes=routes, middleware=headers)
    app.run(config=options)


if __name__ == "__main__":
    main()
