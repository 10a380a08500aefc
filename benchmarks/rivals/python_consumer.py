"""Four boards by a plain Python consumer: python -m benchmarks.rivals.python_consumer.

It holds dictionaries in one process. Every second it commits offsets, changed totals and finished
windows to PostgreSQL in one transaction, so each event counts once whatever dies. Boards are
ranked where they are read. Left out: the event ids are in memory only, so a repetition across a
restart counts twice; a window is lost when it dies; nothing moves to a second machine.
"""

from __future__ import annotations

import argparse
import heapq
import json
import time
from io import StringIO

import orjson
import psycopg2
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

COMMIT_SECONDS = 1.0
DAY, SHORT, LONG, LATENESS = 86_400_000, 10_000, 60_000, 5_000
PLACES = 120

# The columns of each table, and how many of the first are its key.
TABLES = {
    "players": (
        "user_id TEXT, user_name TEXT, team_id TEXT, team_name TEXT, total BIGINT, reached BIGINT",
        1,
    ),
    "teams": ("team_id TEXT, team_name TEXT, total BIGINT, reached BIGINT", 1),
    "members": ("team_id TEXT, user_id TEXT, user_name TEXT, total BIGINT", 2),
    "streaks": (
        "window_end BIGINT, user_id TEXT, short_events BIGINT, long_events BIGINT, "
        "hotness DOUBLE PRECISION",
        2,
    ),
    "offsets": ("part INT, next BIGINT", 1),
}


def read(value: bytes | None, recorded: int) -> tuple[str, str, str, str, str, int, int] | None:
    """Id, player, name, team, its name, score and effective time of an event.

    None of a message that does not count.
    """
    try:
        event = _parsed(value or b"")
        user, team, team_name = event["user_id"], event["team_id"], event["team_name"]
        score, at, name = event["score"], event["event_time_millis"], event.get("user_name") or user
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    for text, longest in ((user, 128), (team, 128), (team_name, 200), (name, 200)):
        if type(text) is not str or len(text) > longest or "\0" in text:
            return None
    if (
        not user.strip()
        or not team.strip()
        or type(score) is not int
        or not 0 <= score <= 1_000_000
    ):
        return None
    if type(at) is not int or not recorded - DAY <= at <= recorded + 60_000:
        return None
    return (
        event.get("event_id") or "",
        user,
        name,
        team,
        team_name or team,
        score,
        min(at, recorded),
    )


def _parsed(value: bytes) -> dict:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        # Bytes that are no UTF-8 and lone surrogates make no bad event.
        event = json.loads(value.decode(errors="replace"))
        return json.loads(json.dumps(event, ensure_ascii=False).encode(errors="replace"))


class Streaks:
    """Hot streaks by buckets as long as the slide.

    Sums of the short and the long window move on with each.
    """

    def __init__(self, slide: int) -> None:
        self._slide = slide
        self._buckets: dict[int, dict[str, list[int]]] = {}
        self._short: dict[str, list[int]] = {}
        self._long: dict[str, list[int]] = {}
        self._next: int | None = None  # end of the next window

    def add(self, user: str, score: int, at: int) -> None:
        """Count an event, unless one of its windows has ended."""
        start = at - at % self._slide
        if self._next is not None and start < self._next - self._slide:
            return
        sums = self._buckets.setdefault(start, {}).setdefault(user, [0, 0])
        sums[0] += score
        sums[1] += 1

    def ended(self, watermark: int) -> list[tuple[int, str, int, int, float]]:
        """The rows of every window that ends by then."""
        if self._next is None and self._buckets:
            self._next = min(self._buckets) + self._slide
        rows = []
        while self._next is not None and self._next <= watermark and self._buckets:
            rows += self._window(self._next)
            self._next += self._slide
        return rows

    def _window(self, end: int) -> list[tuple[int, str, int, int, float]]:
        newest = self._buckets.get(end - self._slide, {})
        for sums, length in ((self._short, SHORT), (self._long, LONG)):
            _add(sums, newest, 1)
            _add(sums, self._buckets.get(end - self._slide - length, {}), -1)
        self._buckets.pop(end - self._slide - LONG, None)
        hot = (
            (
                (score / events) / (self._long[user][0] / self._long[user][1]),
                self._long[user][1],
                user,
                events,
            )
            for user, (score, events) in self._short.items()
            if events >= 3 and self._long[user][0] > 0
        )
        best = heapq.nsmallest(PLACES, hot, key=lambda row: (-row[0], -row[1], row[2]))
        return [
            (end, user, events, long_events, hotness) for hotness, long_events, user, events in best
        ]


def _add(sums: dict[str, list[int]], bucket: dict[str, list[int]], sign: int) -> None:
    for user, (score, events) in bucket.items():
        held = sums.setdefault(user, [0, 0])
        held[0] += sign * score
        held[1] += sign * events
        if not held[1]:
            del sums[user]


