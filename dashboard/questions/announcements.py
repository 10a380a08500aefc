"""What is asked about announcements: a page of them, or all that come, as a stream of events."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from boards import announced
from boards.announced import COLUMNS
from boards.announcements import KINDS
from boards.snapshot import Row
from dashboard import announcements
from dashboard.announcements import Told
from dashboard.answers import (
    FORMAT,
    LAST_OFFSET,
    Problem,
    Question,
    answer,
    as_json,
    at_once,
    file_of,
    game_of,
    number,
    paged,
    wants_csv,
)
from dashboard.download import table_file
from dashboard.headers import HEADERS
from games.board import Game
from settings import Settings

SHOWN, MOST = 20, 1_000  # by default; and at most
EVENTS = "text/event-stream"
LAST_EVENT_ID = "last-event-id"
LOOK_SECONDS = 1
# A proxy closes what is silent, and only who writes finds out that nobody reads any more.
SILENT_SECONDS = 15
MOST_STREAMS = 500
LONGEST_NUMBER = 18  # digits

_streams = 0


def questions() -> list[Question]:
    """What an application is asked about announcements."""
    return [
        Question(
            "/api/announcements",
            "the announcements, the newest first",
            all_announcements,
            ("game", "kind", "limit", "offset", FORMAT),
        ),
        Question(
            "/api/announcements/stream",
            "new announcements, as server-sent events",
            stream,
            ("game",),
        ),
    ]


async def all_announcements(request: Request, settings: Settings) -> Response:
    """A page of a game's announcements."""
    game, is_csv = game_of(request, settings), wants_csv(request)
    limit = number(request, "limit", MOST if is_csv else SHOWN, 1, MOST)
    offset = number(request, "offset", 0, 0, LAST_OFFSET * SHOWN)
    kind = request.query_params.get("kind")
    if kind not in (None, *KINDS):
        raise Problem(400, f"kind must be one of {', '.join(KINDS)}.")
    _check(settings)
    total, rows = await run_in_threadpool(announced.page, settings, game, limit, offset, kind)
    if is_csv:
        return file_of(table_file("announcements", COLUMNS, rows, None))
    about: dict[str, Any] = {"game": game.name} | paged(total, limit, offset)
    return answer(about | {"announcements": rows})


async def stream(request: Request, settings: Settings) -> Response:
    """What comes from now on, or after the one whose number the header Last-Event-ID has."""
    game, known = game_of(request, settings), request.headers.get(LAST_EVENT_ID, "")
    if known and not (known.isascii() and known.isdigit() and len(known) <= LONGEST_NUMBER):
        raise Problem(400, "Last-Event-ID must be the id of an event of this stream.")
    _check(settings)
    if _streams >= MOST_STREAMS:
        why = f"{MOST_STREAMS} streams are open, and more are not served."
        raise Problem(503, why, **{"Retry-After": "60"})
    after = int(known) if known else await _newest(game, settings)
    headers = HEADERS | {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    if request.method == "HEAD":
        return Response(headers=headers, media_type=EVENTS)
    events = _events(game, after, settings)
    return StreamingResponse(events, headers=headers, media_type=EVENTS)


def _check(settings: Settings) -> None:
    if why := announcements.missing(settings):
        raise Problem(503, why)


async def _latest(game: Game, settings: Settings) -> Told:
    return await at_once(announcements.is_read, announcements.latest, game, settings)


async def _newest(game: Game, settings: Settings) -> int:
    """The number of the newest; 0 before the first."""
    told = await _latest(game, settings)
    if told.trouble:
        raise Problem(503, told.trouble, **{"Retry-After": "5"})
    return int(told.rows[0]["announcement_number"]) if told.rows else 0


async def _events(game: Game, after: int, settings: Settings) -> AsyncIterator[bytes]:
    """What comes after one, as events, until nobody reads any more or the server ends."""
    global _streams
    _streams += 1
    try:
        yield b"retry: 2000\n\n"
        silent = 0
        while not _is_ending():
            rows = await _since(game, after, settings)
            for row in rows:
                after = row["announcement_number"]
                yield _event(row)
            silent = 0 if rows else silent + LOOK_SECONDS
            if silent >= SILENT_SECONDS:
                silent = 0
                yield b": still here\n\n"
            if len(rows) < MOST:
                await asyncio.sleep(LOOK_SECONDS)
    finally:
        _streams -= 1


async def _since(game: Game, after: int, settings: Settings) -> list[Row]:
    """What came after one, in order: from memory, or read when that does not go so far back."""
    told = await _latest(game, settings)
    if told.trouble or not told.rows or told.rows[0]["announcement_number"] <= after:
        return []
    if told.rows[-1]["announcement_number"] > after and len(told.rows) == announcements.LAST:
        return await run_in_threadpool(announced.since, settings, game, after, MOST)
    return [row for row in reversed(told.rows) if row["announcement_number"] > after]


def _is_ending() -> bool:
    """Whether the server was told to end: it waits for all who are still being answered."""
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)  # uvicorn's own handler
    return bool(getattr(server, "should_exit", False))


def _event(row: Row) -> bytes:
    number, text = row["announcement_number"], as_json(row)
    return b"id: %d\nevent: announcement\ndata: %s\n\n" % (number, text)
