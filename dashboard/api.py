"""The boards and lookups as JSON beside the page, for programs; read only. README.md shows what it answers."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from compose.errors import SetupError
from compose.status import STALE_SECONDS
from dashboard import boards, health, live, players
from dashboard.boards import BoardsUnavailable
from jobs import job, sql
from settings import Settings

MAX_AGE_SECONDS = 1  # as often as the boards are read
READ_SECONDS = 10  # boards that were read longer ago are of a refresh that hangs

JSON = "application/json"


class Problem(Exception):
    """What cannot be answered: the status, and a sentence that says why."""

    def __init__(self, status: int, why: str, **headers: str) -> None:
        super().__init__(why)
        self.status, self.headers = status, headers


def routes(settings: Settings) -> list[Route | Mount]:
    """What the page's server answers besides the page. Raises SetupError when the token's file cannot be read."""
    token = _token(settings)
    api = {
        "/boards": all_boards,
        "/boards/{board}": one_board,
        "/players": find_players,
        "/players/{id:path}": one_player,
        "/teams/{id:path}": one_team,
    }
    under = [Route(path, _answering(ask, settings, token, asks_who=True)) for path, ask in api.items()]
    errors = {HTTPException: _refused}
    return [
        Mount("/api", Starlette(routes=[*under, Route("/{rest:path}", _nothing)], exception_handlers=errors)),
        Route("/healthz", _answering(lambda *_: {"status": "alive"}, settings, token)),
        Route("/readyz", _answering(ready, settings, token)),
    ]


def _token(settings: Settings) -> bytes | None:
    """What callers must show; b"" when nobody can, because people log in and programs were given nothing."""
    if settings.api_token_file:
        try:
            token = Path(settings.api_token_file).read_bytes().strip()
        except OSError as error:
            raise SetupError(f"LEADERBOARD_API_TOKEN_FILE cannot be read: {error}") from None
        if not token:
            raise SetupError(f"LEADERBOARD_API_TOKEN_FILE {settings.api_token_file} is empty")
        return token
    return b"" if settings.oidc_metadata_url else None


def _answering(ask: Callable, settings: Settings, token: bytes | None, asks_who: bool = False) -> Callable:
    def endpoint(request: Request) -> Response:  # not async, so that Starlette calls it in a thread: it may wait
        try:
            if asks_who:
                _check_token(request, token)
            return _json(ask(request, settings), request=request)
        except Problem as problem:
            return _json({"error": str(problem)}, problem.status, headers=problem.headers)
        except BoardsUnavailable as error:
            return _json({"error": str(error)}, 503, headers={"Retry-After": "5"})

    return endpoint


def _check_token(request: Request, token: bytes | None) -> None:
    if token is None:
        return
    shown = request.headers.get("authorization", "").encode()
    if not token or not hmac.compare_digest(shown, b"Bearer " + token):
        why = "Show the token of LEADERBOARD_API_TOKEN_FILE: the header Authorization: Bearer …"
        raise Problem(401, why, **{"WWW-Authenticate": "Bearer"})


def _json(found: Any, status: int = 200, request: Request | None = None, headers: dict | None = None) -> Response:
    body = json.dumps(found, default=_text, ensure_ascii=False, allow_nan=False).encode(errors="replace")
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    caching = {"ETag": etag, "Cache-Control": f"private, max-age={MAX_AGE_SECONDS}"}
    if request is None:
        return Response(body, status, {"Cache-Control": "no-store"} | (headers or {}), JSON)
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=caching)
    return Response(body, status, caching, JSON)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} is nothing that JSON knows")


def _refused(request: Request, error: HTTPException) -> Response:
    why = f"{request.method} is not for reading; ask with GET." if error.status_code == 405 else str(error.detail)
    return _json({"error": why}, error.status_code, headers=dict(error.headers or {}))


def _nothing(request: Request) -> Response:
    what = "/api/boards, /api/boards/{board}, /api/players?name=, /api/players/{id} and /api/teams/{id}"
    return _json({"error": f"There is nothing here; there are {what}."}, 404)


# What is asked


def all_boards(request: Request, settings: Settings) -> dict[str, Any]:
    """Which boards there are, how many rows each has and how new they are."""
    _only(request, "sink")
    sink, look = _look(request, settings)
    listed = [
        {"board": name, "rows": len(look.boards.rows[name]), "newest": look.boards.newest(name)} for name in sql.METRICS
    ]
    return _about(sink, look) | {"boards": listed}


def one_board(request: Request, settings: Settings) -> dict[str, Any]:
    """A board's rows in rank order, a page of them."""
    name = request.path_params["board"]
    if name not in sql.METRICS:
        raise Problem(404, f"No board is called {name!r}; there are {', '.join(sql.METRICS)}.")
    _only(request, "sink", "limit", "offset")
    limit, offset = _number(request, "limit", 10, 1, boards.LIMIT), _number(request, "offset", 0, 0, 10_000)
    sink, look = _look(request, settings)
    rows = look.boards.rows[name]
    shown = [row | {"movement": look.movement(name, row[live.KEYS[name]])} for row in rows[offset : offset + limit]]
    following = offset + limit if offset + limit < len(rows) else None
    page = {"board": name, "total": len(rows), "limit": limit, "offset": offset, "next_offset": following}
    return _about(sink, look) | page | {"rows": shown}


