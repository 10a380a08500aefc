"""Jobs that were stopped with a savepoint: where it lies, and whether today's SQL can go on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from clients import flink
from clients.errors import JobError
from jobs import plans
from jobs.environment import savepoint_folder
from jobs.names import JobName, all_names, game_of
from jobs.running import running, sink_of
from settings import Settings

if TYPE_CHECKING:
    from pyflink.table import CompiledPlan

SAVEPOINT_SECONDS = 120
START_SECONDS = 120  # the TaskManager may still be starting


@dataclass(frozen=True)
class Note:
    """What is kept of a job beside Flink: its operators with state, and its savepoint if any."""

    operators: list[dict[str, Any]] = field(default_factory=list)
    savepoint: str | None = None


def remember(settings: Settings, name: JobName, plan: CompiledPlan) -> None:
    """Note what the operators of a job that starts afresh keep as state."""
    _write(settings, name, Note(_stateful(plan)))


def suspend(settings: Settings, name: JobName, job_id: str) -> None:
    """Stop a job with a savepoint. Raises JobError when Flink takes none; the job runs on then."""
    _await_tasks(settings, name, job_id)
    body = {"targetDirectory": f"file://{savepoint_folder(settings)}", "drain": False}
    asked = flink.rest(settings, "POST", f"/jobs/{job_id}/stop", body)
    progress = f"/jobs/{job_id}/savepoints/{asked['request-id']}"
    waiting = Retrying(
        stop=stop_after_delay(SAVEPOINT_SECONDS),
        wait=wait_fixed(0.5),
        retry=retry_if_result(lambda answer: answer["status"]["id"] != "COMPLETED"),
    )
    try:
        outcome = waiting(flink.rest, settings, "GET", progress)["operation"]
    except RetryError:
        raise JobError(
            f"'{name}' took no savepoint within {SAVEPOINT_SECONDS} s; it runs on"
        ) from None
    if "location" not in outcome:
        cause = flink.readable(Exception(outcome["failure-cause"]["stack-trace"]))
        raise JobError(f"'{name}' could not take a savepoint and runs on: {cause}")
    _write(settings, name, replace(_read(settings, name), savepoint=outcome["location"]))


def suspended(settings: Settings) -> dict[JobName, str]:
    """The savepoint of every job that was stopped with one, by its name."""
    return {
        name: savepoint
        for name in all_names(settings)
        if (savepoint := _read(settings, name).savepoint)
    }


def sink_in_use(settings: Settings, jobs: Iterable[JobName] | None = None) -> str | None:
    """The sink that the running jobs write to; when none runs, that of the suspended ones.

    None when there are neither. Raises JobError unless the running `jobs` are given.
    """
    names = running(settings) if jobs is None else jobs
    return sink_of(names, settings) or sink_of(suspended(settings), settings)


def forget(settings: Settings, names: Iterable[JobName]) -> None:
    """Let jobs of these names start afresh."""
    for name in names:
        _write(settings, name, replace(_read(settings, name), savepoint=None))


def check(settings: Settings, name: JobName, plan: CompiledPlan) -> None:
    """Raise JobError when this plan's operators cannot take over the state in a job's savepoint.

    The rule is strict: as soon as one that keeps state is another than it was, the board is
    computed anew.
    """
    for was, now in zip_longest(_read(settings, name).operators, _stateful(plan)):
        if was != now:
            change = f"{_described(was)} was its operator, {_described(now)} is now"
            again = " ".join(name.computes(game_of(name, settings)))
            raise JobError(
                f"'{name}' cannot go on from its savepoint, because its SQL keeps other state now: "
                f"{change}. Compute what it writes again from the topic: scripts/rebuild.sh {again}"
            )


def await_start(settings: Settings, name: JobName) -> None:
    """Wait until all tasks of a job run on their restored state.

    Ends the job and raises JobError when they cannot.
    """
    job_id = flink.newest(settings, name.title)
    cause = _await_tasks(settings, name, job_id)
    if cause:
        if job_id in running(settings).values():
            flink.cancel(settings, job_id)
        reason = flink.readable(Exception(cause))
        raise JobError(f"'{name}' did not start from its savepoint, which is kept: {reason}")
    forget(settings, [name])


def _await_tasks(settings: Settings, name: JobName, job_id: str) -> str | None:
    """Wait until all tasks of a job run; the stack trace of their failure when they never did."""

    def run() -> bool:
        tasks = flink.rest(settings, "GET", f"/jobs/{job_id}")["vertices"]
        return bool(tasks) and all(task["status"] == "RUNNING" for task in tasks)

    def failure() -> str | None:
        answer = flink.rest(settings, "GET", f"/jobs/{job_id}/exceptions")
        history = answer["exceptionHistory"]["entries"]
        return history[0]["stacktrace"] if history else None

    waiting = Retrying(
        stop=stop_after_delay(START_SECONDS), wait=wait_fixed(0.5), retry=retry_if_result(bool)
    )
    try:
        waiting(lambda: not (run() or failure()))
    except RetryError:
        raise JobError(
            f"'{name}' does not run after {START_SECONDS} s; Flink's page tells why"
        ) from None
    return None if run() else failure()


def _stateful(plan: CompiledPlan) -> list[dict[str, Any]]:
    return plans.stateful_operators(json.loads(plan.as_json_string()))


def _described(operator: dict[str, Any] | None) -> str:
    return str(operator["description"]) if operator else "none"


def _file(settings: Settings, name: JobName) -> Path:
    return settings.state / "data" / "flink" / "jobs" / f"{name.file_name}.json"


def _read(settings: Settings, name: JobName) -> Note:
    file = _file(settings, name)
    return Note(**json.loads(file.read_text())) if file.exists() else Note()


def _write(settings: Settings, name: JobName, note: Note) -> None:
    file = _file(settings, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(asdict(note)))
