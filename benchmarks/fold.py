"""What millions of records add up to, in arrays; tests/oracle.py reads them, and makes the boards.

Only sums are made here: plain Python would take minutes for them. An event and its repetition are
in one partition.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from clients import offsets, registry
from games.board import Board
from settings import Settings
from tests import oracle
from tests.oracle import Event, Record, Total, Totals

READERS = 2
PLACES = Settings().board_size
TEXTS = ("user_id", "user_name", "team_id", "team_name")
COLUMNS = (*TEXTS, "score", "time")


@dataclass(frozen=True, eq=False)
class Fold:
    """The events that count, a row each, and how many messages were rejected or repeated.

    The events of one partition are in order of arrival.
    """

    events: pd.DataFrame
    rejected: int
    repeated: int
    season: str = "day"

    @cached_property
    def totals(self) -> Totals:
        """The totals of the newest season."""
        start = oracle.season_start(int(self.events.time.max()), self.season)
        held = self.events[self.events.time >= start]
        summed = Totals(start)
        summed.teams |= _totals(held, "team_id")
        summed.players |= _totals(held, "user_id")
        summed.members |= _totals(held, "team_id", "user_id")
        return summed

    def rows(self, board: Board) -> list[dict]:
        """The rows that a board of totals must show, best first."""
        if board.period == "season_start":
            return oracle.rows_of(board, self.totals)[:PLACES]
        return oracle.newest_rows(board, _listed(self.events))[:PLACES]

    def streaks(self, window_end: int) -> list[dict]:
        """The streaks of the window that ends then (epoch milliseconds)."""
        time = self.events.time
        long = self.events[(time >= window_end - 60 * oracle.SECOND) & (time < window_end)]
        short = long[long.time >= window_end - 10 * oracle.SECOND]
        long_scores, short_scores = (
            each.groupby("user_id", observed=True).score.agg(["mean", "count"])
            for each in (long, short)
        )
        long_mean = long_scores["mean"].reindex(short_scores.index)
        is_streak = (short_scores["count"] >= 3) & (long_mean > 0)
        hotness = (short_scores["mean"] / long_mean)[is_streak]
        hottest = hotness.nlargest(PLACES, keep="all").index
        return oracle.hot_streaks(_listed(long[long.user_id.isin(hottest)]), window_end)


def _totals(events: pd.DataFrame, *keys: str) -> dict:
    columns = {"score": ("score", "sum"), "reached_at": ("time", "max")}
    last = {name: (name, "last") for name in ("user_name", "team_id", "team_name")}
    sums = events.groupby(list(keys), observed=True).agg(**columns, **last)
    return {key: Total(*row) for key, row in zip(sums.index, _plain(sums), strict=True)}


def _listed(events: pd.DataFrame) -> list[Event]:
    return [Event(*(None, *row, row[-1])) for row in _plain(events)]


def _plain(frame: pd.DataFrame) -> Iterator[tuple]:
    """The rows with Python's own values; a name that nobody gave is None."""
    columns = (frame[name].astype(object) for name in frame)
    return zip(*(column.where(column.notna(), None).tolist() for column in columns), strict=True)


def ends(settings: Settings) -> offsets.Offsets:
    """Where the partitions of the topic end now."""
    with offsets.admin(settings) as admin:
        return offsets.ends(admin, offsets.partitions(admin, settings.topic))


def folded(settings: Settings) -> Fold:
    """What the topic adds up to, from its beginning to where it ends now."""
    wanted = [(settings, partition, end) for partition, end in ends(settings).items()]
    with ProcessPoolExecutor(READERS, multiprocessing.get_context("spawn")) as pool:
        return replace(joined(list(pool.map(_read, wanted))), season=settings.season)


def _read(wanted: tuple[Settings, int, int]) -> Fold:
    settings, partition, end = wanted
    records = _records(settings, partition, end)
    return fold(records, is_deduplicated=settings.deduplicate_minutes > 0)


def _records(settings: Settings, partition: int, end: int) -> Iterator[Record]:
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

    group = {"group.id": "benchmark-oracle", "enable.auto.commit": False}
    consumer = Consumer({"bootstrap.servers": settings.brokers, **group})
    consumer.assign([TopicPartition(settings.topic, partition, OFFSET_BEGINNING)])
    position = 0
    while position < end:
        for message in consumer.consume(10_000, timeout=1.0):
            if message.error():
                raise KafkaException(message.error())
            position = message.offset() + 1
            if position <= end:
                recorded, value = message.timestamp()[1], message.value()
                value = value and registry.as_json(settings, value)
                yield Record(partition, message.offset(), recorded, value)
    consumer.close()


def fold(records: Iterable[Record], is_deduplicated: bool = True) -> Fold:
    """The events of one partition, each once: a benchmark repeats them within minutes."""
    rejected = repeated = 0
    known: set[tuple[str, str]] = set()
    rows = []
    for record in records:
        try:
            event = oracle.read(record)
        except oracle.Rejected:
            rejected += 1
            continue
        if event.event_id and is_deduplicated:
            if (event.user_id, event.event_id) in known:
                repeated += 1
                continue
            known.add((event.user_id, event.event_id))
        texts = (getattr(event, name) for name in TEXTS)
        # One text for all events that have it, instead of one for each.
        rows.append((*(text and sys.intern(text) for text in texts), event.score, event.time))
    return Fold(pd.DataFrame(rows, columns=COLUMNS), rejected, repeated)


def joined(parts: list[Fold]) -> Fold:
    """The partitions as one."""
    events = pd.concat([part.events for part in parts], ignore_index=True)
    rejected, repeated = (
        sum(getattr(part, name) for part in parts) for name in ("rejected", "repeated")
    )
    types = dict.fromkeys(TEXTS, "category") | {"score": "int64", "time": "int64"}
    return Fold(events.astype(types), rejected, repeated)
