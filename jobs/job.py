"""Puts the SQL of the metrics together into Flink jobs and hands them to a JobManager."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from compose import broker, flink, postgres
from jobs import sql
from settings import Settings

if TYPE_CHECKING:
    from pyflink.table import CompiledPlan, TableEnvironment

SINKS = ("postgres", "kafka")
ONE_JOB = "all boards"
ENDED = ("FINISHED", "CANCELED", "FAILED")
CHECKPOINT_SECONDS = 120  # after which one is given up
BATCH_MILLIS, BATCH_ROWS = 100, 10_000  # totals take in at once what comes in that time, at most so many rows
# Operators that remember nothing.
STATELESS = ("stream-exec-calc", "stream-exec-exchange", "stream-exec-mini-batch-assigner")


class JobError(Exception):
    """Flink refused or could not be reached; the message is one readable sentence."""


def job_name(metric: str, sink: str) -> str:
    """The name that a job has in Flink: what it computes and where that goes."""
    return f"{metric} to {sink}"


def planned(names: Iterable[str], sink: str, settings: Settings, there: Iterable[str] = ()) -> dict[str, list[str]]:
    """The tables that each job writes, by the job's name, for these boards and totals.

    All boards are one job when the settings say so, or when that job is among those that are there already.
    """
    whole = job_name(ONE_JOB, sink)
    is_one_job = settings.one_job == "yes" or whole in there
    made = {}
    for name in names:
        is_part = is_one_job and name in sql.METRICS
        title, computed = (whole, sql.METRICS) if is_part else (job_name(name, sink), [name])
        made[title] = sql.tables(computed, sink, settings)
    return {title: tables for title, tables in made.items() if tables}


def group(title: str) -> str:
    """The consumer group to which the job of this name commits its offsets; the sink is left out."""
    return f"leaderboard.{title.rpartition(' to ')[0].replace(' ', '_')}"


def table_environment(settings: Settings, is_application: bool = False) -> TableEnvironment:
    """A TableEnvironment that submits to the JobManager named in the settings; an application's, to its own."""
    # Without this PyFlink opens a port, on every address, on which anybody may start workers for Python functions.
    os.environ.update({"_python_worker_execution_mode": "process"})
    if not is_application:
        os.environ.update(flink.environment(settings))
    from pyflink.common import Configuration
    from pyflink.table import EnvironmentSettings, TableEnvironment

    config = Configuration()
    for key, value in (_configuration(settings) | ({} if is_application else _place(settings))).items():
        config.set_string(key, value)
    mode = EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(config).build()
    return TableEnvironment.create(mode)


def _configuration(settings: Settings) -> dict[str, str]:
    """What every job needs to know; a session cluster's own configuration does not reach it."""
    return {
        "table.local-time-zone": "UTC",
        "table.exec.source.idle-timeout": f"{settings.silent_partition_seconds} s",
        "table.exec.state.ttl": _state_ttl(settings),
        "table.exec.sink.upsert-materialize": "NONE",
        # What the INSERTs of one job have in common is planned, and computed, once.
        "table.optimizer.reuse-optimize-block-with-digest-enabled": "true",
        "pipeline.object-reuse": "true",  # no copy of a row from one operator to the next in a chain
        "execution.buffer-timeout.interval": "20 ms",  # a row passes three exchanges, and waits so long at each
        # State may be larger than the heap, and a checkpoint writes, and a recovery reads, files as they are.
        "state.backend.type": "rocksdb",
        "state.backend.rocksdb.compression.per.level": "LZ4_COMPRESSION",  # half of the bytes in files and checkpoints
        "state.backend.rocksdb.use-bloom-filter": "true",  # most event ids are new, and looked up all the same
        # Keys of windows rise with the time: the small file that each checkpoint leaves overlaps with no other, and
        # RocksDB by itself never merges them.
        "state.backend.rocksdb.manual-compaction.min-interval": "1 min",
        "state.backend.rocksdb.log.level": "WARN_LEVEL",  # else each operator's grows to 100 MB
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.interval": f"{settings.checkpoint_seconds} s",
        "execution.checkpointing.timeout": f"{CHECKPOINT_SECONDS} s",
        "execution.checkpointing.tolerable-failed-checkpoints": "10",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    }


