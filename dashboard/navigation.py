"""Which pages there are, and which game they show."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec

from dashboard.pages import Page, live, moderation, pipeline, season
from games import chosen
from games.board import Game
from settings import Settings

LIVE = Page(live.page, "Live", "")  # at the root
SEASON = Page(season.page, "Season", "season")
PIPELINE = Page(pipeline.page, "Pipeline", "pipeline")
MODERATION = Page(moderation.page, "Moderation", "moderation")


def pages(settings: Settings) -> list[Page]:
    """All pages, in their order: the boards, each game's own pages, and the others."""
    games = chosen(settings)
    own = [page for game in games for page in own_pages(game) if page.is_offered(settings)]
    if any(game.seasonal for game in games):
        own.append(SEASON)
    return [LIVE, *own, PIPELINE, MODERATION]


def own_pages(game: Game) -> tuple[Page, ...]:
    """The `PAGES` of the package `dashboard.pages.<game>`; none when there is no such package."""
    package = f"dashboard.pages.{game.name}"
    found: tuple[Page, ...] = import_module(package).PAGES if find_spec(package) else ()
    return found
