"""How does a season end, and who wins what?"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from boards import prizes
from boards.cache import cached_for
from boards.seasons import NotYet, Season
from boards.sinks import Sink
from boards.snapshot import Boards, Row
from boards.tiers import Rule
from clients.errors import BoardsUnavailable
from dashboard import health, html, refresh, seasons
from dashboard.choices import choose_game
from dashboard.download import awards_file
from dashboard.html import number, text
from games import chosen
from games.board import Board, Game
from settings import Settings, settings

REFRESH_SECONDS = 10  # of what would be won: to find out means to rank everybody
PRIZE_LENGTH = 200
NONE = "There is no season yet: the boards are empty, or cannot be read."


def page() -> None:
    html.show("<h1>Season</h1>")
    sink = health.sink_in_use(settings)
    with st.container(key="controls", horizontal=True, horizontal_alignment="right"):
        game = choose_game([each for each in chosen(settings) if each.seasonal])
        past = seasons.choose(game, sink, settings)
    for each in seasons.wrong(game, sink, settings):
        html.notice(each, "wait")
    season = past or next(iter(seasons.known(game, sink, settings)), None)
    if season is None:
        html.show(f'<p class="quiet">{NONE}</p>')
        return
    is_over = season.final_at is not None
    st.fragment(_season, run_every=None if is_over else REFRESH_SECONDS)(game, season, sink)
    _offer(game, season, sink)


def _season(game: Game, season: Season, sink: Sink) -> None:
    latest = refresh.past(game, sink, season, settings)
    boards = seasons.show(season, latest, settings, _note(season, latest.boards))
    if boards is None:
        return
    awards: dict[str, list[Row]] = {}
    try:
        rules = _rules(settings)
        awards = _awards(game, season, sink, settings)
    except NotYet as error:
        html.notice(f"It is unknown who would win: {text(error, 400)}")
    except BoardsUnavailable as error:
        html.notice(text(error, 400))
        return
    panels = [_panel(each, boards, awards.get(each.name, []), season) for each in game.seasonal]
    html.show(f'<div class="boards">{"".join(panels)}</div>')
    html.show(_prizes(game, rules))


def _note(season: Season, boards: Boards | None) -> str:
    if boards and boards.final_at:
        return "Final: nothing changes these tables and awards any more."
    if season.season_end is None:
        return "This season never ends, and no prizes are given."
    return "The prizes are those that would be won if it ended now."


@cached_for(REFRESH_SECONDS)
def _rules(settings: Settings) -> dict[str, Rule]:
    return prizes.rules(settings)


@cached_for(REFRESH_SECONDS)
def _awards(game: Game, season: Season, sink: Sink, settings: Settings) -> dict[str, list[Row]]:
    """What was won, or would be if the season ended now, by board."""
    if season.final_at:
        rows = prizes.given(settings, season)
    else:
        rows = prizes.preview(settings, game, season, sink)
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["board"], []).append(row)
    return found


def _panel(board: Board, boards: Boards, awards: Sequence[Row], season: Season) -> str:
    """The table of a board, with what its winners get."""
    won = {row["entity_id"]: row for row in awards}
    rows, listed = boards.rows[board.name], []
    longest = max((row[board.value] for row in rows), default=0)
    for row in rows:
        award = won.pop(row[board.entity.id_column], None)
        bar = html.bar(max(0, row[board.value]) / longest if longest > 0 else 0)
        who = bar + seasons.link(board, row, season, settings)
        if board.entity.beside:
            who += f' <span class="beside">{text(row[board.entity.beside])}</span>'
        listed.append([str(row["rank_number"]), who, board.show(row[board.value]), _prize(award)])
    heads = {"#": "rank", board.entity.title: "name", board.label: "value", "Prize": "prize"}
    table = html.table(board.title, heads, listed, "ranks long prizes", empty=board.why_empty)
    more = f" · {number(len(won))} more below these places win" if won else ""
    heading = f"<h2>{board.title} <small>{board.question}{more}</small></h2>"
    return f'<section class="panel {board.accent} {board.name}">{heading}{table}</section>'


def _prize(award: Row | None) -> str:
    if award is None:
        return ""
    banned = ' <span class="bad">banned since</span>' if award["banned_at"] else ""
    return text(prizes.prize_text(award["prize"]), PRIZE_LENGTH) + banned


def _prizes(game: Game, rules: dict[str, Rule]) -> str:
    """The tiers that hold for the next season to become final."""
    rows = [
        [
            board.title,
            text(each.title),
            text(prizes.prize_text(each.prize), PRIZE_LENGTH),
            str(rule.version),
            text(rule.author),
        ]
        for board in game.seasonal
        if (rule := rules.get(board.name))
        for each in rule.tiers
    ]
    heads = {"Board": "name", "Ranks": "", "Prize": "wrap", "Version": "n", "Set by": ""}
    how = "<code>python -m boards.prizes set</code>"
    table = html.table("Prizes", heads, rows, "wide", empty=f"None are set: {how} sets them")
    return f"<h2>Prizes <small>set with {how}</small></h2>{table}"


def _offer(game: Game, season: Season, sink: Sink) -> None:
    """The tables and the awards as files, made when somebody asks."""
    with st.popover("Download", key="download", on_change="rerun") as offered:
        if not offered.open:
            return
        seasons.offer_boards(game, sink, season, settings)
        try:
            awards = prizes.given(settings, season)
        except BoardsUnavailable as error:
            html.notice(text(error, 400))
            return
        if awards:
            html.save("Awards", awards_file(awards, season))
