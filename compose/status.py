"""How the whole system is: services, jobs, checkpoints and the age of the boards.

RUNNING is not health: healthy means that every service runs, every metric has a job
whose checkpoints complete and that has read all but the newest events, that no event
was deleted unread, and that the boards hold recent data.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime

from kafka.errors import KafkaError
from rich.markup import escape
from rich.table import Table

from compose import flink, lag, services
from compose.lag import Gap, Lag, Reading
from dashboard import boards
from dashboard.boards import Boards
from jobs import job, sql
from settings import Settings

STALE_SECONDS = 30
# A checkpoint may fail to start while the one before is late: three intervals and a little.
CHECKPOINT_INTERVALS = 3
TOO_OLD = "the newest score on the boards is"


@dataclass(frozen=True)
class Job:
    """A Flink job: its state, the seconds since its last completed checkpoint, its restarts.

    And, since it last started, how many records it has read, rows it has written and repeated events it has dropped,
    as Flink counts them every few seconds; and its lag, unless Kafka does not answer.
    """

    state: str
    checkpoint_age_seconds: float | None
    restarts: int
    duplicates: int
    lag: Lag | None = None
    records_read: int = 0
    rows_written: int = 0

    def problems(self, settings: Settings) -> list[str]:
        """What is wrong with it, each as the rest of a sentence about it."""
        if self.state != "RUNNING":
            return [f"is {self.state}"]
        if self.checkpoint_age_seconds is None:
            return ["has no completed checkpoint yet"]
        found = []
        if self.checkpoint_age_seconds > late_seconds(settings):
            found.append(f"completed its last checkpoint {self.checkpoint_age_seconds:.0f} s ago")
        if self.lag and self.lag.overdue:
            found.append(f"has yet to read {self.lag.overdue:,} records older than {late_seconds(settings)} s")
        return found


@dataclass(frozen=True)
class Status:
    """Everything that was looked at, and what is wrong with it; healthy when nothing is."""

    sink: str | None = None
    services: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    ends: dict[int, int] = field(default_factory=dict)  # how many records each partition ever had
    gaps: list[Gap] = field(default_factory=list)
    board_rows: dict[str, int] = field(default_factory=dict)
    board_age_seconds: dict[str, float | None] = field(default_factory=dict)  # the MVPs carry no time
    late_events: int | None = None  # of the newest season
    data_age_seconds: float | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def is_healthy(self) -> bool:
        return not self.problems

    def as_dict(self) -> dict:
        """The status as plain JSON values."""
        return asdict(self) | {"is_healthy": self.is_healthy}


def status(settings: Settings) -> Status:
    """Look at everything once. Raises nothing: what cannot be reached is a problem in the answer."""
    states = services.states(settings)
    problems = [f"{name} is {state}" for name, state in states.items() if state != "RUNNING"]
    try:
        running, sink = job.running(settings), job.sink_in_use(settings)
        reading = _reading(running, settings, problems)
        jobs = {name: _job(settings, name, job_id, reading) for name, job_id in sorted(running.items())}
    except job.JobError as error:
        gaps = lag.gaps(settings)
        return Status(services=states, gaps=gaps, problems=[*problems, *map(str, gaps), str(error)])
    gaps = lag.gaps(settings)
    problems += [*map(str, gaps), *_job_problems(jobs, settings)]
    shown = Status(sink, states, jobs, reading.ends, gaps, problems=problems)
    if sink is None:
        return shown
    try:
        read = boards.read(sink, settings)
    except boards.BoardsUnavailable as error:
        return replace(shown, problems=[*problems, str(error)])
    rows = _rows(read)
    problems += [f"{name} has no rows yet" for name, count in rows.items() if not count]
    age = _age(read.as_of)
    if age is not None and age > STALE_SECONDS:
        problems.append(f"{TOO_OLD} {age:.0f} s old")
    ages = {name: _age(read.newest(name)) for name in sql.METRICS if rows[name]}
    late = read.rows["late_events"][0]["events"] if read.rows["late_events"] else 0
    return replace(shown, board_rows=rows, board_age_seconds=ages, late_events=late, data_age_seconds=age)


def _reading(running: Iterable[str], settings: Settings, problems: list[str]) -> Reading:
    try:
        return lag.look(settings, running, late_seconds(settings))
    except KafkaError as error:
        problems.append(f"Kafka does not answer at {settings.brokers} ({error})")
        return Reading()


def late_seconds(settings: Settings) -> int:
    """After so long a checkpoint is late, and a record that no checkpoint holds is overdue."""
    return settings.checkpoint_seconds * CHECKPOINT_INTERVALS + 10


def _job(settings: Settings, name: str, job_id: str, reading: Reading) -> Job:
    latest = job.latest_checkpoint(settings, job_id)
    age = time.time() - latest["latest_ack_timestamp"] / 1000 if latest else None
    restarts = job.rest(settings, "GET", f"/jobs/{job_id}/metrics?get=numRestarts")
    details = job.rest(settings, "GET", f"/jobs/{job_id}")
    restarts = int(restarts[0]["value"]) if restarts else 0
    vertices = details["vertices"]
    duplicates = max(_dropped(settings, job_id, vertex) for vertex in vertices)
    read = sum(vertex["metrics"]["read-records"] for vertex in vertices if vertex["name"].startswith("Source: "))
    written = sum(_written(settings, job_id, vertex) for vertex in vertices)
    return Job(details["state"], age, restarts, duplicates, reading.lags.get(name), read, written)


def _written(settings: Settings, job_id: str, vertex: dict) -> int:
    """What went into the sinks of the boards."""
    sinks = [f"Sink__{name}.numRecordsIn" for name in re.findall(r"Sink: (\w+\[\d+\])", vertex["name"])]
    return int(sum(_counts(settings, job_id, vertex, sinks).values())) if sinks else 0


def _dropped(settings: Settings, job_id: str, vertex: dict) -> int:
    """What went into an operator that drops repeated events, and did not come out."""
    operator = vertex["name"].split(" -> ")[0]  # such as "Deduplicate[8]"
    if not operator.startswith("Deduplicate"):
        return 0
    into, out = f"{operator}.numRecordsIn", f"{operator}.numRecordsOut"
    counts = _counts(settings, job_id, vertex, [into, out])
    return int(counts.get(into, 0) - counts.get(out, 0))


def _counts(settings: Settings, job_id: str, vertex: dict, metrics: list[str]) -> dict[str, float]:
    path = f"/jobs/{job_id}/vertices/{vertex['id']}/subtasks/metrics?get={','.join(metrics)}"
    return {metric["id"]: metric["sum"] for metric in job.rest(settings, "GET", path)}


def _job_problems(jobs: dict[str, Job], settings: Settings) -> list[str]:
    asked = sql.JOBS if flink.is_own(settings) else sql.METRICS  # an application has one job for all
    wanted = job.taken(job.planned(asked, job.sink_of(jobs) or settings.sink, settings))
    problems = [f"no job computes {name}" for name in sorted(wanted.keys() - job.taken(jobs).keys())]
    return problems + [f"job '{name}' {what}" for name, each in jobs.items() for what in each.problems(settings)]


def _rows(read: Boards) -> dict[str, int]:
    return {name: len(read.rows[name]) for name in sql.METRICS}


def _age(time_of: datetime | None) -> float | None:
    return time.time() - time_of.timestamp() if time_of else None


def first_rows(settings: Settings) -> list[str]:
    """The boards that have no rows yet."""
    sink = job.sink_in_use(settings)
    if sink is None:
        return list(sql.METRICS)
    return [name for name, count in _rows(boards.read(sink, settings)).items() if not count]


def table(shown: Status) -> Table:
    """The status as a person reads it."""
    made = Table(show_header=False, box=None, pad_edge=False)
    for name, state in shown.services.items():
        made.add_row("service", name, _coloured(state, state == "RUNNING"))
    for name, each in shown.jobs.items():
        age = "none yet" if each.checkpoint_age_seconds is None else f"{each.checkpoint_age_seconds:.0f} s ago"
        behind = f"{each.lag.records:,} records" if each.lag else "unknown"
        text = f"{each.state}, checkpoint {age}, lag {behind}, {each.restarts} restarts, "
        text += f"{each.duplicates:,} repeated events dropped"
        made.add_row("job", name, _coloured(text, each.state == "RUNNING"))
    for name, count in shown.board_rows.items():
        made.add_row("board", name, _coloured(f"{count} rows", count > 0))
    if shown.data_age_seconds is not None:
        made.add_row("data", "newest score", f"{shown.data_age_seconds:.1f} s old")
    for problem in shown.problems:
        made.add_row("problem", "", _coloured(problem, False))
    made.add_row("", "", _coloured("healthy" if shown.is_healthy else "not healthy", shown.is_healthy))
    return made


def _coloured(text: str, is_good: bool) -> str:
    return f"[{'green' if is_good else 'red'}]{escape(text)}[/]"
