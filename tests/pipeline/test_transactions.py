"""Jobs count what a transaction has written once it is committed, and never before or otherwise."""

from __future__ import annotations

import json
from contextlib import closing

from kafka import KafkaProducer

from clients import kafka
from tests import bounded
from tests.bounded import Message
from tests.conftest import DEADLINE_SECONDS, Stack, eventually

START = 1_772_366_400_000


def event(user_id: str, score: int, **other: str) -> bytes:
    fields = {"user_id": user_id, "team_id": "red", "team_name": "Red", "score": score}
    return json.dumps(fields | {"event_time_millis": START} | other).encode()


def test_only_what_is_committed_counts(stack: Stack):
    with bounded.running(stack, [Message(0, START, event("plain", 1))]) as settings:

        def send(producer: KafkaProducer, partition: int, *values: bytes) -> None:
            for value in values:
                producer.send(settings.topic, value, partition=partition, timestamp_ms=START)
            producer.flush()

        def expect(totals: dict[str, int], rejected: list[str]) -> None:
            rows = bounded.rows(settings)
            found = {row["user_id"]: row["total_score"] for row in rows["player_totals"]}
            assert found == totals
            assert {row["user_id"]: row["total_score"] for row in rows["top_players"]} == totals
            assert [row["payload"] for row in rows["rejected_events"]] == rejected

        with (
            closing(kafka.client(KafkaProducer, settings, transactional_id="a")) as producer,
            closing(
                kafka.client(
                    KafkaProducer,
                    settings,
                    transactional_id="b",
                    transaction_timeout_ms=DEADLINE_SECONDS * 1000,
                )
            ) as slow,
        ):
            producer.init_transactions()
            slow.init_transactions()
            slow.begin_transaction()
            send(slow, 1, event("slow", 777), b"slow nonsense")
            producer.begin_transaction()
            send(producer, 0, event("aborted", 999_999), event("x", 9_000, event_id="x"), b"none")
            producer.abort_transaction()
            producer.begin_transaction()
            send(producer, 0, event("x", 5, event_id="x"), b"nonsense")
            producer.commit_transaction()
            bounded.send(settings, [Message(2, START, event("after", 2))])
            eventually(lambda: expect({"plain": 1, "x": 5, "after": 2}, ["nonsense"]))
            slow.commit_transaction()
            everybody = {"plain": 1, "x": 5, "after": 2, "slow": 777}
            eventually(lambda: expect(everybody, ["nonsense", "slow nonsense"]))
