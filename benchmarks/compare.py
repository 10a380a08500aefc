"""The same topic read in other ways: by the SQL that most examples show, by plain Python, by Bytewax."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from string import Template

from benchmarks import drain, oracle, system
from benchmarks.drain import Topic
from benchmarks.system import BenchmarkError, Usage, Watch
from compose import postgres
from jobs import job, sql
from settings import PROJECT, Settings

SLIDE_SECONDS = 5
NAIVE_TTL = "1 h"
NAIVE_SQL = PROJECT / "benchmarks" / "rivals" / "naive"
NAIVE = {
    "top_players": "place BIGINT, user_id STRING, total_score INT, PRIMARY KEY (place)",
    "hot_streaks": "place BIGINT, user_id STRING, hotness DOUBLE PRECISION, PRIMARY KEY (place)",
}
Progress = Callable[[int], None]


@dataclass(frozen=True)
class Rival:
    """What another way took; `verdict` says whether its boards were the oracle's."""

    records: int
    seconds: float
    cpu_seconds: float  # of its own process, or of the TaskManager
    usage: Usage
    verdict: str


def python(topic: Topic) -> Rival:
    """A consumer with dictionaries, all four boards."""
    return _program("python_consumer", topic)


def bytewax(topic: Topic) -> Rival:
    """A Bytewax dataflow, top players and hot streaks."""
    return _program("bytewax_flow", topic)


def _program(name: str, topic: Topic) -> Rival:
    settings = topic.settings
    given = {
        "brokers": settings.brokers,
        "topic": settings.topic,
        "dsn": postgres.owner_dsn(settings),
        "ends": json.dumps(system.ends(settings)),
        "slide": SLIDE_SECONDS,
    }
    words = [word for key, value in given.items() for word in (f"--{key}", str(value))]
    before, began = _children_cpu(), time.monotonic()
    with Watch(settings) as watch:
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.rivals.{name}", *words], cwd=PROJECT, capture_output=True, text=True
        )
        seconds = time.monotonic() - began
    if done.returncode:
        raise BenchmarkError(f"{name} failed: {done.stderr.strip().splitlines()[-1]}")
    return Rival(topic.records, seconds, _children_cpu() - before, watch.usage, _verdict(topic, PROGRAM_BOARDS))


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def naive(topic: Topic, board: str, limit_seconds: float, progress: Progress) -> Rival:
    """A board as most examples write it, given up after so many seconds."""
    settings, title = topic.settings, f"naive {board} {time.time_ns()}"
    _create_naive(settings, board)
    records, verdict = topic.records, ""
    with Watch(settings) as watch:
        with system.one_java_thread():
            job_id = _submit_naive(settings, board, title)
        try:
            system.await_end(settings, job_id, limit_seconds, progress)
        except system.TooSlow as slow:
            records, verdict = slow.records, "did not finish"
    seconds = limit_seconds if verdict else drain.seconds(settings, [job_id])
    verdict = verdict or _verdict(topic, {board: NAIVE_BOARDS[board]})
    return Rival(records, seconds, watch.usage.cpu_seconds["taskmanager"], watch.usage, verdict)


def _submit_naive(settings: Settings, board: str, title: str) -> str:
    environment = job.table_environment(settings)
    environment.get_config().set("table.exec.state.ttl", NAIVE_TTL)
    environment.get_config().set("pipeline.name", title)
    source, select = ((NAIVE_SQL / f"{name}.sql").read_text() for name in ("messages", board))
    sink = sql.read(
        "sinks/postgres.sql",
        table=f"naive_{board}",
        columns=NAIVE[board],
        sink_flush_millis=settings.sink_flush_millis,
        sink_flush_rows=sql.BOARD_ROWS,
        **postgres.flink_access(settings),
    )
    environment.execute_sql(Template(source).substitute(topic=settings.topic, brokers=settings.brokers))
    environment.execute_sql(sink)
    environment.execute_sql(f"INSERT INTO naive_{board}\n{select}")
    return job.newest(settings, title)


def _create_naive(settings: Settings, board: str) -> None:
    columns = NAIVE[board].replace("STRING", "TEXT")
    with postgres.connect(postgres.owner_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS flink.naive_{board}; CREATE TABLE flink.naive_{board} ({columns})")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON flink.naive_{board} TO {postgres.FLINK}")


def forget(settings: Settings) -> None:
    """Remove what the rivals made in the database."""
    with postgres.connect(postgres.owner_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS rival CASCADE")
        for board in NAIVE:
            cursor.execute(f"DROP TABLE IF EXISTS flink.naive_{board}")


# How each shows its boards: rows of id and value, best first, and for streaks the window's end.
PROGRAM_BOARDS = {
    "top_players": "SELECT user_id, total FROM rival.players ORDER BY total DESC, user_id LIMIT 100",
    "hot_streaks": "SELECT user_id, hotness, window_end FROM rival.streaks WHERE window_end = "
    "(SELECT MAX(window_end) FROM rival.streaks) ORDER BY hotness DESC, long_events DESC, user_id LIMIT 100",
}
NAIVE_BOARDS = {
    "top_players": "SELECT user_id, total_score FROM flink.naive_top_players ORDER BY place",
    "hot_streaks": "SELECT user_id, hotness, 0 FROM flink.naive_hot_streaks ORDER BY place",
}


def _verdict(topic: Topic, queries: dict[str, str]) -> str:
    wrong = []
    for board, query in queries.items():
        with postgres.connect(postgres.owner_dsn(topic.settings)) as db, db.cursor() as cursor:
            cursor.execute(query)
            shown = list(cursor)
        if board == "top_players":
            right = [(row["user_id"], row["total_score"]) for row in oracle.boards(topic.folded)["top_players"]]
            # Where totals are equal, the order is not asked for.
            is_right = sorted(shown) == sorted(right)
        else:
            end = shown[0][2] if shown and shown[0][2] else drain.latest_window(topic, SLIDE_SECONDS)
            right = [(row["user_id"], row["hotness"]) for row in oracle.hot_streaks(topic.folded, end)]
            is_right = [row[:2] for row in shown] == right
        if not is_right:
            wrong.append(board)
    return f"wrong: {', '.join(wrong)}" if wrong else "right"
