"""Serves the page, with JSON beside it: python -m dashboard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse
from starlette.routing import Route

from clients.errors import SetupError
from dashboard import api, login, navigation
from dashboard.headers import SERVER_SCRIPT, SecurityHeaders
from dashboard.prefix import Kept, OneDeep
from settings import PROJECT, SettingError, Settings, refuse, settings

if TYPE_CHECKING:
    from starlette.requests import Request


def _below_root(request: Request) -> HTMLResponse:
    shell = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    page = shell.replace("<head>", f"<head><script>{SERVER_SCRIPT}</script>", 1)
    return HTMLResponse(page, headers={"Cache-Control": "no-cache"})


def paths(settings: Settings) -> list[str]:
    """The paths of all pages below the root.

    Raises SettingError when a proxy serves the page below a path that could mean one of them.
    """
    listed = [f"/{page.path}" for page in navigation.pages(settings) if page.path]
    prefix = settings.page_prefix
    if prefix in listed or api.is_asked(prefix):
        raise SettingError(
            f"LEADERBOARD_PAGE_URL is {settings.page_url!r}; its path must not be that of a page "
            f"or of the API: {', '.join(listed)}, /api."
        )
    return listed


def main() -> None:
    """Serve until a signal ends it.

    Raises SystemExit: with 2 when a setting is wrong, or when others could read the page unasked;
    with 1 when a file that a setting names cannot be used.
    """
    try:
        settings.check_login()
        secrets = login.secrets(settings)
        prefix = settings.page_prefix
        below_root = [Route(prefix + path, _below_root) for path in paths(settings)]
        beside_pages = Middleware(api.BesidePages, api=api.application(settings), prefix=prefix)
    except SettingError as error:
        refuse(error)
    except SetupError as error:
        sys.exit(f"dashboard: {error}")
    options: dict[str, Any] = {
        "server.address": settings.page_address,
        "server.port": settings.dashboard_port,
        "server.baseUrlPath": prefix,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "browser.gatherUsageStats": False,
        # Python collects garbage by itself; doing so after each refresh as well took nine tenths
        # of a refresh's time.
        "runner.postScriptGC": False,
    }
    if settings.page_url:
        # A proxy may ask with another host, and still the page's own connection is no other site's.
        options["browser.serverAddress"] = urlsplit(settings.page_url).hostname
    below = [Middleware(OneDeep, prefix=prefix), Middleware(Kept, prefix=prefix)]
    middleware = [Middleware(SecurityHeaders), beside_pages, *below]
    script = PROJECT / "dashboard" / "pages" / "app.py"
    app = st.App(script, secrets=secrets, routes=below_root, middleware=middleware)
    app.run(config=options)


if __name__ == "__main__":
    main()
