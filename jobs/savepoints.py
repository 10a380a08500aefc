"""Jobs that were stopped with a savepoint: where it lies, and whether today's SQL can go on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from clients import flink, offsets
from clients.errors import JobError
from clients.files import write_whole
from jobs import plans
from jobs.environment import savepoint_uri
from jobs.names import JobName, all_names, game_of
from jobs.running import running, sink_of
from settings import PREFIX, Settings

if TYPE_CHECKING:
    from pyflink.table import CompiledPlan

# The settings that a job is made of. It keeps them until it starts afresh, or from a savepoint.
OF_A_JOB = (
    "season",
    "board_size",
    "max_late_hours",
    "max_outage_hours",
    "deduplicate_minutes",
    "streak_slide_seconds",
    "suspect_events",
    "suspect_factor",
    "silent_partition_seconds",
    "topic",
    "event_format",
    "board_format",
    "state_backend",
    "parallelism",
    "checkpoint_seconds",
    "sink_flush_millis",
    "totals_flush_seconds",
)
# State is of one season and of one topic: with another, a job begins anew.
OF_ITS_STATE = ("season", "topic")

SAVEPOINT_SECONDS = 120


@dataclass(frozen=True)
class Note:
    """What is kept of a job beside Flink: its operators with state, and its savepoint if any.

    And the settings that it runs with, and the id of the topic that it reads; neither is in a note
    of an earlier commit.
    """

    operators: list[dict[str, Any]] = field(default_factory=list)
    savepoint: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    topic_id: str | None = None


def remember(settings: Settings, name: JobName, plan: CompiledPlan) -> None:
    """Note what the operators of a job that starts afresh keep as state, and its settings."""
    for other in _of_same_tables(settings, name):
        _write(settings, other, Note())
    topic_id = offsets.topic_id_of(settings, game_of(name, settings).topic(settings))
    note = Note(_stateful(plan), settings=_of_a_job(settings), topic_id=topic_id)
    _write(settings, name, note)


def topic_id(settings: Settings, name: JobName) -> str | None:
    """The id of the topic from whose beginning a job has read; None when it is not noted."""
    return _read(settings, name).topic_id


def _of_a_job(settings: Settings) -> dict[str, Any]:
    return {each: getattr(settings, each) for each in OF_A_JOB}


def is_of_old_topic(settings: Settings, name: JobName) -> bool:
    """Whether the topic is noted to be another than the one that a job began with."""
    known = topic_id(settings, name)
    topic = game_of(name, settings).topic(settings)
    return known is not None and known != offsets.topic_id_of(settings, topic)


def changed_settings(settings: Settings, name: JobName) -> dict[str, tuple[Any, Any]]:
    """What a job runs with, and what the settings say now, by the setting; where both differ."""
    now = _of_a_job(settings)
    ran_with = _read(settings, name).settings
    return {
        each: (was, now[each]) for each, was in ran_with.items() if each in now and was != now[each]
    }


def has_changed(settings: Settings, name: JobName) -> bool:
    """Whether what a job writes was last written with other settings."""
    names = (name, *_of_same_tables(settings, name))
    return any(changed_settings(settings, each) for each in names)


def seasons_written(settings: Settings, name: JobName) -> set[str]:
    """The lengths of the seasons in the tables that a job writes, as far as that is known."""
    notes = (_read(settings, each) for each in (name, *_of_same_tables(settings, name)))
    return {note.settings["season"] for note in notes if "season" in note.settings}


def season_in_use(settings: Settings, game: str, sink_name: str) -> str | None:
    """The length of the seasons that a game's jobs write to a sink; None when no note tells."""
    notes = (
        _read(settings, name)
        for name in all_names(settings)
        if (name.game, name.sink) == (game, sink_name)
    )
    return next((note.settings["season"] for note in notes if "season" in note.settings), None)


def _of_same_tables(settings: Settings, name: JobName) -> list[JobName]:
    """Other jobs that would write what this one does: a job of all boards, or those of each."""
    game = game_of(name, settings)
    computed = set(name.computes(game))
    return [
        other
        for other in all_names(settings)
        if (other.game, other.sink) == (name.game, name.sink)
        and other != name
        and computed & set(other.computes(game))
    ]


def suspend(settings: Settings, name: JobName, job_id: str) -> None:
    """Stop a job with a savepoint. Raises JobError when Flink takes none; the job runs on then."""
    _await_tasks(settings, name, job_id)
    body = {"targetDirectory": savepoint_uri(settings), "drain": False}
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
    computed anew. The settings that differ are named.
    """
    changed = changed_settings(settings, name)
    told = described_change(changed)
    if changed.keys() & set(OF_ITS_STATE):
        raise JobError(
            f"'{name}' cannot go on from its savepoint: {told}. Set that back, or compute all "
            "boards again from the topic: scripts/rebuild.sh"
        )
    topic = game_of(name, settings).topic(settings)
    if is_of_old_topic(settings, name):
        raise JobError(
            f"'{name}' cannot go on from its savepoint: the topic {topic} was deleted and made "
            "anew since, and the savepoint says how far the old one was read. Compute all boards "
            "from the new one: scripts/rebuild.sh"
        )
    for was, now in zip_longest(_read(settings, name).operators, _stateful(plan)):
        if was != now:
            change = f"{_described(was)} was its operator, {_described(now)} is now"
            again = " ".join(name.computes(game_of(name, settings)))
            why = f" ({told})" if told else ""
            raise JobError(
                f"'{name}' cannot go on from its savepoint, because its SQL keeps other state now"
                f"{why}: {change}. Compute what it writes again from the topic: "
                f"scripts/rebuild.sh {again}"
            )


def described_change(changed: Mapping[str, tuple[Any, Any]]) -> str:
    """Settings that differ, as a part of a sentence; empty when none does."""
    return ", ".join(
        f"{PREFIX}{each.upper()} was {was} and is {now} now" for each, (was, now) in changed.items()
    )


def without_effect(settings: Settings, name: JobName) -> str | None:
    """A sentence about settings that a job does not run with; None when it runs with all."""
    changed = changed_settings(settings, name)
    if not changed:
        return None
    is_new = changed.keys() & set(OF_ITS_STATE)
    scripts = "scripts/rebuild.sh" if is_new else "scripts/suspend.sh and then scripts/resume.sh"
    return f"{described_change(changed)}: that has no effect on it before you run {scripts}."


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
    note = replace(_read(settings, name), savepoint=None, settings=_of_a_job(settings))
    _write(settings, name, note)


def _await_tasks(settings: Settings, name: JobName, job_id: str) -> str | None:
    """Wait until all tasks of a job run; the stack trace of their failure when they never did."""

    def run() -> bool:
        tasks = flink.rest(settings, "GET", f"/jobs/{job_id}")["vertices"]
        return bool(tasks) and all(task["status"] == "RUNNING" for task in tasks)

    def failure() -> str | None:
        answer = flink.rest(settings, "GET", f"/jobs/{job_id}/exceptions")
        history = answer["exceptionHistory"]["entries"]
        return history[0]["stacktrace"] if history else None

    limit = 2 * settings.start_seconds  # the TaskManager may still be starting
    waiting = Retrying(
        stop=stop_after_delay(limit), wait=wait_fixed(0.5), retry=retry_if_result(bool)
    )
    try:
        waiting(lambda: not (run() or failure()))
    except RetryError:
        raise JobError(
            f"'{name}' does not run after {limit} s; Flink's page tells why. If it only needs "
            f"longer, as on a slow machine, {settings.give_more_time}"
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
    # The status and the monitor read it at any time.
    write_whole(file, json.dumps(asdict(note)))
