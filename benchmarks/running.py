"""The whole system as scripts/run_all.sh starts it: how long that takes, and what it costs."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from benchmarks import api, system
from benchmarks.screen import Screen
from settings import PROJECT, Settings

HEALTHY_SECONDS = 240
SETTLE_SECONDS = 180  # in which the JVMs compile what has just started
REST_SECONDS = 60
Row = dict[str, Any]


def measured(settings: Settings, screen: Screen) -> list[Row]:
    """Start, ask the API, rest, move the boards to Kafka and back, stop, and start again.

    Raises BenchmarkError when a script fails, or when the system does not become healthy.
    """
    rows = []

    def timed(what: str, script: str, *words: str) -> None:
        with screen.progress(what):
            began = time.monotonic()
            _run(script, *words)
            rows.append({"what": what, "seconds": round(time.monotonic() - began, 1)})
            if script == "run_all.sh":
                _await_health()

    _run("reset.sh", "--yes")
    try:
        timed("first start, jars at hand", "run_all.sh", "--detach")
        with screen.progress("settling"):
            time.sleep(SETTLE_SECONDS)
        with screen.progress("asking the API"):
            rows.append(api.measured(settings, api.RATE, api.SECONDS, settings.api_port))
        with screen.progress("at rest"):
            before = system.cpu_seconds(settings)
            time.sleep(REST_SECONDS)
            used = system.cpu_seconds_since(before, settings)
        cores = {name: round(seconds / REST_SECONDS, 3) for name, seconds in used.items()}
        rows.append({"what": f"{settings.rate_per_second:g} events/s", "cores": cores})
        timed("boards moved to Kafka", "run_all.sh", "--sink", "kafka", "--detach")
        timed("boards moved back", "run_all.sh", "--sink", "postgres", "--detach")
        timed("stop", "stop.sh")
        timed("start again", "run_all.sh", "--detach")
    finally:
        _run("stop.sh")
        _run("reset.sh", "--yes")
    return rows


def _run(script: str, *words: str) -> None:
    done = subprocess.run([PROJECT / "scripts" / script, *words], capture_output=True, text=True)
    if done.returncode:
        raise system.BenchmarkError(f"scripts/{script} failed:\n{done.stdout}{done.stderr}")


def _await_health() -> None:
    """Wait until scripts/status.sh says that all is well."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    status = [PROJECT / "scripts" / "status.sh"]
    while (done := subprocess.run(status, capture_output=True, text=True)).returncode:
        if time.monotonic() > deadline:
            raise system.BenchmarkError(f"not healthy after {HEALTHY_SECONDS} s:\n{done.stdout}")
        time.sleep(1)
