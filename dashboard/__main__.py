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
from settings import PROJECT, SettingError, Settings, refuse, settings

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

    Raises SystemExit: with 2 when a setting is wrong, or when others could read the page unasked;
    with 1 when a file that a setting names cannot be used.
    """
    try:
        settings.check_login()
        secrets = login.secrets(settings)
        below_root = [Route(path, _below_root) for path in paths(settings)]
        beside_pages = Middleware(api.BesidePages, api=api.application(settings))
    except SettingError as error:
        refuse(error)
    except SetupError as error:
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
    middleware = [Middleware(SecurityHeaders), beside_pages]
    script = PROJECT / "dashboard" / "pages" / "app.py"
    app = st.App(script, secrets=secrets, routes=below_root, middleware=middleware)
    app.run(config=options)


if __name__ == "__main__":
    main()
