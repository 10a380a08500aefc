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

from benchmarks.events import Events, World

# Not forked: the parent has threads, and librdkafka does not survive it.
SPAWNED = multiprocessing.get_context("spawn")
PROCESSES = 2
CHUNK = 5_000  # events drawn at once
REPEATED_AFTER = 3  # chunks, until an event that is sent twice comes again
STEP_SECONDS = 1.0  # of the events' time: so far is one process that fills a topic ahead of another, at most
STEP_DEADLINE_SECONDS = 60
PRODUCER = {
    "acks": "all",
    "compression.type": "lz4",
    "partitioner": "murmur2_random",  # Java's own
    "queue.buffering.max.messages": 400_000,
    "queue.buffering.max.kbytes": 400_000,
    "batch.num.messages": 10_000,
}
# A topic on disk is filled in large batches; live events wait for others for as long as Java's producer lets them.
LINGER_MILLIS = {"fill": 50, "live": 5}


@dataclass(frozen=True)
class Sent:
    """What a driver did: records that the broker acknowledged, its CPU seconds, and how far it ever was behind."""

    records: int
    cpu_seconds: float
    behind_seconds: float = 0.0

    @staticmethod
    def together(parts: list[Sent]) -> Sent:
        """What processes at the same time did."""
        return Sent(
            sum(each.records for each in parts),
            sum(each.cpu_seconds for each in parts),
            max(each.behind_seconds for each in parts),
        )


def fill(brokers: str, topic: str, world: World, events: int, rate: float, start_millis: int, processes: int) -> Sent:
    """Fill a topic as if the events had come live, at `rate` a second from `start_millis` on; repetitions count."""
    arguments = [(brokers, topic, world, part, processes, events, rate, start_millis) for part in range(processes)]
    with _pool(processes, SPAWNED.Barrier(processes)) as pool:
        return Sent.together(list(pool.map(_fill, arguments)))


def _fill(given: tuple) -> Sent:
    brokers, topic, world, part, processes, events, rate, start_millis = given
    made, earlier = Events(world, part, processes), []
    size, waited = processes * min(CHUNK, math.ceil(rate * STEP_SECONDS / processes)), 0.0
    with _Sender(brokers, topic, "fill") as sender:
        for first in range(0, events, size):
            if first / rate >= waited + STEP_SECONDS:  # or the events of the slower one would be late
                sender.flush()
                _shared[0].wait(STEP_DEADLINE_SECONDS)
                waited = first / rate
            numbers = range(first + part, min(first + size, events), processes)
            times = [start_millis + int(number / rate * 1000) for number in numbers]
            chunk = made.chunk(times)
            repeated = earlier.pop(0) if len(earlier) > REPEATED_AFTER else []
            earlier.append(made.again(chunk))
            for key, whole, at in [
                *chunk[: len(chunk) - len(repeated)],
                *((*each[:2], times[-1]) for each in repeated),
            ]:
                sender.send(key, whole, at)
    return sender.sent()


class Load:
    """Live events at a steady rate, from processes of their own, until so many seconds are over or it is stopped."""

    def __init__(self, brokers: str, topic: str, world: World, rate: float, seconds: float, processes: int) -> None:
        self._is_stopped = SPAWNED.Event()
        self._pool = _pool(processes, self._is_stopped)
        self._parts: list[Future[Sent]] = [
            self._pool.submit(_drive, brokers, topic, world, part, rate / processes, seconds)
            for part in range(processes)
        ]

    def stop(self) -> None:
        """Let no more events come."""
        self._is_stopped.set()

    def sent(self) -> Sent:
        """Wait for the end; what was done."""
        done = Sent.together([part.result() for part in self._parts])
        self._pool.shutdown()
        return done


def _share(what: Any) -> None:
    """Remember in a new process what it has in common with the others."""
    _shared.append(what)


_shared: list[Any] = []


def _drive(brokers: str, topic: str, world: World, part: int, rate: float, seconds: float) -> Sent:
    """An event is due at a time that nothing delays; its own time is the moment at which it is handed over."""
    made, earlier, behind = Events(world, part), [], 0.0
    with _Sender(brokers, topic, "live") as sender:
        began, handed = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds and not _shared[0].is_set():
            due = min(int(passed * rate), int(seconds * rate))
            if due - handed < rate / 100:  # a hundred turns a second
                time.sleep(0.01)
                continue
            behind = max(behind, passed - handed / rate)
            chunk = made.chunk([int(time.time() * 1000)] * min(due - handed, CHUNK))
            repeated = earlier.pop(0) if len(earlier) > 50 else []
            earlier.append(made.again(chunk))
            for key, whole, _ in [*chunk, *repeated]:
                sender.send(key, whole)
            handed += len(chunk)
    return Sent(sender.acknowledged, sender.cpu_seconds, behind)


class _Sender:
    """A producer that is closed when all is acknowledged. Raises KafkaException when a record was refused."""

    def __init__(self, brokers: str, topic: str, how: str) -> None:
        self._topic = topic
        self._producer = Producer({"bootstrap.servers": brokers, "linger.ms": LINGER_MILLIS[how], **PRODUCER})
        self._refused: list[object] = []
        self._handed = 0
        self._cpu_before = _cpu_seconds()
        self.acknowledged, self.cpu_seconds = 0, 0.0

    def __enter__(self) -> _Sender:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.flush()
        if self._refused:
            raise KafkaException(self._refused[0])
        self.acknowledged, self.cpu_seconds = self._handed, _cpu_seconds() - self._cpu_before

    def sent(self) -> Sent:
        return Sent(self.acknowledged, self.cpu_seconds)

    def flush(self) -> None:
        self._producer.flush()

    def send(self, key: bytes, whole: bytes | None, millis: int = 0) -> None:
        while True:
            try:
                self._producer.produce(self._topic, whole, key, on_delivery=self._note, timestamp=millis)
                break
            except BufferError:
                self._producer.poll(0.1)
        self._handed += 1
        if self._handed % 1_000 == 0:
            self._producer.poll(0)

    def _note(self, error: object, _: object) -> None:
        if error:
            self._refused.append(error)


def _cpu_seconds() -> float:
    times = psutil.Process().cpu_times()
    return times.user + times.system


def _pool(processes: int, shared: Any) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, SPAWNED, _share, (shared,))
