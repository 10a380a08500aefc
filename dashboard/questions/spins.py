"""What is asked about campaigns: which there are, one's boards, and where a player stands.

All is answered from memory. Rows come encoded from the process that reads them; an answer joins
rows.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response

from boards.campaigns import BOARDS, Standing
from boards.sinks import Sink
from boards.snapshot import Row
from dashboard import standings
from dashboard.answers import (
    FORMAT,
    JSON,
    LAST_OFFSET,
    Problem,
    Question,
    answer_of,
    as_json,
    at_once,
    file_of,
    number,
    only,
    paged,
    sink_of,
    wants_csv,
)
from dashboard.download import table_file
from dashboard.standings import COLUMNS, Encoded, Latest
from games.campaign import MOST_PLACES
from settings import Settings

LISTED, PLACES = 100, 10  # by default, campaigns and places
ID = re.compile(r"-?[0-9]{1,18}", re.ASCII)  # whatever is longer is nobody's
TOTALS = ("players", "spins", "stake", "win")


def questions(settings: Settings) -> list[Question]:
    """What an application is asked about campaigns."""
    return [
        Question(
            "/api/campaigns",
            "the campaigns, or one player's place in those that run",
            all_campaigns,
            ("player", "sink", "limit", "offset"),
        ),
        Question(
            "/api/campaigns/{id:text}",
            "rows of one campaign's board in rank order",
            one_campaign,
            ("board", "sink", "limit", "offset", FORMAT),
        ),
    ]


async def all_campaigns(request: Request, settings: Settings) -> Response:
    """The campaigns, the latest start first; or where a player stands in those that run."""
    if "player" in request.query_params:
        return await one_player(request, settings)
    limit = number(request, "limit", LISTED, 1, LISTED)
    offset = number(request, "offset", 0, 0, LAST_OFFSET)
    sink, latest = await _read(request, settings)
    key = "campaigns", limit, offset
    if key not in latest.encoded:
        total, shown = len(latest.standings), latest.standings[offset : offset + limit]
        about = {"sink": sink.name} | paged(total, limit, offset)
        listed = {"campaigns": [_about(each, latest) for each in shown]}
        latest.encoded[key] = answer_of(as_json(about | listed), JSON)
    response: Response = latest.encoded[key]
    return response


async def one_player(request: Request, settings: Settings) -> Response:
    """A player's rows on both boards of each campaign in play that lists the player."""
    only(request, "player", "sink")
    text = request.query_params["player"]
    if not ID.fullmatch(text):
        raise Problem(400, "player must be the whole number that is a player's id.")
    player_id = int(text)
    sink, latest = await _read(request, settings)
    key = "player", player_id
    if key not in latest.encoded:
        listed = ", ".join(_place(each, latest, player_id) for each in latest.listing(player_id))
        count = len(latest.in_play)
        head = f'{{"sink": "{sink.name}", "player_id": {player_id}, "in_play": {count}'
        text = f'{head}, "campaigns": [{listed}]}}'
        latest.encoded[key] = answer_of(text.encode(errors="replace"), JSON)
    response: Response = latest.encoded[key]
    return response


def _place(standing: Encoded, latest: Latest, player_id: int) -> str:
    """A campaign with a player's row on each board, as JSON."""
    boards = standing.boards.items()
    rows = (f', "{board}": {rows.by_player.get(player_id, "null")}' for board, rows in boards)
    return f"{_head(standing, latest)}{''.join(rows)}}}"


def _head(standing: Encoded, latest: Latest) -> str:
    """What is said of a campaign beside a player's rows, as JSON whose bracket is still open."""
    key = "head", standing.campaign.campaign_id
    if key not in latest.encoded:
        names = ("campaign_id", "name", "phase", "start_at", "end_at", "players", "window_end")
        about = _about(standing, latest)
        text = as_json({name: about[name] for name in names}).decode()
        latest.encoded[key] = text.removesuffix("}")
    head: str = latest.encoded[key]
    return head


async def one_campaign(request: Request, settings: Settings) -> Response:
    """A page of one campaign's board."""
    text, is_csv = request.path_params["id"], wants_csv(request)
    board = request.query_params.get("board", BOARDS[0])
    if board not in BOARDS:
        raise Problem(400, f"board must be one of {', '.join(BOARDS)}.")
    limit = number(request, "limit", MOST_PLACES if is_csv else PLACES, 1, MOST_PLACES)
    offset = number(request, "offset", 0, 0, LAST_OFFSET)
    sink, latest = await _read(request, settings)
    standing = latest.by_id.get(int(text)) if ID.fullmatch(text) else None
    if standing is None:
        raise Problem(404, f"No campaign has the id {text[:50]!r}; /api/campaigns lists them.")
    key = standing.campaign.campaign_id, board, limit, offset, is_csv
    if key not in latest.encoded:
        page = slice(offset, offset + limit)
        if is_csv:
            latest.encoded[key] = _csv(standing, board, latest, page)
        else:
            latest.encoded[key] = _json(sink, standing, board, latest, page)
    response: Response = latest.encoded[key]
    return response


def _csv(standing: Encoded, board: str, latest: Latest, page: slice) -> Response:
    what = f"campaign-{standing.campaign.campaign_id}_{board}"
    rows = standing.boards[board][page]
    return file_of(table_file(what, COLUMNS, rows, standing.frozen_at or latest.read_at))


def _json(sink: Sink, standing: Encoded, board: str, latest: Latest, page: slice) -> Response:
    rows = standing.boards[board].texts
    about = {"sink": sink.name} | _about(standing, latest) | {"board": board}
    about |= paged(len(rows), page.stop - page.start, page.start)
    head = as_json(about).decode().removesuffix("}")
    text = f'{head}, "rows": [{", ".join(rows[page])}]}}'
    return answer_of(text.encode(errors="replace"), JSON)


def _about(standing: Standing, latest: Latest) -> Row:
    """What is said of a campaign, but for its boards."""
    campaign, totals = standing.campaign, standing.totals or {}
    return {
        "campaign_id": campaign.campaign_id,
        "name": campaign.name,
        "phase": standings.phase(standing, latest),
        "start_at": campaign.start_at,
        "end_at": campaign.end_at,
        "closes_at": campaign.closes_at,
        "frozen_at": standing.frozen_at,
        "games": campaign.games,
        "last_minutes": campaign.last_minutes,
        "minimum_spins": campaign.minimum_spins,
        "places": campaign.places,
        **{name: totals.get(name, 0) for name in TOTALS},
        "window_end": totals.get("window_end"),
    }


def trouble(sink: Sink, settings: Settings) -> str | None:
    """Why nothing can be answered; None when it can, or when nobody has asked for a while."""
    return standings.trouble(sink.name, settings)


async def _read(request: Request, settings: Settings) -> tuple[Sink, Latest]:
    sink = await sink_of(request, settings)
    latest = await at_once(standings.is_read, standings.latest, sink.name, settings)
    if latest.trouble:
        raise Problem(503, latest.trouble, **{"Retry-After": "5"})
    return sink, latest
