"""How statistics of a profile are called and shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from boards.snapshot import Row
from dashboard import html
from dashboard.html import number, text
from games.overwatch import ALL_HEROES

HOUR_SECONDS = 3_600
LABELS = {
    "kda": "K/D/A",
    "winrate": "Win rate",
    "username": "Name",
    "endorsement": "Endorsement",
    "last_updated_at": "Profile updated, UTC",
    "season": "Competitive season",
}
ENDINGS = {
    "_avg_per_10_min": " per 10 min",
    "_most_in_game": ", most in game",
    "_best_in_game": ", best in game",
    "_most_in_life": ", most in life",
}
AMOUNTS = ("eliminations", "assists", "deaths", "damage", "healing")
# What the summary of statistics tells of a player, a role and a hero, a line each.
BLOCK = (
    ("games_played", "games_won", "games_lost", "time_played", "winrate", "kda"),
    tuple(f"average_{name}" for name in AMOUNTS),
    tuple(f"total_{name}" for name in AMOUNTS),
)
SECONDS = re.compile(r"(^|_)time(_|$)")
PERCENT = re.compile(r"winrate|accuracy|percentage")


class Statistics:
    """A profile's statistics, found by category, hero and name."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = {(row["category"], row["hero"], row["statistic"]): row for row in rows}

    def __bool__(self) -> bool:
        return bool(self._rows)

    @property
    def answered_at(self) -> datetime | None:
        """The time of the answer that they are of; None when there are none."""
        return max((row["answered_at"] for row in self._rows.values()), default=None)

    def __len__(self) -> int:
        return len(self._rows)

    def shown(self, category: str, hero: str, name: str) -> str:
        """A statistic as HTML; N/A when it is missing."""
        row = self._rows.get((category, hero, name))
        return text(None) if row is None else _shown(row)

    def names(self, category: str, hero: str) -> list[str]:
        """The statistics that there are of a hero in a category, in the order of their labels."""
        found = [name for of, whose, name in self._rows if (of, whose) == (category, hero)]
        return sorted(found, key=label)

    def heroes(self, categories: Iterable[str]) -> list[str]:
        """The heroes that have statistics in these categories: first all, then by name."""
        wanted = set(categories)
        found = {hero for category, hero, _ in self._rows if category in wanted}
        return [ALL_HEROES, *sorted(found - {ALL_HEROES})]


def _shown(row: Row) -> str:
    if row["number"] is None:
        return text(row["words"], 200)
    if row["statistic"] == "rank":
        return f"{text(str(row['words'] or '').capitalize())} {row['number']:.0f}"
    return amount(row["statistic"], row["number"])


def amount(name: str, value: float) -> str:
    """A number of a statistic in its unit. Times come in seconds; those played are in hours."""
    if name == "time_played":
        return f"{value / HOUR_SECONDS:,.1f} h"
    if name == "last_updated_at":
        return html.moment(_moment(value))
    if PERCENT.search(name):
        return f"{value:,.1f} %"
    if SECONDS.search(name):
        return html.duration(value)
    return number(value, "{:,.0f}".format if value == int(value) else "{:,.2f}".format)


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):  # no time that there is
        return None


def label(name: str) -> str:
    """A statistic's name as people read it; not yet HTML."""
    if name in LABELS:
        return LABELS[name]
    kind, _, rest = name.partition("_")
    if kind == "average" and rest:
        name = f"{rest} per 10 min"
    elif kind == "total" and rest:
        name = f"{rest} in all"
    for ending, words in ENDINGS.items():
        if name.endswith(ending):
            name = name.removesuffix(ending) + words
    return _words(name)


def hero_name(hero: str) -> str:
    """A hero's name as people read it; not yet HTML."""
    return "All heroes" if hero == ALL_HEROES else _words(hero.replace("-", " ")).title()


def _words(name: str) -> str:
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
