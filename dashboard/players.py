"""Looks up one player or team, also those far below the boards; and what a player has just done."""

from __future__ import annotations

import json
import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import wraps
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.partitioner.default import murmur2

from compose import broker
from dashboard import database
from dashboard.background import close_when_idle, is_recent
from dashboard.boards import Boards, Row, utc_rows
from dashboard.database import BoardsUnavailable, first_line
from jobs.sql import ID_LENGTH
from settings import Settings

Found = TypeVar("Found")

CACHED_SECONDS = 1  # viewers of one player ask once a second together
CACHED = 500
TEXT_LENGTH = 200  # longer than any name

SHORT_SECONDS, LONG_SECONDS, STREAK_EVENTS = 10, 60, 3  # as in sql/metrics/hot_streaks.sql
LAST_EVENTS = 20
LOOKED_BACK_RECORDS = 5_000  # of a player's partition, at the first look
FOLLOWED = 50  # players at one time


@dataclass(frozen=True)
class Player:
    """One player of the newest season; what is None is unknown, or does not apply.

    `rank_number` is that among all `players`, None for a banned one; `percentile` are the per cent of all players who
    are not ahead, the player included; `team_share` is the part of the team's points that are the player's, 0 to 1.
    """

    user_id: str
    user_name: str
    team_id: str
    team_name: str
    total_score: int
    reached_at: datetime
    season_start: datetime
    rank_number: int | None
    players: int
    percentile: float | None
    points_for_team: int | None
    team_total: int | None
    team_share: float | None
    ban_reason: str | None
    banned_at: datetime | None
    neighbours: list[Row]  # up to three above, the player, up to three below, with their ranks; empty for a banned one


@dataclass(frozen=True)
class Team:
    """One team of the newest season. `best` are its members with the most points, 100 at most.

    Each of them has `share`, the part of the team's points, and `fair_share`, the same times the number of members: 1
    is neither more nor less than the others.
    """

    team_id: str
    team_name: str
    team_total: int
    season_start: datetime
    rank_number: int | None  # None for a banned one
    teams: int
    members: int
    ban_reason: str | None
    banned_at: datetime | None
    mvp: Row | None
    best: list[Row]


