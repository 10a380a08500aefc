"""The boards and lookups as JSON, for programs, read only: python -m dashboard.api.

docs/api.md shows what it answers. A process of its own serves it to many programs; the page's
server answers the same.

One thread answers all questions from memory, and waits for none. What has to be read first is
read in other threads: boards once a second for all, players in batches.
"""

from __future__ import annotations

import gc
import hmac
import logging
import sys
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
from boards.seasons import Season, address_of
from boards.sinks import Sink
from boards.snapshot import STALE_SECONDS, Boards
from clients.errors import BoardsUnavailable, SetupError
from dashboard import download, health, refresh
from dashboard.answers import (
    FORMAT,
    LAST_OFFSET,
    Ask,
    Problem,
    Question,
    answer,
    at_once,
    caching,
    file_of,
    game_of,
    number,
    only,
    paged,
    refusal,
    sink_in_use,
    sink_of,
    wants_csv,
)
from dashboard.batches import Batches
from dashboard.headers import HEADERS
from dashboard.prefix import Stripped, without
from dashboard.questions import announcements, own_questions, own_trouble, seasons
from dashboard.questions.seasons import about_season, minute_of, season_of
from dashboard.refresh import Refreshed
from games import score
from games.board import Board, Game
from settings import SettingError, Settings, refuse, settings

READ_SECONDS = 10  # boards that were read longer ago are of a refresh that hangs
PLACES = 10
# For so long a thread may keep Python to itself while the others wait: by default 5 ms, in which
# ten questions arrive. Each has to get in several times to be answered.
SWITCH_SECONDS = 0.0005

METHODS = ("GET", "HEAD", "OPTIONS")
# Beside those that a page of another origin may always see and send.
SHOWN_HEADERS = ("ETag", "Retry-After", "Content-Disposition")
SENT_HEADERS = ("Authorization", "If-None-Match", "Last-Event-ID")

log = logging.getLogger(__name__)


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
        Question(
            "/api/boards", "the boards of a game", all_boards, ("game", "season", "at", "sink")
        ),
        Question(
            "/api/boards/{board}",
            "rows of one board in rank order",
            one_board,
            ("season", "at", "sink", "limit", "offset", FORMAT),
        ),
        *seasons.questions(),
        *announcements.questions(),
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
            ("name", "season", FORMAT),
        ),
        Question("/api/players/{id:text}", "one player", _one_player(settings), ("season",)),
        Question("/api/teams/{id:text}", "one team", one_team, ("season",)),
    ]
    services = [
        Question("/healthz", "whether the process is alive", alive, asks_who=False),
        Question("/readyz", "whether the boards are fresh", ready, asks_who=False),
    ]
    chosen = games.chosen(settings)
    own = [each for game in chosen for each in own_questions(game, settings)]
    return [*boards, *(people if score.GAME in chosen else []), *own, *services]


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
        return refusal(f"{bytes(response.body).decode()}.", response.status_code, {})


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
            response = Response(status_code=304, headers=HEADERS | caching(etag))
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
                only(request, *question.parameters)
            return await question.ask(request, self._settings)
        except Problem as problem:
            return refusal(str(problem), problem.status, problem.headers)
        except BoardsUnavailable as error:
            return refusal(str(error), 503, {"Retry-After": "5"})
        except Exception:  # whoever asks gets JSON all the same
            log.exception("%s cannot be answered", request.url.path)
            return refusal("The API has made a mistake; its log tells more.", 500, {})


def _check_token(request: Request, token: bytes | None) -> None:
    if token is None:
        return
    # As it came: a token may have any bytes.
    authorization = request.headers.get("authorization", "").encode("latin-1")
    if not token or not hmac.compare_digest(authorization, b"Bearer " + token):
        why = "Show the token of LEADERBOARD_API_TOKEN_FILE: the header Authorization: Bearer …"
        raise Problem(401, why, **{"WWW-Authenticate": "Bearer"})


def _listing(addresses: Mapping[str, Question]) -> Ask:
    listed = [
        {"path": address, "answers": each.answers, "parameters": each.parameters}
        for address, each in addresses.items()
    ]

    async def listing(request: Request, settings: Settings) -> Response:
        return answer({"addresses": listed})

    return listing


