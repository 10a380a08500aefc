"""The page and the API below a path, where a proxy serves them: https://example.org/boards/.

Some proxies take the path away before they ask, others keep it: both get the same answers.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def without(prefix: str, path: str) -> str:
    """A path as it is when no proxy is in front."""
    is_below = path == prefix or path.startswith(f"{prefix}/")
    return (path.removeprefix(prefix) or "/") if is_below else path


class Kept:
    """Gives an application paths that all begin with the prefix."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            path = self._prefix + without(self._prefix, scope["path"])
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)


class OneDeep:
    """Leads from an address below a page's to that page: /player/USR-42 to /player.

    Pages are one step below the root. Anywhere deeper the shell of a page would look for its
    scripts in the wrong place, and stay white.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = without(self._prefix, scope["path"]) if scope["type"] == "http" else ""
        page, _, below = path.lstrip("/").partition("/")
        is_moved = False

        async def lead(message: Message) -> None:
            nonlocal is_moved
            if message["type"] == "http.response.start" and _is_shell(message):
                is_moved = True
                asked = scope["query_string"].decode("latin-1")
                address = f"{self._prefix}/{page}" + (f"?{asked}" if asked else "")
                moved = RedirectResponse(address, 302)
                await moved(scope, receive, send)
            elif not is_moved:
                await send(message)

        await self._app(scope, receive, lead if below else send)


def _is_shell(message: Message) -> bool:
    kind = Headers(raw=message["headers"]).get("content-type", "")
    return message["status"] == 200 and kind.startswith("text/html")


class Stripped:
    """Gives an application paths that never begin with the prefix."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = {**scope, "path": without(self._prefix, scope["path"])}
        await self._app(scope, receive, send)
