"""Questions to the API beside those about boards: those about seasons, and games' own.

The module `dashboard.questions.<game>` has them, where there is one. Its function `questions` makes
them for an application; they are put together from what `dashboard.answers` offers. Its function
`trouble` says why they cannot be answered now.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from boards.sinks import Sink
from dashboard.answers import Question
from games.board import Game
from settings import Settings


def own_questions(game: Game, settings: Settings) -> list[Question]:
    """What a game's module has; nothing when there is no such module."""
    module = _module(game)
    found: list[Question] = module.questions(settings) if module else []
    return found


def own_trouble(game: Game, sink: Sink, settings: Settings) -> str | None:
    """Why a game's own questions cannot be answered now; None when they can."""
    module = _module(game)
    found: str | None = module.trouble(sink, settings) if module else None
    return found


@cache
def _module(game: Game) -> Any:
    module = f"dashboard.questions.{game.name}"
    return import_module(module) if find_spec(module) else None
