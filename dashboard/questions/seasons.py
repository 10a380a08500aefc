"""What is asked about seasons, of any game: which there are, and what was won in one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from boards import history, prizes
from boards.seasons import FINAL, Season, address_of, named
from boards.sinks import Sink
from boards.snapshot import Boards
from dashboard import download, refresh
from dashboard.answers import (
    FORMAT,
    LAST_OFFSET,
    Problem,
    Question,
    answer,
    file_of,
    game_of,
    number,
    paged,
    sink_in_use,
    sink_of,
    wants_csv,
)
from games.board import Game
from settings import Settings

SEASONS, AWARDS, MOST_AWARDS = 100, 100, 10_000  # by default; and at most


def questions() -> list[Question]:
    """What an application is asked about seasons."""
    return [
        Question(
            "/api/seasons",
            "the seasons of a game, the newest first",
            all_seasons,
            ("game", "sink", "limit", "offset"),
        ),
        Question(
            "/api/awards",
            "what was won in a season that is final",
            season_awards,
            ("game", "season", "board", "limit", "offset", FORMAT),
        ),
    ]


async def all_seasons(request: Request, settings: Settings) -> Response:
    """The seasons of a game, whether they are final, and since or from when."""
    game, sink = game_of(request, settings), await sink_of(request, settings)
    limit = number(request, "limit", SEASONS, 1, LAST_OFFSET)
    offset = number(request, "offset", 0, 0, LAST_OFFSET)
    known = await run_in_threadpool(refresh.seasons, game, sink, settings)
    now = datetime.now(UTC)
    listed = [
        {
            "season": address_of(each, settings),
            "length": each.length,
            "season_start": each.season_start,
            "season_end": each.season_end,
            "state": each.state(now),
            "final_from": each.final_from(settings.max_late_hours),
            "final_at": each.final_at,
        }
        for each in known[offset : offset + limit]
    ]
    about = {"game": game.name, "sink": sink.name}
    return answer(about | paged(len(known), limit, offset) | {"seasons": listed})


async def season_awards(request: Request, settings: Settings) -> Response:
    """The awards of a season, by board and rank."""
    game = game_of(request, settings)
    season = await season_of(request, game, await sink_in_use(settings), settings)
    if season is None:
        raise Problem(400, "season must be given; /api/seasons lists those that there are.")
    is_csv = wants_csv(request)
    limit = number(request, "limit", MOST_AWARDS if is_csv else AWARDS, 1, MOST_AWARDS)
    offset = number(request, "offset", 0, 0, LAST_OFFSET * AWARDS)
    name, names = request.query_params.get("board"), [board.name for board in game.seasonal]
    if name and name not in names:
        raise Problem(400, f"board must be one of {', '.join(names)}.")
    found = await run_in_threadpool(prizes.given, settings, season)
    rows = [row for row in found if name in (None, row["board"])]
    shown = rows[offset : offset + limit]
    if is_csv:
        return file_of(download.awards_file(shown, season))
    about = {"game": game.name, "season": address_of(season, settings)}
    return answer(about | paged(len(rows), limit, offset) | {"awards": shown})


async def season_of(request: Request, game: Game, sink: Sink, settings: Settings) -> Season | None:
    """The season that is asked for; None for the newest."""
    text = request.query_params.get("season")
    if not text:
        return None
    known = await run_in_threadpool(refresh.seasons, game, sink, settings)
    found = named(text, known, settings)
    if found is None:
        why = f"The game {game.name} has no season {text[:50]!r}; /api/seasons lists them."
        raise Problem(404, why)
    return found


def minute_of(request: Request) -> datetime | None:
    """The minute that is asked for; None for now. Raises Problem for one that is none, or to come.

    It does not go with a season, which it has, nor with a sink: the history is one of both.
    """
    text = request.query_params.get("at")
    if not text:
        return None
    for other in ("season", "sink"):
        if request.query_params.get(other):
            raise Problem(400, f"at and {other} do not go together.")
    minute = history.minute_named(text)
    if minute is None:
        raise Problem(400, "at must be a minute in UTC, such as 2026-11-28T09:41Z.")
    if minute > datetime.now(UTC):
        raise Problem(400, "at must not be to come.")
    return minute


def about_season(season: Season | None, boards: Boards, settings: Settings) -> dict[str, Any]:
    """What an answer about a given season says of it."""
    if season is None:
        return {}
    state = FINAL if boards.final_at else season.state(datetime.now(UTC))
    called = address_of(season, settings)
    return {"season": called, "state": state, "final_at": boards.final_at}
