"""How far each job has read its topic, and what was deleted there before a job had read it.

A job commits the offsets of each completed checkpoint to a consumer group of its own.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from clients import offsets
from clients.files import json_lines, write_whole
from clients.offsets import Offsets
from games import chosen
from jobs import savepoints
from jobs.names import JobName
from jobs.running import computing
from settings import Settings


@dataclass(frozen=True)
class Lag:
    """Records that a job has not read: all of them, and those that it should have by now.

    Both are told from offsets, so markers of transactions before such a record count as well.
    """

    records: int
    overdue: int


@dataclass(frozen=True)
class Gap:
    """Records of a partition that were deleted before a job had read them.

    `first` and `last` are their offsets, and `job` is the job's title.
    """

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
        where = f"{self.topic}-{self.partition} (offsets {self.first} to {self.last})"
        return f"{self.records:,} records of {where} were deleted before '{self.job}' had read them"


@dataclass(frozen=True)
class Reading:
    """Up to where each topic can be read, and the lag of each job; empty without Kafka.

    A job is of an old topic when that was deleted and made anew: it may go on at the old offsets.
    """

    ends: dict[str, Offsets] = field(default_factory=dict)
    lags: dict[JobName, Lag] = field(default_factory=dict)
    of_old_topics: set[JobName] = field(default_factory=set)


def look(settings: Settings, jobs: Iterable[JobName], late_seconds: float) -> Reading:
    """How far these jobs are; a record older than `late_seconds` should have been read.

    A gap that shows is remembered. Raises KafkaError when the broker does not answer.
    """
    computers = sorted(set(computing(jobs, settings).values()))
    late_millis = int((time.time() - late_seconds) * 1000)
    reading = Reading()
    with offsets.admin(settings) as client:
        for game in chosen(settings):
            topic = game.topic(settings)
            of = offsets.partitions(client, topic)
            topic_id = offsets.topic_id(client, topic)
            # In this order, so that no record that was read between two questions seems deleted,
            # or unread.
            starts = offsets.starts(client, of)
            ends = offsets.ends(client, of)
            late = offsets.since(client, of, late_millis)
            late = {number: ends[number] if at < 0 else at for number, at in late.items()}
            reading.ends[topic] = ends
            for name in computers:
                if name.game == game.name:
                    committed = offsets.committed(client, topic, name.group)
                    if _is_of_old_topic(settings, name, client, of, topic_id, committed):
                        reading.of_old_topics.add(name)
                    place = f"{name} {topic_id}"
                    read = _beyond_markers(settings, place, topic, committed, starts, late)
                    told = {number: read[number] for number in committed}
                    places = ((name.title, topic, *place) for place in deleted(starts, told))
                    remember(settings, [Gap(*place, _now()) for place in places])
                    reading.lags[name] = lag(starts, late, ends, read)
    return reading


def _is_of_old_topic(
    settings: Settings,
    name: JobName,
    client: KafkaAdminClient,
    of: list[TopicPartition],
    topic_id: str,
    committed: Offsets,
) -> bool:
    """Whether the topic is another than the one that a job began with.

    Without a note, only offsets beyond its end tell.
    """
    known = savepoints.topic_id(settings, name)
    if known:
        return known != topic_id
    # Asked once more: the job may have read on since the ends were asked for.
    ends = offsets.ends(client, of) if committed else {}
    return any(offset > ends.get(number, offset) for number, offset in committed.items())


def _beyond_markers(
    settings: Settings,
    place: str,
    topic: str,
    committed: Offsets,
    starts: Offsets,
    late: Offsets,
) -> Offsets:
    """The same offsets, moved to the first record where a job seems to have missed some.

    A job commits the offset after its last record, and behind that there may be nothing but
    markers of transactions. What was found is noted at this place, because retention deletes
    markers too.
    """
    noted = _noted(settings).get(place, {})
    moved = {
        number: first
        for number, (was, first) in ((int(each), pair) for each, pair in noted.items())
        if committed.get(number, 0) == was
    }
    reached = {
        number: max(start, moved.get(number, committed.get(number, 0)))
        for number, start in starts.items()
    }
    doubtful = {number: offset for number, offset in reached.items() if offset < late[number]}
    if doubtful:
        found = offsets.first_unread(settings, topic, doubtful)
        passed = {number: first for number, first in found.items() if first > doubtful[number]}
        moved |= passed
        if passed:
            pairs = {number: (committed.get(number, 0), first) for number, first in moved.items()}
            _note(settings, place, pairs)
    return committed | moved


def lag(starts: Offsets, late: Offsets, ends: Offsets, committed: Offsets) -> Lag:
    """The lag of a job that read up to these offsets.

    Where it committed none, it begins at the first record. `late` are the offsets of the first
    records that are not overdue.
    """
    reached = {number: max(start, committed.get(number, start)) for number, start in starts.items()}
    return Lag(_beyond(reached, ends), _beyond(reached, late))


def _beyond(reached: Offsets, until: Offsets) -> int:
    return sum(max(0, offset - reached[number]) for number, offset in until.items())


def deleted(starts: Offsets, committed: Offsets) -> Iterator[tuple[int, int, int]]:
    """(partition, first, last) of the records that were deleted before a job came to them."""
    for number, offset in committed.items():
        if offset < starts.get(number, 0):
            yield number, offset, starts[number] - 1


def unknown_part(gap: Gap, known: Iterable[Gap]) -> Gap | None:
    """The part of a gap that is not among the known ones, None when all of it is.

    A gap may grow while a job is down.
    """
    place = (gap.job, gap.topic, gap.partition)
    alike = (each for each in known if (each.job, each.topic, each.partition) == place)
    first = max([gap.first, *(each.last + 1 for each in alike)])
    return Gap(*place, first, gap.last, gap.seen_at) if first <= gap.last else None


def gaps(settings: Settings) -> list[Gap]:
    """All gaps that were ever seen."""
    return [Gap(**each) for each in json_lines(_file(settings))]


def remember(settings: Settings, found: list[Gap]) -> None:
    """Add gaps to the file of all gaps, as far as it does not have them yet."""
    if not found:
        return
    with _file(settings).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # status.sh and the monitor may look at the same time
        known = gaps(settings)
        text = _file(settings).read_text(errors="replace")
        if text and not text.endswith("\n"):
            file.write("\n")  # a full disk has cut the last line
        for gap in filter(None, (unknown_part(each, known) for each in found)):
            file.write(json.dumps(asdict(gap)) + "\n")


def _noted(settings: Settings) -> dict[str, dict[str, tuple[int, int]]]:
    """Where jobs passed markers: what was committed and reached, by place and partition."""
    path = _markers_file(settings)
    found: dict[str, dict[str, tuple[int, int]]] = {}
    with suppress(FileNotFoundError, ValueError):
        found = json.loads(path.read_text())
    return found


def _note(settings: Settings, place: str, pairs: dict[int, tuple[int, int]]) -> None:
    # On Kubernetes the page may write nothing; it asks Kafka again at each look.
    with suppress(OSError):
        write_whole(_markers_file(settings), json.dumps(_noted(settings) | {place: pairs}))


def _markers_file(settings: Settings) -> Path:
    return settings.state / "data" / "markers.json"


def _file(settings: Settings) -> Path:
    return settings.state / "data" / "gaps.jsonl"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
