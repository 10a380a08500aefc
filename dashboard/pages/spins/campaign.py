"""One campaign: how long it runs, and who wins it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from boards import campaigns
from boards.campaigns import BOARDS, Standing
from boards.sinks import Sink
from boards.snapshot import Row
from dashboard import html
from dashboard.html import duration, moment, number, text
from dashboard.pages.spins.icons import colour, icons
from dashboard.standings import Latest, phase
from games.campaign import Campaign

PLACES = (10, 25, 50, 100)
WORDS = {
    "planned": ("COMING", "wait"),
    "running": ("RUNNING", "good"),
    "closing": ("LAST SPINS", "wait"),
    "closed": ("COUNTING", "quiet"),
    "final": ("FINAL", "final"),
}


@dataclass(frozen=True)
class Choices:
    """What to show, all of it in the page's address; no campaign means one that runs."""

    campaign_id: int | None
    slot: int | None
    player_id: int | None
    top: int
    sink: Sink


def drawn(standing: Standing, choices: Choices, latest: Latest, now: datetime) -> str:
    """The HTML of a campaign: its head, and its boards below."""
    css = colour(standing.campaign.games, choices.slot)
    panels = "".join(_panel(standing, board, choices, latest) for board in boards_of(standing))
    head = _hero(standing, choices, latest, now)
    return f'<section class="chosen {css}">{head}<div class="boards">{panels}</div></section>'


def boards_of(standing: Standing) -> Sequence[str]:
    """The boards that a campaign has: of a final one, only its table."""
    return BOARDS[:1] if standing.frozen_at else BOARDS


def _hero(standing: Standing, choices: Choices, latest: Latest, now: datetime) -> str:
    campaign = standing.campaign
    figures = {"From, UTC": moment(campaign.start_at), "Until, UTC": moment(campaign.end_at)}
    totals = standing.totals
    if totals:
        figures |= {
            "Players": number(totals["players"]),
            "Spins": number(totals["spins"]),
            "Staked": number(totals["stake"]),
            "Won": number(totals["win"]),
            "Won per staked": ratio(totals),
        }
    figures["Least spins"] = number(campaign.minimum_spins)
    slots = f'<span class="icons">{icons(campaign.games, choices.slot)}</span>'
    return (
        f'<div class="hero panel"><div class="name"><h2>{text(campaign.name, html.WHOLE_LENGTH)} '
        f"<small>number {campaign.campaign_id}</small></h2>{badge(standing, latest)}{slots}</div>"
        f"{_countdown(standing, latest, now)}{progress(campaign, now)}{html.facts(figures)}"
        f"{_winner(standing)}</div>"
    )


def ratio(row: Row) -> str:
    """What was won per staked, with two decimals; N/A where nothing was staked."""
    return campaigns.shown(row["win"], row["stake"]) if row["stake"] else text(None)


