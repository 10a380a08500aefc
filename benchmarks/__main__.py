"""How fast the boards are, and what that costs: python -m benchmarks [--quick] [case …]."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from benchmarks import cases, report, system
from jobs import job
from settings import settings


def main() -> int:
    """0 when all was measured and every board was right."""
    options = _parse()
    console = Console()
    on = system.machine(settings)
    console.print(on)
    sizes = cases.QUICK if options.quick else cases.smaller(options.events, options.rate, options.seconds)
    file = settings.state / "quick.json" if options.quick else report.RESULTS
    failed = []
    for memory_mb, names in _by_memory(options.cases).items():
        # The boards alone: what everybody's totals cost is measured apart.
        boards_alone = {"one_job": "yes", "totals_flush_seconds": 0}
        chosen = dataclasses.replace(settings, flink_taskmanager_memory_mb=memory_mb, **boards_alone)
        with system.started(chosen):
            bench = cases.Bench(chosen, sizes, _Screen(console))
            bench.warm_up()
            for name in names:
                console.rule(name)
                try:
                    found = cases.CASES[name](bench)
                except Exception as error:
                    console.print(f"{name} failed: {job.readable(error)}", style="bold red", markup=False)
                    failed.append(name)
                    system.cancel_all(chosen)
                    continue
                console.print(*report.tables(found))
                report.keep(file, name, on, found)
    if not options.quick and not failed:
        report.write_readme()
        report.draw()
    return 1 if failed else 0


def _by_memory(names: list[str]) -> dict[int, list[str]]:
    """The cases for each size of the TaskManager: the services start anew for each."""
    memory = {name: cases.MEMORY_MB.get(name, settings.flink_taskmanager_memory_mb) for name in names}
    return {size: [name for name in names if memory[name] == size] for size in dict.fromkeys(memory.values())}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0])
    listed = "; ".join(f"{name}: {case.__doc__.splitlines()[0]}" for name, case in cases.CASES.items())
    parser.add_argument("cases", nargs="*", metavar="case", help=f"all by default. {listed}".replace("%", "%%"))
    quick = f"small numbers, in minutes; by default of {', '.join(cases.QUICK_CASES)}"
    parser.add_argument("--quick", action="store_true", help=quick)
    full = cases.FULL
    for name, default, help in (
        ("events", full.events, "of a drain"),
        ("rate", full.sustained_rates[0], "events per second of the fastest live run"),
        ("seconds", full.sustained_seconds, "of that run"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{help} (default {default:,})")
    options = parser.parse_args()
    unknown = [name for name in options.cases if name not in cases.CASES]
    if unknown:
        parser.error(f"no case is called {', '.join(unknown)}; there are {', '.join(cases.CASES)}")
    options.cases = options.cases or list(cases.QUICK_CASES if options.quick else cases.CASES)
    return options


class _Screen:
    """Shows what goes on."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        """One more line."""
        self._console.print(text)

    @contextmanager
    def progress(self, title: str, total: float | None = None) -> Iterator[Callable[[float], None]]:
        """A bar for as long as something takes; it is told how far that is."""
        columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        with Progress(*columns, console=self._console, transient=True) as bars:
            bar = bars.add_task(title, total=total)
            yield lambda done: bars.update(bar, completed=done)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except system.BenchmarkError as error:
        sys.exit(str(error))
