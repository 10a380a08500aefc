"""What do players do most, a minute: by kind, by target, by team?"""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from boards.snapshot import STALE_SECONDS, Boards, Row
from dashboard import health, html, refresh
from dashboard.html import duration, number, text
from dashboard.refresh import Refreshed
from games import is_fed
from games.actions import (
    ACTION_SCORES,
    ACTIONS_BY_KIND,
    ACTIONS_BY_TARGET,
    ACTIONS_BY_TEAM,
    GAME,
)
from games.board import Board
from settings import settings

REFRESH_SECONDS = 2
PLACES = 20


def page() -> None:
    html.show("<h1>Actions</h1>")
    if not is_fed(ACTION_SCORES, settings):
        command = f"<code>scripts/run_all.sh --games {ACTION_SCORES.to},{GAME.name}</code>"
        why = f"the game {text(ACTION_SCORES.to)} is not computed. {command} computes both."
        html.notice(f"Actions score no points: {why}", "wait")
    st.fragment(_actions, run_every=REFRESH_SECONDS)()


def _actions() -> None:
    sink = health.sink_in_use(settings)
    latest = refresh.refreshed(GAME, sink, settings)
    if latest.trouble:
        html.notice(text(latest.trouble, 400))
    if latest.boards is None:
        return
    html.show(html.facts(_figures(latest.boards)))
    panels = "".join(_panel(board, latest) for board in GAME.boards)
    html.show(f'<div class="boards">{panels}</div>')


def _figures(boards: Boards) -> dict[str, str]:
    kinds, targets, teams = (
        boards.rows[board.name] for board in (ACTIONS_BY_KIND, ACTIONS_BY_TARGET, ACTIONS_BY_TEAM)
    )
    figures = {
        "Last minute": f"{number(_sum(kinds, 'minute_before'))} <small>actions</small>",
        "This minute": f"{number(_sum(kinds, 'this_minute'))} <small>so far</small>",
        "Done most": _done(targets[0]) if targets else text(None),
        "Busiest team": _name(ACTIONS_BY_TEAM, teams[0]) if teams else text(None),
    }
    if boards.as_of:
        age = (datetime.now(UTC) - boards.as_of).total_seconds()
        css = "bad" if age > STALE_SECONDS else ""
        old = f'<span class="{css}">{duration(age)} old</span>'
        figures["Newest action"] = f"{html.moment(boards.as_of)} UTC, {old}"
    return figures


def _sum(rows: list[Row], column: str) -> int:
    return sum(row[column] for row in rows)


def _done(row: Row) -> str:
    return f"{_words(row['action'])}: {text(row['target'])}"


def _words(action: str) -> str:
    return text(action.replace("_", " "))


def _name(board: Board, row: Row) -> str:
    if board is ACTIONS_BY_KIND:
        return _words(row["action"])
    if board is ACTIONS_BY_TARGET:
        return f'{text(row["target"])} <span class="beside">{_words(row["action"])}</span>'
    return html.link("", row["team_id"], row["team_name"])


def _panel(board: Board, latest: Refreshed) -> str:
    """The HTML of one of the three tables."""
    assert latest.boards
    rows = latest.boards.rows[board.name][:PLACES]
    heads = {"#": "rank", board.entity.title: "name", "Trend": "trend"}
    heads |= {"Last minute": "value", "This minute": "value"}
    longest = max((row[board.value] for row in rows), default=0) or 1
    cells = [_cells(board, row, latest, longest) for row in rows]
    table = html.table(board.title, heads, cells, "ranks long", empty=board.why_empty)
    heading = f"<h2>{board.title} <small>{board.question}</small></h2>"
    return f'<section class="panel {board.accent}">{heading}{table}</section>'


def _cells(board: Board, row: Row, latest: Refreshed, longest: int) -> list[str]:
    values = latest.trend(board, row[board.found_by])
    trend = html.spark(values, "actions of two minutes, in the last hour")
    return [
        number(row["rank_number"]),
        html.bar(row[board.value] / longest) + _name(board, row),
        trend,
        number(row["minute_before"]),
        number(row["this_minute"]),
    ]
