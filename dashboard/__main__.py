"""Serves the page, with JSON beside it: python -m dashboard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.routing import Route

from clients.errors import SetupError
from dashboard import api, login, navigation
from dashboard.headers import SERVER_SCRIPT, SecurityHeaders
from settings import PROJECT, SettingError, Settings, settings

if TYPE_CHECKING:
    from starlette.requests import Request


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
