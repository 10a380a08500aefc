"""The page and the API below a path, where a proxy serves them: https://example.org/boards/.

Some proxies take the path away before they ask, others keep it: both get the same answers.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


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


class Stripped:
    """Gives an application paths that never begin with the prefix."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app, self._prefix = app, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            scope = {**scope, "path": without(self._prefix, scope["path"])}
        await self._app(scope, receive, send)
