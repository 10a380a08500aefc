"""One process of the injector: from the stream of records to the writer, with a status line and an orderly end."""

from __future__ import annotations

import math
import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from generator.events import Record, records
from generator.game import Game, League, part
from generator.pacing import Pacer
from generator.writer import KafkaWriter, LineWriter, Tally, Writer

STATUS_SECONDS = 10.0
FLUSH_SECONDS = 10.0  # after a stop; supervisors kill after 20


class Stop:
    """The wish of the user to end, seen by all processes; a second wish ends the flush, too."""

    def __init__(self) -> None:
        # Without a lock, so that a signal handler can never wait for itself.
        self._wishes = multiprocessing.RawValue("i", 0)
        self._seen_at = math.inf

    def ask(self, *_: object) -> None:
        """A signal handler."""
        self._wishes.value += 1

    def is_asked(self) -> bool:
        """Whether to send no more."""
        return self._wishes.value > 0

    def is_over(self) -> bool:
        """Whether to wait for acknowledgements no more."""
        if self.is_asked():
            self._seen_at = min(self._seen_at, time.monotonic())
        return self._wishes.value > 1 or time.monotonic() - self._seen_at > FLUSH_SECONDS


@dataclass(frozen=True)
class Options:
    """A whole run: the game and how, how long and where to send it."""

    game: Game
    seed: int
    start_millis: int | None  # None: now
    count: int | None
    duration_seconds: float
    processes: int
    output: str
    path: str | None
    topic: str
    brokers: str


class Status:
    """Says on stderr, which carries no events, how far a process is."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.restart()

    def restart(self) -> None:
        """The time of the run begins now."""
        self._began_at = self._said_at = time.monotonic()
        self._acknowledged = 0

    def say(self, message: str) -> None:
        """Print a line."""
        print(f"{self._name}: {message}", file=sys.stderr, flush=True)

    def tick(self, writer: Writer, behind_seconds: float) -> None:
        """Report when STATUS_SECONDS have passed since the last time."""
        seconds = time.monotonic() - self._said_at
        if seconds >= STATUS_SECONDS:
            writer.settle()
            text = summary(writer.tally, (writer.tally.acknowledged - self._acknowledged) / seconds)
            self.say(f"{text}, {behind_seconds:.1f} s behind schedule")
            self._said_at, self._acknowledged = time.monotonic(), writer.tally.acknowledged

    def conclude(self, tally: Tally) -> None:
        """Report the whole run."""
        seconds = time.monotonic() - self._began_at
        self.say(f"{summary(tally, tally.acknowledged / seconds)}, {seconds:.1f} s in all")


def summary(tally: Tally, rate: float) -> str:
    """The tally and the acknowledged records per second as text."""
    return f"sent {tally.sent:,}, acknowledged {tally.acknowledged:,}, failed {tally.failed:,}, {rate:,.1f} records/s"


class Run:
    """One process's run, until its count, its duration or a stop ends it."""

    def __init__(self, options: Options, stop: Stop, process: int = 0) -> None:
        self._options, self._stop, self._process = options, stop, process
        self._status = Status("generator" if options.processes == 1 else f"generator {process + 1}")
        self._pacer = Pacer(time.monotonic, self._wait, stop.is_asked)

    def run(self) -> Tally:
        """Send, await the acknowledgements and report. Raises OSError when an output file cannot be written."""
        options = self._options
        league = League(options.game, options.seed, self._process, options.processes)
        with self._output() as self._writer:
            if self._writer.open():
                self._status.restart()
                self._send(records(league, options.start_millis or time.time_ns() // 1_000_000))
                self._writer.close(self._stop.is_over)
        self._status.conclude(self._writer.tally)
        return self._writer.tally

    @contextmanager
    def _output(self) -> Iterator[Writer]:
        options = self._options
        if options.output == "kafka":
            yield KafkaWriter(options.brokers, options.topic, self._wait, self._stop.is_asked, self._status.say)
        elif options.output == "file":
            with open(options.path, "wb") as file:
                yield LineWriter(file)
        else:
            yield LineWriter(sys.stdout.buffer)

    def _send(self, stream: Iterator[Record]) -> None:
        options = self._options
        if options.count is not None:
            stream = islice(stream, part(options.count, self._process, options.processes))
        for record in self._pacer.pace(stream, options.duration_seconds, is_paced=options.game.rate > 0):
            while not self._writer.has_room() and not self._stop.is_asked():
                self._wait(0.02)
            if self._stop.is_asked():
                return
            self._writer.send(record)
            self._status.tick(self._writer, self._pacer.behind_seconds)

    def _wait(self, seconds: float) -> None:
        time.sleep(seconds)
        self._writer.settle()
        self._status.tick(self._writer, self._pacer.behind_seconds)
        parent = multiprocessing.parent_process()
        if parent and not parent.is_alive():
            self._stop.ask()
