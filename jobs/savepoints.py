"""Jobs that were stopped with a savepoint: where it lies, and whether the SQL of today can go on from it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from jobs import job
from jobs.job import JobError
from settings import Settings

if TYPE_CHECKING:
    from pyflink.table import CompiledPlan

SAVEPOINT_SECONDS = 120
START_SECONDS = 60


def remember(settings: Settings, title: str, plan: CompiledPlan) -> None:
    """Note what the operators of a job that starts afresh keep as state."""
    _write(settings, title, {"operators": operators(plan), "savepoint": None})


def suspend(settings: Settings, title: str, job_id: str) -> None:
    """Stop a job with a savepoint. Raises JobError when Flink cannot take one; the job runs on then."""
    _await_tasks(settings, title, job_id)
    noted = _read(settings, title)
    folder = f"file://{settings.state}/data/flink/savepoints"
    asked = job.rest(settings, "POST", f"/jobs/{job_id}/stop", {"targetDirectory": folder, "drain": False})
    progress = f"/jobs/{job_id}/savepoints/{asked['request-id']}"
    waiting = Retrying(
        stop=stop_after_delay(SAVEPOINT_SECONDS),
        wait=wait_fixed(0.5),
        retry=retry_if_result(lambda found: found["status"]["id"] != "COMPLETED"),
    )
    try:
        taken = waiting(job.rest, settings, "GET", progress)["operation"]
    except RetryError:
        raise JobError(f"'{title}' took no savepoint within {SAVEPOINT_SECONDS} s; it runs on") from None
    if "location" not in taken:
        cause = job.readable(Exception(taken["failure-cause"]["stack-trace"]))
        raise JobError(f"'{title}' could not take a savepoint and runs on: {cause}")
    _write(settings, title, noted | {"savepoint": taken["location"]})


def suspended(settings: Settings) -> dict[str, str]:
    """The savepoint of every job that was stopped with one, by its name."""
    titles = [file.stem for file in _folder(settings).glob("*.json")]
    return {title: path for title in sorted(titles) if (path := _read(settings, title)["savepoint"])}


def forget(settings: Settings, titles: Iterable[str]) -> None:
    """Let jobs of these names start afresh."""
    for title in titles:
        _write(settings, title, _read(settings, title) | {"savepoint": None})


def check(settings: Settings, title: str, plan: CompiledPlan) -> None:
    """Raise JobError when the operators of this plan cannot take over the state in the job's savepoint.

    The rule is strict: as soon as one that keeps state is another than it was, the board is computed anew.
    """
    for was, now in zip_longest(_read(settings, title)["operators"], operators(plan)):
        if was != now:
            change = f"{_shown(was)} was its operator, {_shown(now)} is now"
            again = f"scripts/rebuild.sh {' '.join(job.taken([title]))}"
            raise JobError(
                f"'{title}' cannot go on from its savepoint, because its SQL keeps other state now: {change}. "
                f"Compute what it writes again from the topic: {again}"
            )


def await_start(settings: Settings, title: str) -> None:
    """Wait until all tasks of a job run on their restored state; ends it and raises JobError when they cannot."""
    job_id = job.newest(settings, title)
    cause = _await_tasks(settings, title, job_id)
    if cause:
        if job_id in job.running(settings).values():
            job.cancel(settings, job_id)
        raise JobError(f"'{title}' did not start from its savepoint, which is kept: {job.readable(Exception(cause))}")
    forget(settings, [title])


def _await_tasks(settings: Settings, title: str, job_id: str) -> str | None:
    """Wait until all tasks of a job run; the stack trace of what they failed by when they never did."""

    def run() -> bool:
        tasks = job.rest(settings, "GET", f"/jobs/{job_id}")["vertices"]
        return bool(tasks) and all(task["status"] == "RUNNING" for task in tasks)

    def failure() -> str | None:
        history = job.rest(settings, "GET", f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"]
        return history[0]["stacktrace"] if history else None

    waiting = Retrying(stop=stop_after_delay(START_SECONDS), wait=wait_fixed(0.5), retry=retry_if_result(bool))
    try:
        waiting(lambda: not (run() or failure()))
    except RetryError:
        raise JobError(f"'{title}' does not run after {START_SECONDS} s; Flink's page tells why") from None
    return None if run() else failure()


def operators(plan: CompiledPlan) -> list[dict[str, Any]]:
    """The operators of a compiled plan that keep state, without what says nothing about it."""
    nodes = json.loads(plan.as_json_string())["nodes"]
    kept = [node for node in nodes if not node["type"].startswith(job.STATELESS)]
    return [{name: value for name, value in node.items() if name not in ("id", "configuration")} for node in kept]


def _shown(operator: dict[str, Any] | None) -> str:
    return operator["description"] if operator else "none"


def _folder(settings: Settings) -> Path:
    return settings.state / "data" / "flink" / "jobs"


def _read(settings: Settings, title: str) -> dict[str, Any]:
    file = _folder(settings) / f"{title}.json"
    return json.loads(file.read_text()) if file.exists() else {"operators": [], "savepoint": None}


def _write(settings: Settings, title: str, noted: dict[str, Any]) -> None:
    _folder(settings).mkdir(parents=True, exist_ok=True)
    (_folder(settings) / f"{title}.json").write_text(json.dumps(noted))
