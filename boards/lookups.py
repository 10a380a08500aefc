"""One player or team, also those far below the boards: what PostgreSQL tells of everybody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from boards import pool
from boards.cache import cached
from boards.postgres import rows
from boards.snapshot import Row
from games.score import ID_LENGTH, NAME_LENGTH
from settings import Settings

# Many at once: a question each would cost a round trip and a transaction each.
PLAYERS_QUERY = """
SELECT player.*
FROM unnest(%s::text[]) AS wanted(wanted_id)
CROSS JOIN LATERAL leaderboard.player(wanted_id) AS player
"""
NEIGHBOURS_QUERY = """
SELECT wanted_id, neighbour.*
FROM unnest(%s::text[]) AS wanted(wanted_id)
CROSS JOIN LATERAL leaderboard.player_neighbours(wanted_id) AS neighbour
"""


@dataclass(frozen=True)
class Player:
    """One player of the newest season; what is None is unknown, or does not apply.

    `rank_number` is the rank among all `players`, None for a banned one. `percentile` is the per
    cent of all players who are not ahead, the player included. `team_share` is the player's part
    of the team's points, 0 to 1.
    """

    user_id: str
    user_name: str
    team_id: str
    team_name: str
    total_score: int
    reached_at: datetime
    season_start: datetime
    rank_number: int | None
    players: int
    percentile: float | None
    points_for_team: int | None
    team_total: int | None
    team_share: float | None
    ban_reason: str | None
    banned_at: datetime | None
    # Up to three above, the player, up to three below, with their ranks; empty for a banned one.
    neighbours: list[Row]


@dataclass(frozen=True)
class Team:
    """One team of the newest season. `best` are its members with the most points, 100 at most.

    Each has `share`, the part of the team's points, and `fair_share`, the share times the number
    of members: at 1 a member has scored as much as the others on average.
    """

    team_id: str
    team_name: str
    team_total: int
    season_start: datetime
    rank_number: int | None  # None for a banned one
    teams: int
    members: int
    ban_reason: str | None
    banned_at: datetime | None
    mvp: Row | None
    best: list[Row]


@cached
def find(text: str, settings: Settings) -> list[Row]:
    """Players with this text in their id or name, FOUND_PLAYERS at most.

    Case, accents, and blanks around the text make no difference. The player of the very id comes
    first, then other exact matches, then the greatest totals. Each row has user_id, user_name,
    team_id, team_name, total_score, is_exact and is_banned. Raises BoardsUnavailable.
    """
    return _find("SELECT * FROM leaderboard.find_players(%s)", text, settings)


@cached
def find_teams(text: str, settings: Settings) -> list[Row]:
    """Teams with this text in their id or name, found as players are.

    Each row has team_id, team_name, team_total, is_exact and is_banned. Raises BoardsUnavailable.
    """
    return _find("SELECT * FROM leaderboard.find_teams(%s)", text, settings)


def _find(query: str, text: str, settings: Settings) -> list[Row]:
    text = text.replace("\0", "")[:NAME_LENGTH]
    return _ask(settings, query, text) if text else []


@cached
def player(user_id: str, settings: Settings) -> Player | None:
    """The player of this id, None when nobody of the newest season has it.

    Raises BoardsUnavailable.
    """
    return players([user_id], settings).get(user_id)


def players(user_ids: Iterable[str], settings: Settings) -> dict[str, Player]:
    """The players of these ids at one moment, by id, but for those whom the newest season lacks.

    Raises BoardsUnavailable.
    """
    wanted = {sendable(each): each for each in user_ids if _is_id(each)}

    def ask(cursor: Any) -> dict[str, Player]:
        cursor.execute(PLAYERS_QUERY, [list(wanted)])
        found = rows(cursor)
        cursor.execute(NEIGHBOURS_QUERY, [[row["user_id"] for row in found]])
        neighbours: dict[str, list[Row]] = {row["user_id"]: [] for row in found}
        for row in rows(cursor):
            neighbours[row.pop("wanted_id")].append(row)
        return {wanted[row["user_id"]]: _player(row, neighbours[row["user_id"]]) for row in found}

    return pool.snapshot(settings, ask) if wanted else {}


def _player(row: Row, neighbours: list[Row]) -> Player:
    rank, count = row["rank_number"], row["players"]
    return Player(
        **row,
        percentile=100 * (count - rank + 1) / count if rank else None,
        team_share=_share(row["points_for_team"], row["team_total"]),
        neighbours=neighbours,
    )


@cached
def team(team_id: str, settings: Settings) -> Team | None:
    """The team of this id, None when no team of the newest season has it.

    Raises BoardsUnavailable.
    """

    def ask(cursor: Any) -> Team | None:
        found = _query(cursor, "SELECT * FROM leaderboard.team(%s)", team_id)
        if not found:
            return None
        (row,) = found
        best = _query(cursor, "SELECT * FROM leaderboard.team_members(%s)", team_id)
        for member in best:
            # Totals are written less often than the teams': the greater is the lower bound.
            share = _share(member["player_total"], max(row["team_total"], member["player_total"]))
            member |= {
                "share": share,
                "fair_share": None if share is None else share * row["members"],
            }
        return Team(**row, mvp=best[0] if best and best[0]["player_total"] else None, best=best)

    return pool.snapshot(settings, ask) if _is_id(team_id) else None


def _is_id(text: str) -> bool:
    return 0 < len(text) <= ID_LENGTH and "\0" not in text


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _ask(settings: Settings, query: str, *values: str) -> list[Row]:
    return pool.snapshot(settings, lambda cursor: _query(cursor, query, *values))


def _query(cursor: Any, query: str, *values: str) -> list[Row]:
    cursor.execute(query, [sendable(value) for value in values])
    return rows(cursor)


def sendable(text: str) -> str:
    """A text as the boards hold it: a lone surrogate is "?"."""
    return text.encode(errors="replace").decode()
