"""Top players and hot streaks in Bytewax: python -m benchmarks.rivals.bytewax_flow.

Totals by player are a stateful step each; what is ranked meets under one key, as a rank must.
Rows are written as each batch of a key ends, at least once; Bytewax has no sink that commits with
its snapshots. No de-duplication across players, and no recovery store: both would cost more.
"""

from __future__ import annotations

import argparse
import heapq
import json
from collections.abc import Iterable

import psycopg2
from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main
from psycopg2.extras import execute_values

from benchmarks.rivals.python_consumer import LATENESS, LONG, Streaks, read

PLACES, BATCH = 120, 2_000
TABLES = {
    "players": "user_id TEXT PRIMARY KEY, total BIGINT",
    "streaks": "window_end BIGINT, user_id TEXT, short_events BIGINT, long_events BIGINT, "
    "hotness DOUBLE PRECISION, PRIMARY KEY (window_end, user_id)",
}


def parse(message) -> Iterable[tuple[str, tuple[str, int, int, int]]]:
    """The valid event in a message, if any, by player."""
    event = read(message.value, message.timestamp[1])
    if event:
        event_id, user, _, _, _, score, at = event
        yield user, (event_id, score, at, message.partition)


class Player(StatefulBatchLogic):
    """A player's total; an event that comes twice counts once."""

    def __init__(self, held: tuple[int, set[str]] | None) -> None:
        self._total, self._event_ids = held or (0, set())

    def on_batch(self, values: list) -> tuple[list, bool]:
        """The total after these events, and the events that are new."""
        new = []
        for event_id, score, at, partition in values:
            if event_id:
                if event_id in self._event_ids:
                    continue
                self._event_ids.add(event_id)
            self._total += score
            new.append((score, at, partition))
        return [(self._total, new)], StatefulBatchLogic.RETAIN

    def snapshot(self) -> tuple[int, set[str]]:
        """What is kept of a player."""
        return self._total, set(self._event_ids)


class Rank(StatefulBatchLogic):
    """The best players, and the streaks of each window that has ended."""

    def __init__(self, slide: int, partitions: int) -> None:
        self._streaks, self._partitions = Streaks(slide), partitions
        self._best: dict[str, int] = {}
        self._newest: dict[int, int] = {}

    def on_batch(self, values: list) -> tuple[list, bool]:
        """Rows to write, by table."""
        changed = {}
        for user, (total, events) in values:
            changed[user] = total
            for score, at, partition in events:
                self._streaks.add(user, score, at)
                self._newest[partition] = max(at, self._newest.get(partition, 0))
        self._best |= changed
        if len(self._best) > 10 * PLACES:
            order = heapq.nsmallest(PLACES, self._best.items(), lambda each: (-each[1], each[0]))
            self._best = dict(order)
        rows = [("players", (user, total)) for user, total in changed.items() if user in self._best]
        return rows + self._ended(0), StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[list, bool]:
        """What is left when the topic ends."""
        return self._ended(LONG), StatefulBatchLogic.DISCARD

    def _ended(self, more: int) -> list:
        if len(self._newest) < self._partitions:
            return []
        watermark = min(self._newest.values()) - LATENESS + more
        return [("streaks", row) for row in self._streaks.ended(watermark)]

    def snapshot(self) -> None:
        """Nothing: there is no recovery store."""


class Postgres(DynamicSink):
    """Writes rows by table."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    def build(self, step_id: str, worker_index: int, worker_count: int) -> StatelessSinkPartition:
        """The only worker's part."""
        return _Writer(self._dsn)


class _Writer(StatelessSinkPartition):
    def __init__(self, dsn: str) -> None:
        self._db = psycopg2.connect(dsn)

    def write_batch(self, items: list) -> None:
        players = {row[0]: row[1] for _, (table, row) in items if table == "players"}
        streaks = [row for _, (table, row) in items if table == "streaks"]
        with self._db, self._db.cursor() as cursor:
            for table, rows, key, new in (
                ("players", list(players.items()), "user_id", "total = EXCLUDED.total"),
                ("streaks", streaks, "window_end, user_id", "hotness = EXCLUDED.hotness"),
            ):
                if rows:
                    insert = f"INSERT INTO rival.{table} VALUES %s"
                    upsert = f"{insert} ON CONFLICT ({key}) DO UPDATE SET {new}"
                    execute_values(cursor, upsert, rows, page_size=1_000)


def main() -> None:
    """Read the topic to its end, and write the boards."""
    parser = argparse.ArgumentParser()
    for name in ("brokers", "topic", "dsn", "ends"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--slide", type=int, required=True, help="seconds")
    given = parser.parse_args()
    with psycopg2.connect(given.dsn) as db, db.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS rival CASCADE; CREATE SCHEMA rival")
        for table, columns in TABLES.items():
            cursor.execute(f"CREATE TABLE rival.{table} ({columns}) WITH (fillfactor = 50)")
    partitions = len(json.loads(given.ends))
    flow = Dataflow("boards")
    source = KafkaSource([given.brokers], [given.topic], tail=False, batch_size=BATCH)
    messages = op.input("topic", flow, source)
    events = op.flat_map("parse", messages, parse)
    totals = op.stateful_batch("total", events, Player)
    under_one_key = op.map("all", totals, lambda each: ("all", each))
    ranked = op.stateful_batch(
        "rank", under_one_key, lambda _: Rank(given.slide * 1000, partitions)
    )
    op.output("postgres", ranked, Postgres(given.dsn))
    run_main(flow)


if __name__ == "__main__":
    main()
