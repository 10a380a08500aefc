"""Turns a game's SQL into a compiled plan and hands it to a JobManager."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from boards.sinks import sink
from clients import flink, kafka, registry
from games import avro, load, season, sql
from games.board import Feed, Game, Table
from jobs import plans
from jobs.names import JobName, game_of, is_feeding
from settings import Settings

if TYPE_CHECKING:
    from pyflink.table import CompiledPlan, TableEnvironment

CHECKPOINT_SECONDS = 120  # after which one is given up
# Where a job begins that has no state: at its topic's first record, or where one of its name has
# committed that it was.
FIRST_RECORD, COMMITTED = "earliest-offset", "group-offsets"
# Compiling some plans takes seconds. Java's second compiler would cost more than it saves, and so
# would a check of the bytecode of 13,000 classes, whose jars have been checked by their sha256.
CLIENT_JAVA_OPTIONS = (
    "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    " -XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
)
# The general functions that the SQL of all games may call, by name; functions/ has their source.
FUNCTIONS = {
    "epoch_millis": "EpochMillis",
    "first_arrivals": "FirstArrivals",
    "period_leaders": "PeriodLeaders",
    "running_totals": "RunningTotals",
    "sliding_sums": "SlidingSums",
}


@contextmanager
def _client_java_options() -> Iterator[None]:
    """For the Java of this process only: services that it starts read the same variable."""
    if "JVM_ARGS" in os.environ:
        yield
        return
    os.environ["JVM_ARGS"] = CLIENT_JAVA_OPTIONS
    try:
        yield
    finally:
        os.environ.pop("JVM_ARGS", None)


def table_environment(settings: Settings, is_application: bool = False) -> TableEnvironment:
    """A TableEnvironment that submits to the JobManager in the settings; an application's, to its
    own.
    """
    # Without this PyFlink opens a port, on every address, on which anybody may start workers.
    os.environ.update({"_python_worker_execution_mode": "process"})
    if not is_application:
        os.environ.update(flink.environment(settings.state))
    from pyflink.common import Configuration
    from pyflink.java_gateway import get_gateway
    from pyflink.table import EnvironmentSettings, TableEnvironment

    if not is_application:
        with _client_java_options():
            get_gateway()
    config = Configuration()
    options = _configuration(settings) | ({} if is_application else _place(settings))
    for key, value in options.items():
        config.set_string(key, value)
    mode = EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(config)
    return TableEnvironment.create(mode.build())


def _configuration(settings: Settings) -> dict[str, str]:
    """What every job needs to know; a session cluster's own configuration does not reach it."""
    kept = season.of(settings).retention_millis(settings)
    return {
        "table.local-time-zone": "UTC",
        "table.exec.source.idle-timeout": f"{settings.silent_partition_seconds} s",
        "table.exec.state.ttl": f"{kept or 0} ms",  # 0 is for ever
        "table.exec.sink.upsert-materialize": "NONE",
        # What the INSERTs of one job have in common is planned, and computed, once.
        "table.optimizer.reuse-optimize-block-with-digest-enabled": "true",
        "pipeline.object-reuse": "true",  # no copy of a row between the operators of a chain
        # Flink splits generated methods that are longer, in characters of Java, and their variables
        # become fields. Methods of this length are still short enough for the JIT compiler.
        "table.generated-code.max-length": "50000",
        "execution.buffer-timeout.interval": "20 ms",  # a row waits so long at three exchanges
        "state.backend.type": settings.state_backend,
        # Half of the bytes in files and checkpoints.
        "state.backend.rocksdb.compression.per.level": "LZ4_COMPRESSION",
        # Most event ids are new, and looked up all the same.
        "state.backend.rocksdb.use-bloom-filter": "true",
        # Keys of windows rise with the time: the small file that each checkpoint leaves overlaps
        # with no other, and RocksDB by itself never merges them.
        "state.backend.rocksdb.manual-compaction.min-interval": "1 min",
        "state.backend.rocksdb.log.level": "WARN_LEVEL",  # else each operator's grows to 100 MB
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.interval": f"{settings.checkpoint_seconds} s",
        "execution.checkpointing.timeout": f"{CHECKPOINT_SECONDS} s",
        "execution.checkpointing.tolerable-failed-checkpoints": "10",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
    }


def _place(settings: Settings) -> dict[str, str]:
    """Where a job runs and keeps its state; an application hears it from its own cluster."""
    host, port = settings.flink_rest.rsplit(":", 1)
    return {
        "execution.target": "remote",
        "rest.address": host,
        "rest.port": port,
        "parallelism.default": str(settings.parallelism),
        "execution.checkpointing.dir": _uri(settings, checkpoint_folder(settings)),
        "execution.checkpointing.savepoint-dir": savepoint_uri(settings),
        # A savepoint goes away when it is of no more use.
        "execution.state-recovery.claim-mode": "CLAIM",
    }


