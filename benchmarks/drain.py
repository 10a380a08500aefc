"""How fast a topic that is full already is read to its end, and what that takes."""

from __future__ import annotations

import dataclasses
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from string import Template
from typing import Any

from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from benchmarks import driver, fold, system
from benchmarks.driver import Sent
from benchmarks.events import World
from benchmarks.fold import Fold
from benchmarks.measured import GAME, Tables
from benchmarks.system import Metric, Usage, Watch
from boards import schemas
from boards.postgres import PostgresSink
from clients import flink, postgres
from games import sql
from games.board import Board, Game, Table
from games.score import HOT_STREAKS, PLAYER_TOTALS, REJECTED_EVENTS
from settings import PROJECT, Settings
from tests import bounded

DEADLINE_SECONDS = 900
SPAN_SECONDS = 30  # until Flink tells when a job finished
LAST_PLAYED_SECONDS = 30  # before the drain
RANK_PARTS = 8
METRIC = sql.metric  # the project's, also while a job is submitted with another
TOTALS_QUERY = f"""
SELECT
    unnest(ARRAY['players', 'points']),
    unnest(ARRAY[COUNT(*), COALESCE(SUM(total_score), 0)::bigint])
FROM flink.{PLAYER_TOTALS.name}
WHERE season_start = (SELECT MAX(season_start) FROM flink.{PLAYER_TOTALS.name})
"""
REJECTS_QUERY = f"SELECT 'rejected', COUNT(*) FROM flink.{REJECTED_EVENTS.name}"
STREAKS_QUERY = f"""
SELECT window_end, user_id, short_term_events, long_term_events, hotness
FROM flink.{HOT_STREAKS.name}
ORDER BY window_end, hotness DESC, long_term_events DESC, user_id
"""


@dataclass(frozen=True)
class Topic:
    """A full topic, what its events add up to, and what filling it took."""

    settings: Settings
    folded: Fold
    sent: Sent

    @property
    def records(self) -> int:
        """How many records it holds."""
        return self.sent.records


@dataclass(frozen=True)
class Result:
    """What reading a topic to its end took, by Flink's own clock."""

    seconds: float
    usage: Usage
    sent: Sent
    state_mb: dict[str, float]  # of each task, in the jobs' largest checkpoints


def filled(settings: Settings, world: World, events: int, rate: float) -> Topic:
    """A new topic with what would have been recorded of a world at this rate, until now."""
    chosen = dataclasses.replace(settings, topic=f"drain-{time.time_ns()}")
    bounded.create_topic(chosen)
    schemas.register([GAME], chosen)
    began = int((time.time() - LAST_PLAYED_SECONDS - events / rate) * 1000)
    sent = driver.fill(chosen, world, events, rate, began)
    return Topic(chosen, fold.folded(chosen), sent)


def drain(
    topic: Topic,
    jobs: Sequence[Tables],
    progress: Callable[[float], None],
    metric: Metric = METRIC,
    deadline_seconds: float = DEADLINE_SECONDS,
    **changed: Any,
) -> Result:
    """Read the topic with these jobs at once, and compare the boards with the oracle.

    `progress` is told how many records the slowest job has read; `metric` gives the SELECT of a
    table; `changed` are settings other than the topic's. Raises AssertionError when a board is
    wrong, TooSlow after the deadline.
    """
    settings = dataclasses.replace(topic.settings, **changed)
    PostgresSink(settings).clear(GAME.tables)
    titles = [f"drain {tables[0].name} {time.time_ns()}" for tables in jobs]
    with Watch(settings) as watch:
        ids = [
            system.submit(settings, tables, title, metric, is_bounded=True)
            for title, tables in zip(titles, jobs, strict=True)
        ]
        for title in titles:
            system.await_end(settings, title, deadline_seconds, progress)
    folded = fold.folded(settings) if settings.deduplicate_minutes == 0 else topic.folded
    check(settings, [table for tables in jobs for table in tables], folded)
    state_mb: dict[str, float] = defaultdict(float)
    for each in ids:
        for task, size in _state_mb(settings, each).items():
            state_mb[task] += size
    return Result(seconds(settings, ids), watch.usage, topic.sent, state_mb)


