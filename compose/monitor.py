"""Serves what compose.status finds as metrics for Prometheus: python -m compose.monitor.

Flink's figures come from its REST interface: its own Prometheus reporter can only listen on every
interface, so it runs in the containers' network alone.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from kafka.errors import KafkaError
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from boards import deliveries
from boards.postgres import PostgresSink
from boards.shared_ids import SharedIds
from boards.sinks import RejectCounter, sink
from boards.snapshot import Row
from clients import flink
from clients.errors import BoardsUnavailable, JobError
from compose import services
from compose.flink import put_events_first
from compose.status import Job, Status, status
from compose.upkeep import Upkeep
from games import chosen
from games.board import Game
from jobs import checkpoints
from jobs.running import computing
from settings import SettingError, Settings, refuse, settings

LOOK_SECONDS = 5
PREFIX = "leaderboard"
REJECTED = (
    "rejected messages; in PostgreSQL since the monitor started, in Kafka all that the topic of "
    "rejected events ever had, with the reason any"
)
RECORDS = "records that the topic ever had, told from offsets: each transaction counts as one more"
SHARED = "event ids that two players have used since the monitor started"
HEAP = "Status.JVM.Memory.Heap"

Rejected = dict[str, dict[str, float]]  # by game and reason

log = logging.getLogger(__name__)


class Monitor(Collector):
    """Looks when told to, and hands its latest findings to Prometheus whenever that asks."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rejects = Rejects(settings)
        self._shared_ids = SharedIds(settings)
        self._upkeep = Upkeep(settings)
        self._latest: list[Metric] = []

    def look(self) -> None:
        """Ask everything once."""
        found = status(self._settings)
        rejected = self._rejects.count(found)
        try:
            self._shared_ids.look()
        except (KafkaError, BoardsUnavailable) as error:
            log.warning("Ids of two players were not looked for: %s", error)
        self._upkeep.look(found)
        heap, shared = _heap(self._settings), self._shared_ids.count
        behind = self._upkeep.behind_seconds
        receivers = _receivers(self._settings)
        self._latest = list(
            metrics(found, rejected, heap, self._settings, shared, behind, receivers)
        )

    def collect(self) -> Iterable[Metric]:
        return self._latest


