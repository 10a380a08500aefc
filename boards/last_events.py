"""What a player has just done: the last events of one key, from the end of the topic."""

from __future__ import annotations

import json
import re
from collections import OrderedDict, deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from threading import Lock
from time import monotonic
from typing import Any
from zlib import crc32

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.partitioner.default import murmur2

from boards.background import close_when_idle, is_recent
from boards.cache import cached
from boards.lookups import sendable
from boards.snapshot import Boards, Row
from clients import kafka, registry
from clients.errors import BoardsUnavailable, first_line
from games.score import (
    AHEAD_MILLIS,
    HIGHEST_SCORE,
    HOT_STREAKS,
    ID_LENGTH,
    LONG_SECONDS,
    NAME_LENGTH,
    SHORT_SECONDS,
    STREAK_EVENTS,
)
from games.season import HOUR_MILLIS
from settings import Settings

SHOWN_EVENTS = 20
LOOKED_BACK_RECORDS = 5_000  # of each partition of a player, at the first look
FOLLOWED_PLAYERS = 50  # at one time


@dataclass(frozen=True)
class Recent:
    """A player's last events that count, the latest first, as far as the end of the topic tells.

    `looked_back_to` is the time of the oldest record looked at, None when there was none. The
    averages are points per event of the 10 s and 60 s before `at`, and `hotness` is short over
    long. They are None without events, or when the records looked at do not go back so far.
    """

    at: datetime
    events: list[Row]
    looked_back_to: datetime | None
    records: int
    short_term_average: float | None = None
    long_term_average: float | None = None
    short_term_events: int | None = None
    long_term_events: int | None = None
    hotness: float | None = None
    is_streak: bool = False


class Follower:
    """The last events of one player: read once from some way back, and then only what is new."""

    def __init__(self, user_id: str, settings: Settings) -> None:
        self.user_id = user_id
        self._settings = settings
        self.asked_at = monotonic()
        self.events: deque[Row] = deque(maxlen=10_000)
        self.positions: dict[TopicPartition, int] = {}
        self.records = 0
        self.whole: set[int] = set()  # the partitions that were read from their first record on
        self._ids: set[str] = set()
        self._begins: dict[int, datetime] = {}  # of the oldest record seen, by partition

    def partitions(self, count: int) -> list[int]:
        """Where this key may be: Kafka's own clients hash by Murmur2, librdkafka's by CRC-32.

        Clients that build on librdkafka (confluent-kafka, those for Go, .NET, Rust, PHP, …) do so
        by their default `consistent_random`, and by `consistent`.
        """
        key = self.user_id.encode(errors="replace")
        return sorted({(murmur2(key) & 0x7FFFFFFF) % count, crc32(key) % count})

    @property
    def has_all(self) -> bool:
        """Whether nothing of the partitions was left out."""
        return bool(self.positions) and self.whole == {each.partition for each in self.positions}

    @property
    def looked_back_to(self) -> datetime | None:
        """The time from which on every partition was looked at."""
        limits = [begin for each, begin in self._begins.items() if each not in self.whole]
        return max(limits) if limits else min(self._begins.values(), default=None)

    def take(self, record: Any) -> None:
        self.records += 1
        self._begins.setdefault(record.partition, _moment(record.timestamp))
        if record.key != self.user_id.encode(errors="replace"):
            return
        event = event_of(record, self._settings)
        if event and event["user_id"] == self.user_id and event["event_id"] not in self._ids:
            self._ids |= {event["event_id"]} - {None}
            self.events.append(event)

    def recent(self, now: datetime) -> Recent:
        events = sorted(reversed(self.events), key=lambda event: event["event_at"], reverse=True)
        latest = Recent(now, events[:SHOWN_EVENTS], self.looked_back_to, self.records)
        seconds_back = (now - self.looked_back_to).total_seconds() if self.looked_back_to else 0
        if not self.has_all and seconds_back < LONG_SECONDS:
            return latest
        short, long = (
            [
                each["score"]
                for each in events
                if (now - each["event_at"]).total_seconds() <= seconds
            ]
            for seconds in (SHORT_SECONDS, LONG_SECONDS)
        )
        short_average, long_average = (
            sum(each) / len(each) if each else None for each in (short, long)
        )
        return replace(
            latest,
            short_term_average=short_average,
            long_term_average=long_average,
            short_term_events=len(short),
            long_term_events=len(long),
            hotness=short_average / long_average if short and long_average else None,
            is_streak=len(short) >= STREAK_EVENTS and bool(long_average),
        )