def _state_mb(settings: Settings, job_id: str) -> dict[str, float]:
    """How much of the largest of a job's last checkpoints is of each task, by its name."""
    job = f"/jobs/{job_id}"
    history = flink.rest(settings, "GET", f"{job}/checkpoints")["history"]
    completed = [each for each in history if each["status"] == "COMPLETED"]
    if not completed:
        return {}
    largest = max(completed, key=lambda each: each["state_size"])["id"]
    tasks = flink.rest(settings, "GET", f"{job}/checkpoints/details/{largest}")["tasks"]
    names = {each["id"]: each["name"] for each in flink.rest(settings, "GET", job)["vertices"]}
    return {names[task]: each["state_size"] / system.MEGABYTE for task, each in tasks.items()}


def seconds(settings: Settings, jobs: list[str]) -> float:
    """From when the first of these jobs ran to when the last had finished, by Flink's clock."""
    spans = [_span(settings, job_id) for job_id in jobs]
    return (max(span["FINISHED"] for span in spans) - min(span["RUNNING"] for span in spans)) / 1000


@retry(
    retry=retry_if_result(lambda span: not span["FINISHED"]),
    wait=wait_fixed(0.2),
    stop=stop_after_delay(SPAN_SECONDS),
)
def _span(settings: Settings, job_id: str) -> dict[str, int]:
    """When a job reached each state; Flink may still tell what it knew before the job finished."""
    found: dict[str, int] = flink.rest(settings, "GET", f"/jobs/{job_id}")["timestamps"]
    return found


def check(settings: Settings, tables: Iterable[Table], folded: Fold) -> None:
    """Raise AssertionError when a board in PostgreSQL is not the oracle's."""
    read = PostgresSink(settings).read(GAME).rows
    for table in tables:
        if table is HOT_STREAKS:
            _check_streaks(settings, read[table.name], folded)
        elif isinstance(table, Board):
            _same(
                table,
                *(_above_the_cut(table, each) for each in (read[table.name], folded.rows(table))),
            )
        elif table is PLAYER_TOTALS:
            everybody = folded.totals.players.values()
            right = {"players": len(everybody), "points": sum(each.score for each in everybody)}
            counted = system.counts(settings, TOTALS_QUERY)
            assert counted == right, f"{table.name}: {counted}, expected {right}"
        elif table is REJECTED_EVENTS:
            rejected = system.counts(settings, REJECTS_QUERY)["rejected"]
            assert rejected == folded.rejected, f"{rejected} rejects, expected {folded.rejected}"


def _same(board: Board, rows: list[dict], expected: list[dict]) -> None:
    for place, (row, right) in enumerate(zip(rows, expected, strict=False), start=1):
        assert row == right, f"{board.name}, place {place}: {row}, expected {right}"
    assert len(rows) == len(expected), f"{board.name}: {len(rows)} rows, expected {len(expected)}"


def _above_the_cut(board: Board, rows: list[dict]) -> list[dict]:
    """The same rows, but for whom of the last of equal totals.

    Where those are more than are kept, any may be.
    """
    if not board.keeps_best or not rows:
        return rows
    last = rows[-1][board.value]
    return [row if row[board.value] > last else {board.value: last} for row in rows]


def _check_streaks(settings: Settings, rows: list[dict], folded: Fold) -> None:
    """The latest window as it is read, and each that is kept, but for names: they may change."""
    windows: dict[int, list[tuple]] = {}
    with postgres.connect(postgres.owner_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute(STREAKS_QUERY)
        for window_end, *row in cursor:
            windows.setdefault(window_end, []).extend([tuple(row)] if row[0] else [])
    assert windows or folded.events.empty, f"{HOT_STREAKS.name}: no window"
    if windows:
        _same(HOT_STREAKS, rows, folded.streaks(max(windows)))
    names = ("user_id", "short_term_events", "long_term_events", HOT_STREAKS.value)
    for window_end, held in windows.items():
        right = [tuple(row[name] for name in names) for row in folded.streaks(window_end)]
        what = f"{HOT_STREAKS.name} of {window_end}"
        assert held[: len(right)] == right, f"{what}: {held[:3]} …, expected {right[:3]} …"


def rank_in_parts(game: Game, table: Table, settings: Settings) -> str:
    """The SELECT of the top players with a rank in each of some parts, which readers rank."""
    text = (PROJECT / "benchmarks" / "rank_in_parts.sql").read_text()
    return Template(text).substitute(places=sql.places(settings), parts=RANK_PARTS)


def rank_in_two_levels(game: Game, table: Table, settings: Settings) -> str:
    """The project's own SELECT of the top players, from the best of each part instead of all."""
    parts = rank_in_parts(game, table, settings)
    return f"WITH player_season_totals AS (\n{parts}\n)\n{METRIC(game, table, settings)}"
