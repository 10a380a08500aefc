"""How the whole system is: services, jobs, checkpoints and the age of the boards.

RUNNING is not health: healthy means that every service runs, every metric has a job
whose checkpoints complete, and the boards hold recent data.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field

from rich.markup import escape
from rich.table import Table

from compose import services
from dashboard import boards
from jobs import job, sql
from settings import Settings

STALE_SECONDS = 30
# A checkpoint may fail to start while the one before is late: three intervals and a little.
CHECKPOINT_INTERVALS = 3


@dataclass(frozen=True)
class Job:
    """A Flink job: its state, the seconds since its last completed checkpoint, its restarts.

    And how many repeated events it has dropped since it last started.
    """

    state: str
    checkpoint_age_seconds: float | None
    restarts: int
    duplicates: int


@dataclass(frozen=True)
class Status:
    """Everything that was looked at, and what is wrong with it; healthy when nothing is."""

    sink: str | None = None
    services: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)
    board_rows: dict[str, int] = field(default_factory=dict)
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
    problems: list[str] = []
    states = services.states(settings)
    problems += [f"{name} is {state}" for name, state in states.items() if state != "RUNNING"]
    try:
        jobs = _jobs(settings)
        sink = job.sink_in_use(settings)
    except job.JobError as error:
        return Status(services=states, problems=[*problems, str(error)])
    problems += _job_problems(jobs, settings)
    if sink is None:
        return Status(None, states, jobs, problems=problems)
    try:
        rows, age = _boards(sink, settings)
    except boards.BoardsUnavailable as error:
        return Status(sink, states, jobs, problems=[*problems, str(error)])
    problems += [f"{name} has no rows yet" for name, count in rows.items() if not count]
    if age is not None and age > STALE_SECONDS:
        problems.append(f"the newest score on the boards is {age:.0f} s old")
    return Status(sink, states, jobs, rows, age, problems)


def _jobs(settings: Settings) -> dict[str, Job]:
    return {name: _job(settings, job_id) for name, job_id in sorted(job.running(settings).items())}


def _job(settings: Settings, job_id: str) -> Job:
    checkpoints = job.rest(settings, "GET", f"/jobs/{job_id}/checkpoints")
    latest = (checkpoints.get("latest") or {}).get("completed")
    age = time.time() - latest["latest_ack_timestamp"] / 1000 if latest else None
    restarts = job.rest(settings, "GET", f"/jobs/{job_id}/metrics?get=numRestarts")
    details = job.rest(settings, "GET", f"/jobs/{job_id}")
    duplicates = max(_dropped(settings, job_id, vertex) for vertex in details["vertices"])
    return Job(details["state"], age, int(restarts[0]["value"]) if restarts else 0, duplicates)


def _dropped(settings: Settings, job_id: str, vertex: dict) -> int:
    """What went into an operator that drops repeated events, and did not come out."""
    operator = vertex["name"].split(" -> ")[0]  # such as "Deduplicate[8]"
    if not operator.startswith("Deduplicate"):
        return 0
    into, out = f"{operator}.numRecordsIn", f"{operator}.numRecordsOut"
    path = f"/jobs/{job_id}/vertices/{vertex['id']}/subtasks/metrics?get={into},{out}"
    counts = {metric["id"]: metric["sum"] for metric in job.rest(settings, "GET", path)}
    return int(counts.get(into, 0) - counts.get(out, 0))


def _job_problems(jobs: dict[str, Job], settings: Settings) -> list[str]:
    missing = set(sql.METRICS) - set(job.taken(jobs))
    problems = [f"no job computes {name}" for name in sorted(missing)]
    late = settings.checkpoint_seconds * CHECKPOINT_INTERVALS + 10
    for name, each in jobs.items():
        if each.state != "RUNNING":
            problems.append(f"job '{name}' is {each.state}")
        elif each.checkpoint_age_seconds is None:
            problems.append(f"job '{name}' has no completed checkpoint yet")
        elif each.checkpoint_age_seconds > late:
            problems.append(f"job '{name}' completed its last checkpoint {each.checkpoint_age_seconds:.0f} s ago")
    return problems


def _boards(sink: str, settings: Settings) -> tuple[dict[str, int], float | None]:
    read = boards.read(sink, settings)
    age = time.time() - read.as_of.timestamp() if read.as_of else None
    return {name: len(read.rows[name]) for name in sql.METRICS}, age


def first_rows(settings: Settings) -> list[str]:
    """The boards that have no rows yet."""
    sink = job.sink_in_use(settings)
    if sink is None:
        return list(sql.METRICS)
    return [name for name, count in _boards(sink, settings)[0].items() if not count]


def table(shown: Status) -> Table:
    """The status as a person reads it."""
    made = Table(show_header=False, box=None, pad_edge=False)
    for name, state in shown.services.items():
        made.add_row("service", name, _coloured(state, state == "RUNNING"))
    for name, each in shown.jobs.items():
        age = "none yet" if each.checkpoint_age_seconds is None else f"{each.checkpoint_age_seconds:.0f} s ago"
        text = f"{each.state}, checkpoint {age}, {each.restarts} restarts, {each.duplicates:,} repeated events dropped"
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
