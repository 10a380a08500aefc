"""Who is banned, and a form to change it, as `python -m boards.moderation` does."""

from __future__ import annotations

import getpass
from typing import Any

import psycopg2
import streamlit as st

from boards import moderation
from boards.moderation import ModerationError
from dashboard import html
from dashboard.html import moment, text
from games.score import ID_LENGTH
from settings import settings

DECISIONS = {"ban": "Ban", "unban": "Unban"}
HINT = "as the page Player or Team shows it"
REASON_LENGTH = 500
LISTED = 50


def page() -> None:
    html.show("<h1>Moderation</h1>")
    html.show(
        "<p>A banned player or team leaves all boards within a second; unbanning brings back all "
        "points. No decision is ever deleted.</p>"
    )
    form, lists = st.columns([1, 2], gap="large")
    with form:
        decision = st.segmented_control(
            "Decision", DECISIONS, format_func=DECISIONS.__getitem__, default="ban", required=True
        )
        kind = st.segmented_control(
            "Whom",
            moderation.KINDS,
            default=moderation.KINDS[0],
            required=True,
            key="kind",
            bind="query-params",
        )
        banned_id = st.text_input(
            "Id", placeholder=HINT, max_chars=ID_LENGTH, key="id", bind="query-params"
        )
        reason = st.text_input("Reason", max_chars=REASON_LENGTH)
        if st.button(f"{DECISIONS[decision]} {kind}", key="decide", type="primary"):
            _decide(decision, kind, banned_id.strip(), reason.strip())
    with lists:
        _lists()


def _decide(decision: str, kind: str, banned_id: str, reason: str) -> None:
    if not (banned_id and reason):
        html.notice("A decision needs an id and a reason.")
        return
    try:
        notes = moderation.decide(settings, decision, kind, banned_id, reason, _author())
    except (ModerationError, psycopg2.Error) as error:
        html.notice(text(error, 400))
    else:
        html.notice(f"{kind} {text(banned_id)} is {decision}ned.", "good")
        for note in notes:
            html.notice(note)


def _author() -> str:
    return str(st.user["email"]) if settings.oidc_metadata_url else getpass.getuser()


def _lists() -> None:
    try:
        bans, decisions = moderation.bans(settings), moderation.history(settings)
    except psycopg2.Error as error:
        html.notice(f"The list of bans cannot be read: {text(error, 400)}")
        return
    who = {"Kind": "kind", "Id": "name", "Reason": "wrap", "By": ""}
    heads = {"Since, UTC": "time"} | who
    banned = html.table(
        "Banned now", heads, map(_row, bans), "bans wide long", empty="Nobody is banned"
    )
    html.show(f"<h2>Banned now</h2>{banned}")
    heads = {"At, UTC": "time", "Decision": "kind"} | who
    last = map(_row, decisions[:LISTED])
    decided = html.table("Decisions", heads, last, "bans wide long", empty="None")
    html.show(f"<h2>Decisions <small>the last {LISTED}</small></h2>{decided}")


def _row(decision: tuple[Any, ...]) -> list[str]:
    at, *texts = decision
    return [moment(at), *(text(each, REASON_LENGTH) for each in texts)]
