"""The campaigns: what runs, what comes, what has ended, and who wins one of them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import streamlit as st

from boards import campaigns, sinks
from boards.campaigns import BOARDS, Standing
from dashboard import health, html, login, standings
from dashboard.choices import in_address, unknown
from dashboard.download import table_file
from dashboard.html import duration, moment, text
from dashboard.pages.spins import campaign, cards, terms
from dashboard.pages.spins.campaign import PLACES, Choices
from dashboard.standings import COLUMNS, Encoded, Latest, phase
from settings import settings

STYLE = Path(__file__).with_name("style.css")
REFRESH_SECONDS = 1
# The end of the window is the watermark, rounded down to 10 s: 25 s are usual, and 80 s when nobody
# has played for a minute. After so many something stands still.
STILL_SECONDS = 120
LONGEST_ID = 11  # signs of a number of 32 bits


def page() -> None:
    st.html(STYLE)
    html.show("<h1>Campaigns</h1>")
    wrong = unknown({"top": PLACES, "sink": sinks.NAMES})
    choices = _choices()
    if wrong:
        html.notice("<br/>".join(wrong), "wait")
    st.fragment(_campaigns, run_every=REFRESH_SECONDS)(choices)
    if login.may_moderate(settings, st.user):
        terms.history()


def _choices() -> Choices:
    in_use = health.sink_in_use(settings)
    name = st.query_params.get("sink")
    sink = sinks.sink(name, settings) if name in sinks.NAMES else in_use
    latest = standings.latest(sink.name, settings)
    controls = st.container(
        key="controls",
        horizontal=True,
        vertical_alignment="bottom",
        horizontal_alignment="right",
    )
    with controls:
        slots = sorted({game for each in latest.standings for game in each.campaign.games})
        slot: int | None = st.selectbox(
            "Slot game",
            slots,
            index=None,
            placeholder="all",
            width=120,
            **in_address("slot", slots),
        )
        words = st.text_input(
            "Player",
            placeholder="id",
            max_chars=LONGEST_ID,
            width=120,
            **in_address("player", default=""),
        )
        top = st.segmented_control(
            "Places", PLACES, required=True, **in_address("top", PLACES, PLACES[0])
        )
        campaign_id = _whole_number(st.query_params.get("campaign"))
        chosen = _chosen(latest, campaign_id, slot)
        with st.popover("Download", key="download", on_change="rerun") as offered:
            if offered.open:
                _offer(chosen, latest)
        if login.may_moderate(settings, st.user):
            terms.decide(chosen.campaign if chosen else None)
    return Choices(campaign_id, slot, _whole_number(words), top, sink)


def _whole_number(words: str | None) -> int | None:
    try:
        return int(words or "")
    except ValueError:
        return None


def _offer(standing: Standing | None, latest: Latest) -> None:
    """The boards of the chosen campaign as files."""
    if standing is None:
        html.show('<p class="quiet">There are no boards to save.</p>')
        return
    for board in campaign.boards_of(standing):
        what = f"campaign-{standing.campaign.campaign_id}_{board}"
        rows = standing.boards[board]
        file = table_file(what, COLUMNS, rows, standing.frozen_at or latest.read_at)
        html.save(campaign.title(standing, board), file)


def _chosen(latest: Latest, campaign_id: int | None, slot: int | None) -> Standing | None:
    """The campaign of the address; else what runs and ends first, comes next, or ended last."""
    if campaign_id is not None:
        return latest.by_id.get(campaign_id)
    found = cards.matching(latest, slot)
    for phases, key in (
        (("running",), lambda each: each.campaign.end_at),
        (("planned",), lambda each: each.campaign.start_at),
    ):
        fitting = [each for each in found if phase(each, latest) in phases]
        if fitting:
            return min(fitting, key=key)
    return max(found, key=lambda each: each.campaign.end_at, default=None)


def _campaigns(choices: Choices) -> None:
    """Everything that changes by the second."""
    now, latest = datetime.now(UTC), standings.latest(choices.sink.name, settings)
    _header(choices, latest, now)
    if latest.read_at is None:
        return
    if choices.player_id is not None:
        html.show(_player(choices, latest))
    chosen = _chosen(latest, choices.campaign_id, choices.slot)
    if chosen is None and choices.campaign_id is not None:
        html.notice(f"No campaign has the number {choices.campaign_id}.", "wait")
    shown = campaign.drawn(chosen, choices, latest, now) if chosen else _none()
    html.show(f'<div class="campaigns">{shown}{cards.drawn(chosen, choices, latest, now)}</div>')


def _none() -> str:
    how = "Whoever may moderate makes one with New campaign, or with"
    command = "<code>python -m boards.campaigns create</code>"
    return f'<section class="hero"><p class="quiet">There is none. {how} {command}.</p></section>'


# The state of all


def _header(choices: Choices, latest: Latest, now: datetime) -> None:
    by_group = {name: cards.of_group(latest, choices.slot, name) for name in cards.GROUPS}
    ends = [
        each.totals["window_end"]
        for each in by_group["Running"]
        if each.totals and each.totals["window_end"]
    ]
    newest = max(ends, default=None)
    age = (now - newest).total_seconds() if newest else 0
    is_still = age > STILL_SECONDS
    figures = {"State": html.badge(*_state(latest, is_still))}
    figures |= {name: f"{len(found):,}" for name, found in by_group.items()}
    if newest:
        old = f'<span class="{"bad" if is_still else ""}">{duration(age)} ago</span>'
        figures["Counted up to"] = f"{moment(newest)} UTC, {old}"
    figures |= {"Now": f"{moment(now)} UTC", "Read from": choices.sink.title}
    html.show(html.facts(figures))
    if latest.trouble:
        kept = " What is below was read before." if latest.read_at else ""
        html.notice(f"{text(latest.trouble, 400)}{kept}")
    elif is_still:
        html.notice(f"The boards stand still: they are {duration(age)} old. {_why()}")


def _state(latest: Latest, is_still: bool) -> tuple[str, str]:
    if latest.read_at is None:
        return "UNAVAILABLE", "stale"
    return ("STALE", "stale") if latest.trouble or is_still else ("LIVE", "good")


def _why() -> str:
    """Why no new spins come, by what the services say."""
    game, services = campaigns.game_of(settings), health.watch(settings).latest()
    if game is None or services is None:
        return "Asking the services for the reason …"
    reasons = services.reasons(game.topic(settings))
    if not reasons:
        return "All services run: the job may be catching up. See the page Pipeline."
    return "; ".join(text(each, 400) for each in reasons[:3]) + ". See the page Pipeline."


# One player


def _player(choices: Choices, latest: Latest) -> str:
    """Where a player stands in all campaigns that run."""
    assert choices.player_id is not None and latest.read_at
    rows = []
    for each in latest.in_play:
        campaign_id, name = str(each.campaign.campaign_id), each.campaign.name
        player = str(choices.player_id)
        linked = html.link("campaigns", campaign_id, name, campaign=campaign_id, player=player)
        rows.append([linked, *(_place(each, board, choices.player_id) for board in BOARDS)])
    heads = {"Campaign": "name", "Whole campaign": "n", "Last minutes": "n"}
    title = f"Player {choices.player_id}"
    table = html.table(title, heads, rows, "standing", empty="No campaign runs now")
    note = "place and ratio in all campaigns that run"
    if rows and not latest.listing(choices.player_id):
        note = "is on no board of a campaign that runs"
    return f'<section class="player"><h2>{title} <small>{note}</small></h2>{table}</section>'


def _place(standing: Encoded, board: str, player_id: int) -> str:
    """A player's rank among how many, and ratio, if the player is among the best."""
    found = standing.boards[board].by_player.get(player_id)
    if found is None:
        return '<span class="quiet">not listed</span>'
    row = json.loads(found)
    column = "players" if board == BOARDS[0] else "recent_players"
    count = standing.totals[column] if standing.totals else None
    return f'{html.rank(row["rank_number"], count)} <b class="ratio">{campaign.ratio(row)}</b>'
