"""Ids of events that two players use: a producer makes them wrong (docs/contract.md, 3).

Events of both players count. No job looks for this: whoever watches reads along at the end of the
topic, and never more than a small part of a core's time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from boards.last_events import event_of
from clients import kafka
from clients.files import json_lines, write_whole
from games.season import MINUTE_MILLIS
from settings import Settings

# Of a partition, at one look. Of more, only the newest: who makes wrong ids makes them all day.
LOOKED_AT_RECORDS = 2_000
REMEMBERED_IDS = 100_000  # at most, twice: about 36 MB
LISTED = 1_000  # the last so many are kept
SHOWN_LENGTH = 200  # characters of an id at most


@dataclass(frozen=True)
class SharedId:
    """An event, and the player whose event had its id before.

    And where it is, and the time of its record, as ISO 8601 has it. A long id is cut: nothing
    limits it but the size of a message.
    """

    event_id: str
    user_id: str
    other_user_id: str
    topic: str
    partition: int
    offset: int
    recorded_at: str


class Uses:
    """Who used an id last, of the records of the last minutes.

    Two dictionaries take turns, each for so many minutes, so that nothing has to be looked through
    for what is old.
    """

    def __init__(self, minutes: int) -> None:
        self._millis = minutes * MINUTE_MILLIS
        # By the hash of an id, because an id may be as long as a message.
        self._now: dict[int, str] = {}
        self._before: dict[int, str] = {}
        self._until = 0

    def other_user(self, event_id: str, user_id: str, recorded_millis: int) -> str | None:
        """The other player who has used this id; None when there is none. It is this one's now."""
        if recorded_millis >= self._until or len(self._now) >= REMEMBERED_IDS:
            is_old = recorded_millis >= self._until + self._millis
            self._now, self._before = {}, {} if is_old else self._now
            self._until = recorded_millis + self._millis
        key = hash(event_id)
        other = self._now.get(key) or self._before.get(key)
        self._now[key] = user_id
        return other if other != user_id else None


class SharedIds:
    """Reads on from the end of the topic at each look, and notes the ids that two players use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._uses = Uses(settings.deduplicate_minutes)
        self._positions: dict[TopicPartition, int] = {}
        self.count = 0

    def look(self) -> None:
        """Read what is new. Raises KafkaError when the broker does not answer."""
        if not self._settings.deduplicate_minutes:
            return  # ids say nothing then
        with closing(kafka.reader(self._settings)) as consumer:
            found = list(self._shared(_new_records(consumer, self._settings, self._positions)))
        self.count += len(found)
        note(self._settings, found)

    def _shared(self, records: Iterable[Any]) -> Iterable[SharedId]:
        for record in records:
            event = event_of(record, self._settings)
            if not event or not event["event_id"]:
                continue
            event_id, user_id = event["event_id"], event["user_id"]
            other = self._uses.other_user(event_id, user_id, record.timestamp)
            if other:
                place = (record.topic, record.partition, record.offset)
                yield SharedId(
                    event_id[:SHOWN_LENGTH],
                    user_id,
                    other,
                    *place,
                    event["recorded_at"].isoformat(),
                )


def _new_records(
    consumer: KafkaConsumer, settings: Settings, positions: dict[TopicPartition, int]
) -> Iterable[Any]:
    """The records behind these positions, which move to the end; at first there are none."""
    numbers = consumer.partitions_for_topic(settings.topic)
    if not numbers:
        return
    ends = consumer.end_offsets([TopicPartition(settings.topic, number) for number in numbers])
    consumer.assign(list(ends))
    for each, end in ends.items():
        consumer.seek(each, max(min(positions.get(each, end), end), end - LOOKED_AT_RECORDS))
        positions[each] = end
    until = time.monotonic() + kafka.ANSWER_SECONDS
    while any(consumer.position(each) < end for each, end in ends.items()):
        if time.monotonic() > until:
            return
        for records in consumer.poll(timeout_ms=500).values():
            yield from records


def note(settings: Settings, found: list[SharedId]) -> None:
    """Add these to the list, which keeps the last."""
    if not found:
        return
    path = _file(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    last = [*json_lines(path), *map(asdict, found)][-LISTED:]
    write_whole(path, "".join(json.dumps(each) + "\n" for each in last))


def listed(settings: Settings) -> list[SharedId]:
    """The last ids that two players used, the newest first."""
    return [SharedId(**each) for each in reversed(json_lines(_file(settings)))]


def _file(settings: Settings) -> Path:
    return settings.state / "data" / "shared_ids.jsonl"
