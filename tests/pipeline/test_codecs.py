"""Flink reads what any producer sends, whatever compresses it."""

from __future__ import annotations

import json

from kafka import KafkaProducer

from tests import bounded
from tests.conftest import Stack, eventually

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
START = 1_772_366_400_000  # 2026-03-01T12:00Z


def test_an_event_of_each_codec_counts(stack: Stack):
    with bounded.running(stack, []) as settings:
        for codec in CODECS:
            producer = KafkaProducer(
                bootstrap_servers=settings.brokers,
                compression_type=None if codec == "none" else codec,
            )
            event = {
                "user_id": codec,
                "team_id": "red",
                "team_name": "Red Fox",
                "score": 5,
                "event_time_millis": START,
            }
            producer.send(settings.topic, json.dumps(event).encode(), timestamp_ms=START)
            producer.close()

        def check() -> None:
            rows = bounded.rows(settings)["player_totals"]
            assert {row["user_id"]: row["total_score"] for row in rows} == dict.fromkeys(CODECS, 5)

        eventually(check)
