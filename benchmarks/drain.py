"""How fast a topic that is full already is read to its end, and what that takes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from string import Template
from typing import Any

from benchmarks import driver, oracle, system
from benchmarks.driver import Sent
from benchmarks.events import World
from benchmarks.oracle import Fold
from benchmarks.system import Usage, Watch
from compose import postgres
from dashboard import boards
from jobs import job, sql
from settings import PROJECT, Settings

DEADLINE_SECONDS = 900
LAST_PLAYED_SECONDS = 30  # before the drain
TOTALS_QUERY = """
SELECT unnest(ARRAY['players', 'points']), unnest(ARRAY[COUNT(*), COALESCE(SUM(total_score), 0)::bigint])
FROM flink.player_totals WHERE season_start = (SELECT MAX(season_start) FROM flink.player_totals)
"""
LATEST_WINDOW_QUERY = "SELECT 'latest', COALESCE(MAX(window_end), 0) FROM flink.hot_streaks"
RANK_PARTS = 8
METRIC = sql.metric  # the project's, also while a job is submitted with another


@dataclass(frozen=True)
class Topic:
    """A full topic, how many records it holds, and what its events add up to."""

    settings: Settings
    records: int
    folded: Fold
    sent: Sent


@dataclass(frozen=True)
class Result:
    """What reading a topic to its end took, by Flink's own clock."""

    records: int
    seconds: float
    usage: Usage
    sent: Sent
    state_mb: float  # of the jobs' largest checkpoints

    @property
    def per_second(self) -> float:
        """Records per second."""
        return self.records / self.seconds

    def cpu_per_million(self, service: str) -> float:
        """CPU seconds of a service per million records."""
        return self.usage.cpu_seconds[service] / self.records * 1e6


def filled(settings: Settings, world: World, events: int, rate: float) -> Topic:
    """A new topic that holds what would have been recorded of a world at so many events per second, until now."""
    chosen = dataclasses.replace(settings, topic=f"drain-{time.time_ns()}")
    system.create_topic(chosen, keeps_times=True)
    began = int((time.time() - LAST_PLAYED_SECONDS - events / rate) * 1000)
    sent = driver.fill(chosen.brokers, chosen.topic, world, events, rate, began, driver.PROCESSES)
    return Topic(chosen, sent.records, fold(chosen), sent)


def fold(settings: Settings) -> Fold:
    """What the topic adds up to."""
    return oracle.fold(
        settings.brokers, settings.topic, system.ends(settings), is_deduplicated=settings.deduplicate_minutes > 0
    )


def drain(
    topic: Topic,
    groups: tuple[tuple[str, ...], ...],
    progress: Callable[[float], None],
    metric: Callable[[str, Settings], str] = METRIC,
    deadline_seconds: float = DEADLINE_SECONDS,
    **changed: Any,
) -> Result:
    """Read the topic with a job for each group of tables, at once, and compare the boards with the oracle.

    `progress` is told how many records the slowest job has read; `metric` gives the SELECT of a table;
    `changed` are settings other than the topic's. Raises AssertionError when a board is wrong, TooSlow
    after the deadline.
    """
    settings = dataclasses.replace(topic.settings, **changed)
    postgres.clear(settings, sql.TABLES)
    titles = [f"drain {group[0]} {time.time_ns()}" for group in groups]
    submitted = []
    with Watch(settings) as watch:
        for title, group in zip(titles, groups, strict=True):
            submitted.append(system.submit(settings, group, title, metric, is_bounded=True))
        for job_id in submitted:
            system.await_end(settings, job_id, deadline_seconds, progress)
    folded = fold(settings) if settings.deduplicate_minutes == 0 else topic.folded
    check(settings, [table for group in groups for table in group], folded)
    states = [job.rest(settings, "GET", f"/jobs/{job_id}/checkpoints")["summary"] for job_id in submitted]
    state_mb = sum(each["state_size"]["max"] for each in states) / system.MEGABYTE
    return Result(topic.records, seconds(settings, submitted), watch.usage, sent=topic.sent, state_mb=state_mb)


