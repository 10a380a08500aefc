"""How is this player doing?"""

from __future__ import annotations

from dataclasses import fields
from functools import partial

import streamlit as st

from boards import last_events, lookups
from boards.last_events import Recent
from boards.lookups import Player
from boards.seasons import Season
from boards.sinks import Sink
from boards.snapshot import Boards, Row
from clients.errors import BoardsUnavailable
from dashboard import course, health, html
from dashboard.choices import in_address
from dashboard.download import players_file
from dashboard.html import duration, moment, number, text
from dashboard.pages.score.lookup import (
    BEST,
    boards_of,
    choose_season,
    chosen_in,
    found_players,
    moderate,
    nobody,
    ranked,
    tell_limits,
)
from games.score import (
    GAME,
    HOT_STREAKS,
    LONG_SECONDS,
    SHORT_SECONDS,
    TOP_PLAYERS,
    percent,
)
from settings import settings

REFRESH_SECONDS = 2
NEIGHBOURS = 3


def page() -> None:
    html.show("<h1>Player</h1>")
    sink = health.sink_in_use(settings)
    season = choose_season(sink, settings)
    unknown = "nobody can be searched, and ranks below them, shares and bans are unknown"
    tell_limits(sink, unknown, settings)
    words = st.text_input(
        "Search",
        placeholder="id or name, or a part of it",
        disabled=not sink.can_look_up,
        width=420,
        **in_address("search", default=""),
    )
    chosen = st.query_params.get("player")
    if words and sink.can_look_up:
        chosen = _found(words, season) or chosen
    elif not chosen:
        _best(sink, season)
    if chosen:
        every = None if season and season.final_at else course.REFRESH_SECONDS
        st.fragment(_player, run_every=REFRESH_SECONDS)(chosen, sink, season)
        st.fragment(course.show, run_every=every)(GAME, TOP_PLAYERS, chosen, season, settings)
        st.fragment(_lists, run_every=REFRESH_SECONDS)(chosen, sink, season)


def _best(sink: Sink, season: Season | None) -> None:
    """Names to start from, when nobody is chosen."""
    boards = boards_of(sink, season, settings)
    rows = boards.rows[TOP_PLAYERS.name][:BEST] if boards else []
    html.show(ranked(TOP_PLAYERS.title, TOP_PLAYERS, rows, season=season))


def _found(words: str, season: Season | None) -> str | None:
    """List who is found, and choose one who is alone."""
    try:
        rows = lookups.find(words, settings, season)
    except BoardsUnavailable as error:
        html.notice(text(error, 400))
        return None
    if len(rows) == 1:
        found: str = rows[0]["user_id"]
        return found
    html.show(found_players(rows, partial(_choose, season), words))
    if rows:
        html.save("Download", players_file(rows, settings, season))
    return None


def _choose(season: Season | None, user_id: str, name: str | None) -> str:
    return html.link("player", user_id, name, **chosen_in(season, settings, player=user_id))


def _find(user_id: str, sink: Sink, season: Season | None) -> Player | None:
    """The player, as far as known. Raises BoardsUnavailable."""
    if sink.can_look_up:
        return lookups.player(user_id, settings, season)
    return of_boards(user_id, boards_of(sink, season, settings))


def _player(user_id: str, sink: Sink, season: Season | None) -> None:
    try:
        player = _find(user_id, sink, season)
    except BoardsUnavailable as error:
        html.notice(text(error, 400))
        return
    if player is None:
        html.notice(f"Nobody with the id {html.identity(user_id)} {nobody(sink, season)}.", "wait")
    else:
        _standing(player, season)
    recent, _ = _recent(user_id)
    if season is None and (player or (recent and recent.events)):
        _form(last_events.form(user_id, recent, boards_of(sink, None, settings)))


