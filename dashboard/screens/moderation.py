"""Who is banned, and a form to change it, as `python -m jobs.moderation` does."""

from __future__ import annotations

import getpass

import psycopg2
import streamlit as st

from dashboard import look
from dashboard.look import moment, text
from jobs import moderation
from jobs.moderation import ModerationError
from jobs.sql import ID_LENGTH
from settings import settings

DECISIONS = {"ban": "Ban", "unban": "Unban"}
REASON_LENGTH = 500
SHOWN = 50


def page() -> None:
    look.show("<h1>Moderation</h1>")
    look.show(
        "<p>A banned player or team leaves all boards at once; unbanning brings back all points. "
        "No decision is ever deleted.</p>"
    )
    form, lists = st.columns([1, 2], gap="large")
    with form.form("decision", border=False, enter_to_submit=False):
        decision = st.segmented_control("Decision", DECISIONS, format_func=DECISIONS.get, default="ban", required=True)
        kind = st.segmented_control(
            "Of a", moderation.KINDS, default=moderation.KINDS[0], required=True, key="kind", bind="query-params"
        )
        banned_id = st.text_input("Id", max_chars=ID_LENGTH, key="id", bind="query-params")
        reason = st.text_input("Reason", max_chars=REASON_LENGTH)
        if st.form_submit_button("Decide", type="primary"):
            _decide(decision, kind, banned_id.strip(), reason.strip())
    with lists:
        _lists()


def _decide(decision: str, kind: str, banned_id: str, reason: str) -> None:
    if not (banned_id and reason):
        look.notice("A decision needs an id and a reason.")
        return
    try:
        moderation.decide(settings, decision, kind, banned_id, reason, _author())
    except (ModerationError, psycopg2.Error) as error:
        look.notice(text(error, 400))
    else:
        look.notice(f"{kind} {text(banned_id)} is {decision}ned.", "good")


def _author() -> str:
    return str(st.user["email"]) if settings.oidc_metadata_url else getpass.getuser()


def _lists() -> None:
    try:
        bans, decisions = moderation.bans(settings), moderation.history(settings)
    except psycopg2.Error as error:
        look.notice(f"Who is banned cannot be read: {text(error, 400)}")
        return
    heads = {"Since, UTC": "time", "Kind": "kind", "Id": "name", "Reason": "wrap", "By": ""}
    banned = look.table("Banned now", heads, map(_row, bans), "bans wide long", empty="Nobody")
    look.show(f"<h2>Banned now</h2>{banned}")
    heads = {"At, UTC": "time", "Decision": "kind", "Kind": "kind", "Id": "name", "Reason": "wrap", "By": ""}
    made = look.table("Decisions", heads, map(_row, decisions[:SHOWN]), "bans wide long", empty="None")
    look.show(f"<h2>Decisions <small>the last {SHOWN}</small></h2>{made}")


def _row(decision: tuple) -> list[str]:
    at, *rest = decision
    return [moment(at), *(text(each, REASON_LENGTH) for each in rest)]
