"""What each board costs, and what de-duplication and the list of rejects add: python -m benchmarks [case …].

A topic is filled once; each case drains it with a Flink job of its own, and its tables are compared with the oracle.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from compose import postgres, services
from compose.java import java_home
from dashboard import boards
from jobs import job, sql
from settings import PROJECT, Settings, settings
from tests import bounded, oracle
from tests.conftest import Stack
from tests.oracle import Record

GAME = ["--teams", "1000", "--members", "5-15", "--duplicates", "40", "--corrupt", "50", "--minimal", "40"]
MEASURED = ("taskmanager", "kafka", "postgres")
RESULTS = PROJECT / "benchmarks" / "results.json"


@dataclass(frozen=True)
class Case:
    """A job to measure: its tables, and for how long it remembers event ids (0 = not at all)."""

    tables: tuple[str, ...]
    deduplicate_minutes: int = 10


CASES = {
    "top_players": Case(("top_players",)),
    "top_players, no de-duplication": Case(("top_players",), 0),
    "top_teams": Case(("top_teams",)),
    "top_teams and rejected_events": Case(sql.JOBS["top_teams"]),
    "hot_streaks": Case(("hot_streaks",)),
    "hot_streaks and late_events": Case(sql.JOBS["hot_streaks"]),
    "team_mvps": Case(("team_mvps",)),
    "all tables in one job": Case(sql.TABLES),
    "all tables in one job, no de-duplication": Case(sql.TABLES, 0),
}


@dataclass(frozen=True)
class Result:
    """What a case took: seconds by the clock, and of CPU by service."""

    case: str
    events: int
    seconds: float
    cpu_seconds: dict[str, float]

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds

    def cpu_per_million(self, service: str) -> float:
        """CPU seconds of a service per million events."""
        return self.cpu_seconds[service] / self.events * 1e6


def main() -> int:
    """0 when all cases ran and their boards were right."""
    options = _parse()
    console = Console()
    on = machine()
    console.print(on)
    _fill(options.events)
    records = Stack(settings, dict(os.environ)).records()
    expected = {
        minutes: _expected(records, minutes) for minutes in {CASES[name].deduplicate_minutes for name in options.cases}
    }
    # The first drain warms the JVM up and is not counted.
    results = [_measure(name, len(records), expected) for name in (options.cases[0], *options.cases)][1:]
    console.print(_table(results))
    RESULTS.write_text(json.dumps({"machine": on, "results": [dataclasses.asdict(each) for each in results]}, indent=2))
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="case", help=f"of: {'; '.join(CASES)}")
    parser.add_argument("--events", type=int, default=1_000_000, help="records in the topic (default %(default)s)")
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"no case is called {', '.join(unknown)}")
    options.cases = options.cases or list(CASES)
    return options


def _fill(events: int) -> None:
    generator = [sys.executable, "-m", "generator", "--seed", "1", "--rate", "0", "--count", str(events), *GAME]
    subprocess.run(generator, check=True)


def _expected(records: list[Record], deduplicate_minutes: int) -> dict[str, list[dict]]:
    events = oracle.accepted(records, is_deduplicated=deduplicate_minutes > 0)
    totals = oracle.totals(events)
    return {name: getattr(oracle, name)(totals)[:100] for name in ("top_teams", "top_players", "team_mvps")}


def _measure(name: str, events: int, expected: dict[int, dict[str, list[dict]]]) -> Result:
    case = CASES[name]
    chosen = dataclasses.replace(settings, deduplicate_minutes=case.deduplicate_minutes)
    postgres.clear(chosen, sql.TABLES)
    environment = job.table_environment(chosen)
    job.define_tables(environment, "postgres", chosen, group=chosen.topic)
    bounded.end_with_the_topic(environment, chosen)
    plan = job.compile_plan(environment, case.tables, chosen)
    before, began = _cpu_seconds(chosen), time.monotonic()
    title = f"{name} {began}"
    job.execute(environment, plan, title)
    bounded.await_end(chosen, title, deadline_seconds=1_800)
    seconds, after = time.monotonic() - began, _cpu_seconds(chosen)
    shown = boards.read("postgres", chosen).rows
    for board in case.tables:
        if board in expected[case.deduplicate_minutes] and shown[board] != expected[case.deduplicate_minutes][board]:
            raise SystemExit(f"{name}: {board} is not the oracle's")
    print(f"{name}: {events / seconds:,.0f} events/s", file=sys.stderr)
    return Result(name, events, seconds, {service: after[service] - before[service] for service in MEASURED})


def _cpu_seconds(settings: Settings) -> dict[str, float]:
    found = {}
    for info in services.rpc(settings).getAllProcessInfo():
        if info["name"] in MEASURED:
            process = psutil.Process(info["pid"])
            # A connection is a process of PostgreSQL's: those that have ended count with their parent.
            times = [each.cpu_times() for each in [process, *process.children(recursive=True)]]
            found[info["name"]] = sum(sum(each[:4]) for each in times)
    return found


def machine() -> str:
    cpu = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    memory = psutil.virtual_memory().total / 2**30
    java = (java_home() / "release").read_text().split('JAVA_VERSION="')[1].split('"')[0]
    return (
        f"{psutil.cpu_count()} × {cpu.split(': ')[1]}, {memory:.0f} GB; Java {java}, "
        f"PostgreSQL {postgres.programs().version}, parallelism {settings.parallelism}, "
        f"hot streaks every {settings.streak_slide_seconds} s"
    )


def _table(results: list[Result]) -> Table:
    shown = Table("case", "events/s", *(f"{service}, CPU s per million" for service in MEASURED))
    for each in results:
        costs = (f"{each.cpu_per_million(service):.1f}" for service in MEASURED)
        shown.add_row(each.case, f"{each.events_per_second:,.0f}", *costs)
    return shown


if __name__ == "__main__":
    sys.exit(main())
