"""Who carries this team, and where does it stand?"""

from __future__ import annotations

import streamlit as st

from dashboard import health, live, look, players
from dashboard.boards import Boards
from dashboard.database import BoardsUnavailable
from dashboard.look import duration, moment, number, text
from dashboard.players import Team
from jobs.sql import ID_LENGTH
from settings import settings

REFRESH_SECONDS = 2
ONLY_POSTGRES = (
    "The jobs write to Kafka, which holds the best only: a team's members, their shares and bans are unknown. "
    "With the boards in PostgreSQL they are shown."
)


def page() -> None:
    look.show("<h1>Team</h1>")
    sink = health.sink(settings)
    if sink != "postgres":
        look.notice(ONLY_POSTGRES, "wait")
    seen = live.look(sink, settings).boards
    chosen = st.query_params.get("team")
    rows = seen.rows["top_teams"] if seen else []
    names = {row["team_id"]: look.line(row["team_name"]) or row["team_id"] for row in rows}
    options = sorted({*names, *([chosen] if chosen else [])}, key=lambda each: names.get(each, each))
    picked = st.selectbox(
        "Choose a team", options, index=options.index(chosen) if chosen else None,
        format_func=lambda each: names.get(each, each), width=420, placeholder="of the best hundred",
    )  # fmt: skip
    if picked:
        st.query_params["team"] = picked
        st.fragment(_team, run_every=REFRESH_SECONDS)(picked, sink)


def _team(team_id: str, sink: str) -> None:
    seen = live.look(sink, settings)
    try:
        team = players.team(team_id, settings) if sink == "postgres" else of_boards(team_id, seen.boards)
    except BoardsUnavailable as error:
        look.notice(text(error, 400))
        return
    if team is None:
        where = "has scored in this season" if sink == "postgres" else "is on the board of the best"
        look.notice(f"No team with the id {text(team_id, ID_LENGTH)} {where}.", "wait")
        return
    if team.banned_at:
        look.notice(f"Banned since {moment(team.banned_at)} UTC: {text(team.ban_reason, 500)}")
    _standing(team)
    _places(seen.team_places(team_id))
    _members(team)


def of_boards(team_id: str, boards: Boards | None) -> Team | None:
    """What the boards tell of a team among the best; the rest is unknown."""
    rows = boards.rows if boards else {"top_teams": [], "team_mvps": []}
    row = next((row for row in rows["top_teams"] if row["team_id"] == team_id), None)
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
        for each in rows["team_mvps"]
        if each["team_id"] == team_id
    ]
    mvp = best[0] if best else None
    total, started = row["total_score"], row["season_start"]
    return Team(team_id, row["team_name"], total, started, row["rank_number"], None, None, None, None, mvp, best)


def _standing(team: Team) -> None:
    mvp = team.mvp
    look.show(
        look.title(team.team_name, team.team_id)
        + look.facts(
            {
                "Points": number(team.team_total),
                "Rank": f"{number(team.rank_number)} of {number(team.teams)}",
                "Members who scored": number(team.members),
                "Most valuable player": look.link("player", mvp["user_id"], mvp["user_name"]) if mvp else text(None),
                "Share of the MVP": look.share(mvp["share"] if mvp else None),
            }
        )
    )


def _places(places: list[tuple]) -> None:
    """The rank of the last hour, at most, as far as somebody has watched."""
    if len(places) < 2:
        look.show('<h2>Rank over time</h2><p class="quiet">A line begins as soon as somebody watches.</p>')
        return
    ranks = [rank for _, rank in places]
    since = duration((places[-1][0] - places[0][0]).total_seconds())
    line = look.spark([-rank for rank in ranks], "rank over time", len(ranks))
    look.show(
        f"<h2>Rank over time <small>last {since}; best {min(ranks)}, worst {max(ranks)}</small></h2>"
        f'<div class="chart">{line}</div>'
    )


def _members(team: Team) -> None:
    longest = max((row["player_total"] for row in team.best), default=0) or 1
    rows = [
        [
            number(row["rank_number"]),
            look.bar(row["player_total"] / longest) + look.link("player", row["user_id"], row["user_name"]),
            number(row["player_total"]),
            look.share(row["share"]),
            number(row["fair_share"], "×{:.2f}"),
        ]
        for row in team.best
    ]
    heads = {"#": "rank", "Member": "name", "Points": "value", "Share": "value", "Fair share": "value"}
    note = "a fair share of ×1 is neither more nor less than the others"
    filled = look.table("Members", heads, rows, "ranks members")
    look.show(f"<h2>Members <small>{note}</small></h2>{filled}")
