"""How does this player of Overwatch perform?

Only the button asks for a profile, and only when no answer is there that still holds. All else
shows what is there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

import streamlit as st

from boards import requests, sinks
from boards.cache import cached
from boards.sinks import Sink
from boards.snapshot import Row
from clients.errors import BoardsUnavailable
from dashboard import health, html
from dashboard.choices import in_address
from dashboard.html import text
from dashboard.pages.overwatch.statistics import (
    BLOCK,
    Statistics,
    amount,
    hero_name,
    label,
)
from games.board import Table
from games.overwatch import (
    CAREER,
    FAULT,
    GAME,
    GAMEMODES,
    HELD,
    HISTORY_DAYS,
    NO_STATISTICS,
    PLATFORMS,
    PRIVATE,
    PROFILE_DAYS,
    PROFILE_STATISTICS,
    PROFILES,
    QUEUES,
    REQUESTS,
    ROLES,
    UNKNOWN,
    WAIT,
    WRONG_TAG,
    Request,
    player_id,
)
from settings import Settings, settings

LOOK_SECONDS = 1
PATIENT_SECONDS = 20  # an answer usually takes a few seconds; after so long, the page says why
TAG_LENGTH = 40
TAG, PLATFORM, GAMEMODE = "player", "platform", "gamemode"
# What the plot may show: whose statistic, of which category.
FORM = {
    **{name: ("general", "") for name in ("winrate", "kda", *BLOCK[1], "games_played")},
    "time_played": ("general", ""),
    **{f"rank_{queue}": ("ranks", queue) for queue in QUEUES},
}
DIVISIONS = (
    *("Bronze", "Silver", "Gold", "Platinum"),
    *("Diamond", "Master", "Grandmaster", "Champion"),
)
TIERS = 5
ALWAYS_SHOWN = CAREER[:-1]  # also without a statistic; miscellaneous ones are rare
NOTHING = f'<p class="quiet">{html.MISSING}</p>'


@dataclass(frozen=True)
class Asked:
    """A request of this viewer: when it was sent, and of when the newest answer was then."""

    request: Request
    at: float  # time.monotonic()
    answered_at: datetime | None


def page() -> None:
    html.show("<h1>Overwatch</h1>")
    _form()
    tag = st.query_params.get(TAG, "")
    request = _request(tag)
    if trouble := st.session_state.get("trouble"):
        html.notice(text(trouble, 400))
    if not tag:
        html.show(
            '<p class="quiet">Type a BattleTag, such as Name#1234 or Name-1234. Capital and small '
            "letters are different players.</p>"
        )
    elif request is None:
        html.notice(_wrong_tag(tag))
    else:
        _profile(request, health.sink_in_use(settings))


# Asking


def _form() -> None:
    """The controls. What was submitted stands in the address; what was not is forgotten."""
    shown = {
        TAG: st.query_params.get(TAG, ""),
        PLATFORM: _of_address(PLATFORM, PLATFORMS),
        GAMEMODE: _of_address(GAMEMODE, GAMEMODES),
    }
    for name, value in shown.items():
        st.session_state[name] = value
    with (
        st.form("asking", border=False),
        st.container(key="asking", horizontal=True, vertical_alignment="bottom"),
    ):
        st.text_input(
            "BattleTag", key=TAG, placeholder="Name#1234", max_chars=TAG_LENGTH, width=260
        )
        st.segmented_control(
            "Platform", PLATFORMS, key=PLATFORM, format_func=PLATFORMS.__getitem__, required=True
        )
        st.segmented_control(
            "Game mode", GAMEMODES, key=GAMEMODE, format_func=GAMEMODES.__getitem__, required=True
        )
        st.form_submit_button("Show", type="primary", on_click=_submit)


def _of_address(name: str, options: dict[str, str]) -> str:
    asked = st.query_params.get(name)
    return asked if asked in options else next(iter(options))


def _request(tag: str) -> Request | None:
    """What the address asks for; None when that is no BattleTag."""
    found = player_id(tag)
    if found is None:
        return None
    return Request(found, _of_address(PLATFORM, PLATFORMS), _of_address(GAMEMODE, GAMEMODES))


def _submit() -> None:
    """Put the choices into the address, and ask for the profile unless its answer still holds."""
    for name in (TAG, PLATFORM, GAMEMODE):
        st.query_params[name] = st.session_state[name]
    st.session_state["trouble"] = None
    request = _request(st.session_state[TAG])
    if request is None:
        return
    try:
        known = _known(request, health.sink_in_use(settings))
        if not (known and _holds(known)):
            requests.send(REQUESTS.name, request.player_id, request.key, settings)
            answered_at = known["answered_at"] if known else None
            st.session_state["asked"] = Asked(request, monotonic(), answered_at)
    except BoardsUnavailable as error:
        st.session_state["trouble"] = str(error)


def _holds(known: Row) -> bool:
    """Whether asking again would be of no use: the answer is fresh, or the API told us to wait."""
    until = [at for at in (known["fresh_end"], known["retry_at"]) if at]
    return known["status"] != HELD and any(at > datetime.now(UTC) for at in until)


def _asked(request: Request) -> Asked | None:
    """This viewer's own request for a profile, as long as it is not answered."""
    asked: Asked | None = st.session_state.get("asked")
    return asked if asked and asked.request == request else None


