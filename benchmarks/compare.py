"""The same topic read in other ways: by the SQL of most examples, by plain Python, by Bytewax."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from string import Template

from benchmarks import drain, fold, system
from benchmarks.drain import Topic
from benchmarks.system import BenchmarkError, Usage, Watch
from boards.postgres import BOARD_ROWS
from clients import flink, postgres
from games import sql
from games.board import Board
from games.score import HOT_STREAKS, TOP_PLAYERS
from jobs.environment import table_environment
from settings import PROJECT, Settings

SLIDE_SECONDS = 5
NAIVE_TTL = "1 h"
NAIVE_SQL = PROJECT / "benchmarks" / "rivals" / "naive"
NAIVE = {
    TOP_PLAYERS: "place BIGINT, user_id STRING, total_score INT, PRIMARY KEY (place)",
    HOT_STREAKS: "place BIGINT, user_id STRING, hotness DOUBLE PRECISION, PRIMARY KEY (place)",
}
# How each shows its boards: rows of id and value, best first, and for streaks the window's end.
NAIVE_BOARDS = {
    TOP_PLAYERS: f"SELECT user_id, total_score FROM flink.naive_{TOP_PLAYERS.name} ORDER BY place",
    HOT_STREAKS: f"SELECT user_id, hotness, 0 FROM flink.naive_{HOT_STREAKS.name} ORDER BY place",
}
PROGRAM_BOARDS = {
    TOP_PLAYERS: "SELECT user_id, total FROM rival.players ORDER BY total DESC, user_id LIMIT 100",
    HOT_STREAKS: "SELECT user_id, hotness, window_end FROM rival.streaks "
    "WHERE window_end = (SELECT MAX(window_end) FROM rival.streaks) "
    "ORDER BY hotness DESC, long_events DESC, user_id LIMIT 100",
}


@dataclass(frozen=True)
class Rival:
    """What another way took; `verdict` says whether its boards were the oracle's.

    `cpu_seconds` is of its own process, or of the TaskManager.
    """

    records: int
    seconds: float
    cpu_seconds: float
    usage: Usage
    verdict: str


def program(topic: Topic, name: str) -> Rival:
    """A Python program of this name among the rivals: its top players and hot streaks."""
    settings = topic.settings
    options = {
        "brokers": settings.brokers,
        "topic": settings.topic,
        "dsn": postgres.owner_dsn(settings),
        "ends": json.dumps(fold.ends(settings)),
        "slide": SLIDE_SECONDS,
    }
    command = [sys.executable, "-m", f"benchmarks.rivals.{name}"]
    command += [word for key, value in options.items() for word in (f"--{key}", str(value))]
    before, began = _children_cpu(), time.monotonic()
    with Watch(settings) as watch:
        done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
        seconds = time.monotonic() - began
    if done.returncode:
        raise BenchmarkError(f"{name} failed: {done.stderr.strip().splitlines()[-1]}")
    cpu_seconds, verdict = _children_cpu() - before, _verdict(topic, PROGRAM_BOARDS)
    return Rival(topic.records, seconds, cpu_seconds, watch.usage, verdict)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def naive(
    topic: Topic, board: Board, limit_seconds: float, progress: Callable[[int], None]
) -> Rival:
    """A board as most examples write it, given up after so many seconds."""
    settings, title = topic.settings, f"naive {board.name} {time.time_ns()}"
    _create_naive(settings, board)
    records, verdict = topic.records, ""
    with Watch(settings) as watch:
        with system.one_java_thread():
            _submit_naive(settings, board, title)
        job_id = flink.newest(settings, title)
        try:
            system.await_end(settings, title, limit_seconds, progress)
        except system.TooSlow as slow:
            records, verdict = slow.records, "did not finish"
    seconds = limit_seconds if verdict else drain.seconds(settings, [job_id])
    verdict = verdict or _verdict(topic, {board: NAIVE_BOARDS[board]})
    cpu_seconds = watch.usage.cpu_seconds["taskmanager"]
    return Rival(records, seconds, cpu_seconds, watch.usage, verdict)


def _submit_naive(settings: Settings, board: Board, title: str) -> None:
    environment = table_environment(settings)
    environment.get_config().set("table.exec.state.ttl", NAIVE_TTL)
    environment.get_config().set("pipeline.name", title)
    source, select = ((NAIVE_SQL / f"{each}.sql").read_text() for each in ("messages", board.name))
    sink = sql.read(
        "sinks/postgres.sql",
        table=f"naive_{board.name}",
        columns=NAIVE[board],
        sink_flush_millis=settings.sink_flush_millis,
        sink_flush_rows=BOARD_ROWS,
        **postgres.flink_access(settings),
    )
    where = {"topic": settings.topic, "brokers": settings.brokers}
    environment.execute_sql(Template(source).substitute(where))
    environment.execute_sql(sink)
    environment.execute_sql(f"INSERT INTO naive_{board.name}\n{select}")


def _create_naive(settings: Settings, board: Board) -> None:
    table, columns = f"flink.naive_{board.name}", NAIVE[board].replace("STRING", "TEXT")
    with postgres.connect(postgres.owner_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {table}; CREATE TABLE {table} ({columns})")
        cursor.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {postgres.FLINK}")


def forget(settings: Settings) -> None:
    """Remove what the rivals left in the database."""
    with postgres.connect(postgres.owner_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS rival CASCADE")
        for board in NAIVE:
            cursor.execute(f"DROP TABLE IF EXISTS flink.naive_{board.name}")


def _verdict(topic: Topic, queries: dict[Board, str]) -> str:
    wrong = []
    for board, query in queries.items():
        with postgres.connect(postgres.owner_dsn(topic.settings)) as db, db.cursor() as cursor:
            cursor.execute(query)
            rows = cursor.fetchall()
        if not _is_right(topic, board, rows):
            wrong.append(board.title.lower())
    return f"wrong: {', '.join(wrong)}" if wrong else "right"


def _is_right(topic: Topic, board: Board, rows: list[tuple]) -> bool:
    if board is HOT_STREAKS:
        end = rows[0][2] if rows and rows[0][2] else _latest_window(topic)
        right = [(row["user_id"], row["hotness"]) for row in topic.folded.streaks(end)]
        return [row[:2] for row in rows] == right
    # Where totals are equal, the order is not asked for.
    right = [(row["user_id"], row[board.value]) for row in topic.folded.rows(board)]
    return sorted(rows) == sorted(right)


def _latest_window(topic: Topic) -> int:
    """The end of the window that the topic's last event falls in, in epoch milliseconds."""
    slide = SLIDE_SECONDS * 1000
    return int(topic.folded.events.time.max()) // slide * slide + slide
