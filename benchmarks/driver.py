"""Sends score events fast: several processes, each a confluent-kafka producer."""

from __future__ import annotations

import math
import multiprocessing
import time
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import psutil
from confluent_kafka import KafkaException, Producer

from benchmarks.events import Events, Message, World
from clients import registry
from settings import Settings

# Not forked: the parent has threads, and librdkafka does not survive it.
SPAWNED = multiprocessing.get_context("spawn")
PROCESSES = 2
CHUNK = 5_000  # events drawn at once
REPEATED_AFTER = {"fill": 3, "live": 50}  # chunks, until an event that is sent twice comes again
TURN_SECONDS = 0.01  # of live events: from one chunk to the next
STEP_SECONDS = (
    1.0  # of the events' time: one process fills a topic so far ahead of another, at most
)
STEP_DEADLINE_SECONDS = 60
PRODUCER = {
    "acks": "all",
    "compression.type": "lz4",
    "partitioner": "murmur2_random",  # Java's own
    "queue.buffering.max.messages": 400_000,
    "queue.buffering.max.kbytes": 400_000,
    "batch.num.messages": 10_000,
    "delivery.report.only.error": True,
}
# A topic on disk is filled in large batches; live events wait for others as long as Java's
# producer lets them.
LINGER_MILLIS = {"fill": 50, "live": 5}
NOW = 0  # as a record's timestamp


@dataclass(frozen=True)
class Sent:
    """What a driver did.

    Records that the broker acknowledged, its CPU seconds, how far it ever was behind, and the bytes
    of all values.
    """

    records: int
    cpu_seconds: float
    behind_seconds: float = 0.0
    value_bytes: int = 0

    @staticmethod
    def together(parts: list[Sent]) -> Sent:
        """What processes at the same time did."""
        return Sent(
            sum(each.records for each in parts),
            sum(each.cpu_seconds for each in parts),
            max(each.behind_seconds for each in parts),
            sum(each.value_bytes for each in parts),
        )


def fill(settings: Settings, world: World, events: int, rate: float, start_millis: int) -> Sent:
    """Fill the topic as if the events had come live, at `rate` a second from that time on.

    Repetitions come on top.
    """
    with _pool(SPAWNED.Barrier(PROCESSES)) as pool:
        parts = [
            pool.submit(_fill, settings, world, part, events, rate, start_millis)
            for part in range(PROCESSES)
        ]
        return Sent.together([each.result() for each in parts])


def _fill(
    settings: Settings, world: World, part: int, events: int, rate: float, start_millis: int
) -> Sent:
    drawn = Events(world, part, PROCESSES)
    size = PROCESSES * min(CHUNK, math.ceil(rate * STEP_SECONDS / PROCESSES))
    waited_until = 0.0
    with _Sender(settings, "fill") as sender:
        for first in range(0, events, size):
            if first / rate >= waited_until + STEP_SECONDS:  # or the slower one's would be late
                sender.flush()
                _shared[0].wait(STEP_DEADLINE_SECONDS)
                waited_until = first / rate
            numbers = range(first + part, min(first + size, events), PROCESSES)
            times = [start_millis + int(number / rate * 1000) for number in numbers]
            chunk = drawn.chunk(times)
            repeated = [(key, whole, times[-1]) for key, whole, _ in sender.repeated(drawn, chunk)]
            sender.send([*chunk[: len(chunk) - len(repeated)], *repeated])
    return sender.sent()


class Load:
    """Live events at a steady rate, from processes of their own.

    They come until so many seconds are over or it is stopped.
    """

    def __init__(self, settings: Settings, world: World, rate: float, seconds: float) -> None:
        self._is_stopped = SPAWNED.Event()
        self._pool = _pool(self._is_stopped)
        self._parts: list[Future[Sent]] = [
            self._pool.submit(_drive, settings, world, part, rate / PROCESSES, seconds)
            for part in range(PROCESSES)
        ]

    def stop(self) -> None:
        """Let no more events come."""
        self._is_stopped.set()

    def sent(self) -> Sent:
        """Wait for the end; what was done."""
        together = Sent.together([part.result() for part in self._parts])
        self._pool.shutdown()
        return together


def _drive(settings: Settings, world: World, part: int, rate: float, seconds: float) -> Sent:
    """An event is due at a time that nothing delays; its own time is when it is handed over."""
    drawn, behind = Events(world, part), 0.0
    with _Sender(settings, "live") as sender:
        began, handed = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds and not _shared[0].is_set():
            due = min(int(passed * rate), int(seconds * rate))
            if due - handed < rate * TURN_SECONDS:
                time.sleep(TURN_SECONDS)
                continue
            behind = max(behind, passed - handed / rate)
            chunk = drawn.chunk([int(time.time() * 1000)] * min(due - handed, CHUNK))
            sender.send([*chunk, *sender.repeated(drawn, chunk)])
            handed += len(chunk)
    return sender.sent(behind)


class _Sender:
    """A producer that is closed when all is acknowledged.

    Raises KafkaException when a record was refused.
    """

    def __init__(self, settings: Settings, how: str) -> None:
        own = {"bootstrap.servers": settings.brokers, "linger.ms": LINGER_MILLIS[how]}
        self._producer = Producer(own | PRODUCER)
        self._topic, self._repeated_after = settings.topic, REPEATED_AFTER[how]
        self._keeps_times = how == "fill"
        self._waiting: list[list[Message]] = []  # to be sent again
        self._refused: list[object] = []
        self._encode = registry.encoder(settings, settings.topic)
        self._handed = self._value_bytes = 0
        self._cpu_before = _cpu_seconds()

    def __enter__(self) -> _Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.flush()
        if self._refused:
            raise KafkaException(self._refused[0])

    def sent(self, behind_seconds: float = 0.0) -> Sent:
        """What it did, when it is closed."""
        cpu_seconds = _cpu_seconds() - self._cpu_before
        return Sent(self._handed, cpu_seconds, behind_seconds, self._value_bytes)

    def flush(self) -> None:
        """Wait until all is acknowledged."""
        self._producer.flush()

    def repeated(self, drawn: Events, chunk: list[Message]) -> list[Message]:
        """What is to be sent again now, of earlier chunks; some of this one later."""
        self._waiting.append(drawn.again(chunk))
        return self._waiting.pop(0) if len(self._waiting) > self._repeated_after + 1 else []

    def send(self, messages: list[Message]) -> None:
        """Hand records to the producer, and wait while that has too many."""
        for key, whole, millis in messages:
            value = self._encode(whole)
            self._value_bytes += len(value or b"")
            at = millis if self._keeps_times else NOW
            while True:
                try:
                    self._producer.produce(
                        self._topic, value, key, on_delivery=self._note, timestamp=at
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
        self._handed += len(messages)
        self._producer.poll(0)

    def _note(self, error: object, _: object) -> None:
        self._refused.append(error)


def _cpu_seconds() -> float:
    times = psutil.Process().cpu_times()
    return times.user + times.system


_shared: list[Any] = []


def _share(what: Any) -> None:
    """Remember in a new process what it has in common with the others."""
    _shared.append(what)


def _pool(shared: Any) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(PROCESSES, SPAWNED, _share, (shared,))