def _countdown(standing: Standing, latest: Latest, now: datetime) -> str:
    """The time that is left, in large figures; a sentence for those who do not see them."""
    campaign = standing.campaign
    said = when(standing, latest, now)
    until = {
        "planned": campaign.start_at,
        "running": campaign.end_at,
        "closing": campaign.closes_at,
    }.get(phase(standing, latest))
    if until is None:
        return f'<p class="countdown over">{said}</p>'
    seconds = max(0, int((until - now).total_seconds()))
    parts = {"d": seconds // 86_400, "h": seconds // 3_600 % 24}
    parts |= {"min": seconds // 60 % 60, "s": seconds % 60}
    figures = "".join(
        f"<span><b>{value:02}</b> {unit}</span>"
        for unit, value in parts.items()
        if value or unit != "d"
    )
    before = said.rpartition(" in ")[0] or said.rpartition(" for ")[0]
    return (
        f'<p class="countdown" role="timer" aria-live="off" aria-label="{said}">'
        f'<span aria-hidden="true"><small>{before} {"for" if "for" in said else "in"}</small>'
        f"{figures}</span></p>"
    )


def _winner(standing: Standing) -> str:
    if not standing.frozen_at:
        return ""
    mark = f"Final since {moment(standing.frozen_at)} UTC: this table never changes."
    best = list(takewhile(lambda row: row["rank_number"] == 1, standing.boards[BOARDS[0]]))
    if not best:
        return f'<p class="mark">{mark} Nobody is on it.</p>'
    names = " and ".join(f"player {row['player_id']}" for row in best[:3])
    more = f" and {len(best) - 3:,} others" if len(best) > 3 else ""
    return f'<p class="mark">Winner: {names}{more}, with {ratio(best[0])}. {mark}</p>'


def title(standing: Standing, board: str) -> str:
    """What a board is called."""
    if standing.frozen_at:
        return "Final table"
    if board == BOARDS[0]:
        return "Whole campaign"
    minutes = standing.campaign.last_minutes
    return "Last minute" if minutes == 1 else f"Last {minutes:,} minutes"


def _panel(standing: Standing, board: str, choices: Choices, latest: Latest) -> str:
    """The HTML of a board, drawn once for all who look at the same part of it."""
    part = (standing.campaign.campaign_id, board, choices.slot, choices.player_id, choices.top)
    if part not in latest.drawn:
        latest.drawn[part] = _draw(standing, board, choices, latest)
    return latest.drawn[part]


def _draw(standing: Standing, board: str, choices: Choices, latest: Latest) -> str:
    rows, named = standing.boards[board][: choices.top], title(standing, board)
    ids = [row["player_id"] for row in rows]
    marked = ids.index(choices.player_id) if choices.player_id in ids else None
    longest = max((row["ratio"] for row in rows), default=0)
    heads = {
        "#": "rank",
        "Player": "name",
        "Spins": "n spins",
        html.hint("Staked", "in minor units"): "n amount",
        html.hint("Won", "in minor units"): "n amount",
        html.hint("Ratio", "won per staked"): "value",
    }
    table = html.table(
        named,
        heads,
        [_row(standing, row, longest, choices) for row in rows],
        kind="ranks" if choices.top == PLACES[0] else "ranks long",
        empty=_why_empty(standing, board, latest),
        marked=marked,
    )
    css = colour(standing.campaign.games, choices.slot)
    heading = f"<h2>{named} <small>{_note(standing, board)}</small></h2>"
    return f'<section class="panel {css} {board}">{heading}{table}</section>'


def _row(standing: Standing, row: Row, longest: float, choices: Choices) -> list[str]:
    player = str(row["player_id"])
    kept = {"campaign": str(standing.campaign.campaign_id)}
    kept |= {"slot": str(choices.slot)} if choices.slot is not None else {}
    who = html.link("campaigns", player, player, player=player, **kept)
    short = f'<span class="beside small">{row["win"]:,} of {row["stake"]:,}</span>'
    return [
        str(row["rank_number"]),
        html.bar(row["ratio"] / longest if longest > 0 else 0) + who + short,
        number(row["spins"]),
        number(row["stake"]),
        number(row["win"]),
        ratio(row),
    ]


def _note(standing: Standing, board: str) -> str:
    """What a board is by, and until when."""
    end = standing.totals.get("window_end") if standing.totals else None
    until = f", up to {moment(end)} UTC" if end and board != BOARDS[0] else ""
    return f"won per staked{until}"


def _why_empty(standing: Standing, board: str, latest: Latest) -> str:
    """Why a board has no rows, and when it will."""
    campaign, totals = standing.campaign, standing.totals
    least = f"{campaign.minimum_spins:,} spin{'' if campaign.minimum_spins == 1 else 's'}"
    match phase(standing, latest):
        case "planned":
            return f"It fills when the campaign starts: {moment(campaign.start_at)} UTC"
        case "final" | "closed":
            return f"Nobody had {least} with something staked"
    if board != BOARDS[0] and totals and totals["spins"]:
        return f"Nobody has {least} in this time. It is counted anew every 10 s"
    if totals and totals["spins"]:
        return f"Nobody has {least} with something staked yet"
    return "No spin has counted yet: it fills a few seconds after the first"


def badge(standing: Standing, latest: Latest) -> str:
    """The phase in a word and a colour."""
    word, css = WORDS[phase(standing, latest)]
    return f'<span class="badge {css}">{word}</span>'


def when(standing: Standing, latest: Latest, now: datetime) -> str:
    """What comes next, and in how long; of what is over, how long ago that was."""
    campaign = standing.campaign
    match phase(standing, latest):
        case "planned":
            return f"starts in {_left(campaign.start_at, now)}"
        case "running":
            return f"ends in {_left(campaign.end_at, now)}"
        case "closing":
            return f"late spins count for {_left(campaign.closes_at, now)}"
        case "closed":
            return "its final table is being written"
    return f"ended {_left(now, campaign.end_at)} ago"


def _left(until: datetime, now: datetime) -> str:
    return duration((until - now).total_seconds())


def progress(campaign: Campaign, now: datetime) -> str:
    """How much of a campaign is over, as a bar; nothing before it starts."""
    whole = (campaign.end_at - campaign.start_at) / timedelta(seconds=1)
    part = (now - campaign.start_at) / timedelta(seconds=1) / whole if whole > 0 else 1
    if part < 0:
        return ""
    percent = min(100, 100 * part)
    return (
        f'<span class="progress" role="img" aria-label="{percent:.0f} % of the time is over">'
        f'<span style="width: {percent:.1f}%"></span></span>'
    )