def seconds(settings: Settings, jobs: list[str]) -> float:
    """From when the first of these jobs began to run to when the last had finished, by Flink's clock."""
    spans = [job.rest(settings, "GET", f"/jobs/{job_id}")["timestamps"] for job_id in jobs]
    return (max(span["FINISHED"] for span in spans) - min(span["RUNNING"] for span in spans)) / 1000


def latest_window(topic: Topic, slide_seconds: int) -> int:
    """The end of the window that the topic's last event falls in, in epoch milliseconds."""
    slide = slide_seconds * 1000
    return int(topic.folded.time.max()) // slide * slide + slide


def check(settings: Settings, tables: list[str], folded: Fold) -> None:
    """Raise AssertionError when a board in PostgreSQL is not the oracle's."""
    shown, expected = boards.read("postgres", settings).rows, oracle.boards(folded, settings.season)
    for name in expected.keys() & set(tables):
        _same(name, *(_above_the_cut(name, rows) for rows in (shown[name], expected[name])))
    if "hot_streaks" in tables:
        _check_streaks(settings, shown["hot_streaks"], folded)
    if "player_totals" in tables:
        counted = system.counts(settings, TOTALS_QUERY)
        right = oracle.everybody(folded, settings.season)
        assert counted == right, f"player_totals: {counted}, expected {right}"
    if "rejected_events" in tables:
        counted = system.counts(settings, "SELECT 'rejected', COUNT(*) FROM flink.rejected_events")["rejected"]
        assert counted == folded.rejected, f"{counted} rejected events, expected {folded.rejected}"


def _same(name: str, shown: list[dict], expected: list[dict]) -> None:
    for place, (row, right) in enumerate(zip(shown, expected, strict=False), start=1):
        assert row == right, f"{name}, place {place}: {row}, expected {right}"
    assert len(shown) == len(expected), f"{name}: {len(shown)} rows, expected {len(expected)}"


def _above_the_cut(name: str, rows: list[dict]) -> list[dict]:
    """The same rows, but for whom of the last of equal totals: where those are more than are kept, any may be."""
    if name == "team_mvps" or not rows:
        return rows
    last = rows[-1]["total_score"]
    return [row if row["total_score"] > last else {"total_score": last} for row in rows]


def _check_streaks(settings: Settings, shown: list[dict], folded: Fold) -> None:
    """The latest window as it is shown, and each other that is kept, but for names, which may change."""
    latest = system.counts(settings, LATEST_WINDOW_QUERY)["latest"]
    if not latest:
        assert not folded.events, "hot_streaks: no window"
        return
    _same("hot_streaks", shown, oracle.hot_streaks(folded, latest))
    for window_end, rows in _windows(settings).items():
        right = [
            (row["user_id"], row["short_term_events"], row["long_term_events"], row["hotness"])
            for row in oracle.hot_streaks(folded, window_end)
        ]
        assert rows[: len(right)] == right, f"hot_streaks of {window_end}: {rows[:3]} …, expected {right[:3]} …"


def _windows(settings: Settings) -> dict[int, list[tuple]]:
    found: dict[int, list[tuple]] = {}
    with postgres.connect(postgres.owner_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute(
            "SELECT window_end, user_id, short_term_events, long_term_events, hotness FROM flink.hot_streaks "
            "WHERE user_id <> '' ORDER BY window_end, hotness DESC, long_term_events DESC, user_id"
        )
        for window_end, *row in cursor:
            found.setdefault(window_end, []).append(tuple(row))
    return found


def rank_in_parts(name: str, settings: Settings) -> str:
    """The SELECT of the top players with a rank in each of some parts, which readers rank."""
    text = (PROJECT / "benchmarks" / "rank_in_parts.sql").read_text()
    return Template(text).substitute(places=settings.board_size + sql.SPARE_PLACES, parts=RANK_PARTS)


def rank_in_two_levels(name: str, settings: Settings) -> str:
    """The project's own SELECT of the top players, from the best of each part instead of all."""
    return f"WITH summed_players AS (\n{rank_in_parts(name, settings)}\n)\n{METRIC(name, settings)}"
