"""The long half of the chaos tests: python -m tests.chaos [--minutes N] [--seed N] [--no-faults] …

A seeded schedule of faults under load, with rests in between; then the ledger, the reader's
findings, log lines that no fault explains, and what memory and disk did. Exit code 0 only when all
of it is as it should be.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from itertools import islice

from rich.console import Console
from rich.table import Table

from boards.sinks import sink as sink_of
from clients.errors import BoardsUnavailable
from compose import layout
from compose import postgres as postgres_server
from jobs.environment import checkpoint_folder
from settings import settings
from tests.chaos import logs, system
from tests.chaos.resources import Resources, grown
from tests.chaos.system import (
    SERVICES,
    STARTED,
    away,
    fill,
    kill,
    kill_everything,
    kill_injector,
    kills,
    lock,
    pause,
)
from tests.conftest import Stack

Fault = Callable[[Stack], None]
REST_SECONDS = 20  # between a recovery and the next fault
DISK_MB = 2048  # of each small disk that is filled


def main() -> int:
    """0 when everything held."""
    options = _parse()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )  # services and small disks go with it
    print(f"seed {options.seed}, {options.rate} events/s, boards in {options.sink}", flush=True)
    stack = Stack(settings, dict(os.environ))
    layout.mark(settings.state / "data")  # before disks are there, which would pass for older data
    with nullcontext(False) if options.no_faults else _small_disks(stack) as has_small_disks:
        stack.run("compose", "start", *STARTED)
        stack.run("compose", "create")
        try:
            return _soak(options, stack, has_small_disks)
        finally:
            stack.run("compose", "stop")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__.split("\n\n")[1])
    parser.add_argument(
        "--minutes",
        type=float,
        default=60,
        help="at least so long, and until each fault has been there (default %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=random.SystemRandom().randrange(10**6), help="of the schedule"
    )
    parser.add_argument(
        "--rate", type=int, default=2000, help="events per second (default %(default)s)"
    )
    parser.add_argument("--sink", choices=("postgres", "kafka"), default="postgres")
    parser.add_argument("--only", default="", help="only faults with this in their name")
    parser.add_argument(
        "--no-faults", action="store_true", help="load alone: memory and disk must come to rest"
    )
    return parser.parse_args()


def _faults(sink: str, chance: random.Random, has_small_disks: bool) -> dict[str, Fault]:
    """What may befall the boards of this sink."""
    faults = {
        **{f"{name} killed": kill(name) for name in SERVICES},
        "injector killed": kill_injector,
        "taskmanager and kafka killed": kill("taskmanager", "kafka"),
        "jobmanager and postgres killed": kill("jobmanager", "postgres"),
        "everything killed": kill_everything,
        "20 kills in a row": kills(chance, SERVICES, 20),
        "taskmanager frozen for 60 s": pause("taskmanager", 60),
        "kafka frozen for 60 s": pause("kafka", 60),
        "kafka away for 180 s": away("kafka", 180),
        "postgres frozen for 60 s": pause("postgres", 60),
        "postgres away for 180 s": away("postgres", 180),
        "a table locked for 60 s": lock("flink.top_players", 60),
    }
    if has_small_disks:
        faults |= {
            f"disk of {name} full for 30 s": fill(path, 30) for name, path in _disks().items()
        }
    has_database = sink_of(sink, settings).can_look_up
    elsewhere = () if has_database else ("postgres", "table")
    return {
        name: fault for name, fault in faults.items() if not any(each in name for each in elsewhere)
    }


def _schedule(faults: dict[str, Fault], chance: random.Random) -> Iterator[tuple[str, Fault]]:
    """Every fault once, in an order of chance, again and again."""
    while faults:
        names = sorted(faults)
        chance.shuffle(names)
        yield from ((name, faults[name]) for name in names)


def _soak(options: argparse.Namespace, stack: Stack, has_small_disks: bool) -> int:
    problems = []
    chance = random.Random(options.seed)
    faults = {} if options.no_faults else _faults(options.sink, chance, has_small_disks)
    faults = {name: fault for name, fault in faults.items() if options.only in name}
    if options.only and not faults:
        problems.append(f"no fault has {options.only!r} in its name")
    if not has_small_disks and not options.no_faults:
        problems.append("no disk was filled: mounting small ones needs root")
    with (
        system.under_load(stack, options.sink, options.rate, options.seed) as loaded_system,
        Resources(stack) as resources,
    ):
        ends = time.monotonic() + 60 * options.minutes
        loud = [
            (0.0, time.time())
        ]  # logs of earlier runs; and a new broker refuses this and that for a moment
        schedule, due = _schedule(faults, chance), len(faults)
        while time.monotonic() < ends or due > 0:
            time.sleep(REST_SECONDS)
            due -= 1
            for name, fault in islice(schedule, 1):
                began = time.time()
                try:
                    loaded_system.survive(name, fault)
                except (AssertionError, BoardsUnavailable) as error:
                    problems.append(f"{name}: {error}")
                    print(problems[-1], flush=True)
                loud.append((began, time.time() + REST_SECONDS))
        resources.stop()
        problems += grown(resources.thirds()) if options.no_faults else []
        for check in (loaded_system.expect_nothing_lost, loaded_system.reader.expect_nothing):
            try:
                check()
            except AssertionError as error:
                problems.append(f"at the end: {str(error)[:1000]}")
    problems += logs.unexplained(stack.settings.state / "logs", loud)
    Console().print(_recoveries(loaded_system.recoveries), resources.table())
    looks = loaded_system.reader.looks
    print(
        "\n".join(problems)
        or f"Everything held: {looks:,} looks at the boards, nothing lost, nothing twice."
    )
    return 1 if problems else 0


def _recoveries(found: dict[str, list[system.Recovery]]) -> Table:
    table = Table("fault", "times", "boards stood still for at most", "all healthy after at most")
    for name, each in sorted(found.items()):
        longest = max(recovery.standstill_seconds for recovery in each)
        slowest = max(recovery.healthy_seconds for recovery in each)
        table.add_row(name, str(len(each)), f"{longest:.1f} s", f"{slowest:.1f} s")
    return table


def _disks() -> dict[str, str]:
    data = settings.state / "data"
    return {
        "kafka": str(data / "kafka"),
        "postgres": str(postgres_server.data_folder(settings)),
        "checkpoints": str(checkpoint_folder(settings)),
    }


@contextmanager
def _small_disks(stack: Stack) -> Iterator[bool]:
    """Disks of their own, in memory, where they can be mounted."""
    mounted = []
    try:
        for path in _disks().values() if os.geteuid() == 0 else ():
            os.makedirs(path, exist_ok=True)
            is_database = path == str(postgres_server.data_folder(settings))
            owner = postgres_server.unprivileged_user().pw_uid if is_database else os.geteuid()
            options = f"size={DISK_MB}m,mode=700,uid={owner}"
            mount = ["mount", "-t", "tmpfs", "-o", options, "leaderboard", path]
            if subprocess.run(mount).returncode == 0:
                mounted.append(path)
        yield len(mounted) == len(_disks())
    finally:
        for path in mounted:
            subprocess.run(["umount", path], check=True)


if __name__ == "__main__":
    sys.exit(main())
