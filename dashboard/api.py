"""The boards and lookups as JSON beside the page, for programs; read only.

docs/api.md shows what it answers.
"""

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

import games
from boards import lookups, sinks
from boards.sinks import Sink
from boards.snapshot import STALE_SECONDS, Boards
from clients.errors import BoardsUnavailable, SetupError
from dashboard import health, refresh
from dashboard.refresh import Refreshed
from games import score
from games.board import Game
from settings import Settings

MAX_AGE_SECONDS = 1  # as often as the boards are read
READ_SECONDS = 10  # boards that were read longer ago are of a refresh that hangs
PLACES, LAST_OFFSET = 10, 10_000

JSON = "application/json"


class Problem(Exception):
    """What cannot be answered: the status, and a sentence that says why."""

    def __init__(self, status: int, why: str, **headers: str) -> None:
        super().__init__(why)
        self.status, self.headers = status, headers


def routes(settings: Settings) -> list[Route | Mount]:
    """What the page's server answers besides the page.

    Raises SetupError when the token's file cannot be read.
    """
    token = _token(settings)
    questions = _questions(settings)
    under = [
        Route(path, _answering(ask, settings, token, asks_who=True))
        for path, ask in questions.items()
    ]
    nothing = Route("/{rest:path}", _nothing(questions))
    errors: dict[Any, Callable] = {HTTPException: _refused}
    return [
        Mount("/api", Starlette(routes=[*under, nothing], exception_handlers=errors)),
        Route("/healthz", _answering(lambda *_: {"status": "alive"}, settings, token)),
        Route("/readyz", _answering(ready, settings, token)),
    ]


def _questions(settings: Settings) -> dict[str, Callable]:
    """What is answered below /api, by path; players and teams are those of the score game."""
    questions: dict[str, Callable] = {"/boards": all_boards, "/boards/{board}": one_board}
    if score.GAME in games.chosen(settings):
        questions |= {
            "/players": find_players,
            "/players/{id:path}": one_player,
            "/teams/{id:path}": one_team,
        }
    return questions


def _token(settings: Settings) -> bytes | None:
    """What callers must show.

    b"" when nobody can, because people log in and programs were given nothing.
    """
    if settings.api_token_file:
        try:
            token = Path(settings.api_token_file).read_bytes().strip()
        except OSError as error:
            raise SetupError(f"LEADERBOARD_API_TOKEN_FILE cannot be read: {error}") from None
        if not token:
            raise SetupError(f"LEADERBOARD_API_TOKEN_FILE {settings.api_token_file} is empty")
        return token
    return b"" if settings.oidc_metadata_url else None


def _answering(
    ask: Callable, settings: Settings, token: bytes | None, asks_who: bool = False
) -> Callable:
    # Not async, so that Starlette calls it in a thread: it may wait.
    def endpoint(request: Request) -> Response:
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
    authorization = request.headers.get("authorization", "").encode()
    if not token or not hmac.compare_digest(authorization, b"Bearer " + token):
        why = "Show the token of LEADERBOARD_API_TOKEN_FILE: the header Authorization: Bearer …"
        raise Problem(401, why, **{"WWW-Authenticate": "Bearer"})


def _json(
    found: Any, status: int = 200, request: Request | None = None, headers: dict | None = None
) -> Response:
    body = json.dumps(found, default=_text, ensure_ascii=False, allow_nan=False)
    content = body.encode(errors="replace")
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    caching = {"ETag": etag, "Cache-Control": f"private, max-age={MAX_AGE_SECONDS}"}
    if request is None:
        return Response(content, status, {"Cache-Control": "no-store"} | (headers or {}), JSON)
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=caching)
    return Response(content, status, caching, JSON)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).isoformat(timespec="milliseconds")
        return moment.replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} is nothing that JSON knows")


def _refused(request: Request, error: HTTPException) -> Response:
    why = str(error.detail)
    if error.status_code == 405:
        why = f"{request.method} is not for reading; ask with GET."
    return _json({"error": why}, error.status_code, headers=dict(error.headers or {}))


def _nothing(questions: dict[str, Callable]) -> Callable:
    *others, last = (f"/api{path.replace(':path', '')}" for path in questions)
    why = f"No such address; there are {', '.join(others)} and {last}."
    return lambda request: _json({"error": why}, 404)


# What is asked


def all_boards(request: Request, settings: Settings) -> dict[str, Any]:
    """Which boards a game has, how many rows each has and how new they are."""
    _only(request, "game", "sink")
    game, sink = _game(request, settings), _sink(request, settings)
    _, boards = _read(game, sink, settings)
    listed = [
        {"board": board.name, "rows": len(boards.rows[board.name]), "newest": boards.newest(board)}
        for board in game.boards
    ]
    return {"game": game.name} | _about(sink, boards) | {"boards": listed}


