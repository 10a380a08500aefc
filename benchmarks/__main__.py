"""How fast the boards are, and what that costs: python -m benchmarks [--quick] [case …]."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial

from benchmarks import cases, report, running, system
from benchmarks.screen import Screen
from clients import flink
from settings import settings
from tests.conftest import Stack

WHOLE = "running"  # starts and stops its services itself


def main() -> int:
    """0 when all was measured and every board was right."""
    options = _parse()
    screen = Screen()
    machine = system.machine(settings)
    screen.print(machine)
    file = settings.state / "quick.json" if options.quick else report.RESULTS
    failed = []

    def measure(name: str, case: Callable[[], list[report.Row]]) -> None:
        screen.rule(name)
        try:
            rows = case()
        except Exception as error:
            screen.print(f"{name} failed: {_told(error)}", style="bold red", markup=False)
            failed.append(name)
            return
        screen.print(*report.tables(rows))
        report.keep(file, name, machine, rows)

    if WHOLE in options.cases:
        measure(WHOLE, lambda: running.measured(settings, screen))
    usual = [name for name in options.cases if name not in (WHOLE, *cases.STARTED_WITH)]
    others = [([name], own) for name, own in cases.STARTED_WITH.items() if name in options.cases]
    for names, own in [(usual, {}), *others] if usual else others:
        # The boards alone: what everybody's totals cost is measured apart.
        stack = Stack(settings, dict(os.environ)).changed(
            one_job="yes", totals_flush_seconds=0, **own
        )
        screen.print("Starting the services")
        with system.started(stack):
            bench = cases.Bench(stack.settings, _sizes(options), screen)
            bench.warm_up()
            for name in names:
                measure(name, partial(cases.CASES[name], bench))
                if name in failed:
                    system.cancel_all(stack.settings)
    if not options.quick and not failed:
        report.write()
        report.draw()
    return 1 if failed else 0


def _told(error: Exception) -> str:
    """What a script has printed, as it is; Flink's errors as one sentence."""
    if isinstance(error, system.BenchmarkError):
        return str(error)
    return flink.readable(error) if str(error) else repr(error)


def _sizes(options: argparse.Namespace) -> cases.Sizes:
    if options.quick:
        return cases.QUICK
    return cases.smaller(options.events, options.rate, options.seconds)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=_first_line(__doc__))
    whole = f"{WHOLE}: {_first_line(running.__doc__)}"
    every = (f"{name}: {_first_line(case.__doc__)}" for name, case in cases.CASES.items())
    listed = "; ".join((*every, whole))
    which = f"all by default. {listed}".replace("%", "%%")
    parser.add_argument("cases", nargs="*", metavar="case", help=which)
    quick = f"small numbers, in minutes; by default of {', '.join(cases.QUICK_CASES)}"
    parser.add_argument("--quick", action="store_true", help=quick)
    full = cases.FULL
    for name, default, help in (
        ("events", full.events, "of a drain"),
        ("rate", full.sustained_rates[0], "events per second of the fastest live run"),
        ("seconds", full.sustained_seconds, "of that run"),
    ):
        text = f"{help} (default {default:,})"
        parser.add_argument(f"--{name}", type=int, default=default, help=text)
    options = parser.parse_args()
    names = [*cases.CASES, WHOLE]
    unknown = [name for name in options.cases if name not in names]
    if unknown:
        parser.error(f"no case is called {', '.join(unknown)}; there are {', '.join(names)}")
    options.cases = options.cases or list(cases.QUICK_CASES if options.quick else names)
    return options


def _first_line(text: str | None) -> str:
    return (text or "").splitlines()[0]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (system.BenchmarkError, AssertionError) as error:  # of a command that did not work
        sys.exit(str(error))
