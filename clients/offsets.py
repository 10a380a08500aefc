"""Where Kafka's topics begin and end, and how far consumer groups have read them.

Offsets are no numbers of records: each transaction takes one for its marker, and those of aborted
records stay unused.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import CoordinatorNotAvailableError
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    wait_fixed,
)

from clients import kafka
from clients.errors import SetupError
from settings import Settings

ANSWER_MILLIS = 5_000
COORDINATOR_SECONDS = 30
FETCHED_BYTES = 65_536  # of a partition, to see whether anything is left there
Offsets = dict[int, int]  # by partition


@contextmanager
def admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    """An admin client that raises KafkaError rather than wait for long."""
    options = {"bootstrap_timeout_ms": ANSWER_MILLIS, "request_timeout_ms": ANSWER_MILLIS}
    with closing(kafka.client(KafkaAdminClient, settings, **options)) as client:
        yield client


def partitions(client: KafkaAdminClient, topic: str) -> list[TopicPartition]:
    """All partitions of a topic."""
    (described,) = client.describe_topics([topic])
    return [TopicPartition(topic, each["partition_index"]) for each in described["partitions"]]


def topic_id(client: KafkaAdminClient, topic: str) -> str:
    """What tells a topic from another that had its name before, and was deleted."""
    (described,) = client.describe_topics([topic])
    return str(described["topic_id"])


def topic_id_of(settings: Settings, topic: str) -> str:
    """The same. Raises KafkaError when the broker does not answer."""
    with admin(settings) as client:
        return topic_id(client, topic)


def starts(client: KafkaAdminClient, of: list[TopicPartition]) -> Offsets:
    """The first offset that each partition still holds."""
    return _offsets(client, of, OffsetSpec.EARLIEST)


def ends(client: KafkaAdminClient, of: list[TopicPartition]) -> Offsets:
    """The offset up to which each partition can be read: before its first open transaction."""
    return _offsets(client, of, OffsetSpec.LATEST)


def since(client: KafkaAdminClient, of: list[TopicPartition], millis: int) -> Offsets:
    """The first offset in each partition from a time (epoch milliseconds) on; -1 where none is."""
    return _offsets(client, of, millis)


def _offsets(client: KafkaAdminClient, of: list[TopicPartition], spec: int) -> Offsets:
    listed = client.list_partition_offsets(dict.fromkeys(of, spec), kafka.ISOLATION)
    return {partition.partition: each.offset for partition, each in listed.items()}


def first_unread(settings: Settings, topic: str, reached: Offsets) -> Offsets:
    """The offset of the first record that is left for who has come so far in each partition.

    Where nothing is left but markers of transactions and aborted records, it is the end. Raises
    KafkaError when the broker does not answer.
    """
    with closing(kafka.reader(settings, max_partition_fetch_bytes=FETCHED_BYTES)) as consumer:
        partitions = [TopicPartition(topic, number) for number in reached]
        consumer.assign(partitions)
        for each in partitions:
            consumer.seek(each, reached[each.partition])
        return dict(_first_offsets(consumer, partitions))


def _first_offsets(
    consumer: KafkaConsumer, waiting: list[TopicPartition]
) -> Iterator[tuple[int, int]]:
    ends = consumer.end_offsets(waiting)
    until = time.monotonic() + kafka.ANSWER_SECONDS
    while waiting:
        polled = consumer.poll(timeout_ms=200)
        is_late = time.monotonic() > until
        for each in [*waiting]:
            position = consumer.position(each)
            if polled.get(each) or position >= ends[each] or is_late:
                yield each.partition, polled[each][0].offset if polled.get(each) else position
                waiting.remove(each)
                consumer.pause(each)


def committed(client: KafkaAdminClient, topic: str, group: str) -> Offsets:
    """The offsets of a topic that a consumer group has committed."""
    listed = client.list_group_offsets(group)[group]
    return {
        partition.partition: each.offset
        for partition, each in listed.items()
        if partition.topic == topic
    }


def end(settings: Settings, topic: str) -> int:
    """The records that a topic ever had, in which nobody writes by transactions.

    Raises KafkaError when the broker does not answer.
    """
    with admin(settings) as client:
        return sum(ends(client, partitions(client, topic)).values())


def complete_since(settings: Settings, topic: str) -> int:
    """The time in epoch milliseconds since when a topic holds every record; 0 when it lost none.

    Raises KafkaError when the broker does not answer.
    """
    with admin(settings) as client:
        of = partitions(client, topic)
        first_held = starts(client, of)
        firsts = client.list_partition_offsets(dict.fromkeys(of, 0))
    shortened = [first for each, first in firsts.items() if first_held[each.partition]]
    now = int(time.time() * 1000)
    times = (first.timestamp if first.offset >= 0 else now for first in shortened)
    return max(times, default=0)


def first_record_at(settings: Settings, topic: str) -> int:
    """The time in epoch milliseconds of a topic's first record; now when it has none.

    Raises KafkaError when the broker does not answer.
    """
    with admin(settings) as client:
        firsts = client.list_partition_offsets(dict.fromkeys(partitions(client, topic), 0))
    times = (first.timestamp for first in firsts.values() if first.offset >= 0)
    return min(times, default=int(time.time() * 1000))


def forget(settings: Settings, groups: Iterable[str]) -> None:
    """Delete what consumer groups have committed. Raises SetupError when Kafka refuses."""
    # A new broker makes its topic of offsets when it is asked for the first group.
    patiently = Retrying(
        retry=retry_if_exception_type(CoordinatorNotAvailableError) | retry_if_result(bool),
        wait=wait_fixed(0.25),
        stop=stop_after_delay(COORDINATOR_SECONDS),
    )
    try:
        with admin(settings) as client:
            patiently(_refused, client, list(groups))
    except RetryError as error:
        last = error.last_attempt
        why = last.exception() or last.result()
        raise SetupError(f"Kafka does not delete the offsets of earlier jobs: {why}") from error


def _refused(client: KafkaAdminClient, groups: list[str]) -> dict[str, str]:
    answers = client.delete_groups(groups)
    return {
        group: answer
        for group, answer in answers.items()
        if answer not in ("OK", "GroupIdNotFoundError")
    }