def find_players(request: Request, settings: Settings) -> dict[str, Any]:
    """Players by a part of their id or name, the best twenty."""
    _only(request, "name")
    name = request.query_params.get("name", "").strip()
    if not name or len(name) > players.TEXT_LENGTH or "\0" in name:
        raise Problem(400, f"name must be 1 to {players.TEXT_LENGTH} characters of a player's id or name.")
    _need_totals(settings)
    return {"players": players.find(name, settings)}


def one_player(request: Request, settings: Settings) -> dict[str, Any]:
    """A player with rank, percentile, team, ban and neighbours."""
    return _one(request, settings, "player", players.player)


def one_team(request: Request, settings: Settings) -> dict[str, Any]:
    """A team with rank, ban, MVP and members."""
    return _one(request, settings, "team", players.team)


def ready(request: Request, settings: Settings) -> dict[str, Any]:
    """That the boards can be read and are fresh."""
    sink = health.sink(settings)
    look = live.look(sink, settings)
    if look.trouble or look.boards is None:
        # Who may not read the boards learns no addresses from the reason.
        raise Problem(503, f"The boards in {sink} cannot be read." if settings.oidc_metadata_url else str(look.trouble))
    if (datetime.now(UTC) - look.read_at).total_seconds() > READ_SECONDS:
        raise Problem(503, f"The boards in {sink} were last read at {_text(look.read_at)}.")
    as_of = look.boards.as_of
    if as_of is None:
        raise Problem(503, "The boards are empty: no score has arrived yet.")
    age = (datetime.now(UTC) - as_of).total_seconds()
    if age > STALE_SECONDS:
        raise Problem(503, f"The newest score on the boards is {age:.0f} s old; {STALE_SECONDS} s are allowed.")
    return {"status": "ready", "sink": sink, "as_of": as_of}


def _one(request: Request, settings: Settings, kind: str, find: Callable) -> dict[str, Any]:
    _only(request)
    wanted = request.path_params["id"]
    _need_totals(settings)
    found = find(wanted, settings)
    if found is None:
        raise Problem(404, f"No {kind} has the id {wanted[: sql.ID_LENGTH]!r} in the newest season.")
    return asdict(found)


def _need_totals(settings: Settings) -> None:
    if health.sink(settings) != "postgres":
        raise Problem(503, "Everybody's totals are in PostgreSQL only, and the jobs write to Kafka.")
    if not settings.totals_flush_seconds:
        raise Problem(503, "Everybody's totals are not written: LEADERBOARD_TOTALS_FLUSH_SECONDS is 0.")


def _look(request: Request, settings: Settings) -> tuple[str, live.Look]:
    sink = request.query_params.get("sink") or health.sink(settings)
    if sink not in job.SINKS:
        raise Problem(400, f"sink must be one of {', '.join(job.SINKS)}.")
    look = live.look(sink, settings)
    if look.boards is None or look.trouble:
        raise Problem(503, str(look.trouble), **{"Retry-After": "5"})
    return sink, look


def _about(sink: str, look: live.Look) -> dict[str, Any]:
    return {"sink": sink, "as_of": look.boards.as_of, "season_start": look.boards.season_start}


def _only(request: Request, *known: str) -> None:
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        there = f"there are {', '.join(known)}" if known else "there are none"
        raise Problem(400, f"No parameter is called {unknown[0][:50]!r}; {there}.")


def _number(request: Request, name: str, default: int, least: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
        raise Problem(400, f"{name} must be a whole number from {least} to {most}.")
    return int(text)
