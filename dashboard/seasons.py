"""Seasons as the pages offer and call them: a box to choose one, its state, its last winners."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import streamlit as st

from boards.seasons import (
    FINAL,
    PROVISIONAL,
    RUNNING,
    Season,
    address_of,
    named,
)
from boards.sinks import Sink
from boards.snapshot import Boards, Row
from clients.errors import BoardsUnavailable
from dashboard import html, refresh
from dashboard.choices import in_address
from dashboard.download import board_file
from dashboard.html import text
from dashboard.refresh import Refreshed
from games.board import Board, Game
from settings import Settings

CSS = {RUNNING: "good", PROVISIONAL: "wait", FINAL: "quiet"}
WINNERS_SECONDS = 600  # of a season, in which the last one's winners are in view
WINNERS = 3  # places of each board


def known(game: Game, sink: Sink, settings: Settings) -> list[Season]:
    """The seasons of a game, the newest first; none when they cannot be read."""
    try:
        return refresh.seasons(game, sink, settings)
    except BoardsUnavailable:
        return []


def choose(game: Game, sink: Sink, settings: Settings, *, newest: str = "now") -> Season | None:
    """A box with all seasons; None for the newest, which runs.

    The choice stands in the address. One that there is not is told, and the newest is shown.
    """
    asked = st.query_params.get("season")
    found = known(game, sink, settings)
    if not game.seasonal or not (asked or len(found) > 1):
        return None
    by_address = {address_of(each, settings): each for each in found}
    if asked and (meant := named(asked, found, settings)):  # its id will do as well
        st.query_params["season"] = address_of(meant, settings)
    options = list(by_address)
    chosen = st.selectbox(
        "Season",
        options,
        index=None,
        placeholder=newest,
        format_func=lambda each: title(by_address[each]),
        width=170,
        **in_address("season", options),
    )
    season = by_address.get(chosen) if chosen else None
    is_newest = season is not None and season == found[0]
    is_over = season is not None and season.state(datetime.now(UTC)) != RUNNING
    return None if is_newest and not is_over else season


def wrong(game: Game, sink: Sink, settings: Settings) -> list[str]:
    """What the address asks for and there is not, as HTML."""
    asked = st.query_params.get("season")
    if asked is None or named(asked, known(game, sink, settings), settings):
        return []
    return [f"The address asks for season={text(asked)}, which there is not: the newest is shown."]


def title(season: Season) -> str:
    """A season as a person calls it: Fri 27 Nov, or 27 Nov 14:00, or week of 23 Nov."""
    if season.season_end is None:
        return "all time"
    start = season.season_start
    year = "" if start.year == datetime.now(UTC).year else f" {start:%Y}"
    if season.length == "hour":
        return f"{start:%-d %b}{year}, {start:%H:%M}"
    if season.length == "week":
        return f"week of {start:%-d %b}{year}"
    return f"{start:%a %-d %b}{year}"


def badge(season: Season, final_at: datetime | None) -> str:
    """The state of a season in a word."""
    state = FINAL if final_at else season.state(datetime.now(UTC))
    return html.badge(state.upper(), CSS[state])


def show(
    season: Season, latest: Refreshed, settings: Settings, note: str = "", **figures: str
) -> Boards | None:
    """Show the state of a season, with a note and more figures, or why it cannot be read.

    Returns its boards.
    """
    boards = latest.boards
    if boards is None:
        html.notice(text(latest.trouble, 400))
        return None
    final_at, final_from = boards.final_at, season.final_from(settings.max_late_hours)
    told = {"State": badge(season, final_at), "Season": title(season)}
    if final_at:
        told["Final since"] = f"{html.moment(final_at)} UTC"
    elif final_from:
        told["Final from"] = f"{html.moment(final_from)} UTC"
    if not final_at and season.state(datetime.now(UTC)) == PROVISIONAL:
        note = f"Provisional: events that come late may still change it. {note}"
    html.show(html.facts(told | figures) + (f'<p class="quiet">{note}</p>' if note else ""))
    return boards


def link(board: Board, row: Row, season: Season | None, settings: Settings) -> str:
    """A name on a board, which leads to its owner's page in the same season."""
    entity = board.entity
    found_by = row[entity.id_column]
    chosen = {entity.page: found_by, "season": address_of(season, settings)} if season else {}
    return html.link(entity.page, found_by, row[entity.name_column], **chosen)


def offer_boards(
    game: Game,
    sink: Sink,
    season: Season | None,
    settings: Settings,
    minute: datetime | None = None,
) -> None:
    """Each board of a season as a file, by default of the newest, or as of a minute."""
    if minute:
        latest = refresh.at_minute(game, minute, settings)
    else:
        latest = refresh.of_season(game, sink, season, settings)
    if latest.boards is None:
        html.show('<p class="quiet">There are no boards to save.</p>')
        return
    for board in game.seasonal if season and not minute else game.boards:
        rows = latest.boards.rows[board.name]
        html.save(board.title, board_file(latest, board, rows, settings, season))


def last_winners(game: Game, sink: Sink, start: datetime | None, settings: Settings) -> str:
    """Who won the last season, as HTML, in the first ten minutes of this one; else nothing."""
    if start is None or datetime.now(UTC) - start > timedelta(seconds=WINNERS_SECONDS):
        return ""
    last = next((each for each in known(game, sink, settings) if each.season_start < start), None)
    if last is None:
        return ""
    boards = refresh.past(game, sink, last, settings).boards
    if boards is None:
        return ""
    address = f"?season={address_of(last, settings)}"
    if html.is_wall():
        address += "&amp;view=wall"
    heading = f'<a href="{address}" target="_self">Winners of {title(last)}</a>'
    listed = "".join(
        _winners(each, boards.rows[each.name], last, settings) for each in game.seasonal
    )
    state = badge(last, boards.final_at)
    return f'<section class="winners"><h2>{heading} {state}</h2><dl>{listed}</dl></section>'


def _winners(board: Board, rows: Sequence[Row], season: Season, settings: Settings) -> str:
    places = [
        f"<dd><b>{row['rank_number']}</b> {link(board, row, season, settings)} "
        f"<small>{board.show(row[board.value])}</small></dd>"
        for row in rows[:WINNERS]
    ]
    return f"<div><dt>{board.title}</dt>{''.join(places)}</div>" if places else ""
