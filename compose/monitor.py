"""Serves what compose.status sees as metrics for Prometheus: python -m compose.monitor.

Flink's figures come from its REST interface: its own Prometheus reporter can only listen on every
interface, so it runs in the containers' network alone.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing

import psycopg2
from kafka.errors import KafkaError
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from compose import lag, postgres
from compose.status import Job, Status, status
from jobs import checkpoints, job, sql
from jobs.job import JobError
from settings import Settings, settings

LOOK_SECONDS = 5
PREFIX = "leaderboard"
ANY_REASON = "any"
HEAP = "Status.JVM.Memory.Heap"
NEW_REJECTS = """
    SELECT reason, count(*), max("offset")
    FROM leaderboard.rejected_events
    WHERE topic = %s AND partition = %s AND "offset" >= %s
    GROUP BY reason
"""

log = logging.getLogger(__name__)


class Monitor(Collector):
    """Looks when told to, and hands the latest look to Prometheus whenever that asks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rejects = Rejects(settings)
        self._latest: list[Metric] = []

    def look(self) -> None:
        """Look at everything once."""
        shown = status(self._settings)
        rejects = self._rejects.count(shown)
        self._latest = list(metrics(shown, rejects, _heap(self._settings), self._settings))

    def collect(self) -> Iterable[Metric]:
        return self._latest


class Rejects:
    """Counts rejected messages by reason, among those that came since the first look.

    In Kafka mode it is the length of their topic: without reasons, and with what a job repeats after a recovery.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._counts: Counter[str] = Counter()
        self._next: dict[int, int] = {}  # the list only grows: in each partition, this offset was not counted yet

    def count(self, shown: Status) -> dict[str, float]:
        """The counts by reason; those of before while the list cannot be read."""
        try:
            if shown.sink == "kafka":
                return {ANY_REASON: lag.end(self._settings, sql.board_topic("rejected_events"))}
            if shown.board_rows:  # PostgreSQL has answered
                self._add_new(shown.ends)
        except (psycopg2.Error, KafkaError) as error:
            log.warning("Rejected events were not counted: %s", str(error).strip())
        return dict(self._counts)

    def _add_new(self, ends: dict[int, int]) -> None:
        with closing(postgres.connect(postgres.reader_dsn(self._settings))) as db, db.cursor() as cursor:
            for partition, end in ends.items():
                since = self._next.setdefault(partition, end)
                cursor.execute(NEW_REJECTS, [self._settings.topic, partition, since])
                for reason, count, last in cursor:
                    self._counts[reason] += count
                    self._next[partition] = max(self._next[partition], last + 1)


def metrics(shown: Status, rejects: dict[str, float], heap: dict[str, float], settings: Settings) -> Iterator[Metric]:
    """A look as metrics; what could not be looked at is left out."""
    yield _gauge("healthy", "1 when scripts/status.sh finds no problem", shown.is_healthy)
    running = {name: state == "RUNNING" for name, state in shown.services.items()}
    yield _gauges("service_running", "1 when the supervisor keeps the service running", "service", running)
    yield _gauges("board_rows", "rows of the board, at most 100", "board", shown.board_rows)
    yield _gauges("board_age_seconds", "age of the board's newest data", "board", shown.board_age_seconds)
    yield from _jobs(shown, settings)
    missing: Counter[str] = Counter()
    for gap in shown.gaps:
        missing[gap.job] += gap.records
    yield _gauges("missing_records", "records that were deleted before the job had read them", "flink_job", missing)
    if shown.ends:
        yield CounterMetricFamily(f"{PREFIX}_records", "records that the topic ever had", sum(shown.ends.values()))
    rejected = CounterMetricFamily(f"{PREFIX}_rejected_events", "rejected messages", labels=["reason"])
    for reason, count in rejects.items():
        rejected.add_metric([reason], count)
    yield rejected
    if shown.late_events is not None:
        yield _gauge("late_events", "events of this season too late for a hot streak", shown.late_events)
    yield _gauges("taskmanager_heap_bytes", "heap of the TaskManagers, used and at most", "of", heap)


def _jobs(shown: Status, settings: Settings) -> Iterator[Metric]:
    taken, jobs = job.taken(shown.jobs), shown.jobs
    healthy = {name: name in taken and not jobs[taken[name]].problems(settings) for name in sql.METRICS}
    yield _gauges("job_healthy", "1 when a healthy job computes the board", "board", healthy)

    def of_each(name: str, help: str, value: Callable[[Job], float | None]) -> Metric:
        return _gauges(f"job_{name}", help, "flink_job", {title: value(each) for title, each in jobs.items()})

    yield of_each(
        "checkpoint_age_seconds", "age of its last completed checkpoint", lambda each: each.checkpoint_age_seconds
    )
    yield of_each("restarts", "how often Flink restarted it", lambda each: each.restarts)
    yield of_each("repeated_events", "repeated events that it dropped since it started", lambda each: each.duplicates)
    yield of_each(
        "lag_records", "records that none of its checkpoints holds", lambda each: each.lag and each.lag.records
    )
    yield of_each(
        "overdue_records", "those of them that one should hold by now", lambda each: each.lag and each.lag.overdue
    )


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", help, value)


def _gauges(name: str, help: str, label: str, values: Mapping[str, float | None]) -> Metric:
    made = GaugeMetricFamily(f"{PREFIX}_{name}", help, labels=[label])
    for key, value in values.items():
        if value is not None:
            made.add_metric([key], value)
    return made


def _heap(settings: Settings) -> dict[str, float]:
    try:
        found = job.rest(settings, "GET", f"/taskmanagers/metrics?get={HEAP}.Used,{HEAP}.Max&agg=sum")
    except JobError:
        return {}
    return {each["id"].removeprefix(f"{HEAP}.").lower(): each["sum"] for each in found}


def main() -> None:
    """Serve until stopped."""
    monitor = Monitor(settings)
    registry = CollectorRegistry()
    registry.register(monitor)
    start_http_server(settings.monitor_port, settings.bind_address, registry)
    while True:
        monitor.look()
        try:
            checkpoints.clear(settings)
        except JobError as error:
            log.info("Old checkpoints were not looked for: %s", error)
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main()
