"""Pictures of every page of the running system: one file for each in docs/.

Each shows the page light and dark, wide and narrow.
"""

from __future__ import annotations

import io
from typing import Any

from PIL import Image
from playwright.sync_api import Browser

from boards import sinks
from games.score import GAME, TOP_PLAYERS
from settings import PROJECT, settings
from tests.conftest import chromium

WIDE, NARROW = {"width": 1400, "height": 920}, {"width": 390, "height": 920}
SCHEMES = ("light", "dark")
GAP, COLOURS = 24, 128
SETTLED = {
    "live": "body:has(.facts) table.ranks .spark",
    "player": ".events tbody td",
    "team": ".members .bar",
    "pipeline": "body:not(:has(.flow .missing)) .flow .big",
}
MILLIS = 120_000


def main() -> None:
    top = sinks.sink(settings.sink, settings).read(GAME).rows[TOP_PLAYERS.name][2]
    pages = {
        "live": "",
        "player": f"player?player={top['user_id']}",
        "team": f"team?team={top['team_id']}",
        "pipeline": "pipeline",
        "moderation": "moderation",
    }
    with chromium() as browser:
        for name, path in pages.items():
            shots = [
                [_shot(browser, name, path, scheme, view) for view in (WIDE, NARROW)]
                for scheme in SCHEMES
            ]
            file = PROJECT / "docs" / f"{name}.png"
            _together(shots).quantize(COLOURS).save(file, optimize=True)
            print(f"{file.relative_to(PROJECT)}: {file.stat().st_size // 1024} kB")


def _shot(browser: Browser, name: str, path: str, scheme: Any, view: Any) -> Image.Image:
    page = browser.new_page(viewport=view, color_scheme=scheme)
    page.goto(f"http://{settings.page_host}:{settings.dashboard_port}/{path}", timeout=MILLIS)
    page.locator(SETTLED.get(name, "table")).first.wait_for(state="attached", timeout=MILLIS)
    page.evaluate("document.fonts.ready.then(() => true)")
    picture = Image.open(io.BytesIO(page.screenshot()))
    page.close()
    return picture.convert("RGB")


def _together(shots: list[list[Image.Image]]) -> Image.Image:
    """Light above dark, narrow beside wide, at half the size."""
    width = WIDE["width"] + GAP + NARROW["width"]
    sheet = Image.new("RGB", (width, 2 * WIDE["height"] + GAP), "#8b949e")
    for row, (wide, narrow) in enumerate(shots):
        top = row * (WIDE["height"] + GAP)
        sheet.paste(wide, (0, top))
        sheet.paste(narrow, (WIDE["width"] + GAP, top))
    return sheet.resize((sheet.width * 2 // 3, sheet.height * 2 // 3), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
