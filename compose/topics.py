"""The Kafka side: the topic of the score events and the compacted topics of the boards."""

from __future__ import annotations

import json

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaTimeoutError

from compose import broker
from compose.errors import SetupError
from jobs import sql
from settings import Settings

HOUR_MILLIS = 3_600_000
CONNECT_MILLIS = 15_000
BANS = "bans"  # who is banned, for readers of the boards in Kafka
REMOVED = "removed"  # header of a null value that ends a row for good: its job begins anew


def create(settings: Settings) -> None:
    """Create the topics that are not there yet. Raises SetupError when the broker does not let us in."""
    try:
        admin = broker.client(KafkaAdminClient, settings, bootstrap_timeout_ms=CONNECT_MILLIS)
    except KafkaTimeoutError:  # it names no cause
        raise SetupError(
            f"Kafka at {settings.brokers} does not answer within {CONNECT_MILLIS // 1000} s, or refuses the login, or "
            "shows a certificate that is not trusted. Its log tells which; the settings are LEADERBOARD_KAFKA_…"
        ) from None
    try:
        known = set(admin.list_topics())
        missing = {name: options for name, options in _topics(settings).items() if name not in known}
        if missing:
            admin.create_topics(missing, wait_for_metadata=True)
    finally:
        admin.close()


def _topics(settings: Settings) -> dict[str, dict]:
    events = {
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(retention_millis(settings)),
    }
    names = (*sql.tables(sql.METRICS, "kafka", settings), BANS)
    boards = {sql.board_topic(name): {"num_partitions": 1, "configs": _board_config(name)} for name in names}
    return {settings.topic: {"num_partitions": settings.topic_partitions, "configs": events}, **boards}


def retention_millis(settings: Settings) -> int:
    """How long the topic must keep events so that every open season can be rebuilt; -1 is for ever."""
    season = sql.season_millis(settings.season)
    if season is None:
        return -1
    return season + (settings.max_late_hours + settings.max_outage_hours) * HOUR_MILLIS


def _board_config(name: str) -> dict[str, str]:
    # Who opens the boards reads all that is there, and only full segments are compacted.
    # A removed row's null must outlive a reader that is away for an hour.
    compacted = {"cleanup.policy": "compact", "delete.retention.ms": str(HOUR_MILLIS), "segment.ms": "60000"}
    if name not in sql.KEPT_MILLIS:
        return compacted
    _, millis = sql.KEPT_MILLIS[name]
    return compacted | {"cleanup.policy": "compact,delete", "retention.ms": str(max(millis, 10 * 60_000))}


def clear(settings: Settings, names: list[str], since: int = 0) -> None:
    """Remove the rows of these metrics' topics, but for what is older than `since` in epoch milliseconds."""
    for name in names:
        topic, column = sql.board_topic(name), sql.kept_by(name)
        rows = _live_rows(settings, topic) if since and column else {}
        replace(settings, topic, {key: row for key, row in rows.items() if json.loads(row)[column] < since})


def replace(settings: Settings, topic: str, rows: dict[bytes, bytes]) -> None:
    """Make these the rows of a compacted topic; others end by a null value with the header REMOVED.

    Raises KafkaError when the broker does not take them.
    """
    producer = broker.client(KafkaProducer, settings, acks="all")
    try:
        gone = dict.fromkeys(_live_rows(settings, topic))
        sent = [
            producer.send(topic, key=key, value=value, headers=None if value else [(REMOVED, b"")])
            for key, value in (gone | rows).items()
        ]
        for each in sent:
            each.get(timeout=30)
    finally:
        producer.close()


def _live_rows(settings: Settings, topic: str) -> dict[bytes, bytes]:
    consumer = broker.client(KafkaConsumer, settings, enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
        consumer.assign(partitions)
        consumer.seek_to_beginning()
        ends = consumer.end_offsets(partitions)
        latest: dict[bytes, bytes | None] = {}
        while any(consumer.position(each) < ends[each] for each in partitions):
            for records in consumer.poll(timeout_ms=1000).values():
                latest.update((record.key, record.value) for record in records)
    finally:
        consumer.close()
    return {key: value for key, value in latest.items() if value is not None}
