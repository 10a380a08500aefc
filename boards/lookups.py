"""One player or team, also those far below the boards: what PostgreSQL tells of everybody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from boards import pool
from boards.cache import cached
from boards.ids import folded
from boards.postgres import rows
from boards.seasons import Season, thawed
from boards.snapshot import Row
from games.board import Board
from games.score import FOUND_PLAYERS, ID_LENGTH, NAME_LENGTH, TOP_PLAYERS, TOP_TEAMS
from settings import Settings

# Many at once: a question each would cost a round trip and a transaction each.
PLAYERS_QUERY = """
SELECT player.*
FROM unnest(%s::text[]) AS wanted(wanted_id)
CROSS JOIN LATERAL leaderboard.player(wanted_id, %s) AS player
"""
NEIGHBOURS_QUERY = """
SELECT wanted_id, neighbour.*
FROM unnest(%s::text[]) AS wanted(wanted_id)
CROSS JOIN LATERAL leaderboard.player_neighbours(wanted_id, %s) AS neighbour
"""
FINAL_QUERY = """
SELECT held.board_row, held.entities, bans.reason, bans.banned_at
FROM leaderboard.final_boards AS held
LEFT JOIN leaderboard.bans AS bans
    ON bans.kind = held.entity_kind AND bans.banned_id = held.entity_id
