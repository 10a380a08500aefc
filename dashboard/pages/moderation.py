"""Who is banned, and a form to change it, as `python -m boards.moderation` does."""

from __future__ import annotations

from typing import Any, NamedTuple

import psycopg2
import streamlit as st

from boards import lookups, moderation
from boards.moderation import ModerationError, UnknownId
from clients.errors import BoardsUnavailable
from dashboard import health, html, login
from dashboard.choices import in_address
from dashboard.html import moment, text
from dashboard.pages.score.lookup import found_players, found_teams
from dashboard.pages.score.suspects import evidence, shown, suspects
from games import chosen
from games.score import GAME, ID_LENGTH, NAME_LENGTH, is_play_watched
from settings import settings

DECISIONS = {"ban": "Ban", "unban": "Unban"}
HINT = "id or name, or a part of it"
REASON_LENGTH = 500
LISTED, LISTED_SUSPECTS = 50, 20
WATCH = "LEADERBOARD_WATCH_PLAY=yes scripts/run_all.sh"


class Decision(NamedTuple):
    """What is to be decided; the same again is confirmed."""

    decision: str
    kind: str
    banned_id: str
    reason: str


def page() -> None:
    html.show("<h1>Moderation</h1>")
    html.show(
        "<p>A banned player or team leaves all boards within a second; unbanning brings back all "
        "points. No decision is ever deleted.</p>"
    )
    form, lists = st.columns([1, 2], gap="large")
    with form:
        _form()
    with lists:
        if GAME in chosen(settings):
            _suspects()
        _lists()


def _form() -> None:
    decision = st.segmented_control(
        "Decision",
        DECISIONS,
        format_func=DECISIONS.__getitem__,
        required=True,
        **in_address("decision", list(DECISIONS), "ban"),
    )
    kind = st.segmented_control(
        "Whom",
        moderation.KINDS,
        required=True,
        **in_address("kind", moderation.KINDS, moderation.KINDS[0]),
    )
    words = st.text_input(
        "Id", placeholder=HINT, max_chars=NAME_LENGTH, **in_address("id", default="")
    )
    if words:
        _show_chosen(kind, words)
    reason = st.text_input("Reason", max_chars=REASON_LENGTH)
    asked = Decision(decision, kind, words, reason.strip())
    if st.button(f"{DECISIONS[decision]} {kind}", key="decide", type="primary"):
        st.session_state["doubted"] = None
        _decide(asked)
    if st.session_state.get("doubted") == asked and st.button("Ban all the same", key="anyway"):
        _decide(asked, anyway=True)


def _show_chosen(kind: str, words: str) -> None:
    """Show who has this very id, or else those whose id or name contains the words."""
    sink = health.sink_in_use(settings)
    if not sink.can_look_up:
        note = f"The jobs write to {sink.title}: nobody can be searched. Give the whole id."
        html.show(f'<p class="quiet">{note}</p>')
        return
    try:
        is_known = _show_player(words) if kind == "player" else _show_team(words)
        if not is_known:
            html.show(_found(kind, words))
    except BoardsUnavailable as error:
        html.notice(text(error, 400))


def _found(kind: str, words: str) -> str:
    def choose(found_id: str, name: str | None) -> str:
        return html.link("moderation", found_id, name, kind=kind, id=found_id)

    if kind == "player":
        return found_players(lookups.find(words, settings), choose, words)
    return found_teams(lookups.find_teams(words, settings), choose, words)


def _show_player(user_id: str) -> bool:
    """Show who the player is; whether there is one."""
    player = lookups.player(user_id, settings)
    if player:
        facts = {
            "Team": html.link("team", player.team_id, player.team_name),
            "Points": html.number(player.total_score),
            "Rank": html.rank(player.rank_number, player.players),
            "Banned since": moment(player.banned_at) if player.banned_at else "–",
        }
        html.show(html.title(player.user_name, player.user_id) + html.facts(facts))
    return player is not None


def _show_team(team_id: str) -> bool:
    """Show which team it is; whether there is one."""
    team = lookups.team(team_id, settings)
    if team:
        facts = {
            "Points": html.number(team.team_total),
            "Rank": html.rank(team.rank_number, team.teams),
            "Members": html.number(team.members),
            "Banned since": moment(team.banned_at) if team.banned_at else "–",
        }
        html.show(html.title(team.team_name, team.team_id) + html.facts(facts))
    return team is not None


def _decide(asked: Decision, *, anyway: bool = False) -> None:
    if not (asked.banned_id and asked.reason):
        html.notice("A decision needs an id and a reason.")
        return
    if len(asked.banned_id) > ID_LENGTH:
        html.notice(f"No id is longer than {ID_LENGTH} characters.")
        return
    author = login.author(settings, st.user)
    try:
        notes = moderation.decide(settings, *asked, author, anyway=anyway)
    except UnknownId as error:
        st.session_state["doubted"] = asked
        html.notice(f"Nothing was decided. {text(error, 400)}")
    except (ModerationError, psycopg2.Error) as error:
        html.notice(text(error, 400))
    else:
        st.session_state["doubted"] = None
        who = f"{asked.kind} {html.identity(asked.banned_id)}"
        html.notice(f"{who} is {asked.decision}ned.", "good")
        for note in notes:
            html.notice(note)


def _suspects() -> None:
    """Who plays faster than the own team, each with a button that bans for it."""
    html.show("<h2>Suspicious play <small>in the last day, in windows of five minutes</small></h2>")
    if not is_play_watched(settings):
        html.show(f'<p class="quiet">Nobody looks for it. <code>{WATCH}</code> does.</p>')
        return
    try:
        found = suspects(health.sink_in_use(settings))
    except BoardsUnavailable as error:
        html.notice(text(error, 400))
        return
    if not found:
        html.show('<p class="quiet">Nobody stands out.</p>')
    if len(found) > LISTED_SUSPECTS:
        html.show(f'<p class="quiet">The latest {LISTED_SUSPECTS} of {len(found):,}.</p>')
    for place, suspect in enumerate(found[:LISTED_SUSPECTS], start=1):
        facts, button = st.columns([5, 1], vertical_alignment="center")
        with facts:
            html.show(shown(place, suspect))
        # By its id: the list may change before the button is pressed.
        if button.button(f"Ban no. {place}", key=f"suspect {suspect['user_id']}"):
            asked = Decision("ban", "player", suspect["user_id"], evidence(suspect))
            _decide(asked, anyway=True)


def _lists() -> None:
    try:
        bans, decisions = moderation.bans(settings), moderation.history(settings)
    except psycopg2.Error as error:
        html.notice(f"The list of bans cannot be read: {text(error, 400)}")
        return
    who = {"Kind": "kind", "Id": "name", "Reason": "wrap", "By": ""}
    heads = {"Since, UTC": "time"} | who
    rows = [_row(each, id_at=1) for each in bans]
    banned = html.table("Banned now", heads, rows, "bans wide long", empty="Nobody is banned")
    html.show(f"<h2>Banned now</h2>{banned}")
    heads = {"At, UTC": "time", "Decision": "kind"} | who
    last = [_row(each, id_at=2) for each in decisions[:LISTED]]
    decided = html.table("Decisions", heads, last, "bans wide long", empty="None")
    html.show(f"<h2>Decisions <small>the last {LISTED}</small></h2>{decided}")


def _row(decision: tuple[Any, ...], id_at: int) -> list[str]:
    """A decision as cells; its id is shown as it is, and all else as text."""
    at, *others = decision
    cells = [text(each, REASON_LENGTH) for each in others]
    cells[id_at] = html.identity(others[id_at])
    return [moment(at), *cells]
