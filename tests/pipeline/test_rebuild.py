"""A rebuild empties what the topic can fill again, and leaves alone what it cannot."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from boards.sinks import sink
from clients import offsets, postgres
from settings import Settings
from tests import bounded
from tests.bounded import Message
from tests.conftest import Stack

YESTERDAY, TODAY = 1_772_323_200_000, 1_772_409_600_000
NOON = TODAY + 12 * 3_600_000


@pytest.fixture
def own(stack: Stack) -> Settings:
    """A database of its own with a season of yesterday and one of today."""
    settings = replace(stack.settings, postgres_url=bounded.database(stack, "rebuild"))
    sink("postgres", settings).create([bounded.GAME])
    with postgres.connect(postgres.owner_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute("TRUNCATE flink.late_events, flink.hot_streaks")
        cursor.execute("INSERT INTO flink.late_events VALUES (%s, 3), (%s, 4)", [YESTERDAY, TODAY])
        cursor.execute(
            "INSERT INTO flink.hot_streaks (window_end, user_id) VALUES (%s, 'ada')", [NOON]
        )
    return settings


@pytest.mark.parametrize(
    ("since", "kept"), [(0, []), (TODAY, [YESTERDAY]), (NOON, [YESTERDAY, TODAY])]
)
def test_a_season_that_began_before_the_topic_does_is_kept(own, since, kept):
    tables = [bounded.GAME.table(name) for name in ("late_events", "hot_streaks")]
    sink("postgres", own).clear(tables, since)
    rows = bounded.rows(own)
    assert sorted(row["season_start"] for row in rows["late_events"]) == kept
    assert rows["hot_streaks"] == []


def test_a_topic_is_complete_since_the_first_record_that_retention_left(stack):
    settings = replace(stack.settings, topic="rebuild")
    bounded.create_topic(settings)
    bounded.send(
        settings, [Message(0, TODAY, b"{}"), Message(0, NOON, b"{}"), Message(1, TODAY, b"{}")]
    )
    assert offsets.complete_since(settings, settings.topic) == 0
    with closing(KafkaAdminClient(bootstrap_servers=settings.brokers)) as admin:
        admin.delete_records({TopicPartition(settings.topic, 0): 1})
    assert offsets.complete_since(settings, settings.topic) == NOON