@dataclass(frozen=True)
class Recent:
    """A player's last events that count, the latest first, as far as the end of the topic tells.

    `looked_back_to` is the time of the oldest record looked at, None when there was none. The averages are points per
    event of the 10 s and 60 s before `at`, `hotness` is short over long; None without events, or when the look went
    back less far.
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


def _cached(ask: Callable[..., Found]) -> Callable[..., Found]:
    """One answer for all who ask the same within a second."""
    kept: OrderedDict[tuple, tuple[float, Found]] = OrderedDict()
    changing = Lock()

    @wraps(ask)
    def answer(*question: Any) -> Found:
        with changing:
            at, found = kept.get(question, (-math.inf, None))
            if monotonic() - at < CACHED_SECONDS:
                return found
        found = ask(*question)
        with changing:
            kept[question] = monotonic(), found
            kept.move_to_end(question)
            while len(kept) > CACHED:
                kept.popitem(last=False)
        return found

    return answer


# From PostgreSQL


@_cached
def find(text: str, settings: Settings) -> list[Row]:
    """Players with this text in their id or name, in capitals or not: those it is whole of first, then by total.

    At most 20, each with user_id, user_name, team_id, team_name, total_score, is_exact and is_banned.
    Raises BoardsUnavailable.
    """
    text = text.replace("\0", "").strip()[:TEXT_LENGTH]
    return _ask(settings, "SELECT * FROM leaderboard.find_players(%s)", text) if text else []


@_cached
def player(user_id: str, settings: Settings) -> Player | None:
    """The player of this very id; None when there is none in the newest season. Raises BoardsUnavailable."""

    def ask(cursor: Any) -> Player | None:
        found = _rows(cursor, "SELECT * FROM leaderboard.player(%s)", user_id)
        if not found:
            return None
        neighbours = _rows(cursor, "SELECT * FROM leaderboard.player_neighbours(%s)", user_id)
        (row,) = found
        rank, count = row["rank_number"], row["players"]
        return Player(
            **row,
            percentile=100 * (count - rank + 1) / count if rank else None,
            team_share=_share(row["points_for_team"], row["team_total"]),
            neighbours=neighbours,
        )

    return database.snapshot(settings, ask) if _is_id(user_id) else None


@_cached
def team(team_id: str, settings: Settings) -> Team | None:
    """The team of this very id; None when there is none in the newest season. Raises BoardsUnavailable."""

    def ask(cursor: Any) -> Team | None:
        found = _rows(cursor, "SELECT * FROM leaderboard.team(%s)", team_id)
        if not found:
            return None
        (row,) = found
        best = _rows(cursor, "SELECT * FROM leaderboard.team_members(%s)", team_id)
        for member in best:
            # Totals are written at a slower beat than the teams': the greater is the right lower bound.
            share = _share(member["player_total"], max(row["team_total"], member["player_total"]))
            member |= {"share": share, "fair_share": None if share is None else share * row["members"]}
        return Team(**row, mvp=best[0] if best and best[0]["player_total"] else None, best=best)

    return database.snapshot(settings, ask) if _is_id(team_id) else None


def counts(settings: Settings) -> tuple[int | None, int | None]:
    """How many players, as far as totals are written, and teams the newest season has. Raises BoardsUnavailable."""
    (row,) = _ask(settings, "SELECT * FROM leaderboard.counts")
    return row["players"], row["teams"]


def _is_id(text: str) -> bool:
    return 0 < len(text) <= ID_LENGTH and "\0" not in text


def _share(part: int | None, whole: int | None) -> float | None:
    return part / whole if part is not None and whole else None


def _ask(settings: Settings, query: str, *values: str) -> list[Row]:
    return database.snapshot(settings, lambda cursor: _rows(cursor, query, *values))


def _rows(cursor: Any, query: str, *values: str) -> list[Row]:
    cursor.execute(query, [value.encode(errors="replace").decode() for value in values])
    return utc_rows(cursor)


# From the end of the topic


class Follower:
    """The last events of one player: read once from some way back, and then only what is new."""

    def __init__(self, user_id: str) -> None:
        self.user_id = user_id
        self.asked_at = monotonic()
        self.events: deque[Row] = deque(maxlen=10_000)
        self.position: int | None = None
        self.records = 0
        self.looked_back_to: datetime | None = None
        self.has_all = False  # from the partition's first record on
        self._ids: set[str] = set()

    def partition(self, count: int) -> int:
        """Where Kafka's own clients put this key."""
        return (murmur2(self.user_id.encode()) & 0x7FFFFFFF) % count

    def take(self, record: Any) -> None:
        self.records += 1
        self.looked_back_to = self.looked_back_to or _moment(record.timestamp)
        if record.key != self.user_id.encode():
            return
        event = _event(record)
        if event and event["user_id"] == self.user_id and event["event_id"] not in self._ids:
            self._ids |= {event["event_id"]} - {None}
            self.events.append(event)

    def recent(self, now: datetime) -> Recent:
        events = sorted(reversed(self.events), key=lambda event: event["event_at"], reverse=True)
        shown = Recent(now, events[:LAST_EVENTS], self.looked_back_to, self.records)
        seconds_back = (now - self.looked_back_to).total_seconds() if self.looked_back_to else 0
        if not self.has_all and seconds_back < LONG_SECONDS:
            return shown
        short, long = (
            [each["score"] for each in events if (now - each["event_at"]).total_seconds() <= seconds]
            for seconds in (SHORT_SECONDS, LONG_SECONDS)
        )
        short_average, long_average = (sum(each) / len(each) if each else None for each in (short, long))
        return replace(
            shown,
            short_term_average=short_average,
            long_term_average=long_average,
            short_term_events=len(short),
            long_term_events=len(long),
            hotness=short_average / long_average if short and long_average else None,
            is_streak=len(short) >= STREAK_EVENTS and bool(long_average),
        )


