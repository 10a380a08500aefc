"""How fast a topic that is full already is read to its end, and what that takes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks import driver, oracle, system
from benchmarks.events import World
from benchmarks.oracle import Fold
from benchmarks.system import Usage, Watch
from compose import postgres
from dashboard import boards
from jobs import job, sql
from settings import Settings
from tests import bounded

DEADLINE_SECONDS = 900
RECORDED_RATE = 50_000  # events per second in the times of what is drained
LAST_PLAYED_SECONDS = 30  # before the drain


@dataclass(frozen=True)
class Topic:
    """A full topic, how many records it holds, and what its events add up to."""

    settings: Settings
    records: int
    folded: Fold


@dataclass(frozen=True)
class Result:
    """What reading a topic to its end took, by Flink's own clock."""

    records: int
    seconds: float
    usage: Usage

    @property
    def per_second(self) -> float:
        """Records per second."""
        return self.records / self.seconds

    def cpu_per_million(self, service: str) -> float:
        """CPU seconds of a service per million records."""
        return self.usage.cpu_seconds[service] / self.records * 1e6


def filled(settings: Settings, world: World, events: int, is_deduplicated: bool = True) -> tuple[Topic, driver.Sent]:
    """A new topic with the events of a world, and what filling it took."""
    chosen = dataclasses.replace(settings, topic=f"drain-{time.time_ns()}")
    system.create_topic(chosen, keeps_times=True)
    began = int((time.time() - LAST_PLAYED_SECONDS - events / RECORDED_RATE) * 1000)
    sent = driver.fill(chosen.brokers, chosen.topic, world, events, RECORDED_RATE, began, driver.PROCESSES)
    folded = oracle.fold(chosen.brokers, chosen.topic, system.ends(chosen), is_deduplicated)
    return Topic(chosen, sent.records, folded), sent


def drain(topic: Topic, groups: tuple[tuple[str, ...], ...], progress: Callable[[int], None], **changed: Any) -> Result:
    """Read the topic with a job for each group of tables, at once, and compare the boards with the oracle.

    `progress` is told how many records the slowest job has read; `changed` are settings other than the topic's.
    Raises AssertionError when a board is wrong.
    """
    settings = dataclasses.replace(topic.settings, **changed)
    postgres.clear(settings, sql.TABLES)
    titles = [f"drain {group[0]} {time.time_ns()}" for group in groups]
    submitted = []
    with Watch(settings) as watch:
        for title, group in zip(titles, groups, strict=True):
            submitted.append(system.submit(settings, group, title, bounded.end_with_the_topic))
        for job_id in submitted:
            system.await_end(settings, job_id, DEADLINE_SECONDS, progress)
    check(settings, [table for group in groups for table in group], topic.folded)
    spans = [_span(settings, job_id) for job_id in submitted]
    seconds = (max(end for _, end in spans) - min(began for began, _ in spans)) / 1000
    return Result(topic.records, seconds, watch.usage)


def _span(settings: Settings, job_id: str) -> tuple[int, int]:
    """When a job began to run and when it had finished, in epoch milliseconds."""
    found = job.rest(settings, "GET", f"/jobs/{job_id}")["timestamps"]
    return found["RUNNING"], found["FINISHED"]


def check(settings: Settings, tables: list[str], folded: Fold) -> None:
    """Raise AssertionError when a board in PostgreSQL is not the oracle's."""
    shown, expected = boards.read("postgres", settings).rows, oracle.boards(folded, settings.season)
    for name in expected.keys() & set(tables):
        _same(name, shown[name], expected[name])
    if "hot_streaks" in tables:
        _check_streaks(settings, shown["hot_streaks"], folded)
    if "rejected_events" in tables:
        counted = system.counts(settings, "SELECT 'rejected', COUNT(*) FROM flink.rejected_events")["rejected"]
        assert counted == folded.rejected, f"{counted} rejected events, expected {folded.rejected}"


def _same(name: str, shown: list[dict], expected: list[dict]) -> None:
    for place, (row, right) in enumerate(zip(shown, expected, strict=False), start=1):
        assert row == right, f"{name}, place {place}: {row}, expected {right}"
    assert len(shown) == len(expected), f"{name}: {len(shown)} rows, expected {len(expected)}"


def _check_streaks(settings: Settings, shown: list[dict], folded: Fold) -> None:
    """The latest window as it is shown, and each other that is kept, but for names, which may change."""
    if not shown:
        assert not folded.events, "hot_streaks: no rows"
        return
    latest = int(shown[0]["window_end"].timestamp() * 1000)
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
