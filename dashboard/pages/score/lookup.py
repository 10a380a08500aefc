"""Whether everybody can be looked up, which a page says when it is not so."""

from __future__ import annotations

from boards import sinks
from boards.sinks import Sink
from dashboard import html
from settings import Settings


def tell_limits(sink: Sink, unknown: str, settings: Settings) -> None:
    """Say that a sink holds the best only, what is therefore unknown, and what would help."""
    if not sink.can_look_up:
        able = next(each for each in sinks.sinks(settings) if each.can_look_up)
        html.notice(
            f"The jobs write to {sink.title}, which holds the best only: {unknown}. To see them, "
            f"move the boards to {able.title}: {html.move_boards(able.name)}",
            "wait",
        )