# Reading


@cached
def _rows(
    sink_name: str, table: Table, key: tuple[tuple[str, str], ...], of: Settings
) -> list[Row]:
    return sinks.sink(sink_name, of).find(table, dict(key))


def _known(request: Request, sink: Sink) -> Row | None:
    """What the newest answer says of a profile; None before the first. Raises BoardsUnavailable."""
    rows = _rows(sink.name, PROFILES, tuple(request.key.items()), settings)
    return rows[0] if rows else None


def _statistics(request: Request, sink: Sink) -> Statistics:
    return Statistics(_rows(sink.name, PROFILE_STATISTICS, tuple(request.key.items()), settings))


def _has_arrived(asked: Asked, known: Row | None, statistics: Statistics) -> bool:
    """Whether there is an answer newer than the request, with all of its statistics."""
    if known is None or known["status"] == HELD or known["answered_at"] == asked.answered_at:
        return False
    has_all = len(statistics) == known["statistic_count"]
    is_of_it = statistics.answered_at == known["answered_at"]
    return not known["statistic_count"] or (has_all and is_of_it)


# Showing


def _profile(request: Request, sink: Sink) -> None:
    try:
        known, statistics = _known(request, sink), _statistics(request, sink)
    except BoardsUnavailable as error:
        html.notice(text(error, 400))
        return
    if _asked(request):
        st.fragment(_await, run_every=LOOK_SECONDS)(request, sink)
    elif known is None:
        html.notice("Nobody has asked for this profile yet: press Show.", "wait")
    else:
        _tell(request, known, statistics)
    if statistics:
        _show(request, known, statistics, sink)


def _await(request: Request, sink: Sink) -> None:
    """Look for the answer, and show the page anew when it is there."""
    asked = _asked(request)
    if asked is None:
        return
    try:
        known = _known(request, sink)
        if _has_arrived(asked, known, _statistics(request, sink)):
            st.session_state["asked"] = None
            st.rerun()
    except BoardsUnavailable as error:
        html.notice(text(error, 400))
        return
    if known and known["status"] == HELD and known["answered_at"] != asked.answered_at:
        html.notice(_sentence(request, known), "wait")
    elif monotonic() - asked.at < PATIENT_SECONDS:
        html.notice("The Overwatch API is being asked …", "wait")
    else:
        html.notice(f"There is no answer yet. {_why()}", "wait")


def _why() -> str:
    """Why no answer comes, by what the services say."""
    services = health.watch(settings).latest()
    reasons = services.reasons(GAME.topic(settings)) if services else []
    if not reasons:
        return "Others may have asked before, or the API is slow: this page goes on looking."
    return "; ".join(text(each, 400) for each in reasons[:3]) + ". See the page Pipeline."


def _wrong_tag(tag: str) -> str:
    shown = html.identity(tag, TAG_LENGTH)
    return f"{shown} is no BattleTag: that is a name and a number, such as Name#1234."


def _tell(request: Request, known: Row, statistics: Statistics) -> None:
    """What is wrong, in one sentence, or nothing."""
    sentence = _sentence(request, known)
    if sentence:
        is_older = statistics and statistics.answered_at != known["answered_at"]
        old = (
            f" Below is the answer of {html.moment(statistics.answered_at)} UTC."
            if is_older
            else ""
        )
        html.notice(sentence + old, "bad" if known["status"] in (FAULT, WRONG_TAG) else "wait")


def _sentence(request: Request, known: Row) -> str:
    who, again = html.identity(request.player_id), html.moment(known["retry_at"])
    where = f"{PLATFORMS[request.platform]}, {GAMEMODES[request.gamemode].lower()}"
    sentences = {
        PRIVATE: f"The profile of {who} is private: only its owner can show its statistics, "
        "with a setting of the game.",
        NO_STATISTICS: f"{who} shows no statistics for {where}: nothing was played there, or the "
        "profile is private.",
        UNKNOWN: f"There is no player {who} (capital letters count), and the Overwatch API may "
        f"be asked again from {again} UTC.",
        WRONG_TAG: f"The Overwatch API takes {who} for no BattleTag.",
        FAULT: f"The Overwatch API is at fault, {text(known['detail'], 200)}: press Show again "
        f"after {again} UTC.",
        WAIT: f"The Overwatch API wants nobody to ask now: press Show again after {again} UTC.",
        HELD: f"The Overwatch API wants nobody to ask before {again} UTC: this page goes on by "
        "itself then.",
    }
    return sentences.get(known["status"], "")