class Boards:
    """All totals, and which of them have changed since the last commit."""

    def __init__(self, slide: int) -> None:
        self.players: dict[str, list] = {}
        self.teams: dict[str, list] = {}
        self.members: dict[tuple[str, str], list] = {}
        self.changed: dict[str, set] = {"players": set(), "teams": set(), "members": set()}
        self.streaks = Streaks(slide)
        self._event_ids: set[str] = set()
        self._newest: dict[int, int] = {}

    def take(self, partition: int, value: bytes | None, recorded: int) -> None:
        """Count one message, or leave it out."""
        event = read(value, recorded)
        if event is None:
            return
        event_id, user, name, team, team_name, score, at = event
        if event_id:
            if event_id in self._event_ids:
                return
            self._event_ids.add(event_id)
        total = self.players.setdefault(user, [name or user, team, team_name, 0, 0])
        total[:3] = name or total[0], team, team_name
        total[3] += score
        total[4] = max(total[4], at)
        total = self.teams.setdefault(team, [team_name, 0, 0])
        total[0] = team_name
        total[1] += score
        total[2] = max(total[2], at)
        total = self.members.setdefault((team, user), [name or user, 0])
        total[0] = name or total[0]
        total[1] += score
        self.changed["players"].add(user)
        self.changed["teams"].add(team)
        self.changed["members"].add((team, user))
        self.streaks.add(user, score, at)
        self._newest[partition] = max(at, self._newest.get(partition, 0))

    def watermark(self, partitions: int) -> int:
        """The time before which no event is waited for."""
        return min(self._newest.values()) - LATENESS if len(self._newest) == partitions else 0

    def rows(self) -> dict[str, list[tuple]]:
        """What has changed since the last call, by table."""
        rows = {
            "players": [(user, *self.players[user]) for user in self.changed["players"]],
            "teams": [(team, *self.teams[team]) for team in self.changed["teams"]],
            "members": [(*pair, *self.members[pair]) for pair in self.changed["members"]],
        }
        for changed in self.changed.values():
            changed.clear()
        return rows


def main() -> None:
    """Read the topic up to the given ends, and write the boards."""
    parser = argparse.ArgumentParser()
    for name in ("brokers", "topic", "dsn", "ends"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--slide", type=int, required=True, help="seconds")
    given = parser.parse_args()
    ends = {int(partition): end for partition, end in json.loads(given.ends).items()}
    db = psycopg2.connect(given.dsn)
    _create(db)
    group = {"group.id": "python-consumer", "enable.auto.commit": False}
    consumer = Consumer({"bootstrap.servers": given.brokers, **group})
    consumer.assign(
        [TopicPartition(given.topic, partition, OFFSET_BEGINNING) for partition in ends]
    )
    boards, position = Boards(given.slide * 1000), dict.fromkeys(ends, 0)
    committed_at = time.monotonic()
    while any(position[partition] < end for partition, end in ends.items()):
        for message in consumer.consume(5_000, timeout=0.1):
            boards.take(message.partition(), message.value(), message.timestamp()[1])
            position[message.partition()] = message.offset() + 1
        if time.monotonic() - committed_at > COMMIT_SECONDS:
            _commit(db, boards, boards.watermark(len(ends)), position)
            committed_at = time.monotonic()
    _commit(db, boards, boards.watermark(len(ends)) + LONG, position)
    consumer.close()


def _create(db) -> None:
    with db, db.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS rival CASCADE; CREATE SCHEMA rival")
        for table, (columns, keys) in TABLES.items():
            key = ", ".join(_names(columns)[:keys])
            held = f"{columns}, PRIMARY KEY ({key})"
            cursor.execute(f"CREATE TABLE rival.{table} ({held}) WITH (fillfactor = 50)")
            like = f"(LIKE rival.{table}) ON COMMIT DELETE ROWS"
            cursor.execute(f"CREATE TEMPORARY TABLE new_{table} {like}")


def _names(columns: str) -> list[str]:
    return [column.split()[0] for column in columns.split(", ")]


def _commit(db, boards: Boards, watermark: int, position: dict[int, int]) -> None:
    rows = boards.rows()
    rows |= {"streaks": boards.streaks.ended(watermark), "offsets": list(position.items())}
    with db, db.cursor() as cursor:
        for table, changed in rows.items():
            columns, keys = TABLES[table]
            names = _names(columns)
            text = "".join("\t".join(map(_escaped, row)) + "\n" for row in changed)
            cursor.copy_expert(f"COPY new_{table} FROM STDIN", StringIO(text))
            new = ", ".join(f"{name} = EXCLUDED.{name}" for name in names[keys:])
            cursor.execute(
                f"INSERT INTO rival.{table} SELECT * FROM new_{table} "
                f"ON CONFLICT ({', '.join(names[:keys])}) DO UPDATE SET {new}"
            )


def _escaped(value: object) -> str:
    if not isinstance(value, str):
        return repr(value)
    value = value.replace("\\", r"\\").replace("\t", r"\t")
    return value.replace("\n", r"\n").replace("\r", r"\r")


if __name__ == "__main__":
    main()