class Rejects:
    """Counts rejected messages by game and reason, in the sink that the jobs write to."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._counters: dict[tuple[str, str], RejectCounter] = {}  # by sink and game
        self._counts: Rejected = {}

    def count(self, found: Status) -> Rejected:
        """The counts; those of before while the sink does not answer."""
        for game in chosen(self._settings):
            has_answered = any(board.name in found.board_rows for board in game.boards)
            if found.sink and has_answered and game.rejects:
                ends = found.ends.get(game.topic(self._settings), {})
                try:
                    self._counts[game.name] = self._counter(found.sink, game).count(ends)
                except BoardsUnavailable as error:
                    log.warning("Rejected events were not counted: %s", error)
        return self._counts

    def _counter(self, sink_name: str, game: Game) -> RejectCounter:
        key = sink_name, game.name
        if key not in self._counters:
            self._counters[key] = sink(sink_name, self._settings).reject_counter(game)
        return self._counters[key]


def metrics(
    found: Status,
    rejected: Rejected,
    heap: dict[str, float],
    settings: Settings,
    shared_ids: int = 0,
    behind_seconds: Mapping[str, float] | None = None,
    receivers: Iterable[Row] = (),
) -> Iterator[Metric]:
    """A status as metrics; what is not known is left out."""
    yield _gauge("healthy", "1 when scripts/status.sh finds no problem", found.is_healthy)
    running = {name: state == "RUNNING" for name, state in found.services.items()}
    yield _gauges(
        "service_running", "1 when the supervisor keeps the service running", "service", running
    )
    rows = f"rows of the board, at most {settings.board_size}"
    yield _gauges("board_rows", rows, "board", found.board_rows)
    ages = found.board_age_seconds
    yield _gauges("board_age_seconds", "seconds since the board's newest data", "board", ages)
    yield from _jobs(found, settings)
    missing: Counter[str] = Counter()
    for gap in found.gaps:
        missing[gap.job] += gap.records
    deleted = "records that retention deleted before the job had read them"
    yield _gauges("missing_records", deleted, "flink_job", missing)
    records = _counter("records", RECORDS, "topic")
    for topic, ends in found.ends.items():
        if ends:
            records.add_metric([topic], sum(ends.values()))
    yield records
    rejects = _counter("rejected_events", REJECTED, "game", "reason")
    for game, counts in rejected.items():
        for reason, count in counts.items():
            rejects.add_metric([game, reason], count)
    yield rejects
    shared = _counter("shared_ids", SHARED)
    shared.add_metric([], shared_ids)
    yield shared
    behind = "seconds for which a duty has been behind, 0 when it is not"
    yield _gauges("upkeep_behind_seconds", behind, "duty", behind_seconds or {})
    yield from _deliveries(receivers)
    late = "events of the newest season that came too late for the board"
    yield _gauges("late_events", late, "board", found.late_events)
    of = "heap of all TaskManagers: what is used, and the limit (max)"
    yield _gauges("taskmanager_heap_bytes", of, "of", heap)


def _deliveries(receivers: Iterable[Row]) -> Iterator[Metric]:
    counted = {
        "delivered": "announcements that the receiver has taken",
        "failures": "how often the receiver has not taken an announcement",
        "dropped": "announcements that were too old for the receiver, or that it refused",
    }
    families = {
        name: _counter(f"announcements_{name}", help, "receiver") for name, help in counted.items()
    }
    for row in receivers:
        for name, family in families.items():
            family.add_metric([row["receiver"]], row[name])
    yield from families.values()


def _receivers(settings: Settings) -> list[Row]:
    if not PostgresSink(settings).is_needed:
        return []
    try:
        return deliveries.listed(settings)
    except BoardsUnavailable as error:
        log.warning("Deliveries of announcements were not counted: %s", error)
        return []


def _jobs(found: Status, settings: Settings) -> Iterator[Metric]:
    jobs, name_by_job = found.jobs, computing(found.jobs, settings)
    well = {job for job, name in name_by_job.items() if not jobs[name].problems(settings)}
    healthy = {board.name: board.job in well for game in chosen(settings) for board in game.boards}
    yield _gauges(
        "job_healthy",
        "1 when a job that runs, checkpoints and keeps up computes the board",
        "board",
        healthy,
    )

    def of_each(name: str, help: str, value: Callable[[Job], float | None]) -> Metric:
        values = {each.title: value(job) for each, job in jobs.items()}
        return _gauges(f"job_{name}", help, "flink_job", values)

    yield of_each(
        "checkpoint_age_seconds",
        "seconds since the job's last completed checkpoint",
        lambda job: job.checkpoint_age_seconds,
    )
    yield of_each("restarts", "how often Flink has restarted the job", lambda job: job.restarts)
    yield of_each(
        "repeated_events",
        "repeated events that the job has dropped since it started",
        lambda job: job.duplicates,
    )
    yield of_each(
        "lag_records",
        "records that are in none of the job's checkpoints",
        lambda job: job.lag.records if job.lag else None,
    )
    yield of_each(
        "overdue_records",
        "records that should be in a checkpoint of the job by now, and are in none",
        lambda job: job.lag.overdue if job.lag else None,
    )


def _gauge(name: str, help: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{PREFIX}_{name}", help, value)


def _gauges(name: str, help: str, label: str, values: Mapping[str, float | None]) -> Metric:
    gauges = GaugeMetricFamily(f"{PREFIX}_{name}", help, labels=[label])
    for key, value in values.items():
        if value is not None:
            gauges.add_metric([key], value)
    return gauges


def _counter(name: str, help: str, *labels: str) -> CounterMetricFamily:
    return CounterMetricFamily(f"{PREFIX}_{name}", help, labels=labels)


def _heap(settings: Settings) -> dict[str, float]:
    path = f"/taskmanagers/metrics?get={HEAP}.Used,{HEAP}.Max&agg=sum"
    try:
        answer = flink.rest(settings, "GET", path)
    except JobError:
        return {}
    return {each["id"].removeprefix(f"{HEAP}.").lower(): each["sum"] for each in answer}


def main() -> None:
    """Serve until stopped. Raises SettingError for a game that there is not."""
    chosen(settings)  # nothing is served for games that there are not
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
        if taskmanager := services.processes(settings).get("taskmanager"):
            put_events_first(taskmanager)
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    try:
        main()
    except SettingError as error:
        refuse(error)
