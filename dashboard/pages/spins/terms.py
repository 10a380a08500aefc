"""Forms to create, change, end and cancel campaigns, as `python -m boards.campaigns` does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import streamlit as st

from boards import campaigns
from boards.campaigns import CampaignError
from boards.lookups import sendable
from clients.errors import first_line
from dashboard import html, login
from dashboard.html import moment, text
from games.campaign import (
    MOST_MINUTES,
    MOST_PLACES,
    MOST_SPINS,
    NAME_LENGTH,
    Campaign,
    Terms,
)
from settings import settings

DECISIONS = {"change": "Change", "end": "End now", "cancel": "Cancel"}
LISTED = 50
DAY = timedelta(days=1)
GAMES_LENGTH = 2_000


def decide(chosen: Campaign | None) -> None:
    """What whoever may moderate finds beside the controls."""
    with st.popover("New campaign"):
        _create()
    is_open = chosen and not chosen.is_cancelled and datetime.now(UTC) < chosen.closes_at
    if chosen and is_open:
        with st.popover("Change"):
            _change(chosen)


def _create() -> None:
    start = datetime.now(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
    usual = Terms(name="", start_at=start, end_at=start + DAY)
    asked = _asked("new", usual, "Create", is_new=True)
    if asked is None:
        return
    made = _done(
        lambda: campaigns.create(settings, Terms(**asked), login.author(settings, st.user))
    )
    if made:
        html.notice(f"{_named(made)} is created. {_link(made)}", "good")


def _change(campaign: Campaign) -> None:
    html.show(f'<p class="quiet">{_named(campaign)}</p>')
    decision = st.segmented_control(
        "What", DECISIONS, format_func=DECISIONS.__getitem__, default="change", required=True
    )
    if decision == "change":
        _change_terms(campaign)
    elif decision == "end":
        said = "No spin counts from now on; late ones of before do, as long as always."
        _decide("End it now", said, campaigns.end, campaign, "is ended.")
    else:
        said = "It leaves the page and the API, without a winner. This cannot be undone."
        _decide("Cancel it", said, campaigns.cancel, campaign, "is cancelled.")


def _change_terms(campaign: Campaign) -> None:
    now = {each.name: getattr(campaign, each.name) for each in fields(Terms)}
    asked = _asked(f"change {campaign.campaign_id}", Terms(**now), "Change")
    if asked is None:
        return
    changes = {name: value for name, value in asked.items() if value != now[name]}
    number, author = campaign.campaign_id, login.author(settings, st.user)
    changed = _done(lambda: campaigns.change(settings, number, author, **changes))
    if changed:
        html.notice(f"{_named(changed)} is changed; its boards are counted anew.", "good")


def _decide(
    label: str, means: str, ask: Callable[..., Campaign], campaign: Campaign, done: str
) -> None:
    html.show(f"<p>{means}</p>")
    if st.button(label, key=f"{label} {campaign.campaign_id}", type="primary"):
        decided = _done(
            lambda: ask(settings, campaign.campaign_id, login.author(settings, st.user))
        )
        if decided:
            html.notice(f"{_named(decided)} {done}", "good")


def _asked(key: str, shown: Terms, label: str, is_new: bool = False) -> dict[str, Any] | None:
    """The terms that somebody has sent; None before, and when one cannot be read."""
    times = [_written(shown.start_at), _written(shown.end_at)]
    usual: list[str | None] = [None, None]
    if is_new:  # a field that offers the time of now is another one each minute, and forgets
        times, usual = ["", ""], ["the next minute", "a day after the start"]
    with st.form(key, border=False):
        name = st.text_input("Name", sendable(shown.name), max_chars=NAME_LENGTH)
        start = st.text_input("Start, UTC", times[0], placeholder=usual[0])
        end = st.text_input("End, UTC", times[1], placeholder=usual[1])
        games = st.text_input(
            "Games",
            ", ".join(map(str, shown.games)) or "all",
            max_chars=GAMES_LENGTH,
            help="numbers, separated by commas; or: all",
        )
        minutes = st.number_input(
            "Minutes of the second board", 1, MOST_MINUTES, shown.last_minutes, 1
        )
        least = st.number_input("Least spins to be listed", 1, MOST_SPINS, shown.minimum_spins, 1)
        places = st.number_input("Places", 1, MOST_PLACES, shown.places, 1)
        is_sent = st.form_submit_button(label, type="primary")
    if not is_sent:
        return None
    try:
        start_at = campaigns.parse_moment(start) if start or not is_new else shown.start_at
        read = Terms(
            name=name.strip(),
            start_at=start_at,
            end_at=campaigns.parse_moment(end) if end or not is_new else start_at + DAY,
            games=campaigns.parse_games(games),
            last_minutes=int(minutes),
            minimum_spins=int(least),
            places=int(places),
        )
    except CampaignError as error:
        html.notice(text(error, 400))
        return None
    return asdict(read)


def _written(value: datetime) -> str:
    """A time as it is read again, to the millisecond."""
    whole = f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    return f"{whole}.{value.microsecond // 1000:03}" if value.microsecond else whole


def _done(ask: Callable[[], Campaign]) -> Campaign | None:
    """What was decided; None, said on the page, when it could not be."""
    try:
        return ask()
    except psycopg2.OperationalError as error:
        why = f"PostgreSQL keeps the campaigns, and it does not answer: {first_line(error)}."
        html.notice(f"Nothing was decided. {text(why, 400)}")
    except (CampaignError, psycopg2.Error) as error:
        html.notice(text(error, 400))
    return None


def _named(campaign: Campaign) -> str:
    return f"Campaign {campaign.campaign_id}, {text(campaign.name)},"


def _link(campaign: Campaign) -> str:
    number = str(campaign.campaign_id)
    return html.button("Show it", "campaigns", campaign=number)


def history() -> None:
    """Every decision about campaigns, the latest first."""
    with st.expander("Decisions", key="decisions", on_change="rerun") as shown:
        if not shown.open:
            return
        try:
            decisions = campaigns.history(settings)[:LISTED]
        except psycopg2.Error as error:
            html.notice(f"The decisions cannot be read: {text(first_line(error), 400)}")
            return
        rows = [
            [
                *(moment(at), decision, str(number), text(name)),
                *(moment(start), moment(end), text(games or "all"), text(author)),
            ]
            for at, decision, number, name, start, end, games, author in decisions
        ]
        heads = {"At, UTC": "moment", "Decision": "kind", "Number": "kind", "Name": "name"}
        heads |= {"Start, UTC": "moment", "End, UTC": "moment", "Games": "", "By": ""}
        table = html.table("Decisions", heads, rows, "decisions wide long", empty="None")
        html.show(f'<p class="quiet">the last {LISTED}</p>{table}')
