"""What the pages of players and teams share: whom to start from, and what a sink does not hold."""

from __future__ import annotations

from boards import sinks
from boards.sinks import Sink
from boards.snapshot import Row
from dashboard import html
from dashboard.html import number, text
from games.board import Board
from settings import Settings

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


def ranked(title: str, board: Board, rows: list[Row], marked: int | None = None) -> str:
    """Some of those on a board, by rank, with links to their pages."""
    entity = board.entity
    listed = [
        [
            number(row["rank_number"]),
            html.link(entity.page, row[entity.id_column], row[entity.name_column]),
            number(row[board.value]),
        ]
        for row in rows
    ]
    heads = {"#": "rank", entity.title: "name", board.label: "n"}
    table = html.table(title, heads, listed, "narrow", empty=text(None), marked=marked)
    return f"<h2>{title}</h2>{table}"
