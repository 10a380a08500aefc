"""One process of an injector: from the stream of records to the writer, with a status line."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.queues import SimpleQueue

from generator import metrics
from generator.pacing import Pacer
from generator.record import Record, Source
from generator.stop import Stop
from generator.writer import KafkaWriter, LineWriter, Tally, Writer
from settings import settings

STATUS_SECONDS = 10.0
KAFKA, PRINT, FILE = OUTPUTS = ("kafka", "print", "file")


def part(total: int, process: int, processes: int) -> int:
    """The share of one of `processes`; shares differ by one at most and add up to `total`."""
    return total // processes + (process < total % processes)


@dataclass(frozen=True)
class Options:
    """A whole run: what to send, how, how long and where to."""

    source: Source
    seed: int
    start: int | None  # epoch milliseconds; None: now
    count: int | None
    duration: float  # seconds
    processes: int
    output: str
    path: str | None
    topic: str
    brokers: str
    metrics_port: int  # 0 = none


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
            rate = (writer.tally.acknowledged - self._acknowledged) / seconds
            self.say(
                f"{writer.tally}, {rate:,.1f} records/s, {behind_seconds:.1f} s behind schedule"
            )
            self._said_at, self._acknowledged = time.monotonic(), writer.tally.acknowledged

    def conclude(self, tally: Tally) -> None:
        """Report a whole run."""
        tally.seconds = tally.seconds or time.monotonic() - self._began_at
        self.say(
            f"{tally}, {tally.acknowledged / tally.seconds:,.1f} records/s in {tally.seconds:.1f} s"
        )


class Run:
    """One process's run, until its count, its duration or a stop ends it."""

    def __init__(self, options: Options, stop: Stop, process: int = 0) -> None:
        self._options, self._stop, self._process = options, stop, process
        self._status = Status("generator" if options.processes == 1 else f"generator {process + 1}")
        self._pacer = Pacer(time.monotonic, self._wait, stop.is_asked)

    def run(self) -> Tally:
        """Send, await the acknowledgements and report.

        Raises OSError when an output file cannot be written or the metrics' port is taken.
        """
        options = self._options
        with self._output() as self._writer:
            if options.metrics_port:
                metrics.serve(
                    settings.bind_address, options.metrics_port, self._writer.tally, self._pacer
                )
            if self._writer.open():
                self._status.restart()
                start = options.start or time.time_ns() // 1_000_000
                source = options.source
                self._send(source.records(options.seed, self._process, options.processes, start))
                self._writer.close(self._stop.is_over)
        self._status.conclude(self._writer.tally)
        return self._writer.tally

    @contextmanager
    def _output(self) -> Iterator[Writer]:
        options = self._options
        if options.output == FILE:
            assert options.path, "the command line asks for one"
            with open(options.path, "wb") as file:
                yield LineWriter(file)
        elif options.output == PRINT:
            yield LineWriter(sys.stdout.buffer)
        else:
            yield KafkaWriter(
                options.brokers, options.topic, self._wait, self._stop.is_asked, self._status.say
            )

    def _send(self, stream: Iterator[Record]) -> None:
        options = self._options
        if options.count is not None:
            stream = islice(stream, part(options.count, self._process, options.processes))
        for record in self._pacer.pace(stream, options.duration, is_paced=options.source.is_paced):
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


def run_all(options: Options, stop: Stop) -> Tally:
    """Run in this process or in as many as wanted.

    Raises OSError, and ChildProcessError when one of the processes died.
    """
    if options.processes == 1:
        stop.listen()
        return Run(options, stop).run()
    context = multiprocessing.get_context("spawn")
    tallies = context.SimpleQueue()
    children = [
        context.Process(target=_run_child, args=(options, stop, n, tallies))
        for n in range(options.processes)
    ]
    stop.ignore()  # children inherit it: Ctrl-C reaches them all, but they look at `stop` alone
    for child in children:
        child.start()
    stop.listen()
    for child in children:
        child.join()
    if any(child.exitcode for child in children):
        raise ChildProcessError(
            "one of the processes died; what it sent is not in the reports above"
        )
    total = sum((tallies.get() for _ in children), Tally())
    Status("generator").conclude(total)
    return total


def _run_child(options: Options, stop: Stop, process: int, tallies: SimpleQueue[Tally]) -> None:
    tallies.put(Run(options, stop, process).run())