def one_board(request: Request, settings: Settings) -> dict[str, Any]:
    """A board's rows in rank order, a page of them."""
    name = request.path_params["board"]
    found = games.board(name, settings)
    if found is None:
        names = (board.name for game in games.chosen(settings) for board in game.boards)
        raise Problem(404, f"No board is called {name!r}; there are {', '.join(names)}.")
    game, board = found
    _only(request, "sink", "limit", "offset")
    limit = _number(request, "limit", min(PLACES, settings.board_size), 1, settings.board_size)
    offset = _number(request, "offset", 0, 0, LAST_OFFSET)
    sink = _sink(request, settings)
    latest, boards = _read(game, sink, settings)
    rows = boards.rows[name]
    page = [
        row | {"movement": latest.movement(board, row[board.found_by])}
        for row in rows[offset : offset + limit]
    ]
    following = offset + limit if offset + limit < len(rows) else None
    about = {"board": name, "total": len(rows), "limit": limit, "offset": offset}
    return _about(sink, boards) | about | {"next_offset": following, "rows": page}


def find_players(request: Request, settings: Settings) -> dict[str, Any]:
    """Players by a part of their id or name, the best twenty."""
    _only(request, "name")
    name, longest = request.query_params.get("name", "").strip(), score.NAME_LENGTH
    if not name or len(name) > longest or "\0" in name:
        raise Problem(400, f"name must be 1 to {longest} characters of a player's id or name.")
    _need_totals(settings)
    return {"players": lookups.find(name, settings)}


def one_player(request: Request, settings: Settings) -> dict[str, Any]:
    """A player with rank, percentile, team, ban and neighbours."""
    return _one(request, settings, "player", lookups.player)


def one_team(request: Request, settings: Settings) -> dict[str, Any]:
    """A team with rank, ban, MVP and members."""
    return _one(request, settings, "team", lookups.team)


def ready(request: Request, settings: Settings) -> dict[str, Any]:
    """That the boards of all games can be read and are fresh."""
    sink = health.sink_in_use(settings)
    times = [_fresh(game, sink, settings) for game in games.chosen(settings)]
    return {"status": "ready", "sink": sink.name, "as_of": min(times)}


def _fresh(game: Game, sink: Sink, settings: Settings) -> datetime:
    """The time of a game's newest score. Raises Problem when it is old, or cannot be known."""
    latest = refresh.refreshed(game, sink, settings)
    if latest.trouble or latest.boards is None or latest.read_at is None:
        # Who may not read the boards learns no addresses from the reason.
        hidden = f"The boards in {sink.name} cannot be read."
        raise Problem(503, hidden if settings.oidc_metadata_url else str(latest.trouble))
    if (datetime.now(UTC) - latest.read_at).total_seconds() > READ_SECONDS:
        why = f"The boards in {sink.name} were last read at {_text(latest.read_at)}."
        raise Problem(503, why)
    as_of = latest.boards.as_of
    if as_of is None:
        raise Problem(503, "The boards are empty: no score has arrived yet.")
    age = (datetime.now(UTC) - as_of).total_seconds()
    if age > STALE_SECONDS:
        why = f"The newest score on the boards is {age:.0f} s old; {STALE_SECONDS} s are allowed."
        raise Problem(503, why)
    return as_of


def _one(request: Request, settings: Settings, kind: str, find: Callable) -> dict[str, Any]:
    _only(request)
    wanted = request.path_params["id"]
    _need_totals(settings)
    found = find(wanted, settings)
    if found is None:
        shortened = wanted[: score.ID_LENGTH]
        raise Problem(404, f"No {kind} has the id {shortened!r} in the newest season.")
    return asdict(found)


def _need_totals(settings: Settings) -> None:
    sink = health.sink_in_use(settings)
    if not sink.can_look_up:
        able = " and ".join(each.title for each in sinks.sinks(settings) if each.can_look_up)
        why = f"Everybody's totals are in {able} only, and the jobs write to {sink.title}."
        raise Problem(503, why)
    if not settings.totals_flush_seconds:
        why = "Everybody's totals are not written: LEADERBOARD_TOTALS_FLUSH_SECONDS is 0."
        raise Problem(503, why)


def _game(request: Request, settings: Settings) -> Game:
    by_name = {game.name: game for game in games.chosen(settings)}
    name = request.query_params.get("game") or next(iter(by_name))
    if name not in by_name:
        raise Problem(400, f"game must be one of {', '.join(by_name)}.")
    return by_name[name]


def _sink(request: Request, settings: Settings) -> Sink:
    name = request.query_params.get("sink")
    if not name:
        return health.sink_in_use(settings)
    if name not in sinks.NAMES:
        raise Problem(400, f"sink must be one of {', '.join(sinks.NAMES)}.")
    return sinks.sink(name, settings)


def _read(game: Game, sink: Sink, settings: Settings) -> tuple[Refreshed, Boards]:
    latest = refresh.refreshed(game, sink, settings)
    if latest.boards is None or latest.trouble:
        raise Problem(503, str(latest.trouble), **{"Retry-After": "5"})
    return latest, latest.boards


def _about(sink: Sink, boards: Boards) -> dict[str, Any]:
    return {"sink": sink.name, "as_of": boards.as_of, "season_start": boards.season_start}


def _only(request: Request, *known: str) -> None:
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        others = f"there are {', '.join(known)}" if known else "there are none"
        raise Problem(400, f"No parameter is called {unknown[0][:50]!r}; {others}.")


def _number(request: Request, name: str, default: int, least: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and least <= int(text[:9]) <= most):
        raise Problem(400, f"{name} must be a whole number from {least} to {most}.")
    return int(text)
