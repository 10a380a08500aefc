"""Which boards the figures are of. A later one has lines of its own: the others stay comparable."""

from __future__ import annotations

from collections.abc import Sequence

import games
from boards.postgres import PostgresSink
from games.board import Board, Table
from games.score import HOT_STREAKS, TEAM_MVPS, TOP_PLAYERS, TOP_TEAMS
from jobs.running import planned
from settings import Settings

GAME = games.load("score")
COMPARED: tuple[Board, ...] = (TOP_TEAMS, TOP_PLAYERS, HOT_STREAKS, TEAM_MVPS)
LATER = tuple(board for board in GAME.boards if board not in COMPARED)
TOTALS = (TOP_PLAYERS, TOP_TEAMS, TEAM_MVPS)  # in which every event counts at once

Tables = Sequence[Table]  # that one job writes


def jobs(settings: Settings, boards: Sequence[Board] = COMPARED) -> list[Tables]:
    """The tables of each job that run_all.sh would submit, if it knew of these boards only."""
    left_out = {board.job for board in GAME.boards if board not in boards}
    every_job = [(GAME.name, job) for job in GAME.jobs]
    planned_tables = planned(every_job, PostgresSink.name, settings).values()
    wanted = ([table for table in tables if table.job not in left_out] for tables in planned_tables)
    return [tables for tables in wanted if tables]