def _show(request: Request, known: Row | None, statistics: Statistics, sink: Sink) -> None:
    html.show(_title(request, known))
    names = ("username", "title", "endorsement", "last_updated_at")
    pairs = _pairs(statistics, "summary", "", names)
    pairs |= _pairs(statistics, "ranks", "", ["season"])
    pairs["Answered, UTC"] = html.moment(statistics.answered_at)
    html.show(f"<h2>Summary</h2>{html.metrics(pairs)}")
    html.show(f"<h2>Ranks by role</h2>{html.metrics(_ranks(statistics))}")
    html.show(f"<h2>General</h2>{_block(statistics, 'general', '')}")
    _form_over_days(request, sink)
    roles = (f"<h3>{role.capitalize()}</h3>{_block(statistics, 'roles', role)}" for role in ROLES)
    html.show(f"<h2>Roles</h2>{''.join(roles)}")
    _heroes(statistics)


def _title(request: Request, known: Row | None) -> str:
    name, _, tag = request.player_id.rpartition("-")
    notes = f"{PLATFORMS[request.platform]}, {GAMEMODES[request.gamemode].lower()}"
    if known and known["fresh_end"]:
        notes += f" · may be asked again from {html.moment(known['fresh_end'])} UTC"
    return f"<h2>{html.identity(f'{name}#{tag}')} <small>{notes}</small></h2>"


def _pairs(
    statistics: Statistics, category: str, hero: str, names: tuple[str, ...] | list[str]
) -> dict[str, str]:
    """Statistics under their labels, both as HTML."""
    return {text(label(name), 100): statistics.shown(category, hero, name) for name in names}


def _ranks(statistics: Statistics) -> dict[str, str]:
    return {_queue(queue): statistics.shown("ranks", queue, "rank") for queue in QUEUES}


def _queue(queue: str) -> str:
    return queue.capitalize() if queue in ROLES else f"{queue.capitalize()} queue"


def _block(statistics: Statistics, category: str, hero: str) -> str:
    """What the summary of statistics tells of a player, a role or a hero.

    Who never played has a line of N/A rather than all.
    """
    lines = BLOCK if statistics.names(category, hero) else BLOCK[:1]
    return "".join(html.metrics(_pairs(statistics, category, hero, names)) for names in lines)


def _heroes(statistics: Statistics) -> None:
    html.show("<h2>Heroes</h2>")
    heroes = statistics.heroes(("heroes", *CAREER))
    hero = st.selectbox(
        "Hero", heroes, format_func=hero_name, width=260, **in_address("hero", heroes, heroes[0])
    )
    own = _block(statistics, "heroes", hero) if hero != heroes[0] else ""
    html.show(own + "".join(_career(statistics, category, hero) for category in CAREER))


def _career(statistics: Statistics, category: str, hero: str) -> str:
    names = statistics.names(category, hero)
    if category not in ALWAYS_SHOWN and not names:
        return ""
    figures = html.metrics(_pairs(statistics, category, hero, names)) if names else NOTHING
    return f"<h3>{label(category)}</h3>{figures}"


# Form


def _form_over_days(request: Request, sink: Sink) -> None:
    html.show(
        f"<h2>Form <small>the last answer of each day, up to {HISTORY_DAYS} days</small></h2>"
    )
    options = list(FORM)
    chosen = st.selectbox(
        "Statistic",
        options,
        format_func=_form_label,
        width=260,
        **in_address("form", options, "kda"),
    )
    category, hero = FORM[chosen]
    name = "rank" if category == "ranks" else chosen
    key = request.key | {"category": category, "hero": hero, "statistic": name}
    try:
        rows = _rows(sink.name, PROFILE_DAYS, tuple(key.items()), settings)
    except BoardsUnavailable as error:
        html.notice(text(error, 400))
        return
    days = sorted((row["day_start"], row["number"]) for row in rows if row["number"] is not None)
    show = _rank_points if name == "rank" else lambda value: amount(name, value)
    html.show(html.plot(days, _form_label(chosen), show))


def _form_label(chosen: str) -> str:
    kind, _, queue = chosen.partition("_")
    return f"Rank, {_queue(queue).lower()}" if kind == "rank" else label(chosen)


def _rank_points(points: float) -> str:
    """A rank from 1 (Bronze 5) to 40 (Champion 1), as sql/overwatch/profile_days counts it."""
    division, better = divmod(int(points) - 1, TIERS)
    return f"{DIVISIONS[min(division, len(DIVISIONS) - 1)]} {TIERS - better}"
