"""How is this player doing?"""

from __future__ import annotations

from dataclasses import fields

import streamlit as st

from dashboard import health, live, look, players
from dashboard.boards import Boards
from dashboard.database import BoardsUnavailable
from dashboard.look import duration, moment, number, text
from dashboard.players import Player, Recent
from jobs.sql import NAME_LENGTH
from settings import settings

REFRESH_SECONDS = 2
NEIGHBOURS = 3
ONLY_POSTGRES = (
    "The jobs write to Kafka, which holds the best only: nobody can be searched there, and the rank of the others, "
    "their neighbours, shares and bans are unknown. With the boards in PostgreSQL they are shown."
)


def page() -> None:
    look.show("<h1>Player</h1>")
    sink = health.sink(settings)
    if sink != "postgres":
        look.notice(ONLY_POSTGRES, "wait")
    words = st.text_input(
        "Search", placeholder="id or name, or a part of it", key="search", bind="query-params", max_chars=NAME_LENGTH,
        disabled=sink != "postgres", width=420,
    )  # fmt: skip
    chosen = st.query_params.get("player")
    if words and sink == "postgres":
        chosen = _found(words) or chosen
    if chosen:
        st.fragment(_player, run_every=REFRESH_SECONDS)(chosen, sink)


def _found(words: str) -> str | None:
    """List who is found, and choose one who is alone."""
    try:
        rows = players.find(words, settings)
    except BoardsUnavailable as error:
        look.notice(text(error, 400))
        return None
    if len(rows) == 1:
        return rows[0]["user_id"]
    listed = [
        [
            look.link("player", row["user_id"], row["user_name"]),
            text(row["user_id"]) + (' <span class="bad">banned</span>' if row["is_banned"] else ""),
            look.link("team", row["team_id"], row["team_name"]),
            number(row["total_score"]),
        ]
        for row in rows
    ]
    heads = {"Name": "name", "Id": "", "Team": "", "Points": "n"}
    look.show(look.table("Found", heads, listed, "long", empty=f"Nobody's id or name has {text(words)} in it"))
    return None


def _player(user_id: str, sink: str) -> None:
    boards = live.look(sink, settings).boards
    try:
        found = players.player(user_id, settings) if sink == "postgres" else of_boards(user_id, boards)
    except BoardsUnavailable as error:
        look.notice(text(error, 400))
        return
    if found is None:
        where = "has scored in this season" if sink == "postgres" else "is on the board of the best"
        look.notice(f"Nobody with the id {text(user_id, NAME_LENGTH)} {where}.", "wait")
    else:
        _standing(found)
    try:
        recent, trouble = players.recent(user_id, settings), None
    except BoardsUnavailable as error:
        recent, trouble = None, text(error, 400)
    _form(players.form(user_id, recent, boards))
    neighbours, events = st.columns(2)
    with neighbours:
        _neighbours(found)
    with events:
        _events(recent, trouble)


def of_boards(user_id: str, boards: Boards | None) -> Player | None:
    """What the board of the best tells of a player on it; the rest is unknown."""
    rows = boards.rows["top_players"] if boards else []
    place = next((place for place, row in enumerate(rows) if row["user_id"] == user_id), None)
    if place is None:
        return None
    around = rows[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1]
    known = {each.name: rows[place].get(each.name) for each in fields(Player)}
    return Player(**known | {"neighbours": around})


def _standing(player: Player) -> None:
    if player.banned_at:
        look.notice(f"Banned since {moment(player.banned_at)} UTC: {text(player.ban_reason, 500)}")
    look.show(
        look.title(player.user_name, player.user_id)
        + look.facts(
            {
                "Points": number(player.total_score),
                "Rank": f"{number(player.rank_number)} of {number(player.players)}",
                "Percentile": number(player.percentile, "{:.1f}"),
                "Team": look.link("team", player.team_id, player.team_name),
                "Points for it": number(player.points_for_team),
                "Share of its points": look.share(player.team_share),
                "Last scored": f"{moment(player.reached_at)} UTC",
            }
        )
    )


def _form(form: dict) -> None:
    def average(which: str) -> str:
        events = form[f"{which}_term_events"]
        return f"{number(form[f'{which}_term_average'], '{:,.1f}')} <small>in {number(events)} events</small>"

    streak = form["rank_number"]
    look.show(
        "<h2>Form <small>points per event</small></h2>"
        + look.facts(
            {
                "Last 10 s": average("short"),
                "Last 60 s": average("long"),
                "Hotness": number(form["hotness"], "×{:.2f}"),
                "Hot streak": f"number {streak:,}" if streak else "none",
            }
        )
    )


def _neighbours(player: Player | None) -> None:
    around = player.neighbours if player else []
    rows = [
        [number(row["rank_number"]), look.link("player", row["user_id"], row["user_name"]), number(row["total_score"])]
        for row in around
    ]
    at = next((place for place, row in enumerate(around) if row["user_id"] == player.user_id), None)
    heads = {"#": "rank", "Player": "name", "Points": "n"}
    filled = look.table("Neighbours in rank", heads, rows, "narrow", empty=text(None), marked=at)
    look.show(f"<h2>Neighbours in rank</h2>{filled}")


def _events(recent: Recent | None, trouble: str | None) -> None:
    rows = [
        [moment(row["event_at"]), look.link("team", row["team_id"], row["team_name"]), number(row["score"])]
        for row in (recent.events if recent else [])
    ]
    if recent and recent.looked_back_to:
        back = duration((recent.at - recent.looked_back_to).total_seconds())
        note = f"as far as {recent.records:,} records back, {back}"
    else:
        note = ""
    heads = {"At, UTC": "time", "For": "name", "Points": "n"}
    filled = look.table("Last events", heads, rows, "events long", empty=trouble or "None so far back")
    look.show(f"<h2>Last events <small>{note}</small></h2>{filled}")
