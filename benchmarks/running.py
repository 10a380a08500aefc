"""The whole system as scripts/run_all.sh starts it: how long that takes, and what it costs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from benchmarks import api, campaign_questions, system
from benchmarks.campaign_questions import GAMES, PLAYERS
from benchmarks.screen import Screen
from games import spins
from settings import PREFIX, PROJECT, Settings

HEALTHY_SECONDS = 240
SETTLE_SECONDS = 180  # in which the JVMs compile what has just started
REST_SECONDS = 60
CAMPAIGNS, SPINS_PER_SECOND = 100, 500
Row = dict[str, Any]


def measured(settings: Settings, screen: Screen) -> list[Row]:
    """Start, ask the API, rest, move the boards to Kafka and back, stop, and start again.

    Then a game that has campaigns runs beside the first one, and the API is asked about them.

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
        _run("stop.sh")
        with screen.progress("asking the API about campaigns"):
            rows.append(_about_campaigns(settings))
    finally:
        _run("stop.sh")
        _run("reset.sh", "--yes")
    return rows


def _about_campaigns(settings: Settings) -> Row:
    """Ask about many campaigns beside two games, in one of which 10,000 players spin."""
    both = replace(settings, games=f"{settings.games},{spins.GAME.name}")
    os.environ[f"{PREFIX}GAMES"] = both.games
    try:
        _run("run_all.sh", "--detach")
        _await_health()
        with campaign_questions.made(both, CAMPAIGNS), _spinning(both):
            time.sleep(SETTLE_SECONDS)
            return campaign_questions.measured(both, api.RATE, api.SECONDS, both.api_port)
    finally:
        del os.environ[f"{PREFIX}GAMES"]


@contextmanager
def _spinning(settings: Settings) -> Iterator[None]:
    """Many players at many games, beside the few of the game's own injector."""
    words = ["--topic", spins.GAME.topic(settings), "--loop", "--events", "0"]
    words += ["--bootstrap", settings.brokers, "--rate", str(SPINS_PER_SECOND)]
    words += [
        "--players",
        f"0-{PLAYERS - 1}",
        "--games",
        f"0-{GAMES - 1}",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "generator", spins.GAME.name, *words],
        cwd=PROJECT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


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
