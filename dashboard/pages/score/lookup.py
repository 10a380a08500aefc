"""What the pages of players and teams share: whom to start from, and what a sink does not hold."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from boards import sinks
from boards.seasons import Season, address_of
from boards.sinks import Sink
from boards.snapshot import Boards, Row
from dashboard import html, login, refresh, seasons
from dashboard.html import number, text
from games.board import Board
from games.score import GAME
from settings import Settings, settings

BEST = 10  # names to start from, when nobody is chosen


def tell_limits(sink: Sink, unknown: str, settings: Settings) -> None:
    """Say that a sink holds the best only, what is therefore unknown, and what would help."""
    if not sink.can_look_up:
        able = next(each for each in sinks.sinks(settings) if each.can_look_up)
        html.notice(
            f"The jobs write to {sink.title}, which holds the best only: {unknown}. To see them, "
            f"move the boards to {able.title}: {html.move_boards(able.name)}",
            "wait",
        )


def choose_season(sink: Sink, settings: Settings) -> Season | None:
    """A box with the seasons, and the state of the one that is chosen; None is the newest."""
    with st.container(key="controls", horizontal=True, horizontal_alignment="right"):
        season = seasons.choose(GAME, sink, settings)
    for each in seasons.wrong(GAME, sink, settings):
        html.notice(each, "wait")
    if season:
        seasons.show(season, refresh.past(GAME, sink, season, settings), settings)
    return season


def boards_of(sink: Sink, season: Season | None, settings: Settings) -> Boards | None:
    """The boards of a season, by default the newest; None when they cannot be read."""
    return refresh.of_season(GAME, sink, season, settings).boards


def chosen_in(season: Season | None, settings: Settings, **chosen: str) -> dict[str, str]:
    """What a link chooses, in the same season."""
    return chosen | {"season": address_of(season, settings)} if season else {}


def nobody(sink: Sink, season: Season | None) -> str:
    """What nobody of an id has done or is, as the rest of a sentence."""
    if not sink.can_look_up:
        return "is on the board of the best"
    if season and season.final_at:
        return "was among the best of this season, or its totals are forgotten by now"
    return "has scored in this season"


def ranked(
    title: str,
    board: Board,
    rows: list[Row],
    marked: int | None = None,
    season: Season | None = None,
) -> str:
    """Some of those on a board, by rank, with links to their pages."""
    entity, longest = board.entity, max((row[board.value] for row in rows), default=0) or 1
    listed = [
        [
            number(row["rank_number"]),
            html.bar(row[board.value] / longest) + seasons.link(board, row, season, settings),
            number(row[board.value]),
        ]
        for row in rows
    ]
    heads = {"#": "rank", entity.title: "name", board.label: "value"}
    table = html.table(title, heads, listed, "ranks long", empty=text(None), marked=marked)
    return f"<h2>{title}</h2>{table}"


# Makes a link to choose somebody, of an id and a name.
Choose = Callable[[str, str | None], str]
BANNED = ' <span class="bad">banned</span>'


def found_players(rows: list[Row], choose: Choose, words: str) -> str:
    """The players that were found by these words."""
    listed = [
        [
            choose(row["user_id"], row["user_name"]),
            html.identity(row["user_id"]) + (BANNED if row["is_banned"] else ""),
            html.link("team", row["team_id"], row["team_name"]),
            number(row["total_score"]),
        ]
        for row in rows
    ]
    heads = {"Name": "name", "Id": "", "Team": "", "Points": "n"}
    nobody = f"No player's id or name contains {html.identity(words)}"
    return html.table("Found", heads, listed, "long", empty=nobody)


def found_teams(rows: list[Row], choose: Choose, words: str) -> str:
    """The teams that were found by these words."""
    listed = [
        [
            choose(row["team_id"], row["team_name"]),
            html.identity(row["team_id"]) + (BANNED if row["is_banned"] else ""),
            number(row["team_total"]),
        ]
        for row in rows
    ]
    heads = {"Name": "name", "Id": "", "Points": "n"}
    nobody = f"No team's id or name contains {html.identity(words)}"
    return html.table("Found", heads, listed, "long", empty=nobody)


def moderate(kind: str, found_by: str, *, is_banned: bool, settings: Settings) -> str:
    """A button that leads to the decision about a player or team, for whoever may decide."""
    if not login.may_moderate(settings, st.user):
        return ""
    decision = "unban" if is_banned else "ban"
    words = f"{decision.capitalize()} this {kind}"
    return html.button(words, "moderation", decision=decision, kind=kind, id=found_by)
