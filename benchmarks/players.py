"""What players cost in memory and on disk: scripts/bench --players [N].

Every player scores once within a minute, a hundred in each of ten thousand teams for a million; one job computes all
boards. Heap is what is left in the TaskManager after a full garbage collection, less what an idle one has.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import operator
import re
import subprocess
import sys
import time
from collections.abc import Callable

from kafka import KafkaProducer
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from benchmarks.__main__ import RESULTS, machine
from compose import broker, postgres, services
from compose.java import java_home
from jobs import job, sql
from settings import Settings, settings

TEAM_SIZE = 100
DEADLINE_SECONDS = 1_800
MEGABYTE = 2**20


def main() -> int:
    """0 when it was measured."""
    parser = argparse.ArgumentParser(prog="scripts/bench --players", description=__doc__.splitlines()[0])
    parser.add_argument("players", type=int, nargs="?", default=1_000_000)
    players = parser.parse_args().players
    idle = _heap_mb(settings)
    _play(players)
    found = {"machine": machine(), "players": players}
    for name, minutes in (("boards", 0), ("boards and event ids", settings.deduplicate_minutes)):
        found[name] = _measure(dataclasses.replace(settings, deduplicate_minutes=minutes), name, players, idle)
        print(f"{name}: {found[name]}", flush=True)
    RESULTS.with_name("players.json").write_text(json.dumps(found, indent=2))
    return 0


def _play(players: int) -> None:
    producer = KafkaProducer(**broker.connection(settings), linger_ms=50, batch_size=2**17, compression_type="gzip")
    for number in range(players):
        user = f"USR-{number:012d}"
        event = {
            "event_id": f"00000000-0000-4000-8000-{number:012d}",
            "user_id": user,
            "user_name": f"Player number {number}",
            "team_id": f"TEAM-{number // TEAM_SIZE:012d}",
            "team_name": f"Team number {number // TEAM_SIZE}",
            "score": _score(number),
            "event_time_millis": int(time.time() * 1000),
        }
        producer.send(settings.topic, key=user.encode(), value=json.dumps(event).encode())
    producer.close()


def _measure(chosen: Settings, title: str, players: int, idle_mb: float) -> dict[str, float]:
    postgres.clear(chosen, sql.TABLES)
    environment = job.table_environment(chosen)
    job.define_tables(environment, "postgres", chosen, group=title)
    job.execute(environment, job.compile_plan(environment, sql.TABLES, chosen), title)
    job_id = job.newest(chosen, title)
    points = sum(map(_score, range(players)))
    _await(lambda: _points(chosen) == points)
    until = _completed(chosen, job_id)["id"] + 2  # the next one may have begun before the last row
    _await(lambda: _completed(chosen, job_id)["id"] >= until)
    heap = _heap_mb(chosen) - idle_mb
    state = _completed(chosen, job_id)["state_size"]
    job.cancel(chosen, job_id)
    return {"heap MB": round(heap), "checkpoint MB": round(state / MEGABYTE), "B per player": state // players}


def _score(number: int) -> int:
    return 1 + number % 20


def _completed(chosen: Settings, job_id: str) -> dict:
    return job.rest(chosen, "GET", f"/jobs/{job_id}/checkpoints")["latest"]["completed"] or {"id": 0}


def _await(holds: Callable[[], bool]) -> None:
    Retrying(wait=wait_fixed(1), stop=stop_after_delay(DEADLINE_SECONDS), retry=retry_if_result(operator.not_))(holds)


def _points(chosen: Settings) -> int:
    """The points of all teams on the board of their MVPs."""
    with postgres.connect(postgres.owner_dsn(chosen)) as db, db.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(team_total), 0) FROM flink.team_mvps")
        return int(cursor.fetchone()[0])


def _heap_mb(chosen: Settings) -> float:
    """Used heap of the TaskManager after a full garbage collection."""
    pid = str(services.rpc(chosen).getProcessInfo("taskmanager")["pid"])
    jcmd = java_home() / "bin" / "jcmd"  # of a JDK; PyPI's Java has none
    subprocess.run([jcmd, pid, "GC.run"], check=True, capture_output=True)
    info = subprocess.run([jcmd, pid, "GC.heap_info"], check=True, capture_output=True, text=True).stdout
    return sum(map(int, re.findall(r"(?:PSYoungGen|ParOldGen) .*used (\d+)K", info))) / 1024


if __name__ == "__main__":
    sys.exit(main())