def _lists(user_id: str, sink: Sink, season: Season | None) -> None:
    """The neighbours, and beside them the last events."""
    try:
        player = _find(user_id, sink, season)
    except BoardsUnavailable:  # told above
        return
    if season:
        if player:
            _neighbours(player, season)
        return
    recent, trouble = _recent(user_id)
    if player is None and not (recent and recent.events):
        return
    neighbours, events = st.columns(2)
    with neighbours:
        if player:
            _neighbours(player, None)
    with events:
        _events(recent, trouble)


def _recent(user_id: str) -> tuple[Recent | None, str | None]:
    """What the player has done last, or why that is unknown."""
    try:
        return last_events.recent(user_id, settings), None
    except BoardsUnavailable as error:
        return None, text(error, 400)


def of_boards(user_id: str, boards: Boards | None) -> Player | None:
    """What the board of the best tells of a player on it; the rest is unknown."""
    rows = boards.rows[TOP_PLAYERS.name] if boards else []
    ids = [row["user_id"] for row in rows]
    if user_id not in ids:
        return None
    place = ids.index(user_id)
    around = rows[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1]
    known: Row = {each.name: rows[place].get(each.name) for each in fields(Player)}
    return Player(**known | {"neighbours": around})


def _standing(player: Player, season: Season | None) -> None:
    if player.banned_at:
        since = f"Banned since {moment(player.banned_at)} UTC"
        html.notice(f"{since}: {text(player.ban_reason, 500)}")
    late = ""
    if settings.totals_flush_seconds and player.players is not None and season is None:
        late = f"Totals may be {settings.totals_flush_seconds} s behind the last events."
    html.show(
        html.title(player.user_name, player.user_id)
        + html.facts(
            {
                "Points": number(player.total_score),
                "Rank": html.rank(player.rank_number, player.players),
                "Percentile": number(player.percentile, "{:.1f}".format),
                "Team": html.link(
                    "team",
                    player.team_id,
                    player.team_name,
                    **chosen_in(season, settings, team=player.team_id),
                ),
                "Points for this team": number(player.points_for_team),
                "Share of the team": number(player.team_share, percent),
                "Last scored": f"{moment(player.reached_at)} UTC",
            }
        )
        + f'<p class="quiet">{late}</p>'
        + moderate("player", player.user_id, is_banned=bool(player.banned_at), settings=settings)
    )


def _form(form: Row) -> None:
    def average(which: str) -> str:
        events = form[f"{which}_term_events"]
        if not events:
            return "no events" if events == 0 else number(None)
        points = number(form[f"{which}_term_average"], "{:,.1f}".format)
        return f"{points} <small>in {number(events)} events</small>"

    streak = form["rank_number"]
    html.show(
        "<h2>Form <small>points per event</small></h2>"
        + html.facts(
            {
                f"Last {SHORT_SECONDS} s": average("short"),
                f"Last {LONG_SECONDS} s": average("long"),
                "Hotness": number(form["hotness"], HOT_STREAKS.show),
                "Hot streak": f"number {streak:,}" if streak else "none",
            }
        )
    )


def _neighbours(player: Player, season: Season | None) -> None:
    ids = [row["user_id"] for row in player.neighbours]
    marked = ids.index(player.user_id) if player.user_id in ids else None
    html.show(ranked("Neighbours in rank", TOP_PLAYERS, player.neighbours, marked, season))


def _events(recent: Recent | None, trouble: str | None) -> None:
    rows = [
        [
            moment(row["event_at"]),
            html.link("team", row["team_id"], row["team_name"]),
            number(row["score"]),
        ]
        for row in (recent.events if recent else [])
    ]
    note = ""
    if recent and recent.looked_back_to:
        back = duration((recent.at - recent.looked_back_to).total_seconds())
        note = f"from the last {back} of the topic"
    heads = {"At, UTC": "time", "For": "name", "Points": "n"}
    empty = trouble or "None in this time"
    table = html.table("Last events", heads, rows, "events long", empty=empty)
    html.show(f"<h2>Last events <small>{note}</small></h2>{table}")