def _place(settings: Settings) -> dict[str, str]:
    """Where a job runs and keeps its state; an application is told by the cluster that starts it."""
    host, port = settings.flink_rest.rsplit(":", 1)
    return {
        "execution.target": "remote",
        "rest.address": host,
        "rest.port": port,
        "parallelism.default": str(settings.parallelism),
        "execution.checkpointing.dir": f"file://{checkpoint_folder(settings)}",
        "execution.checkpointing.savepoint-dir": f"file://{settings.state}/data/flink/savepoints",
        "execution.state-recovery.claim-mode": "CLAIM",  # a savepoint goes away when it is of no more use
    }


def checkpoint_folder(settings: Settings) -> Path:
    """Where the jobs' checkpoints lie, each job's under its id."""
    return settings.state / "data" / "flink" / "checkpoints"


def _state_ttl(settings: Settings) -> str:
    """How long the state of a total is kept after its last event: nobody's season total is touched later."""
    season = sql.season_millis(settings.season)
    if season is None:
        return "0 ms"
    return f"{season + (settings.max_late_hours + settings.max_outage_hours) * 3_600_000} ms"


def define_tables(environment: TableEnvironment, sink: str, settings: Settings, group: str) -> None:
    """Define what the metrics read from, as this consumer group, and a table of the sink for each."""
    for statement in sql.sources(settings, group):
        environment.execute_sql(statement)
    if sink == "postgres":
        access = postgres.flink_access(settings)
    else:
        access = {"kafka_options": broker.table_options(settings)}
    for name in sql.tables(sql.JOBS, sink, settings):
        where = {"table": name} | ({} if sink == "postgres" else {"board_topic": sql.board_topic(name)})
        is_totals = name in sql.TOTALS
        environment.execute_sql(
            sql.read(
                f"sinks/{sink}.sql",
                columns=sql.columns(name),
                sink_flush_millis=settings.totals_flush_seconds * 1000 if is_totals else settings.sink_flush_millis,
                sink_flush_rows=sql.TOTALS_ROWS if is_totals else sql.BOARD_ROWS,
                **access,
                **where,
            )
        )


def insert(name: str, settings: Settings) -> str:
    """The INSERT of one metric into its table."""
    # Flink derives no key for rows that are only added, though these have one,
    # and asks what to do about conflicts. There are none but repetitions.
    on_conflict = "\nON CONFLICT DO DEDUPLICATE" if name in ("hot_streaks", "rejected_events") else ""
    return f"INSERT INTO {name}\n{sql.metric(name, settings)}{on_conflict}"


def compile_plan(environment: TableEnvironment, tables: Iterable[str], settings: Settings) -> CompiledPlan:
    """The INSERTs of these tables compiled into one job, which reads the topic once.

    The compiled form gives every operator an id by which it finds its state
    again, and the operator that remembers event ids a time to live of its own.
    """
    from pyflink.table import PlanReference

    statements = environment.create_statement_set()
    for name in tables:
        statements.add_insert_sql(insert(name, settings))
    plan = numbered(batched(json.loads(statements._j_statement_set.compilePlan().asJsonString())))
    for node in plan["nodes"]:
        if node["type"].startswith("stream-exec-deduplicate"):
            for state in node["state"]:
                state["ttl"] = f"{settings.deduplicate_minutes} min"
    return environment.load_plan(PlanReference.from_json_string(json.dumps(plan)))