WHERE (held.game, held.season, held.board) = (%s, %s, %s)
ORDER BY held.place
"""
NEIGHBOURS = 3  # above, and below
FOUND_COLUMNS = ("user_id", "user_name", "team_id", "team_name", "total_score")
NEIGHBOUR_COLUMNS = ("rank_number", *FOUND_COLUMNS, "reached_at")
DERIVED = ("percentile", "team_share")  # of the others


@dataclass(frozen=True)
class Player:
    """One player of a season, by default of the newest; what is None is unknown, or does not apply.

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
    """One team of a season, by default of the newest.

    `best` are its members with the most points, 100 at most. Each has `share`, the part of the
    team's points, and `fair_share`, the share times the number of members: at 1 a member has scored
    as much as the others on average.
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
def find(text: str, settings: Settings, season: Season | None = None) -> list[Row]:
    """Players with this text in their id or name, FOUND_PLAYERS at most.

    Case, accents, and blanks around the text make no difference. The player of the very id comes
    first, then other exact matches, then the greatest totals. Each row has user_id, user_name,
    team_id, team_name, total_score, is_exact and is_banned. Of a season whose totals are forgotten,
    those on the final board are found. Raises BoardsUnavailable.
    """
    query = "SELECT * FROM leaderboard.find_players(%s, %s)"
    return _find(query, text, settings, season) or _find_final(text, settings, season)


@cached
def find_teams(text: str, settings: Settings) -> list[Row]:
    """Teams with this text in their id or name, found as players are.

    Each row has team_id, team_name, team_total, is_exact and is_banned. Raises BoardsUnavailable.
    """
    return _find("SELECT * FROM leaderboard.find_teams(%s, %s)", text, settings, None)


def _find(query: str, text: str, settings: Settings, season: Season | None) -> list[Row]:
    text = _searchable(text)

    def ask(cursor: Any) -> list[Row]:
        cursor.execute(query, [sendable(text), _start(season)])
        return rows(cursor)

    return pool.snapshot(settings, ask) if text else []


def _searchable(text: str) -> str:
    return text.replace("\0", "")[:NAME_LENGTH]


def _find_final(text: str, settings: Settings, season: Season | None) -> list[Row]:
    wanted = folded(_searchable(text)).strip()
    if not (season and season.final_at and wanted):
        return []
    found = []
    for row in pool.snapshot(settings, lambda cursor: _final(cursor, season, TOP_PLAYERS)):
        names = [folded(row["user_id"]), folded(row["user_name"])]
        if any(wanted in each for each in names):
            is_exact = row["user_id"] == text or wanted in names
            is_banned = row["banned_at"] is not None
            about = {name: row[name] for name in FOUND_COLUMNS}
            found.append(about | {"is_exact": is_exact, "is_banned": is_banned})
    found.sort(key=lambda row: (row["user_id"] != text, not row["is_exact"]))
    return found[:FOUND_PLAYERS]


def _start(season: Season | None) -> int | None:
    return season.start_millis if season else None


def _final(cursor: Any, season: Season | None, board: Board) -> list[Row]:
    """The rows of a final board, with `entities`, `ban_reason` and `banned_at`; else none."""
    if season is None or season.final_at is None:
        return []
    cursor.execute(FINAL_QUERY, [season.game, season.season, board.name])
    return [
        thawed(row) | {"entities": entities, "ban_reason": reason, "banned_at": banned_at}
        for row, entities, reason, banned_at in cursor
    ]


@cached
def player(user_id: str, settings: Settings, season: Season | None = None) -> Player | None:
    """The player of this id, None when nobody of the season has it.

    Raises BoardsUnavailable.
    """
    return players([user_id], settings, season).get(user_id)


def players(
    user_ids: Iterable[str], settings: Settings, season: Season | None = None
) -> dict[str, Player]:
    """The players of these ids at one moment, by id, but for those whom the season lacks.

    It is the newest season, unless another is given. Of one that is final, the final board says
    what it knows. Raises BoardsUnavailable.
    """
    wanted = {sendable(each): each for each in user_ids if _is_id(each)}

    def ask(cursor: Any) -> dict[str, Player]:
        cursor.execute(PLAYERS_QUERY, [list(wanted), _start(season)])
        found = {row["user_id"]: row for row in rows(cursor)}
        cursor.execute(NEIGHBOURS_QUERY, [list(found), _start(season)])
        neighbours: dict[str, list[Row]] = {each: [] for each in found}
        for row in rows(cursor):
            neighbours[row.pop("wanted_id")].append(row)
        final = _final(cursor, season, TOP_PLAYERS)
        for place, row in enumerate(final):
            user_id = row["user_id"]
            if user_id in wanted:
                found[user_id] = _known(Player, found.get(user_id, {}), row, row["entities"])
                around = final[max(0, place - NEIGHBOURS) : place + NEIGHBOURS + 1]
                neighbours[user_id] = [
                    {name: each[name] for name in NEIGHBOUR_COLUMNS} for each in around
                ]
        return {wanted[each]: _player(row, neighbours[each]) for each, row in found.items()}

    return pool.snapshot(settings, ask) if wanted else {}


def _known(of: type[Player | Team], totals: Row, final: Row, count: int | None) -> Row:
    """What is known of somebody on a final board, which knows better than totals."""
    names = {each.name for each in fields(of)} - {"neighbours", "mvp", "best"}
    counted = {} if count is None else {"players": count, "teams": count}
    known = totals | final | counted | ({"team_total": final["total_score"]} if of is Team else {})
    if of is Player and totals and final["team_id"] != totals["team_id"]:
        known |= dict.fromkeys(("points_for_team", "team_total"))
    return {name: known.get(name) for name in names}


def _player(row: Row, neighbours: list[Row]) -> Player:
    rank, count = row["rank_number"], row["players"]
    return Player(
        **{name: value for name, value in row.items() if name not in DERIVED},
        percentile=100 * (count - rank + 1) / count if rank and count else None,
        team_share=_share(row["points_for_team"], row["team_total"]),
        neighbours=neighbours,
    )


@cached
def team(team_id: str, settings: Settings, season: Season | None = None) -> Team | None:
    """The team of this id, None when no team of the season has it, as `players` are found.

    Raises BoardsUnavailable.
    """

    def ask(cursor: Any) -> Team | None:
        values = [sendable(team_id), _start(season)]
        found = _query(cursor, "SELECT * FROM leaderboard.team(%s, %s)", values)
        for row in _final(cursor, season, TOP_TEAMS):
            if row["team_id"] == values[0]:
                found = [_known(Team, found[0] if found else {}, row, row["entities"])]
        if not found:
            return None
        (row,) = found
        best = _query(cursor, "SELECT * FROM leaderboard.team_members(%s, %s)", values)
        for member in best:
            # Totals are written less often than the teams': the greater is the lower bound.
            share = _share(member["player_total"], max(row["team_total"], member["player_total"]))
            is_known = share is not None and row["members"] is not None
            member |= {
                "share": share,
                "fair_share": share * row["members"] if is_known else None,
            }
        return Team(**row, mvp=best[0] if best and best[0]["player_total"] else None, best=best)

    return pool.snapshot(settings, ask) if _is_id(team_id) else None


def _is_id(text: str) -> bool:
    return 0 < len(text) <= ID_LENGTH and "\0" not in text


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _query(cursor: Any, query: str, values: list[Any]) -> list[Row]:
    cursor.execute(query, values)
    return rows(cursor)


def sendable(text: str) -> str:
    """A text as the boards hold it: a lone surrogate is "?"."""
    return text.encode(errors="replace").decode()
