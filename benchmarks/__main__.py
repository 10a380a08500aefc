"""How fast the boards are, and what that costs: python -m benchmarks [--quick] [case …]."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks import drain, system
from benchmarks.drain import Result, Topic
from benchmarks.events import World
from settings import PROJECT, Settings, settings

RESULTS = PROJECT / "benchmarks" / "results.json"
WARM_UP_EVENTS = 200_000


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    events: int
    few_events: int
    rivals_events: int


FULL = Sizes(events=5_000_000, few_events=2_000_000, rivals_events=1_000_000)
QUICK = Sizes(events=400_000, few_events=300_000, rivals_events=100_000)


class Bench:
    """What the cases share: the settings, the sizes, the topics that are full already, and where progress is shown."""

    def __init__(self, settings: Settings, sizes: Sizes, console: Console) -> None:
        self.settings, self.sizes, self.console = settings, sizes, console
        self._topics: dict[tuple, Topic] = {}

    def topic(self, world: World, events: int) -> Topic:
        """A topic that holds so many events of a world."""
        if (world, events) not in self._topics:
            with self.console.status(f"Filling a topic: {events:,} events, {world.players:,} players"):
                self._topics[world, events], sent = drain.filled(self.settings, world, events)
            self.console.print(f"  filled: {sent.records:,} records, {sent.cpu_seconds:.0f} CPU s of the driver")
        return self._topics[world, events]

    def drain(self, topic: Topic, groups: tuple[tuple[str, ...], ...], title: str, **changed: Any) -> Result:
        """Drain a topic and show that it goes on."""
        columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        with Progress(*columns, console=self.console, transient=True) as progress:
            bar = progress.add_task(title, total=topic.records)
            return drain.drain(topic, groups, lambda read: progress.update(bar, completed=read), **changed)


def drain_all(bench: Bench) -> list[dict]:
    """All four boards, until a full topic is read to its end."""
    topic = bench.topic(World(), bench.sizes.events)
    found = []
    for slide in (5, 2):
        title = f"all boards, hot streaks every {slide} s"
        result = bench.drain(topic, system.shape(), title, streak_slide_seconds=slide)
        found.append(_described(title, result))
    return found


def _described(title: str, result: Result) -> dict:
    usage = result.usage
    return {
        "what": title,
        "events": result.records,
        "seconds": round(result.seconds, 1),
        "per_second": round(result.per_second),
        "cpu_per_million": {name: round(result.cpu_per_million(name), 2) for name in system.SERVICES},
        "gc_percent": round(usage.gc_percent, 1),
        "heap_peak_mb": round(usage.heap_peak_mb),
        "peak_mb": {name: round(peak) for name, peak in usage.peak_mb.items()},
        "rows_per_event": {name: round(rows / result.records, 4) for name, rows in usage.rows_written.items() if rows},
        "busy_percent": {name: round(share, 1) for name, share in usage.busy_percent.items()},
    }


CASES: dict[str, Callable[[Bench], list[dict]]] = {
    "drain": drain_all,
}


def main() -> int:
    """0 when all was measured and every board was right."""
    options = _parse()
    console = Console()
    on = system.machine(settings)
    console.print(on)
    with system.started(settings):
        bench = Bench(settings, QUICK if options.quick else FULL, console)
        # The first drain warms the JVMs up and is not counted.
        bench.drain(bench.topic(World(1_000, 100), WARM_UP_EVENTS), system.shape(), "Warming up")
        for name in options.cases:
            found = CASES[name](bench)
            console.print(_table(name, found))
            _keep(name, found, on, options.quick)
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    parser.add_argument("cases", nargs="*", metavar="case", help=f"of: {', '.join(CASES)}; all by default")
    parser.add_argument("--quick", action="store_true", help="the same with small numbers, in minutes")
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in CASES]
    if unknown:
        parser.error(f"no case is called {', '.join(unknown)}; there are {', '.join(CASES)}")
    options.cases = options.cases or list(CASES)
    return options


def _table(name: str, rows: list[dict]) -> Table:
    """What stands beside each other in every row; the rest is in the file of results."""
    table = Table(title=name)
    shown = [_flat(row) for row in rows]
    columns = dict.fromkeys(key for row in shown for key in row)
    for key in columns:
        table.add_column(key.replace("_", " "), justify="left" if key == "what" else "right")
    for row in shown:
        table.add_row(*(row.get(key, "") for key in columns))
    return table


def _flat(row: dict) -> dict[str, str]:
    flat = {}
    for key, value in row.items():
        if key == "cpu_per_million":
            flat |= {f"CPU s/M {name}": f"{value[name]:.1f}" for name in value if name != "zookeeper"}
        elif key == "rows_per_event":
            flat[key] = f"{sum(value.values()):.3f}"
        elif key == "busy_percent" and value:
            name = max(value, key=value.__getitem__)
            flat["busiest"] = f"{name.split('[')[0].split(':')[0]} … {value[name]:.0f} %"
        elif not isinstance(value, dict):
            flat[key] = f"{value:,}" if isinstance(value, int | float) else str(value)
    return flat


def _keep(name: str, found: list[dict], on: str, is_quick: bool) -> None:
    file = settings.state / "quick.json" if is_quick else RESULTS
    kept = json.loads(file.read_text()) if file.exists() else {}
    kept[name] = {"machine": on, "results": found}
    file.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
