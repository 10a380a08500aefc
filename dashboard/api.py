"""The boards and lookups as JSON, for programs, read only: python -m dashboard.api.

docs/api.md shows what it answers. A process of its own serves it to many programs; the page's
server answers the same.

One thread answers all questions from memory, and waits for none. What has to be read first is
read in other threads: boards once a second for all, players in batches.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import sys
from collections.abc import Awaitable, Callable, Hashable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.convertors import Convertor, register_url_convertor
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

import games
from boards import lookups, sinks
from boards.sinks import Sink
from boards.snapshot import STALE_SECONDS, Boards
from clients.errors import BoardsUnavailable, SetupError
from dashboard import download, health, refresh
from dashboard.batches import Batches
from dashboard.download import CSV, File
from dashboard.headers import HEADERS
from dashboard.prefix import Stripped, without
from dashboard.refresh import Refreshed
from games import score
from games.board import Game
from settings import SettingError, Settings, refuse, settings

MAX_AGE_SECONDS = 1  # as often as the boards are read
READ_SECONDS = 10  # boards that were read longer ago are of a refresh that hangs
PLACES, LAST_OFFSET = 10, 10_000
LONGEST_NUMBER = 9  # digits of a parameter; Python refuses to read thousands of them
# For so long a thread may keep Python to itself while the others wait: by default 5 ms, in which
# ten questions arrive. Each has to get in several times to be answered.
SWITCH_SECONDS = 0.0005

JSON = "application/json"
FORMAT, FORMATS = "format", ("json", "csv")
METHODS = ("GET", "HEAD", "OPTIONS")
# Beside those that a page of another origin may always see and send.
SHOWN_HEADERS = ("ETag", "Retry-After", "Content-Disposition")
SENT_HEADERS = ("Authorization", "If-None-Match")

log = logging.getLogger(__name__)


class Problem(Exception):
    """What cannot be answered: the status, and a sentence that says why."""

    def __init__(self, status: int, why: str, **headers: str) -> None:
        super().__init__(why)
        self.status, self.headers = status, headers


Ask = Callable[[Request, Settings], Awaitable[Response]]
Arguments = ParamSpec("Arguments")
Found = TypeVar("Found")


class Question(NamedTuple):
    """What is asked at a path: what the answer is, who finds it, and the parameters it knows."""

    path: str
    answers: str
    ask: Ask
    parameters: tuple[str, ...] = ()
    asks_who: bool = True

    @property
    def address(self) -> str:
        """The path as people write it."""
        return self.path.replace(":text", "")


class Text(Convertor[str]):
    """Whatever a path ends with. Starlette's own `path` ends at a new line."""

    regex = "(?s:.*)"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("text", Text())


def application(settings: Settings) -> Starlette:
    """What answers every question, whatever it is, in JSON.

    Raises SetupError when the token's file cannot be read.
    """
    token = _token(settings)
    questions = _questions(settings)
    prefix = settings.page_prefix
    addresses = {prefix + each.address: each for each in questions}
    listing = Question("/api", "this list", _listing(addresses), asks_who=False)
    elsewhere = Question("/{rest:text}", "", _nothing(addresses, prefix), asks_who=False)
    routes = [
        Route(each.path, Endpoint(each, settings, token))
        for each in (listing, *questions, elsewhere)
    ]
    below = Middleware(Stripped, prefix=prefix)
    return Starlette(routes=routes, middleware=[below, *_for_other_origins(settings)])


def is_asked(path: str) -> bool:
    """Whether a path is one of the API's, and none of a page."""
    return path in ("/api", "/healthz", "/readyz") or path.startswith("/api/")


class BesidePages:
    """Hands the API's paths to the API, and all others to the application that serves pages.

    It stands before that application, which refuses some paths with a text of its own.
    """

    def __init__(self, app: ASGIApp, api: ASGIApp, prefix: str) -> None:
        self._app, self._api, self._prefix = app, api, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] == "http" and is_asked(without(self._prefix, scope["path"]))
        await (self._api if is_ours else self._app)(scope, receive, send)