class LastEvents:
    """Reads the end of a player's partition while somebody looks at the player."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._changing = Lock()
        self._consumer: KafkaConsumer | None = None
        self._followers: OrderedDict[str, Follower] = OrderedDict()

    def recent(self, user_id: str) -> Recent:
        """Raises BoardsUnavailable when the broker does not answer."""
        with self._changing:
            try:
                return self._read(user_id)
            except (KafkaError, OSError, AssertionError, ValueError) as error:
                self._close()
                what = f"Kafka at {self._settings.brokers} cannot be read: {first_line(error)}."
                remedy = kafka.remedy(error, self._settings)
                raise BoardsUnavailable(f"{what} {remedy}") from error

    def _read(self, user_id: str) -> Recent:
        consumer = self._opened()
        count = len(consumer.partitions_for_topic(self._settings.topic) or ())
        follower = self._followers.setdefault(user_id, Follower(user_id, self._settings))
        self._followers.move_to_end(user_id)
        follower.asked_at = monotonic()
        while len(self._followers) > FOLLOWED_PLAYERS:
            self._followers.popitem(last=False)
        if count:
            topic = self._settings.topic
            partitions = [TopicPartition(topic, each) for each in follower.partitions(count)]
            follower = self._caught_up(consumer, follower, partitions)
        return follower.recent(datetime.now(UTC))

    def _caught_up(
        self, consumer: KafkaConsumer, follower: Follower, partitions: list[TopicPartition]
    ) -> Follower:
        begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        starts = {each: max(begins[each], ends[each] - LOOKED_BACK_RECORDS) for each in partitions}
        if not all(
            starts[each] <= follower.positions.get(each, -1) <= ends[each] for each in partitions
        ):
            follower = self._followers[follower.user_id] = Follower(
                follower.user_id, self._settings
            )
            follower.positions = starts
            follower.whole = {each.partition for each in partitions if starts[each] == begins[each]}
        consumer.assign(partitions)
        for partition, position in follower.positions.items():
            consumer.seek(partition, position)
        waited_until = monotonic() + kafka.ANSWER_SECONDS
        while late := [each for each in partitions if follower.positions[each] < ends[each]]:
            if monotonic() > waited_until:
                raise ValueError(f"partition {late[0].partition} answers too slowly")
            polled = consumer.poll(timeout_ms=500, max_records=LOOKED_BACK_RECORDS)
            for record in chain.from_iterable(polled.values()):
                follower.take(record)
            follower.positions = {each: consumer.position(each) for each in partitions}
        return follower

    def _opened(self) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = kafka.reader(self._settings)
            close_when_idle(self._is_in_use)
        return self._consumer

    def _is_in_use(self) -> bool:
        with self._changing:
            for user_id in [
                each.user_id for each in self._followers.values() if not is_recent(each.asked_at)
            ]:
                del self._followers[user_id]
            if not self._followers:
                self._close()
            return bool(self._followers)

    def _close(self) -> None:
        if self._consumer:
            self._consumer.close()
        self._consumer = None
        self._followers.clear()


_last_events: dict[Settings, LastEvents] = {}


@cached
def recent(user_id: str, settings: Settings) -> Recent:
    """What the player of this id has done last, in either sink mode. Raises BoardsUnavailable."""
    return _last_events.setdefault(settings, LastEvents(settings)).recent(user_id)


def form(user_id: str, recent: Recent | None, boards: Boards | None) -> Row:
    """A player's averages, their numbers of events, hotness, and the moment that they are of.

    They come from the board of hot streaks for a player who is on it, else from the end of the
    topic. What is unknown is None.
    """
    names = (
        "short_term_average",
        "long_term_average",
        "short_term_events",
        "long_term_events",
        "hotness",
    )
    rows = boards.rows[HOT_STREAKS.name] if boards else []
    streak = next((row for row in rows if row["user_id"] == user_id), None)
    if streak:
        return {name: streak[name] for name in (*names, "window_end")} | {
            "rank_number": streak["rank_number"]
        }
    known = {name: getattr(recent, name, None) for name in names}
    return known | {"window_end": recent.at if recent else None, "rank_number": None}


class Number(str):
    """A number of a message, as it is written there."""


# Nothing in it can match in two ways: a long text that is no number is refused at once.
NUMBER = re.compile(r"[+-]?+(\d++\.?+\d*+|\.\d++)([eE][+-]?+\d++)?+", re.ASCII)
WHITE_SPACE = " \t\n\r"


def event_of(record: Any, settings: Settings) -> Row | None:
    """A record's event as the boards count it; None for one that they reject.

    The rules are those of docs/contract.md, 1.4 and 2.1. One that is nested deeper than Python can
    read is left out, although it counts.
    """
    try:
        return _event(record, settings)
    except (ValueError, ArithmeticError, RecursionError):
        return None


def _event(record: Any, settings: Settings) -> Row:
    """Raises ValueError for what is no event that counts."""
    text = registry.as_json(settings, record.value or b"").decode(errors="replace")
    fields = json.loads(text, parse_constant=_refuse, parse_int=Number, parse_float=Number)
    _require(isinstance(fields, dict))
    name, event_id = fields.get("user_name"), fields.get("event_id")
    _require(type(name) is not str or _is_storable(name, NAME_LENGTH))
    team_id = _id(fields.get("team_id"))
    earliest = record.timestamp - settings.max_late_hours * HOUR_MILLIS
    millis = _whole_number(
        fields.get("event_time_millis"), earliest, record.timestamp + AHEAD_MILLIS
    )
    return {
        "event_id": sendable(event_id) if type(event_id) is str and event_id else None,
        "user_id": _id(fields.get("user_id")),
        "team_id": team_id,
        "team_name": _text(fields.get("team_name"), NAME_LENGTH) or team_id,
        "score": _whole_number(fields.get("score"), 0, HIGHEST_SCORE),
        "event_at": _moment(min(millis, record.timestamp)),
        "recorded_at": _moment(record.timestamp),
    }


def _require(holds: bool) -> None:
    if not holds:
        raise ValueError("the boards reject it")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _id(value: object) -> str:
    text = _text(value, ID_LENGTH)
    _require(text.strip(WHITE_SPACE) != "")
    return text


def _text(value: object, length: int) -> str:
    _require(value is not None and not isinstance(value, dict | list))
    text = sendable(str(value) if isinstance(value, str) else json.dumps(value))
    _require(_is_storable(text, length))
    return text


def _is_storable(text: str, length: int) -> bool:
    return len(text) <= length and "\0" not in text


def _whole_number(value: object, least: int, most: int) -> int:
    _require(isinstance(value, str) and NUMBER.fullmatch(value) is not None)
    number = Decimal(str(value))
    _require(least <= number <= most and number == number.to_integral_value())
    return int(number)


def _moment(millis: float) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)
