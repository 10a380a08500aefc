"""The whole leaderboard under load, with a reader at its boards, and what may befall it."""

from __future__ import annotations

import errno
import os
import random
import re
import signal
import time
import xmlrpc.client
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from boards.sinks import sink as sink_of
from clients import flink, postgres
from clients.errors import BoardsUnavailable, JobError
from compose import services
from generator.score.command import parse
from jobs.running import computing, planned, running
from tests import oracle
from tests.bounded import GAME
from tests.conftest import Stack, eventually
from tests.invariants import Reader, expect_boards

BACK_SECONDS = 60
HEALTHY_SECONDS = 240
LOOK_SECONDS = 0.5
SERVICES = ("postgres", "zookeeper", "kafka", "jobmanager", "taskmanager")
STARTED = (*SERVICES, "monitor")
FAULTS_OF_THE_GAME = ("--late", "40", "--duplicates", "40", "--corrupt", "50")
# Boards that move with every second of play.
MOVING = [board for board in GAME.boards if not board.may_be_empty]
REPORT_SECONDS = 60  # at most, from one report of an injector to its next


@dataclass(frozen=True)
class Recovery:
    """How long the slowest board stood still, and when all jobs had checkpoints again."""

    standstill_seconds: float
    healthy_seconds: float

    def __str__(self) -> str:
        still, healthy = self.standstill_seconds, self.healthy_seconds
        return f"boards stood still for {still:.1f} s, all healthy after {healthy:.1f} s"


class Injector:
    """An injector whose seed is its ledger: it tells what was sent from how much of it."""

    def __init__(self, stack: Stack, folder: Path, rate_per_second: int, seed: int) -> None:
        self._rate, self._report = rate_per_second, folder / f"injector-{seed}.log"
        self._options = ["--rate", str(rate_per_second), "--seed", str(seed), *FAULTS_OF_THE_GAME]
        with self._report.open("w") as file:
            self.process = stack.begin("generator", *self._options, stderr=file)

    def end(self) -> None:
        """Let it send what is pending. Raises AssertionError when not all was acknowledged."""
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(timeout=120) == 0, self._report.read_text()[-2000:]

    def sent(self) -> Counter[bytes]:
        """What it had sent when it last reported, but for its times."""
        return self._first(self._reported("sent"))

    def pending(self) -> int:
        """How many of these were not acknowledged then."""
        return self._reported("sent") - self._reported("acknowledged")

    def may_have_sent(self) -> Counter[bytes]:
        """What it had sent, and can have sent since, if it was killed."""
        return self._first(self._reported("sent") + self._rate * REPORT_SECONDS)

    def _reported(self, what: str) -> int:
        reported = re.findall(rf"{what} ([\d,]+)", self._report.read_text())
        return int(reported[-1].replace(",", "")) if reported else 0

    def _first(self, count: int) -> Counter[bytes]:
        given = parse(self._options)
        stream = given.source.records(given.seed, 0, 1, time.time_ns() // 1_000_000)
        return Counter(_timeless(record.value or b"") for record in islice(stream, count))


@dataclass
class System:
    """All jobs at work, injectors one after the other, and a reader that always looks."""

    stack: Stack
    sink: str
    reader: Reader
    inject: Callable[[int], Injector]
    injectors: list[Injector]
    recoveries: dict[str, list[Recovery]] = field(default_factory=lambda: defaultdict(list))

    def progress(self) -> dict[str, float]:
        """What grows on each board as long as it moves."""
        read = sink_of(self.sink, self.stack.settings).read(GAME)
        newest = {board.name: read.newest(board) for board in MOVING if board.newest}
        times = {name: time.timestamp() if time else 0 for name, time in newest.items()}
        return times | {"team_mvps": sum(row["team_total"] for row in read.rows["team_mvps"])}

    def survive(self, name: str, fault: Callable[[Stack], None]) -> None:
        """Let something happen, and see everything recover by itself."""
        before = self.progress()
        fault(self.stack)
        if self.injectors[-1].process.poll() is not None:
            self.injectors.append(self.inject(len(self.injectors)))
        found = self.await_recovery(before, time.time())
        self.recoveries[name].append(found)
        print(f"{self.sink}: {name}: {found}", flush=True)

    def await_recovery(self, last: dict[str, float], since: float) -> Recovery:
        """Wait until every job has completed a checkpoint, and every board has moved again.

        `since` is in epoch seconds. Raises AssertionError when a board stands still for
        BACK_SECONDS, or a job completes no checkpoint in HEALTHY_SECONDS.
        """
        moved_at = dict.fromkeys(last, since)
        standstill, healthy_at = 0.0, None
        while not healthy_at or min(moved_at.values()) <= healthy_at:
            now, at = self._progress_if_any(last), time.time()
            standstill = max(standstill, *(at - moved for moved in moved_at.values()))
            standing = [name for name, moved in moved_at.items() if at - moved > BACK_SECONDS]
            assert not standing, f"{', '.join(standing)} stood still for {BACK_SECONDS} s"
            assert healthy_at or at - since < HEALTHY_SECONDS, (
                f"no checkpoint of every job within {HEALTHY_SECONDS} s"
            )
            moved_at |= {name: at for name in last if now[name] > last[name]}
            last = now
            healthy_at = healthy_at or (at if self._has_checkpoints(since) else None)
            time.sleep(LOOK_SECONDS)
        return Recovery(standstill, healthy_at - since)

    def _progress_if_any(self, last: dict[str, float]) -> dict[str, float]:
        try:
            return self.progress()
        except BoardsUnavailable:
            return last

    def _has_checkpoints(self, since: float) -> bool:
        """Whether all jobs run and have completed a checkpoint that began since then."""
        settings = self.stack.settings
        try:
            jobs = running(settings)
            completed = [flink.latest_checkpoint(settings, each) for each in jobs.values()]
        except JobError:
            return False
        are_new = all(each and each["trigger_timestamp"] > since * 1000 for each in completed)
        wanted = planned([(GAME.name, each) for each in GAME.jobs], self.sink, settings)
        has_all = computing(jobs, settings).keys() == computing(wanted, settings).keys()
        return has_all and are_new

    def expect_nothing_lost(self) -> None:
        """End the load: the topic holds all that was sent, once each; boards are the oracle's."""
        *killed, last = self.injectors
        last.end()
        held = self.stack.records()
        in_topic = Counter(_timeless(record.value or b"") for record in held)
        sent = last.sent()
        unknown = in_topic - sum((each.may_have_sent() for each in killed), sent)
        lost = (sum((each.sent() for each in killed), sent) - in_topic).total() - sum(
            each.pending() for each in killed
        )
        assert lost <= 0 and not unknown, f"lost: {lost}, twice: {unknown.total()} of {len(held)}"
        totals = oracle.totals(oracle.accepted(held))
        eventually(lambda: self._expect(totals))

    def _expect(self, totals: oracle.Totals) -> None:
        expect_boards(sink_of(self.sink, self.stack.settings).read(GAME), totals)


@contextmanager
def under_load(stack: Stack, sink: str, rate_per_second: int, seed: int) -> Iterator[System]:
    """The system with its boards moving."""
    stack.cancel_jobs()  # whoever was there before
    stack.run("jobs", "--sink", sink)
    with TemporaryDirectory() as folder, Reader(sink, stack.settings, every_seconds=0.1) as reader:

        def inject(number: int) -> Injector:
            return Injector(stack, Path(folder), rate_per_second, seed + number)

        system = System(stack, sink, reader, inject, [inject(0)])
        try:
            system.await_recovery(dict.fromkeys((board.name for board in MOVING), 0.0), time.time())
            yield system
        finally:
            system.injectors[-1].process.kill()
            stack.cancel_jobs()


def _timeless(value: bytes) -> bytes:
    return re.sub(rb"\d{10,}", b"#", value)


# What may happen


def kill(*names: str) -> Callable[[Stack], None]:
    """Services die as by kill -9, at once; the supervisor starts them again."""

    def strike(stack: Stack) -> None:
        for name in names:
            stack.kill(name)

    return strike


def kill_injector(_: Stack) -> None:
    """The injector dies as by kill -9; the next one plays another game."""
    alive = [each for each in psutil.Process().children() if each.status() != psutil.STATUS_ZOMBIE]
    (injector,) = (child for child in alive if "generator" in child.cmdline())
    injector.kill()
    injector.wait()


def kills(chance: random.Random, names: Sequence[str], count: int) -> Callable[[Stack], None]:
    """So many services die by chance, one every few seconds, recovered or not."""

    def strike(stack: Stack) -> None:
        for _ in range(count):
            with suppress(xmlrpc.client.Fault):  # it does not run now
                stack.kill(chance.choice(names))
            time.sleep(chance.uniform(1, 8))

    return strike


def fill(folder: str, seconds: float) -> Callable[[Stack], None]:
    """A disk is full, and has room again later."""

    def strike(_: Stack) -> None:
        ballast = Path(folder) / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(2**20))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
        time.sleep(seconds)
        ballast.unlink()

    return strike