def _questions(settings: Settings) -> list[Question]:
    """What is answered; players and teams are those of the score game."""
    boards = [
        Question("/api/boards", "the boards of a game", all_boards, ("game", "sink")),
        Question(
            "/api/boards/{board}",
            "rows of one board in rank order",
            one_board,
            ("sink", "limit", "offset", FORMAT),
        ),
        Question(
            "/api/rejects",
            "the last rejected messages",
            last_rejects,
            ("game", "sink", "limit", FORMAT),
        ),
    ]
    people = [
        Question(
            "/api/players",
            "the best players whose id or name has a part",
            find_players,
            ("name", FORMAT),
        ),
        Question("/api/players/{id:text}", "one player", _one_player(settings)),
        Question("/api/teams/{id:text}", "one team", one_team),
    ]
    services = [
        Question("/healthz", "whether the process is alive", alive, asks_who=False),
        Question("/readyz", "whether the boards are fresh", ready, asks_who=False),
    ]
    has_people = score.GAME in games.chosen(settings)
    return [*boards, *(people if has_people else []), *services]


def _for_other_origins(settings: Settings) -> list[Middleware]:
    """What lets pages of other origins read the answers; nothing when none may."""
    origins = settings.origins
    options: dict[str, Any] = {
        "allow_origins": origins,
        "allow_methods": METHODS,
        "allow_headers": SENT_HEADERS,
        "expose_headers": SHOWN_HEADERS,
    }
    return [Middleware(OtherOrigins, **options)] if origins else []


class OtherOrigins(CORSMiddleware):
    """Cross-origin resource sharing whose refusals are JSON, too."""

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        return _error(f"{bytes(response.body).decode()}.", response.status_code, {})


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


class Endpoint:
    """Answers a question, or says why not; itself an application, so Starlette adds nothing."""

    def __init__(self, question: Question, settings: Settings, token: bytes | None) -> None:
        self._question, self._settings, self._token = question, settings, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        response = await self._answer(request)
        known = request.headers.get("if-none-match")
        etag = response.headers.get("etag")
        if known and etag and (etag in known or known.strip() == "*"):
            response = Response(status_code=304, headers=HEADERS | _caching(etag))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        question, allowed = self._question, {"Allow": ", ".join(METHODS)}
        try:
            if request.method not in METHODS:
                why = f"{request.method} is not for reading; ask with GET."
                raise Problem(405, why, **allowed)
            if request.method == "OPTIONS":
                return Response(status_code=204, headers=HEADERS | allowed)
            if question.asks_who:
                _check_token(request, self._token)
            if question.answers:
                _only(request, *question.parameters)
            return await question.ask(request, self._settings)
        except Problem as problem:
            return _error(str(problem), problem.status, problem.headers)
        except BoardsUnavailable as error:
            return _error(str(error), 503, {"Retry-After": "5"})
        except Exception:  # whoever asks gets JSON all the same
            log.exception("%s cannot be answered", request.url.path)
            return _error("The API has made a mistake; its log tells more.", 500, {})


def _check_token(request: Request, token: bytes | None) -> None:
    if token is None:
        return
    # As it came: a token may have any bytes.
    authorization = request.headers.get("authorization", "").encode("latin-1")
    if not token or not hmac.compare_digest(authorization, b"Bearer " + token):
        why = "Show the token of LEADERBOARD_API_TOKEN_FILE: the header Authorization: Bearer …"
        raise Problem(401, why, **{"WWW-Authenticate": "Bearer"})


def _answer(found: Any) -> Response:
    """An answer, which may be sent more than once."""
    return _answer_of(_json(found), JSON)


def _answer_of(content: bytes, media_type: str) -> Response:
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return Response(content, headers=HEADERS | _caching(etag), media_type=media_type)


def _file(file: File) -> Response:
    """The same of a table that a browser saves."""
    answer = _answer_of(file.content, CSV)
    answer.headers["Content-Disposition"] = f'attachment; filename="{file.name}"'
    return answer


def _caching(etag: str) -> dict[str, str]:
    caching = f"private, max-age={MAX_AGE_SECONDS}"
    return {"ETag": etag, "Cache-Control": caching, "Vary": "Accept"}


def _error(why: str, status: int, headers: Mapping[str, str]) -> Response:
    own = HEADERS | {"Cache-Control": "no-store"} | dict(headers)
    return Response(_json({"error": why}), status, own, JSON)


