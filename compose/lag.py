"""How far each job has read the topic, and what was deleted there before a job had read it.

A job commits the offsets of each completed checkpoint to a consumer group of its own.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from kafka.errors import CoordinatorNotAvailableError
from tenacity import RetryError, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from compose import broker
from jobs import job
from jobs.job import JobError
from settings import Settings

ANSWER_MILLIS = 5_000
COORDINATOR_SECONDS = 30
Offsets = dict[int, int]  # by partition


@dataclass(frozen=True)
class Lag:
    """Records that a job has not read: all of them, and those that it should have by now."""

    records: int
    overdue: int


@dataclass(frozen=True)
class Gap:
    """Records of a partition that were deleted before a job had read them: from offset `first` to offset `last`."""

    job: str
    topic: str
    partition: int
    first: int
    last: int
    seen_at: str

    @property
    def records(self) -> int:
        """How many they are."""
        return self.last - self.first + 1

    def __str__(self) -> str:
        return (
            f"{self.records:,} records of {self.topic}-{self.partition} (offsets {self.first} to {self.last}) "
            f"were deleted before '{self.job}' had read them"
        )


@dataclass(frozen=True)
class Reading:
    """Where each partition of the topic ends, and the lag of each job by its name; nothing when Kafka is away."""

    ends: Offsets = field(default_factory=dict)
    lags: dict[str, Lag] = field(default_factory=dict)


def look(settings: Settings, jobs: Iterable[str], late_seconds: float) -> Reading:
    """How far the jobs of these names are; a record older than `late_seconds` should have been read.

    A gap that shows is remembered. Raises KafkaError when the broker does not answer.
    """
    groups = {title: job.group(title) for title in sorted(set(job.taken(jobs).values()))}
    with _admin(settings) as admin:
        partitions = _partitions(admin, settings.topic)
        # In this order, so that no record seems deleted, or unread, that was read between two questions.
        starts = _offsets(admin, partitions, OffsetSpec.EARLIEST)
        ends = _offsets(admin, partitions, OffsetSpec.LATEST)
        late = _offsets(admin, partitions, int((time.time() - late_seconds) * 1000))
        committed = {title: _committed(admin, settings.topic, group) for title, group in groups.items()}
    late = {number: ends[number] if offset < 0 else offset for number, offset in late.items()}
    for title, reached in committed.items():
        remember(settings, [Gap(title, settings.topic, *each, _now()) for each in deleted(starts, reached)])
    lags = {title: lag(starts, late, ends, reached) for title, reached in committed.items()}
    return Reading(ends, lags)


def lag(starts: Offsets, late: Offsets, ends: Offsets, committed: Offsets) -> Lag:
    """The lag of a job that read up to these offsets; where it committed none, it begins at the first record.

    `late` are the offsets of the first records that are not overdue.
    """
    reached = {number: max(start, committed.get(number, start)) for number, start in starts.items()}
    return Lag(_beyond(reached, ends), _beyond(reached, late))


def _beyond(reached: Offsets, until: Offsets) -> int:
    return sum(max(0, offset - reached[number]) for number, offset in until.items())


def deleted(starts: Offsets, committed: Offsets) -> Iterator[tuple[int, int, int]]:
    """(partition, first, last) of the records that went away between where a job was and what is still there."""
    for number, offset in committed.items():
        if offset < starts.get(number, 0):
            yield number, offset, starts[number] - 1


def unseen(gap: Gap, known: Iterable[Gap]) -> Gap | None:
    """The part of a gap that is not among the known ones, None when all of it is: it may grow while a job is down."""
    place = (gap.job, gap.topic, gap.partition)
    first = max([gap.first, *(each.last + 1 for each in known if (each.job, each.topic, each.partition) == place)])
    return Gap(*place, first, gap.last, gap.seen_at) if first <= gap.last else None


def gaps(settings: Settings) -> list[Gap]:
    """All gaps that were ever seen."""
    path = _file(settings)
    return [Gap(**json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


def remember(settings: Settings, found: list[Gap]) -> None:
    """Add gaps to the file of all gaps, as far as they are not there yet."""
    if not found:
        return
    with _file(settings).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # status.sh and the monitor may look at the same time
        known = gaps(settings)
        for gap in filter(None, (unseen(each, known) for each in found)):
            file.write(json.dumps(asdict(gap)) + "\n")


def _file(settings: Settings) -> Path:
    return settings.state / "data" / "gaps.jsonl"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def forget(settings: Settings, jobs: Iterable[str]) -> None:
    """Delete what earlier jobs of these names have committed: the new ones begin at the topic's first record.

    Raises JobError when Kafka refuses.
    """
    groups = [job.group(title) for title in jobs]
    # A new broker makes its topic of offsets when it is asked for the first group.
    patiently = Retrying(
        retry=retry_if_exception_type(CoordinatorNotAvailableError) | retry_if_result(bool),
        wait=wait_fixed(0.25),
        stop=stop_after_delay(COORDINATOR_SECONDS),
    )
    try:
        with _admin(settings) as admin:
            patiently(_refused, admin, groups)
    except RetryError as error:
        last = error.last_attempt
        why = last.exception() or last.result()
        raise JobError(f"Kafka does not delete the offsets of earlier jobs: {why}") from error


def _refused(admin: KafkaAdminClient, groups: list[str]) -> dict[str, str]:
    answers = admin.delete_groups(groups)
    return {group: answer for group, answer in answers.items() if answer not in ("OK", "GroupIdNotFoundError")}


def complete_since(settings: Settings) -> int:
    """The time in epoch milliseconds since when the topic holds every event; 0 when it has lost none.

    Raises KafkaError when the broker does not answer.
    """
    with _admin(settings) as admin:
        partitions = _partitions(admin, settings.topic)
        starts = _offsets(admin, partitions, OffsetSpec.EARLIEST)
        firsts = admin.list_partition_offsets(dict.fromkeys(partitions, 0))
    shortened = [first for partition, first in firsts.items() if starts[partition.partition]]
    now = int(time.time() * 1000)
    return max((first.timestamp if first.offset >= 0 else now for first in shortened), default=0)


def end(settings: Settings, topic: str) -> int:
    """The records that a topic ever had. Raises KafkaError when the broker does not answer."""
    with _admin(settings) as admin:
        return sum(_offsets(admin, _partitions(admin, topic), OffsetSpec.LATEST).values())


@contextmanager
def _admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    options = {"bootstrap_timeout_ms": ANSWER_MILLIS, "request_timeout_ms": ANSWER_MILLIS}
    with closing(broker.client(KafkaAdminClient, settings, **options)) as admin:
        yield admin


def _partitions(admin: KafkaAdminClient, topic: str) -> list[TopicPartition]:
    (described,) = admin.describe_topics([topic])
    return [TopicPartition(topic, each["partition_index"]) for each in described["partitions"]]


def _offsets(admin: KafkaAdminClient, partitions: list[TopicPartition], what: int) -> Offsets:
    """The offset in each partition that is the first, the next to come, or the first at or after a time."""
    found = admin.list_partition_offsets(dict.fromkeys(partitions, what))
    return {partition.partition: each.offset for partition, each in found.items()}


def _committed(admin: KafkaAdminClient, topic: str, group: str) -> Offsets:
    found = admin.list_group_offsets(group)[group]
    return {partition.partition: each.offset for partition, each in found.items() if partition.topic == topic}
