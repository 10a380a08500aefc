"""The worker's command line: python -m generator overwatch."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError, MessageSizeTooLargeError
from kafka.structs import OffsetAndMetadata
from tenacity import RetryCallState, RetryError, Retrying, retry_if_exception_type, wait_fixed

from clients import kafka, registry
from clients.errors import SetupError
from games.overwatch import FAULT, GAME, MEMORY, REQUESTS, Request
from generator.overwatch.client import Client
from generator.overwatch.memory import Memory
from generator.overwatch.profiles import Answer, Profiles
from generator.stop import Stop
from settings import Settings, settings

GROUP = "overwatch-worker"
POLL_SECONDS = 0.5  # also how long Ctrl-C waits
OLD_SECONDS = 600  # whoever sent such a request waits no more
SEND_SECONDS = 30
PRODUCER = {
    "acks": "all",
    "enable_idempotence": True,
    "compression_type": "gzip",
    # Before compression, which makes a tenth of a whole profile; the broker looks after it.
    "max_request_size": 16 * 2**20,
    "delivery_timeout_ms": SEND_SECONDS * 1000,
    "request_timeout_ms": 10_000,
    "bootstrap_timeout_ms": 3_000,
    "max_block_ms": 3_000,
    "allow_auto_create_topics": False,
}
logging.getLogger("kafka").setLevel(logging.CRITICAL)  # what is wrong is said here, once


def main(words: list[str] | None = None) -> int:
    """Work until stopped. Exit code 0: stopped, 1: Kafka cannot be used at all.

    Bad usage raises SystemExit(2).
    """
    argparse.ArgumentParser(
        prog="python -m generator overwatch",
        description="Fetches the Overwatch profiles that are asked for on the topic "
        f"{REQUESTS.name}, from {settings.profile_api_url}, and answers on the topic "
        f"{GAME.topic(settings)}.",
        epilog="Ctrl-C ends it; requests that are not answered yet are taken up again at the next "
        "start. Run one only: each asks five questions a second at most. Exit code: 0 stopped, "
        "1 Kafka refuses the login, 2 bad usage.",
    ).parse_args(words)
    stop = Stop()
    stop.listen()
    attempts = Retrying(
        retry=retry_if_exception_type((KafkaError, registry.RegistryUnavailable)),
        wait=wait_fixed(2),
        stop=lambda _: stop.is_asked(),
        before_sleep=_say_attempt,
    )
    try:
        attempts(_work, settings, stop)
    except RetryError:
        return 0  # stopped while the broker was away
    except SetupError as error:
        _say(str(error))
        return 1
    return 0


def _say(message: str) -> None:
    print(f"overwatch: {message}", file=sys.stderr, flush=True)


def _say_attempt(state: RetryCallState) -> None:
    cause = state.outcome.exception() if state.outcome else None
    _say(f"waiting for the broker at {settings.brokers}: {cause!r}")


def _work(settings: Settings, stop: Stop) -> None:
    """Take requests and answer them.

    Raises KafkaError when the broker is away, and RegistryUnavailable at its start.
    """
    with (
        closing(kafka.client(KafkaProducer, settings, **PRODUCER)) as producer,
        closing(kafka.reader(settings, auto_offset_reset="earliest", group_id=GROUP)) as consumer,
    ):
        topics = Topics(producer, consumer, settings)
        memory = Memory(topics.remember, time.time, topics.remembered())
        client = Client(settings.profile_api_url, time.time, time.sleep)
        profiles = Profiles(client.get, memory, topics.answer, time.time)
        topics.begin()
        _say(f"fetches profiles from {settings.profile_api_url}")
        while not stop.is_asked():
            idle = profiles.idle_seconds
            for request, offset in topics.requests(POLL_SECONDS if idle is None else idle):
                profiles.add(request, offset)
            profiles.step()
            topics.commit(profiles.first_open)


class Topics:
    """The worker's side of Kafka: requests in, answers out, and what must not be forgotten."""

    def __init__(
        self, producer: KafkaProducer, consumer: KafkaConsumer, settings: Settings
    ) -> None:
        self._producer, self._consumer = producer, consumer
        self._answers = GAME.topic(settings)
        self._encode = registry.encoder(settings, self._answers)
        self._partition = TopicPartition(REQUESTS.name, 0)
        self._committed: int | None = None

    def remembered(self) -> Iterator[tuple[str, bytes | None]]:
        """All records of the topic of what is remembered, in their order."""
        partition = TopicPartition(MEMORY.name, 0)
        self._consumer.assign([partition])
        self._consumer.seek_to_beginning(partition)
        end = self._consumer.end_offsets([partition])[partition]
        while self._consumer.position(partition) < end:
            for records in self._consumer.poll(timeout_ms=500).values():
                yield from ((each.key.decode(errors="replace"), each.value) for each in records)

    def remember(self, key: str, value: bytes | None) -> None:
        """Keep a record of that topic."""
        try:
            self._send(MEMORY.name, key, value)
        except MessageSizeTooLargeError:
            _say(f"{key}: too long to be remembered beyond this process")

    def begin(self) -> None:
        """Go on behind the last request that was answered."""
        self._consumer.assign([self._partition])

    def requests(self, seconds: float) -> Iterator[tuple[Request, int]]:
        """The requests that come within so long, each with its offset."""
        wait = min(seconds, POLL_SECONDS)
        polled = self._consumer.poll(timeout_ms=int(wait * 1000))
        for record in polled.get(self._partition, []):
            if time.time() - record.timestamp / 1000 > OLD_SECONDS:
                _say(f"request {record.offset} is too old to be answered")
                continue
            try:
                yield Request.read(record.value), record.offset
            except (ValueError, RecursionError) as error:
                _say(f"request {record.offset} is left out: {error}")

    def answer(self, answer: Answer) -> None:
        """Send an answer; one that is too long becomes a fault."""
        try:
            self._send(self._answers, answer["player_id"], self._encode(_json(answer)))
        except MessageSizeTooLargeError:
            answer |= {"status": FAULT, "detail": "it told too much", "statistics": []}
            self._send(self._answers, answer["player_id"], self._encode(_json(answer)))
        who = " ".join(answer[name] for name in ("player_id", "platform", "gamemode"))
        said = ": ".join(filter(None, (answer["status"], answer["detail"])))
        _say(f"{who}: {said}, {len(answer['statistics']):,} statistics")

    def _send(self, topic: str, key: str, value: bytes | None) -> None:
        self._producer.send(topic, key=key.encode(), value=value).get(timeout=SEND_SECONDS)

    def commit(self, first_open: int | None) -> None:
        """Note that all requests before this one, or all that were read, are answered."""
        done = self._consumer.position(self._partition) if first_open is None else first_open
        if done != self._committed:
            self._consumer.commit({self._partition: OffsetAndMetadata(done, "", -1)})
            self._committed = done


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
