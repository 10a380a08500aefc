"""Where records go: a Kafka topic, or lines. Every record ends as acknowledged or failed."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError
from kafka.producer.future import FutureRecordMetadata
from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception_type, wait_fixed

from clients import kafka, registry
from clients.errors import first_line
from generator.record import Record
from settings import settings

# Records without acknowledgement, about 100 MB; the producer itself has no bound.
MAX_PENDING = 50_000
SETTLE_EVERY = 500  # records; asking more often costs time, less often memory
MESSAGE_SECONDS = 5.0  # between two messages about an absent broker
PRODUCER = {
    "enable_idempotence": True,
    "acks": "all",
    "compression_type": "gzip",  # smaller batches cost less of Python's time than compressing them
    "linger_ms": 100,  # a quiet game wakes nobody more often
    "batch_size": 128 * 1024,
    "delivery_timeout_ms": 7 * 86_400_000,  # an absent broker is waited for, not given up
    "request_timeout_ms": 10_000,
    "reconnect_backoff_max_ms": 1_000,
    "bootstrap_timeout_ms": 3_000,
    "max_block_ms": 3_000,
    "allow_auto_create_topics": False,  # it would have the wrong partitions and timestamps
    "metrics_enabled": False,
}
# The producer reports each failed attempt; the messages here say it once.
logging.getLogger("kafka").setLevel(logging.CRITICAL)


@dataclass
class Tally:
    """Records that were handed over, what became of them, and in how many seconds."""

    sent: int = 0
    acknowledged: int = 0
    failed: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"sent {self.sent:,}, acknowledged {self.acknowledged:,}, failed {self.failed:,}"

    def __add__(self, other: Tally) -> Tally:
        """What two processes did at the same time."""
        sums = (
            self.sent + other.sent,
            self.acknowledged + other.acknowledged,
            self.failed + other.failed,
        )
        return Tally(*sums, max(self.seconds, other.seconds))


class Writer(Protocol):
    """Takes records; `tally` is up to date after `settle`."""

    tally: Tally

    def open(self) -> bool:
        """Wait until records can be written; False if stopped before."""

    def has_room(self) -> bool:
        """Whether one more record may be sent now."""

    def send(self, record: Record) -> None:
        """Take one record."""

    def settle(self) -> None:
        """Count what was acknowledged or failed since the last time."""

    def close(self, gives_up: Callable[[], bool]) -> None:
        """Wait until all is settled or `gives_up`; then whatever is left counts as failed."""


class LineWriter:
    """Writes values as lines; an empty line stands for an empty value or a tombstone."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.tally = Tally()

    def open(self) -> bool:
        return True

    def has_room(self) -> bool:
        return True

    def send(self, record: Record) -> None:
        self._stream.write((record.value or b"") + b"\n")
        self.tally.sent += 1

    def settle(self) -> None:
        self._stream.flush()
        self.tally.acknowledged = self.tally.sent

    def close(self, gives_up: Callable[[], bool]) -> None:
        self.settle()


class KafkaWriter:
    """Sends to a topic with an idempotent producer.

    `wait` waits for so many seconds or less, `is_stopped` ends the waiting for
    a broker, and `say` takes the messages to the user.
    """

    def __init__(
        self,
        brokers: str,
        topic: str,
        wait: Callable[[float], None],
        is_stopped: Callable[[], bool],
        say: Callable[[str], None],
    ) -> None:
        self._brokers, self._topic = brokers, topic
        self._wait, self._is_stopped, self._say = wait, is_stopped, say
        self._pending: deque[FutureRecordMetadata] = deque()
        self._progress_at = self._said_at = time.monotonic()
        self.tally = Tally()

    def open(self) -> bool:
        attempts = Retrying(
            retry=retry_if_exception_type((KafkaError, registry.RegistryUnavailable)),
            wait=wait_fixed(0.5),
            stop=lambda _: self._is_stopped(),
            sleep=self._wait,
            before_sleep=self._say_attempt,
        )
        try:
            self._producer = attempts(self._connect)
        except RetryError:
            return False
        self._progress_at = time.monotonic()
        return True

    def _connect(self) -> KafkaProducer:
        where = {"bootstrap_servers": self._brokers.split(",")}
        producer = kafka.client(KafkaProducer, settings, **where, **PRODUCER)
        try:
            producer.partitions_for(self._topic)
        except KafkaError as error:
            producer.close(timeout=0)
            raise KafkaTimeoutError(
                f"it has no topic {self._topic}; scripts/run_all.sh makes those of its games"
            ) from error
        try:
            self._encode = registry.encoder(settings, self._topic)
        except registry.RegistryUnavailable:
            producer.close(timeout=0)
            raise
        return producer

    def _say_attempt(self, state: RetryCallState) -> None:
        cause = state.outcome.exception() if state.outcome else None
        self._say_waiting(f": {first_line(cause)}" if isinstance(cause, Exception) else "")

    def _say_waiting(self, detail: str) -> None:
        now = time.monotonic()
        if now - self._progress_at >= MESSAGE_SECONDS <= now - self._said_at:
            seconds = now - self._progress_at
            self._say(f"waiting for the broker at {self._brokers} since {seconds:.0f} s{detail}")
            self._said_at = now

    def has_room(self) -> bool:
        if len(self._pending) >= MAX_PENDING:
            self.settle()
        return len(self._pending) < MAX_PENDING

    def send(self, record: Record) -> None:
        if not self._pending:
            self._progress_at = time.monotonic()  # until now there was nothing to wait for
        value = self._encode(record.value)
        while not self._is_stopped():
            try:
                self._pending.append(self._producer.send(self._topic, key=record.key, value=value))
                break
            except KafkaTimeoutError as error:
                # The topic is unknown while its broker starts; the producer kept nothing.
                self._say_waiting(f": {first_line(error)}")
        else:
            return
        self.tally.sent += 1
        if self.tally.sent % SETTLE_EVERY == 0:
            self.settle()

    def settle(self) -> None:
        pending, before = self._pending, len(self._pending)
        while pending and pending[0].is_done:
            future = pending.popleft()
            if future.succeeded():
                self.tally.acknowledged += 1
            else:
                self._fail(future.exception)
        if len(pending) < before:
            self._progress_at = time.monotonic()
        elif pending:
            self._say_waiting(f"; {len(pending)} records are not acknowledged yet")

    def _fail(self, cause: object) -> None:
        if not self.tally.failed:
            self._say(f"a record was refused: {cause!r}; further ones are only counted")
        self.tally.failed += 1

    def close(self, gives_up: Callable[[], bool]) -> None:
        self.settle()
        while self._pending and not gives_up():
            self._wait(0.02)
            self.settle()
        if not self._pending:
            self._producer.close(timeout=5)
            return
        unsettled = len(self._pending)
        self.tally.failed += unsettled
        self._say(f"{unsettled} records were not acknowledged in time; the topic may lack them")
        # When the program ends, the producer closes itself, waits once more, and fails with a
        # traceback.
        self._producer.close = lambda **_: None