def checkpoint_folder(settings: Settings) -> Path:
    """Where the jobs' checkpoints lie, each job's under its id."""
    return settings.state / "data" / "flink" / "checkpoints"


def savepoint_folder(settings: Settings) -> Path:
    """Where savepoints lie."""
    return settings.state / "data" / "flink" / "savepoints"


def savepoint_uri(settings: Settings) -> str:
    """The same as Flink is told."""
    return _uri(settings, savepoint_folder(settings))


def _uri(settings: Settings, folder: Path) -> str:
    return f"file://{flink.place(settings, folder)}"


def environment_for(
    name: JobName, settings: Settings, is_application: bool = False
) -> TableEnvironment:
    """A TableEnvironment that knows what a job reads and writes."""
    environment = table_environment(settings, is_application)
    # What was sent stays in the topic of the other game, so a job that sends goes on where it was.
    startup_mode = COMMITTED if is_feeding(name, settings) else FIRST_RECORD
    game = game_of(name, settings)
    define_tables(environment, game, name.sink, settings, name.group, startup_mode)
    return environment


def define_tables(
    environment: TableEnvironment,
    game: Game,
    sink_name: str,
    settings: Settings,
    group: str,
    startup_mode: str = FIRST_RECORD,
) -> None:
    """Define what a game's SELECTs read from, as a consumer group, and its tables in a sink."""
    define_functions(environment)
    for statement in source_statements(game, settings, group, startup_mode):
        environment.execute_sql(statement)
    target = sink(sink_name, settings)
    for table in target.tables(game.tables):
        environment.execute_sql(target.define(table))
    for feed in game.feeds:
        environment.execute_sql(define_feed(feed, settings))


def define_feed(feed: Feed, settings: Settings) -> str:
    """The statement by which a Flink job knows the topic of another game, as a sink."""
    game = load(feed.to)
    topic = game.topic(settings)
    return sql.read(
        "sinks/events.sql",
        table=feed.name,
        fields=sql.fields(feed),
        event_topic=topic,
        key=feed.key[0],
        formats=registry.formats(
            settings, settings.event_format, topic, value=lambda: avro.event(game)
        ),
        kafka_options=kafka.table_options(settings),
    )


def define_functions(environment: TableEnvironment) -> None:
    """Make the general functions known."""
    for statement in function_statements():
        environment.execute_sql(statement)


def function_statements() -> list[str]:
    """The statements that do so."""
    return [
        f"CREATE TEMPORARY SYSTEM FUNCTION {name} AS 'leaderboard.functions.{java_class}'"
        for name, java_class in FUNCTIONS.items()
    ]


def source_statements(
    game: Game,
    settings: Settings,
    group: str,
    startup_mode: str = FIRST_RECORD,
    options: str = "",
) -> list[str]:
    """The statements that define what a game's SELECTs read from, as a consumer group.

    `options` are more lines of the WITH of its topic's table.
    """
    return sql.sources(
        game,
        settings,
        group=group,
        kafka_options=f"{kafka.source_options(settings)}\n    {options}",
        registry_options=registry.event_options(settings),
        startup_mode=startup_mode,
    )


def insert(game: Game, table: Table, settings: Settings) -> str:
    """The INSERT that computes a table."""
    # Flink derives no key for rows that are only added, though these have one, and asks what to
    # do about conflicts. There are none but repetitions.
    on_conflict = "\nON CONFLICT DO DEDUPLICATE" if table.appends else ""
    return f"INSERT INTO {table.name}\n{sql.metric(game, table, settings)}{on_conflict}"


def compile_plan(
    environment: TableEnvironment, game: Game, tables: Iterable[Table], settings: Settings
) -> CompiledPlan:
    """The INSERTs of these tables compiled into one job, which reads the topic once.

    The compiled form gives every operator an id by which it finds its state again.
    """
    from pyflink.table import PlanReference

    statements = environment.create_statement_set()
    for table in tables:
        statements.add_insert_sql(insert(game, table, settings))
    compiled = json.loads(statements._j_statement_set.compilePlan().asJsonString())
    plan = plans.rewritten(compiled)
    return environment.load_plan(PlanReference.from_json_string(json.dumps(plan)))


def execute(
    environment: TableEnvironment, plan: CompiledPlan, title: str, savepoint: str | None = None
) -> None:
    """Submit a compiled plan as a job of this title, from a savepoint if there is one."""
    environment.get_config().set("pipeline.name", title)
    if savepoint:
        environment.get_config().set("execution.state-recovery.path", savepoint)
    # PyFlink 2.3's own execute() calls a method that its Java side does not have.
    plan._j_compiled_plan.execute()