class Tail:
    """Reads the ends of the topic's partitions for the players that somebody looks at; closed when nobody does."""

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
                raise BoardsUnavailable(f"{what} scripts/run_all.sh starts what is down.") from error

    def _read(self, user_id: str) -> Recent:
        consumer = self._opened()
        count = len(consumer.partitions_for_topic(self._settings.topic) or ())
        follower = self._followers.setdefault(user_id, Follower(user_id))
        self._followers.move_to_end(user_id)
        follower.asked_at = monotonic()
        while len(self._followers) > FOLLOWED:
            self._followers.popitem(last=False)
        if count:
            follower = self._caught_up(follower, TopicPartition(self._settings.topic, follower.partition(count)))
        return follower.recent(datetime.now(UTC))

    def _caught_up(self, follower: Follower, partition: TopicPartition) -> Follower:
        consumer = self._consumer
        begin, end = (ask([partition])[partition] for ask in (consumer.beginning_offsets, consumer.end_offsets))
        start = max(begin, end - LOOKED_BACK_RECORDS)
        if follower.position is None or not start <= follower.position <= end:
            follower = self._followers[follower.user_id] = Follower(follower.user_id)
            follower.position, follower.has_all = start, start == begin
        consumer.assign([partition])
        consumer.seek(partition, follower.position)
        waited_until = monotonic() + broker.ANSWER_SECONDS
        while follower.position < end:
            if monotonic() > waited_until:
                raise ValueError(f"partition {partition.partition} answers too slowly")
            for record in consumer.poll(timeout_ms=500, max_records=LOOKED_BACK_RECORDS).get(partition, ()):
                follower.take(record)
            follower.position = consumer.position(partition)
        return follower

    def _opened(self) -> KafkaConsumer:
        if self._consumer is None:
            self._consumer = broker.reader(self._settings)
            close_when_idle(self._is_in_use)
        return self._consumer

    def _is_in_use(self) -> bool:
        with self._changing:
            for user_id in [each.user_id for each in self._followers.values() if not is_recent(each.asked_at)]:
                del self._followers[user_id]
            if not self._followers:
                self._close()
            return bool(self._followers)

    def _close(self) -> None:
        if self._consumer:
            self._consumer.close()
        self._consumer = None
        self._followers.clear()


_tails: dict[Settings, Tail] = {}


@_cached
def recent(user_id: str, settings: Settings) -> Recent:
    """What the player of this id has done last, in either sink mode. Raises BoardsUnavailable."""
    return _tails.setdefault(settings, Tail(settings)).recent(user_id)


def form(user_id: str, recent: Recent | None, boards: Boards | None) -> Row:
    """short_term_average, long_term_average, their numbers of events, hotness, and window_end, when they hold.

    From the board of hot streaks for one who is on it, else from the topic's end; what is unknown is None.
    """
    names = ("short_term_average", "long_term_average", "short_term_events", "long_term_events", "hotness")
    rows = boards.rows["hot_streaks"] if boards else []
    streak = next((row for row in rows if row["user_id"] == user_id), None)
    if streak:
        return {name: streak[name] for name in (*names, "window_end")} | {"rank_number": streak["rank_number"]}
    known = {name: getattr(recent, name, None) for name in names}
    return known | {"window_end": recent.at if recent else None, "rank_number": None}


def _event(record: Any) -> Row | None:
    """A record's event as the boards count it; None when they reject it, as far as a glance tells."""
    try:
        fields = json.loads(record.value)
        score, millis = (float(fields[name]) for name in ("score", "event_time_millis"))
        is_counted = score == int(score) and 0 <= score <= 1_000_000 and millis <= record.timestamp + 60_000
        if not is_counted or any(isinstance(fields[name], dict | list) for name in ("user_id", "team_id", "team_name")):
            return None
        event_id = fields.get("event_id")
        return {
            "event_id": event_id if isinstance(event_id, str) and event_id else None,
            "user_id": str(fields["user_id"]),
            "team_id": str(fields["team_id"]),
            "team_name": str(fields["team_name"]) or str(fields["team_id"]),
            "score": int(score),
            "event_at": _moment(min(millis, record.timestamp)),
            "recorded_at": _moment(record.timestamp),
        }
    except (ValueError, TypeError, KeyError, OverflowError, OSError):
        return None


def _moment(millis: float) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)