def _nothing(addresses: Mapping[str, Question], prefix: str) -> Ask:
    why = f"No such address; there are {', '.join(addresses)}. {prefix}/api says what each answers."

    async def nothing(request: Request, settings: Settings) -> Response:
        raise Problem(404, why)

    return nothing


# What is asked


async def all_boards(request: Request, settings: Settings) -> Response:
    """Which boards a game has, how many rows each has and how new they are."""
    game, sink = game_of(request, settings), await sink_of(request, settings)
    minute, season = minute_of(request), await season_of(request, game, sink, settings)
    latest, boards = await _read(game, sink, settings, season, minute)
    about = _about(sink, boards) | about_season(season, boards, settings)
    shown = game.seasonal if season else game.boards
    return _kept(latest, "boards", lambda: answer(_listed(game, shown, boards, about)))


def _listed(
    game: Game, shown: Sequence[Board], boards: Boards, about: dict[str, Any]
) -> dict[str, Any]:
    listed = [
        {"board": board.name, "rows": len(boards.rows[board.name]), "newest": boards.newest(board)}
        for board in shown
    ]
    return {"game": game.name} | about | {"boards": listed}


async def one_board(request: Request, settings: Settings) -> Response:
    """A board's rows in rank order, a page of them."""
    name = request.path_params["board"]
    found = games.board(name, settings)
    if found is None:
        names = (board.name for game in games.chosen(settings) for board in game.boards)
        raise Problem(404, f"No board is called {name!r}; there are {', '.join(names)}.")
    game, board = found
    size, is_csv = settings.board_size, wants_csv(request)
    limit = number(request, "limit", size if is_csv else min(PLACES, size), 1, size)
    offset = number(request, "offset", 0, 0, LAST_OFFSET)
    sink = await sink_of(request, settings)
    minute, season = minute_of(request), await season_of(request, game, sink, settings)
    if season and not board.is_seasonal:
        names = (board.name for board in game.seasonal)
        raise Problem(400, f"{name} knows no seasons; those that do are {', '.join(names)}.")
    latest, boards = await _read(game, sink, settings, season, minute)
    rows = boards.rows[name]
    shown = rows[offset : offset + limit]

    def page() -> Response:
        if is_csv:
            return file_of(download.board_file(latest, board, shown, settings, season))
        about = {"board": name} | paged(len(rows), limit, offset)
        placed = {"rows": download.placed(latest, board, shown)}
        of_season = about_season(season, boards, settings)
        return answer(_about(sink, boards) | of_season | about | placed)

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
    season = await _season(request, settings)
    found = await run_in_threadpool(lookups.find, name, settings, season)
    if wants_csv(request):
        return file_of(download.players_file(found, settings, season))
    return answer({"players": found})


async def last_rejects(request: Request, settings: Settings) -> Response:
    """A game's last rejected messages, the newest first."""
    game, sink, is_csv = (
        game_of(request, settings),
        await sink_of(request, settings),
        wants_csv(request),
    )
    most = health.REJECTS
    limit = number(request, "limit", most if is_csv else PLACES, 1, most)
    if game.rejects is None:
        raise Problem(404, f"The game {game.name} lists no rejected messages.")
    watch = health.watch_rejects(game, sink.name, settings)
    latest = await run_in_threadpool(watch.latest, wait_seconds=READ_SECONDS)
    if latest is None or latest.trouble:
        why = latest.trouble if latest else "they are being read"
        raise Problem(503, f"The rejected messages are unknown: {why}.", **{"Retry-After": "5"})
    rows = latest.rows[:limit]
    if is_csv:
        return file_of(download.rejects_file(game, rows, settings))
    return answer({"game": game.name, "sink": sink.name, "rows": rows})


def _one_player(settings: Settings) -> Ask:
    def look_up(ids: list[str]) -> dict[str, Response]:
        found = lookups.players(ids, settings)
        return {user_id: answer(vars(each)) for user_id, each in found.items()}

    batches = Batches(look_up)

    async def one_player(request: Request, settings: Settings) -> Response:
        """A player with rank, percentile, team, ban and neighbours."""
        season = await _season(request, settings)

        async def find(user_id: str) -> Response | None:
            found = await run_in_threadpool(lookups.player, user_id, settings, season)
            return answer(vars(found)) if found else None

        # Of a season that is over, few ask.
        return await _one(request, settings, "player", find if season else batches.ask, season)

    return one_player


