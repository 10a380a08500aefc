"""The list of campaigns: a card for each that runs, comes or has ended."""

from __future__ import annotations

from datetime import datetime

from boards.campaigns import Standing
from dashboard import html
from dashboard.html import text
from dashboard.pages.spins.campaign import Choices, badge, progress, when
from dashboard.pages.spins.icons import colour, icons
from dashboard.standings import Latest, phase

ENDED = 12  # of those that are over; the API lists all
GROUPS = {  # the heads of the list, and the phases of what stands below
    "Running": ("running", "closing"),
    "Coming": ("planned",),
    "Ended": ("closed", "final"),
}


def drawn(chosen: Standing | None, choices: Choices, latest: Latest, now: datetime) -> str:
    """The HTML of the list."""
    groups = []
    for group in GROUPS:
        found = of_group(latest, choices.slot, group)
        shown = found[:ENDED] if group == "Ended" else found
        cards = "".join(f"<li>{_card(each, chosen, choices, latest, now)}</li>" for each in shown)
        none = '<p class="quiet">none</p>'
        count = f"<small>{len(found):,}</small>"
        groups.append(f"<h2>{group} {count}</h2>{f'<ul>{cards}</ul>' if cards else none}")
    return f'<nav class="list" aria-label="All campaigns">{"".join(groups)}</nav>'


def _card(
    standing: Standing, chosen: Standing | None, choices: Choices, latest: Latest, now: datetime
) -> str:
    campaign = standing.campaign
    is_chosen = chosen is not None and chosen.campaign.campaign_id == campaign.campaign_id
    others = {"slot": choices.slot, "player": choices.player_id}
    kept = {name: str(value) for name, value in others.items() if value is not None}
    address = html.address("campaigns", {"campaign": str(campaign.campaign_id)} | kept)
    current = ' aria-current="page"' if is_chosen else ""
    css = colour(campaign.games, choices.slot)
    played = _played(standing)
    return (
        f'<a class="card {css}" href="{address}" target="_self"{current}>'
        f"<strong>{text(campaign.name)}</strong> {badge(standing, latest)}"
        f'<span class="icons">{icons(campaign.games, choices.slot)}</span>'
        f'<span class="when">{when(standing, latest, now)}{played}</span>'
        f"{progress(campaign, now)}</a>"
    )


def _played(standing: Standing) -> str:
    if not standing.totals:
        return ""
    players = standing.totals["players"]
    return f" · {players:,} {'player' if players == 1 else 'players'}"


def matching(latest: Latest, slot: int | None) -> list[Standing]:
    """The campaigns in which the chosen game counts."""
    return [
        each
        for each in latest.standings
        if slot is None or not each.campaign.games or slot in each.campaign.games
    ]


def of_group(latest: Latest, slot: int | None, group: str) -> list[Standing]:
    """The campaigns below one head of the list, those first that end or begin first."""
    if latest.read_at is None:
        return []
    found = [each for each in matching(latest, slot) if phase(each, latest) in GROUPS[group]]
    if group == "Ended":
        return sorted(found, key=lambda each: each.campaign.end_at, reverse=True)
    begins = group == "Coming"
    return sorted(
        found, key=lambda each: each.campaign.start_at if begins else each.campaign.end_at
    )
