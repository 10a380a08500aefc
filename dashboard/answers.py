"""What all of the API's questions have in common: how they are put, answered and refused.

Games' own questions (`dashboard/questions/`) are made of this, as the API's are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, ParamSpec, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from boards import sinks
from boards.sinks import Sink
from dashboard import download, health
from dashboard.download import CSV, File
from dashboard.headers import HEADERS
from games import chosen
from games.board import Game
from settings import Settings

MAX_AGE_SECONDS = 1  # as often as the boards are read
LAST_OFFSET = 10_000
LONGEST_NUMBER = 9  # digits of a parameter; Python refuses to read thousands of them

JSON = "application/json"
FORMAT, FORMATS = "format", ("json", "csv")


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


def answer(found: Any) -> Response:
    """An answer, which may be sent more than once."""
    return answer_of(as_json(found), JSON)


def answer_of(content: bytes, media_type: str) -> Response:
    """The same of what is encoded already."""
    etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return Response(content, headers=HEADERS | caching(etag), media_type=media_type)


def file_of(file: File) -> Response:
    """The same of a table that a browser saves."""
    response = answer_of(file.content, CSV)
    response.headers["Content-Disposition"] = f'attachment; filename="{file.name}"'
    return response


def caching(etag: str) -> dict[str, str]:
    """The headers by which an answer may be kept for a while, and asked for again."""
    kept = f"private, max-age={MAX_AGE_SECONDS}"
    return {"ETag": etag, "Cache-Control": kept, "Vary": "Accept"}


def refusal(why: str, status: int, headers: Mapping[str, str]) -> Response:
    """Why there is no answer, which nobody may keep."""
    own = HEADERS | {"Cache-Control": "no-store"} | dict(headers)
    return Response(as_json({"error": why}), status, own, JSON)


def as_json(found: Any) -> bytes:
    """What is found as JSON in UTF-8."""
    body = json.dumps(found, default=_text, ensure_ascii=False, allow_nan=False)
    return body.encode(errors="replace")


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return download.moment(value)
    raise TypeError(f"{type(value).__name__} is nothing that JSON knows")


def game_of(request: Request, settings: Settings) -> Game:
    """The game that is asked for, by default the first. Raises Problem for another."""
    by_name = {game.name: game for game in chosen(settings)}
    name = request.query_params.get("game") or next(iter(by_name))
    if name not in by_name:
        raise Problem(400, f"game must be one of {', '.join(by_name)}.")
    return by_name[name]


async def sink_of(request: Request, settings: Settings) -> Sink:
    """The sink that is asked for, by default the one that the jobs write to."""
    name = request.query_params.get("sink")
    if not name:
        return await sink_in_use(settings)
    if name not in sinks.NAMES:
        raise Problem(400, f"sink must be one of {', '.join(sinks.NAMES)}.")
    return sinks.sink(name, settings)


async def sink_in_use(settings: Settings) -> Sink:
    """The sink that the jobs write to."""
    return await at_once(health.is_sink_known, health.sink_in_use, settings)


async def at_once(
    is_known: Callable[Arguments, bool],
    ask: Callable[Arguments, Found],
    *about: Arguments.args,
    **named: Arguments.kwargs,
) -> Found:
    """What is known; a thread waits for what is not yet."""
    if is_known(*about, **named):
        return ask(*about, **named)
    return await run_in_threadpool(ask, *about, **named)


def only(request: Request, *known: str) -> None:
    """Raise Problem for a parameter that is none of these."""
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        others = f"there are {', '.join(known)}" if known else "there are none"
        raise Problem(400, f"No parameter is called {unknown[0][:50]!r}; {others}.")


def wants_csv(request: Request) -> bool:
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


def number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A parameter that is a whole number in these bounds. Raises Problem for another."""
    text = request.query_params.get(name, str(default))
    is_number = text.isascii() and text.isdigit() and len(text) <= LONGEST_NUMBER
    if not (is_number and least <= int(text) <= most):
        raise Problem(400, f"{name} must be a whole number from {least} to {most}.")
    return int(text)


def paged(total: int, limit: int, offset: int) -> dict[str, Any]:
    """What an answer says of the page of rows that it has."""
    following = offset + limit if offset + limit < total else None
    return {"total": total, "limit": limit, "offset": offset, "next_offset": following}
