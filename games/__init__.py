"""What is computed: games, each a module with its `GAME`; `settings.games` chooses among them."""

from __future__ import annotations

from collections import Counter
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules

from games.board import Board, Entity, Feed, Game, Injector, Kept, Table, Topic
from settings import SettingError, Settings

__all__ = [
    "Board",
    "Entity",
    "Feed",
    "Game",
    "Injector",
    "Kept",
    "Table",
    "Topic",
    "board",
    "chosen",
    "load",
]


@cache
def load(name: str) -> Game:
    """The game that the module `games.<name>` describes. Raises SettingError when there is none."""
    if not (name.isidentifier() and find_spec(f"games.{name}")):
        raise SettingError(_no_game(name))
    game = getattr(import_module(f"games.{name}"), "GAME", None)
    if not isinstance(game, Game):
        raise SettingError(_no_game(name))
    return game


def _no_game(name: str) -> str:
    modules = [module.name for module in iter_modules(__path__)]
    known = [each for each in modules if hasattr(import_module(f"games.{each}"), "GAME")]
    return f"LEADERBOARD_GAMES names {name!r}, which is no game; there are {', '.join(known)}."


@cache
def _all(names: str) -> tuple[Game, ...]:
    games = tuple(load(name.strip()) for name in names.split(","))
    tables = Counter(each.name for game in games for each in (*game.tables, *game.feeds))
    jobs = Counter(job for game in games for job in game.jobs)
    twice = sorted(name for name, times in (tables | jobs).items() if times > 1)
    if twice:
        raise SettingError(
            f"LEADERBOARD_GAMES: these tables or jobs have the same name: {', '.join(twice)}. Name "
            "each game once; names must be unique among all games."
        )
    return games


def chosen(settings: Settings) -> tuple[Game, ...]:
    """The games that the settings name, in that order. Raises SettingError for an unknown one."""
    return _all(settings.games)


def is_fed(feed: Feed, settings: Settings) -> bool:
    """Whether the game that the events are for is among the chosen ones."""
    return any(game.name == feed.to for game in chosen(settings))


def board(name: str, settings: Settings) -> tuple[Game, Board] | None:
    """The board of this name among the chosen games, with its game; None when there is none."""
    for game in chosen(settings):
        for each in game.boards:
            if each.name == name:
                return game, each
    return None