async def one_team(request: Request, settings: Settings) -> Response:
    """A team with rank, ban, MVP and members."""

    season = await _season(request, settings)

    async def find(team_id: str) -> Response | None:
        found = await run_in_threadpool(lookups.team, team_id, settings, season)
        return answer(vars(found)) if found else None

    return await _one(request, settings, "team", find, season)


async def alive(request: Request, settings: Settings) -> Response:
    """That the process answers."""
    return answer({"status": "alive"})


async def ready(request: Request, settings: Settings) -> Response:
    """That the boards of all games can be read and are fresh, and games' own questions answered."""
    sink = await sink_in_use(settings)
    chosen = games.chosen(settings)
    for game in chosen:
        if why := own_trouble(game, sink, settings):
            raise Problem(503, _hidden(why, sink, settings))
    latest = [await _latest(game, sink, settings) for game in chosen if game.boards]
    times = [_fresh(each, sink, settings) for each in latest]
    return answer({"status": "ready", "sink": sink.name, "as_of": min(times, default=None)})


def _fresh(latest: Refreshed, sink: Sink, settings: Settings) -> datetime:
    """The time of a game's newest score. Raises Problem when it is old, or cannot be known."""
    if latest.trouble or latest.boards is None or latest.read_at is None:
        raise Problem(503, _hidden(str(latest.trouble), sink, settings))
    if (datetime.now(UTC) - latest.read_at).total_seconds() > READ_SECONDS:
        why = f"The boards in {sink.name} were last read at {download.moment(latest.read_at)}."
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


def _hidden(why: str, sink: Sink, settings: Settings) -> str:
    """The same for all when people log in: others learn no addresses from the reason."""
    return f"The boards in {sink.name} cannot be read." if settings.oidc_metadata_url else why


async def _one(
    request: Request,
    settings: Settings,
    kind: str,
    find: Callable[[str], Awaitable[Response | None]],
    season: Season | None,
) -> Response:
    wanted = request.path_params["id"]
    await _need_totals(settings)
    found = await find(wanted)
    if found is None:
        shortened = wanted[: score.ID_LENGTH]
        where = f"season {address_of(season, settings)}" if season else "the newest season"
        raise Problem(404, f"No {kind} has the id {shortened!r} in {where}.")
    return found


async def _need_totals(settings: Settings) -> None:
    sink = await sink_in_use(settings)
    if not sink.can_look_up:
        able = " and ".join(each.title for each in sinks.sinks(settings) if each.can_look_up)
        why = f"Everybody's totals are in {able} only, and the jobs write to {sink.title}."
        raise Problem(503, why)
    if not settings.totals_flush_seconds:
        why = "Everybody's totals are not written: LEADERBOARD_TOTALS_FLUSH_SECONDS is 0."
        raise Problem(503, why)


async def _season(request: Request, settings: Settings) -> Season | None:
    """The season in which somebody is asked about."""
    return await season_of(request, score.GAME, await sink_in_use(settings), settings)


async def _latest(game: Game, sink: Sink, settings: Settings) -> Refreshed:
    return await at_once(refresh.is_read, refresh.refreshed, game, sink, settings)


async def _read(
    game: Game,
    sink: Sink,
    settings: Settings,
    season: Season | None = None,
    minute: datetime | None = None,
) -> tuple[Refreshed, Boards]:
    if minute:
        latest = await run_in_threadpool(refresh.at_minute, game, minute, settings)
    elif season:
        latest = await run_in_threadpool(refresh.past, game, sink, season, settings)
    else:
        latest = await _latest(game, sink, settings)
    if latest.is_missing:
        raise Problem(404, str(latest.trouble))
    if latest.boards is None or latest.trouble:
        raise Problem(503, str(latest.trouble), **{"Retry-After": "5"})
    return latest, latest.boards


def _about(sink: Sink, boards: Boards) -> dict[str, Any]:
    read = {"at": boards.minute} if boards.minute else {"sink": sink.name, "as_of": boards.as_of}
    return read | {"season_start": boards.season_start}


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
    gc.freeze()  # what is there from the start is not looked through each time, for 50 ms or so
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