def _json(found: Any) -> bytes:
    body = json.dumps(found, default=_text, ensure_ascii=False, allow_nan=False)
    return body.encode(errors="replace")


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return download.moment(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON knows")


def _listing(addresses: Mapping[str, Question]) -> Ask:
    listed = [
        {"path": address, "answers": each.answers, "parameters": each.parameters}
        for address, each in addresses.items()
    ]

    async def listing(request: Request, settings: Settings) -> Response:
        return _answer({"addresses": listed})

    return listing


def _nothing(addresses: Mapping[str, Question], prefix: str) -> Ask:
    why = f"No such address; there are {', '.join(addresses)}. {prefix}/api says what each answers."

    async def nothing(request: Request, settings: Settings) -> Response:
        raise Problem(404, why)

    return nothing


# What is asked


async def all_boards(request: Request, settings: Settings) -> Response:
    """Which boards a game has, how many rows each has and how new they are."""
    game, sink = _game(request, settings), await _sink(request, settings)
    latest, boards = await _read(game, sink, settings)
    return _kept(latest, "boards", lambda: _answer(_listed(game, sink, boards)))


def _listed(game: Game, sink: Sink, boards: Boards) -> dict[str, Any]:
    listed = [
        {"board": board.name, "rows": len(boards.rows[board.name]), "newest": boards.newest(board)}
        for board in game.boards
    ]
    return {"game": game.name} | _about(sink, boards) | {"boards": listed}


async def one_board(request: Request, settings: Settings) -> Response:
    """A board's rows in rank order, a page of them."""
    name = request.path_params["board"]
    found = games.board(name, settings)
    if found is None:
        names = (board.name for game in games.chosen(settings) for board in game.boards)
        raise Problem(404, f"No board is called {name!r}; there are {', '.join(names)}.")
    game, board = found
    size, is_csv = settings.board_size, _wants_csv(request)
    limit = _number(request, "limit", size if is_csv else min(PLACES, size), 1, size)
    offset = _number(request, "offset", 0, 0, LAST_OFFSET)
    sink = await _sink(request, settings)
    latest, boards = await _read(game, sink, settings)
    rows = boards.rows[name]
    shown = rows[offset : offset + limit]

    def page() -> Response:
        if is_csv:
            return _file(download.board_file(latest, board, shown, settings))
        following = offset + limit if offset + limit < len(rows) else None
        about = {"board": name, "total": len(rows), "limit": limit, "offset": offset}
        placed = {"next_offset": following, "rows": download.placed(latest, board, shown)}
        return _answer(_about(sink, boards) | about | placed)

    return _kept(latest, (name, limit, offset, is_csv), page)


def _kept(latest: Refreshed, question: Hashable, find: Callable[[], Response]) -> Response:
    """An answer, encoded once for as long as the boards are the same."""
    if question not in latest.encoded:
        latest.encoded[question] = find()
    return latest.encoded[question]


async def find_players(request: Request, settings: Settings) -> Response:
    """Players by a part of their id or name, the best twenty."""
    name, longest = request.query_params.get("name", ""), score.NAME_LENGTH
    if not name or len(name) > longest or "\0" in name:
        raise Problem(400, f"name must be 1 to {longest} characters of a player's id or name.")
    await _need_totals(settings)
    found = await run_in_threadpool(lookups.find, name, settings)
    if _wants_csv(request):
        return _file(download.players_file(found, settings))
    return _answer({"players": found})


async def last_rejects(request: Request, settings: Settings) -> Response:
    """A game's last rejected messages, the newest first."""
    game, sink, is_csv = (
        _game(request, settings),
        await _sink(request, settings),
        _wants_csv(request),
    )
    most = health.REJECTS
    limit = _number(request, "limit", most if is_csv else PLACES, 1, most)
    if game.rejects is None:
        raise Problem(404, f"The game {game.name} lists no rejected messages.")
    watch = health.watch_rejects(game, sink.name, settings)
    latest = await run_in_threadpool(watch.latest, wait_seconds=READ_SECONDS)
    if latest is None or latest.trouble:
        why = latest.trouble if latest else "they are being read"
        raise Problem(503, f"The rejected messages are unknown: {why}.", **{"Retry-After": "5"})
    rows = latest.rows[:limit]
    if is_csv:
        return _file(download.rejects_file(game, rows, settings))
    return _answer({"game": game.name, "sink": sink.name, "rows": rows})


def _one_player(settings: Settings) -> Ask:
    def look_up(ids: list[str]) -> dict[str, Response]:
        found = lookups.players(ids, settings)
        return {user_id: _answer(vars(each)) for user_id, each in found.items()}

    batches = Batches(look_up)

    async def one_player(request: Request, settings: Settings) -> Response:
        """A player with rank, percentile, team, ban and neighbours."""
        return await _one(request, settings, "player", batches.ask)

    return one_player


async def one_team(request: Request, settings: Settings) -> Response:
    """A team with rank, ban, MVP and members."""

    async def find(team_id: str) -> Response | None:
        found = await run_in_threadpool(lookups.team, team_id, settings)
        return _answer(vars(found)) if found else None

    return await _one(request, settings, "team", find)


async def alive(request: Request, settings: Settings) -> Response:
    """That the process answers."""
    return _answer({"status": "alive"})


async def ready(request: Request, settings: Settings) -> Response:
    """That the boards of all games can be read and are fresh."""
    sink = await _sink_in_use(settings)
    chosen = games.chosen(settings)
    times = [_fresh(await _latest(game, sink, settings), sink, settings) for game in chosen]
    return _answer({"status": "ready", "sink": sink.name, "as_of": min(times)})


def _fresh(latest: Refreshed, sink: Sink, settings: Settings) -> datetime:
    """The time of a game's newest score. Raises Problem when it is old, or cannot be known."""
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
    for name, behind in latest.boards.left_behind(settings.board_size).items():
        raise Problem(503, f"The newest score on {name} is {behind:.0f} s behind the others'.")
    return as_of


async def _one(
    request: Request,
    settings: Settings,
    kind: str,
    find: Callable[[str], Awaitable[Response | None]],
) -> Response:
    wanted = request.path_params["id"]
    await _need_totals(settings)
    found = await find(wanted)
    if found is None:
        shortened = wanted[: score.ID_LENGTH]
        raise Problem(404, f"No {kind} has the id {shortened!r} in the newest season.")
    return found


async def _need_totals(settings: Settings) -> None:
    sink = await _sink_in_use(settings)
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


async def _sink(request: Request, settings: Settings) -> Sink:
    name = request.query_params.get("sink")
    if not name:
        return await _sink_in_use(settings)
    if name not in sinks.NAMES:
        raise Problem(400, f"sink must be one of {', '.join(sinks.NAMES)}.")
    return sinks.sink(name, settings)


async def _sink_in_use(settings: Settings) -> Sink:
    return await _at_once(health.is_sink_known, health.sink_in_use, settings)


async def _latest(game: Game, sink: Sink, settings: Settings) -> Refreshed:
    return await _at_once(refresh.is_read, refresh.refreshed, game, sink, settings)


async def _at_once(
    is_known: Callable[Arguments, bool],
    ask: Callable[Arguments, Found],
    *about: Arguments.args,
    **named: Arguments.kwargs,
) -> Found:
    """What is known; a thread waits for what is not yet."""
    if is_known(*about, **named):
        return ask(*about, **named)
    return await run_in_threadpool(ask, *about, **named)


async def _read(game: Game, sink: Sink, settings: Settings) -> tuple[Refreshed, Boards]:
    latest = await _latest(game, sink, settings)
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


def _wants_csv(request: Request) -> bool:
    """Whether a table is asked for as CSV: by the parameter, or by the header Accept."""
    name = request.query_params.get(FORMAT)
    if name is None:
        accepted = _accepted(request.headers.get("accept", ""))
        return accepted.get(CSV, 0) > max(accepted.get(each, 0) for each in (JSON, "*/*"))
    if name not in FORMATS:
        raise Problem(400, f"{FORMAT} must be one of {', '.join(FORMATS)}.")
    return name == "csv"


def _accepted(header: str) -> dict[str, float]:
    """The media types of a header Accept, and how welcome each is, 0 to 1."""
    accepted = {}
    for each in header.split(","):
        media_type, *parameters = (part.strip().lower() for part in each.split(";"))
        weights = (part.removeprefix("q=") for part in parameters if part.startswith("q="))
        try:
            accepted[media_type] = float(next(weights, "1"))
        except ValueError:
            accepted[media_type] = 0.0
    return accepted


def _number(request: Request, name: str, default: int, least: int, most: int) -> int:
    text = request.query_params.get(name, str(default))
    is_number = text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER
    if not (is_number and least <= int(text) <= most):
        raise Problem(400, f"{name} must be a whole number from {least} to {most}.")
    return int(text)


def main() -> None:
    """Serve until a signal ends it.

    Raises SystemExit: with 2 when a setting is wrong, or when others could ask unasked; with 1
    when a file that a setting names cannot be used.
    """
    try:
        settings.check_login()
        app = application(settings)
    except SettingError as error:
        refuse(error)
    except SetupError as error:
        sys.exit(f"api: {error}")
    sys.setswitchinterval(SWITCH_SECONDS)
    uvicorn.run(
        app,
        host=settings.page_address,
        port=settings.api_port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
