"""How fast the API answers about campaigns: python -m benchmarks.api campaigns.

oha, a public load tool, sends questions at a steady rate and waits for no answer. An answer's time
counts from the moment at which its question was due, as for the boards.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import requests

from benchmarks import system
from benchmarks.figures import PERCENTILES
from boards import campaigns
from boards.campaigns import BOARDS
from games.campaign import Terms
from settings import PROJECT, Settings

TOOL, TOOL_VERSION = "oha", "1.16.0"
TOOLS = PROJECT / ".leaderboard" / "benchmark-tools"
LIMITS = (10, 100)
PLAYERS = 10_000  # who ask where they stand, whether a board lists them or not
GAMES, GAMES_EACH = 50, 5  # of the campaigns that are made
OVER_HOURS = 2  # until they end
QUESTIONS = 30_000  # different ones, of which each is as likely as another
WARM_UP_SECONDS = 20
# Kept alive. When all wait, the next question is late, and that is part of its answer's time.
CONNECTIONS = 200
Row = dict[str, Any]


def measured(settings: Settings, rate: float, seconds: float, port: int) -> Row:
    """Ask at this rate for so long, after a warm-up; how long the answers took.

    Raises BenchmarkError when no campaign runs, or when there is no load tool.
    """
    address = f"http://{settings.page_address}:{port}/api/campaigns"
    asked = requests.get(address, timeout=60).json()
    running = [each["campaign_id"] for each in asked["campaigns"] if each["phase"] == "running"]
    if not running:
        raise system.BenchmarkError("no campaign runs: make some, for example with --make 100")
    listed = _listed(address, running)
    questions = list(itertools.islice(_questions(address, running, listed), QUESTIONS))
    _ask(questions, rate, WARM_UP_SECONDS)
    before, children = system.cpu_seconds(settings), _children()
    told = _ask(questions, rate, seconds)
    used = system.cpu_seconds_since(before, settings) | {"sender": _children() - children}
    taken = told["latencyPercentiles"] | {"p100": told["summary"]["slowest"]}
    statuses = told["statusCodeDistribution"]
    return {
        "what": f"{rate:,.0f} questions/s for {seconds:.0f} s, "
        f"{len(running)} campaigns in {asked['sink']}",
        "players": PLAYERS,
        "answers": sum(statuses.values()),
        "errors": {why: count for why, count in statuses.items() if why != "200"}
        | told["errorDistribution"],
        "latency_ms": {"all": {name: round(1000 * taken[name], 1) for name in PERCENTILES}},
        "cores": {name: round(each / seconds, 2) for name, each in used.items()},
    }


def _listed(address: str, running: Sequence[int]) -> list[int]:
    """The players whom the boards of these campaigns list."""
    found: set[int] = set()
    for number in running:
        answer = requests.get(f"{address}/{number}?limit={LIMITS[-1]}", timeout=60).json()
        found |= {row["player_id"] for row in answer["rows"]}
    return sorted(found)


def _questions(address: str, running: Sequence[int], listed: Sequence[int]) -> Iterator[str]:
    """Boards of 10, boards of 100 and players in turn.

    Campaigns and boards are asked for in turn, players at random: half of them are on a board.
    """
    chance = random.Random(1)
    boards = itertools.cycle(itertools.product(running, BOARDS))
    while True:
        for limit in LIMITS:
            number, board = next(boards)
            yield f"{address}/{number}?board={board}&limit={limit}"
        players = listed if listed and chance.random() < 0.5 else range(PLAYERS)
        yield f"{address}?player={chance.choice(players)}"


def _ask(questions: Sequence[str], rate: float, seconds: float) -> Any:
    """Send questions at this rate for so long, and wait for the answers; what the tool tells."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(questions))
        listed.flush()
        words = ["--no-tui", "--output-format=json", "--urls-from-file"]
        words += ["--latency-correction", "--wait-ongoing-requests-after-deadline"]
        words += ["-q", f"{rate:.0f}", "-z", f"{seconds:.0f}s", "-c", str(CONNECTIONS)]
        done = subprocess.run([_tool(), *words, listed.name], capture_output=True, text=True)
    if done.returncode:
        raise system.BenchmarkError(f"{TOOL} failed:\n{done.stderr}")
    return json.loads(done.stdout)


def _children() -> float:
    """CPU seconds of the processes that were started here and have ended, the load tool's too."""
    used = os.times()
    return used.children_user + used.children_system


def _tool() -> str:
    """The load tool; Cargo builds it when it is not at hand. Raises BenchmarkError."""
    path = f"{os.environ.get('PATH', '')}{os.pathsep}{TOOLS / 'bin'}"
    found = shutil.which(TOOL, path=path)
    if found:
        return found
    if not shutil.which("cargo"):
        raise system.BenchmarkError(f"install the load tool {TOOL}, or Cargo, which builds it")
    words = ["cargo", "install", TOOL, "--version", TOOL_VERSION, "--locked", "--root", str(TOOLS)]
    words += ["--no-default-features", "--features", "rustls"]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise system.BenchmarkError(f"Cargo cannot build {TOOL}:\n{done.stderr}")
    return str(TOOLS / "bin" / TOOL)


@contextmanager
def made(settings: Settings, count: int) -> Iterator[None]:
    """So many campaigns that overlap, each over some of 50 games; gone in the end."""
    chance, now = random.Random(2), datetime.now(UTC).replace(microsecond=0)
    numbers = []
    try:
        for number in range(count):
            terms = Terms(
                name=f"Benchmark {now:%H:%M:%S} {number}",
                start_at=now - timedelta(minutes=number % 60 + 1),
                end_at=now + timedelta(hours=OVER_HOURS),
                games=tuple(chance.sample(range(GAMES), GAMES_EACH)),
            )
            numbers.append(campaigns.create(settings, terms, "benchmark").campaign_id)
        yield
    finally:
        for each in numbers:
            campaigns.cancel(settings, each, "benchmark")
