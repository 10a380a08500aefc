"""Pictures of every page of the running system, or of those named: one file for each in docs/.

Each shows the page light and dark, wide and narrow.
"""

from __future__ import annotations

import io
import sys
from typing import Any

from PIL import Image
from playwright.sync_api import Browser

from boards import history, sinks
from dashboard import navigation
from games.score import GAME, TOP_PLAYERS
from settings import PROJECT, settings
from tests.conftest import chromium

WIDTHS = (1400, 390)
HEIGHT, HEIGHTS = 920, {"live": 1320, "replay": 1320}  # all five boards of a game
SCHEMES = ("light", "dark")
GAP, COLOURS = 24, 128
SETTLED = {
    "live": "body:has(.facts) table.ranks .spark",
    "player": ".events tbody td",
    "team": ".members .bar",
    "campaigns": "body:has(.facts) .campaigns .chosen tbody .bar",
    "sessions": "table.board tbody td",
    "pipeline": "body:not(:has(.flow .missing)) .flow .big",
}
# Nothing is awaited any more, and the page's own style is there.
DRAWN = """() => !document.querySelector("[data-testid=stSkeleton]")
    && [...document.querySelectorAll(".stMarkdown h1")].some(
        title => parseFloat(getComputedStyle(title).fontSize) < 30)"""
MILLIS, SETTLE_MILLIS = 120_000, 3_000  # refreshes come every second: trends need two


def main(names: list[str]) -> None:
    """Take the pictures of these pages; of all without names."""
    top = sinks.sink(settings.sink, settings).read(GAME).rows[TOP_PLAYERS.name][2]
    pages = {
        "live": "",
        "replay": f"?at={_half_way()}",
        "player": f"player?player={top['user_id']}",
        "team": f"team?team={top['team_id']}",
        "season": "season",
        "pipeline": "pipeline",
        "moderation": "moderation",
    }
    known = {page.path for page in navigation.pages(settings)} & SETTLED.keys()
    pages |= {path: path for path in known if path not in pages}
    chosen = {name: path for name, path in pages.items() if not names or name in names}
    with chromium() as browser:
        for name, path in chosen.items():
            shots = [
                [_shot(browser, name, path, scheme, width) for width in WIDTHS]
                for scheme in SCHEMES
            ]
            file = PROJECT / "docs" / f"{name}.png"
            _together(shots).quantize(COLOURS).save(file, optimize=True)
            print(f"{file.relative_to(PROJECT)}: {file.stat().st_size // 1024} kB")


def _half_way() -> str:
    """The minute in the middle of what the history has of the season."""
    first = history.first_minute(GAME, settings)
    last = history.last_minute(GAME, settings)
    if not (first and last):
        sys.exit("No minute is kept yet: take the pictures of a system that has run for a while.")
    return history.address_of(first + (last - first) / 2)


def _shot(browser: Browser, name: str, path: str, scheme: Any, width: int) -> Image.Image:
    view: Any = {"width": width, "height": HEIGHTS.get(name, HEIGHT)}
    page = browser.new_page(viewport=view, color_scheme=scheme)
    page.goto(f"http://{settings.page_host}:{settings.dashboard_port}/{path}", timeout=MILLIS)
    page.locator(SETTLED.get(name, "table")).first.wait_for(state="attached", timeout=MILLIS)
    page.wait_for_function(DRAWN, timeout=MILLIS)
    page.evaluate("document.fonts.ready.then(() => true)")
    page.wait_for_timeout(SETTLE_MILLIS)
    picture = Image.open(io.BytesIO(page.screenshot()))
    page.close()
    return picture.convert("RGB")


def _together(shots: list[list[Image.Image]]) -> Image.Image:
    """Light above dark, narrow beside wide, at two thirds of the size."""
    height = shots[0][0].height
    sheet = Image.new("RGB", (sum(WIDTHS) + GAP, 2 * height + GAP), "#8b949e")
    for row, (wide, narrow) in enumerate(shots):
        top = row * (height + GAP)
        sheet.paste(wide, (0, top))
        sheet.paste(narrow, (wide.width + GAP, top))
    return sheet.resize((sheet.width * 2 // 3, sheet.height * 2 // 3), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main(sys.argv[1:])