def batched(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan with mini-batches for its totals and for what joins them: a batch reads a state once, not once an event.

    The configuration knows mini-batches for whole jobs only. Then de-duplication is not append-only any more, and all
    behind it retracts; and in a job with windows a batch ends with the watermark, so that a partition that lags would
    hold back the totals.
    """
    nodes = {node["id"]: node for node in plan["nodes"]}
    inputs = {edge["target"]: edge for edge in plan["edges"]}
    added, edges = [], list(plan["edges"])
    for number, node in nodes.items():
        is_total = node["type"].startswith("stream-exec-group-aggregate")
        if is_total or node["type"].startswith("stream-exec-join"):
            wanted = {"table.exec.mini-batch.enabled": "true", "table.exec.mini-batch.size": str(BATCH_ROWS)}
            node["configuration"] = node.get("configuration", {}) | wanted
        if is_total:  # whose batches end when what comes before its exchange says so
            exchange = nodes[inputs[number]["source"]]
            assigner = {
                "id": max(nodes) + len(added) + 1,
                "type": "stream-exec-mini-batch-assigner_1",
                "miniBatchInterval": {"interval": BATCH_MILLIS, "mode": "ProcTime"},
                "inputProperties": node["inputProperties"],
                "outputType": exchange["outputType"],
                "description": f"MiniBatchAssigner(interval=[{BATCH_MILLIS}ms], mode=[ProcTime])",
            }
            added.append(assigner)
            before = inputs[exchange["id"]]
            edges.remove(before)
            edges += [before | {"target": assigner["id"]}, before | {"source": assigner["id"]}]
    return plan | {"nodes": [*plan["nodes"], *added], "edges": edges}


def numbered(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan with its operators numbered by themselves: Flink counts on from one plan to the next.

    Those that keep nothing come last, so that one more or less of them moves no other.
    """
    in_turn = sorted(plan["nodes"], key=lambda node: (node["type"].startswith(STATELESS), node["id"]))
    numbers = {node["id"]: number for number, node in enumerate(in_turn, start=1)}
    nodes = [node | {"id": numbers[node["id"]]} for node in plan["nodes"]]
    edges = [edge | {end: numbers[edge[end]] for end in ("source", "target")} for edge in plan["edges"]]
    return plan | {"nodes": nodes, "edges": edges}


def execute(environment: TableEnvironment, plan: CompiledPlan, title: str, savepoint: str | None = None) -> None:
    """Submit a compiled plan as a job of this name, from a savepoint if there is one."""
    environment.get_config().set("pipeline.name", title)
    if savepoint:
        environment.get_config().set("execution.state-recovery.path", savepoint)
    # PyFlink 2.3's own execute() calls a method that its Java side does not have.
    plan._j_compiled_plan.execute()


def running(settings: Settings) -> dict[str, str]:
    """Job id by job name of every job that has not ended. Raises JobError when Flink does not answer."""
    jobs = rest(settings, "GET", "/jobs/overview")["jobs"]
    return {job["name"]: job["jid"] for job in jobs if job["state"] not in ENDED}


def newest(settings: Settings, title: str) -> str:
    """Job id of the latest job of this name, whatever its state. Raises JobError when there is none."""
    jobs = [job for job in rest(settings, "GET", "/jobs/overview")["jobs"] if job["name"] == title]
    if not jobs:
        raise JobError(f"Flink knows no job '{title}'")
    return max(jobs, key=lambda job: job["start-time"])["jid"]


def taken(names: Iterable[str]) -> dict[str, str]:
    """The name of the job that computes each board or the totals, to whichever sink, among jobs of these names."""
    found = {}
    for name in names:
        metric, _, sink = name.rpartition(" to ")
        if sink in SINKS:
            found |= {each: name for each in (sql.METRICS if metric == ONE_JOB else [metric])}
    return found


def sink_in_use(settings: Settings) -> str | None:
    """The sink that the running jobs write to, None when none runs."""
    return sink_of(running(settings))


def sink_of(names: Iterable[str]) -> str | None:
    """The sink that jobs of these names write to, None when no job of ours is among them."""
    return max(
        (title.rpartition(" to ")[2] for name, title in taken(names).items() if name in sql.METRICS), default=None
    )


def latest_checkpoint(settings: Settings, job_id: str) -> dict[str, Any] | None:
    """What Flink tells of a job's latest completed checkpoint. Raises JobError when it does not answer."""
    latest = rest(settings, "GET", f"/jobs/{job_id}/checkpoints").get("latest") or {}
    return latest.get("completed")


def cancel(settings: Settings, job_id: str) -> None:
    """Ask Flink to cancel a job."""
    rest(settings, "PATCH", f"/jobs/{job_id}?mode=cancel")


def rest(settings: Settings, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """What Flink's REST interface answers, as JSON values. Raises JobError when it does not."""
    url = f"http://{settings.flink_rest}{path}"
    try:
        answer = requests.request(method, url, json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()
    except requests.RequestException as error:
        raise JobError(
            f"Flink's JobManager does not answer at {settings.flink_rest} ({type(error).__name__}). "
            "Start it with scripts/run_all.sh, or name another: LEADERBOARD_FLINK_REST_ADDRESS=host:port."
        ) from error


def readable(error: Exception) -> str:
    """Flink's own error as one sentence: the innermost cause, without the stack trace."""
    causes = re.findall(r"^(?:Caused by: |: )(?:[\w.$]+\.)?(\w+): (.+)$", str(error), flags=re.MULTILINE)
    if not causes:
        return str(error).strip().splitlines()[0]
    kind, text = causes[-1]
    return f"{text.strip()} ({kind})"
