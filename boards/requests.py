"""Requests that readers send: records of a topic that a service answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing

from kafka import KafkaProducer
from kafka.errors import KafkaError

from clients import kafka
from clients.errors import BoardsUnavailable, first_line
from settings import Settings

PRODUCER = {
    "acks": "all",
    "bootstrap_timeout_ms": kafka.ANSWER_SECONDS * 1000,
    "max_block_ms": kafka.ANSWER_SECONDS * 1000,
    "allow_auto_create_topics": False,  # it would be kept for ever
}


def send(topic: str, key: str, request: Mapping[str, object], settings: Settings) -> None:
    """Send a request, and wait until the broker has it. Raises BoardsUnavailable."""
    try:
        with closing(kafka.client(KafkaProducer, settings, **PRODUCER)) as producer:
            sent = producer.send(topic, key=key.encode(), value=json.dumps(request).encode())
            sent.get(timeout=kafka.ANSWER_SECONDS)
    except KafkaError as error:
        what = f"Kafka at {settings.brokers} does not take the request: {first_line(error)}."
        raise BoardsUnavailable(f"{what} {kafka.remedy(error, settings)}") from error
