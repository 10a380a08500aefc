"""Who carries this team, and where does it stand?"""

from __future__ import annotations

from typing import Any

import streamlit as st

from boards import lookups
from boards.ids import visible
from boards.lookups import Team
from boards.seasons import Season
from boards.sinks import Sink
from boards.snapshot import Boards, Row
from clients.errors import BoardsUnavailable
from dashboard import course, health, html
from dashboard.choices import in_address
from dashboard.html import moment, number, text
from dashboard.pages.score.lookup import (
    BEST,
    boards_of,
    choose_season,
    chosen_in,
    moderate,
    nobody,
    ranked,
    tell_limits,
)
from games.score import GAME, TEAM_MVPS, TOP_TEAMS, percent
from settings import settings

REFRESH_SECONDS = 2


def page() -> None:
    html.show("<h1>Team</h1>")
    sink = health.sink_in_use(settings)
    season = choose_season(sink, settings)
    tell_limits(sink, "a team's members, their shares and bans are unknown", settings)
    boards = boards_of(sink, season, settings)
    chosen = st.query_params.get("team")
    rows = boards.rows[TOP_TEAMS.name] if boards else []
    names = {row["team_id"]: html.label(row["team_name"], row["team_id"]) for row in rows}

    def name_of(team_id: str) -> str:
        return names.get(team_id, visible(team_id))

    options = sorted({*names, *([chosen] if chosen else [])}, key=name_of)
    picked = st.selectbox(
        "Choose a team",
        options,
        index=None,
        format_func=name_of,
        width=420,
        placeholder=f"of the best {settings.board_size}",
        **in_address("team", options),
    )
    if picked:
        every = None if season and season.final_at else course.REFRESH_SECONDS
        st.fragment(_team, run_every=REFRESH_SECONDS)(picked, sink, season)
        st.fragment(course.show, run_every=every)(GAME, TOP_TEAMS, picked, season, settings)
        st.fragment(_members, run_every=REFRESH_SECONDS)(picked, sink, season)
    else:
        html.show(ranked(TOP_TEAMS.title, TOP_TEAMS, rows[:BEST], season=season))


def _find(team_id: str, sink: Sink, season: Season | None) -> Team | None:
    """The team, as far as it is known. Raises BoardsUnavailable."""
    if sink.can_look_up:
        return lookups.team(team_id, settings, season)
    return of_boards(team_id, boards_of(sink, season, settings))


def _team(team_id: str, sink: Sink, season: Season | None) -> None:
    try:
        team = _find(team_id, sink, season)
    except BoardsUnavailable as error:
        html.notice(text(error, 400))
        return
    if team is None:
        html.notice(f"No team with the id {html.identity(team_id)} {nobody(sink, season)}.", "wait")
        return
    if team.banned_at:
        html.notice(f"Banned since {moment(team.banned_at)} UTC: {text(team.ban_reason, 500)}")
    _standing(team, season)


def of_boards(team_id: str, boards: Boards | None) -> Team | None:
    """What the boards tell of a team among the best; the rest is unknown."""
    teams, mvps = (boards.rows[each.name] if boards else [] for each in (TOP_TEAMS, TEAM_MVPS))
    row = next((row for row in teams if row["team_id"] == team_id), None)
    if row is None:
        return None
    best = [
        {
            "rank_number": 1,
            "user_id": each["user_id"],
            "user_name": each["user_name"],
            "player_total": each["player_total"],
            "share": each["contribution_ratio"],
            "fair_share": None,
        }
        for each in mvps
        if each["team_id"] == team_id
    ]
    unknown: dict[str, Any] = dict.fromkeys(("teams", "members", "ban_reason", "banned_at"))
    return Team(
        team_id=team_id,
        team_name=row["team_name"],
        team_total=row["total_score"],
        season_start=row["season_start"],
        rank_number=row["rank_number"],
        mvp=best[0] if best else None,
        best=best,
        **unknown,
    )


def _member(row: Row, season: Season | None) -> str:
    user_id = row["user_id"]
    chosen = chosen_in(season, settings, player=user_id)
    return html.link("player", user_id, row["user_name"], **chosen)


def _standing(team: Team, season: Season | None) -> None:
    mvp = team.mvp
    mvp_link = _member(mvp, season) if mvp else text(None)
    html.show(
        html.title(team.team_name, team.team_id)
        + html.facts(
            {
                "Points": number(team.team_total),
                "Rank": html.rank(team.rank_number, team.teams),
                "Members who scored": number(team.members),
                "Most valuable player": mvp_link,
                "Share of the MVP": number(mvp["share"] if mvp else None, percent),
            }
        )
        + moderate("team", team.team_id, is_banned=bool(team.banned_at), settings=settings)
    )


def _members(team_id: str, sink: Sink, season: Season | None) -> None:
    try:
        team = _find(team_id, sink, season)
    except BoardsUnavailable:  # told above
        return
    if team is None:
        return
    longest = max((row["player_total"] for row in team.best), default=0) or 1
    rows = [
        [
            number(row["rank_number"]),
            html.bar(row["player_total"] / longest) + _member(row, season),
            number(row["player_total"]),
            number(row["share"], percent),
            number(row["fair_share"], "×{:.2f}".format),
        ]
        for row in team.best
    ]
    heads = {"#": "rank", "Member": "name", "Points": "value", "Share": "value"}
    heads |= {"Fair share": "value"}
    note = "fair share ×1: an equal part of the team's points"
    if team.members is None and season is not None:
        note = "of a season that is long over, the members are forgotten"
    elif team.members is None:
        note = "the most valuable player only: the others are unknown"
    table = html.table("Members", heads, rows, "ranks members")
    html.show(f"<h2>Members <small>{note}</small></h2>{table}")