def pause(name: str, seconds: float) -> Callable[[Stack], None]:
    """A service freezes and goes on later, as when its machine does."""

    def strike(stack: Stack) -> None:
        process = psutil.Process(services.rpc(stack.settings).getProcessInfo(name)["pid"])
        family = [process, *process.children(recursive=True)]
        for each in family:
            each.suspend()
        time.sleep(seconds)
        for each in family:
            each.resume()

    return strike


def away(name: str, seconds: float) -> Callable[[Stack], None]:
    """A service is stopped, and started again later."""

    def strike(stack: Stack) -> None:
        rpc = services.rpc(stack.settings)
        rpc.stopProcess(name)
        time.sleep(seconds)
        rpc.startProcess(name, False)

    return strike


def lock(table: str, seconds: float) -> Callable[[Stack], None]:
    """Somebody holds a lock on a table that nobody gets past."""

    def strike(stack: Stack) -> None:
        db = postgres.connect(postgres.owner_dsn(stack.settings))
        with db.cursor() as cursor:
            cursor.execute(f"BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            time.sleep(seconds)
        db.close()

    return strike


def kill_everything(stack: Stack) -> None:
    """The supervisor first, so that it starts nothing; then everything is started again."""
    supervisor = services.supervisor(stack.settings)
    assert supervisor
    family = [supervisor, *supervisor.children(recursive=True)]
    for process in family:
        os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs(family, timeout=10)
    stack.run("compose", "start", *STARTED)
    stack.run("jobs")
