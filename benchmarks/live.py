"""What readers of the boards see while events come in at a steady rate, and how late they see it.

Markers are players with teams of their own whose totals grow by 1 at times that nothing delays:
each such event has its row on the boards of players, teams and MVPs. What counts is from the
broker's timestamp of that event to the moment at which a reader, who looks again and again, has
the new total in hand. Every marker counts, so a system that stands still is not asked less. Hot
streaks count from their window's end, less the watermark's 5 s.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, cycle
from threading import Event, Thread
from typing import Any

from confluent_kafka import Producer

from benchmarks import fold, measured, system
from benchmarks.drain import check
from benchmarks.driver import Load, Sent
from benchmarks.events import World
from benchmarks.figures import delays
from benchmarks.measured import GAME, TOTALS
from benchmarks.system import BenchmarkError, Usage, Watch
from boards.postgres import PostgresSink
from clients import flink, postgres
from games import season
from games.board import Board, Table
from games.score import HOT_STREAKS, LATE_EVENTS
from settings import Settings
from tests import bounded
from tests.conftest import eventually

MARKERS = 10
MARKS_PER_SECOND = 20
LOOKED_BACK = 200  # markers of a player, in search of the oldest that is not on all boards
LOOK_SECONDS = 0.01
LOOKS_PER_STREAK = 10  # hot streaks come every few seconds, and cost more to look at
HEAD_START, HEAD_STARTS = 1_000_000, 20  # what keeps a marker on the boards, in as many events
WATERMARK_SECONDS = 5
WARM_UP_SECONDS = 120  # the JVM compiles for so long, the code of checkpoints last
CATCH_UP_SECONDS = 600
GIVE_UP_SECONDS = 20.0  # behind
HELD_SECONDS = 2.0  # behind, at most, when a rate is held
NAMED = {"user_id": "$2", "team_id": "$3"}
# Prepared, so that looking takes little from the system.
TOTALS_QUERY = "PREPARE totals (bigint, text[], text[]) AS " + "\nUNION ALL\n".join(
    f"SELECT '{board.name}', {board.found_by}, {board.grows[0]} FROM flink.{board.name} "
    f"WHERE season_start = $1 AND {board.found_by} = ANY({NAMED[board.found_by]})"
    for board in TOTALS
)
WINDOW_QUERY = f"SELECT max(extract(epoch FROM window_end)) FROM leaderboard.{HOT_STREAKS.name}"
LATE_QUERY = f"SELECT 'late', COALESCE(SUM(events), 0) FROM flink.{LATE_EVENTS.name}"


@dataclass(frozen=True)
class Result:
    """What happened under a steady rate.

    delays      by board: seconds from event to row, in the order of sending
    lag         every second, how many seconds ago the oldest marker was sent that is not on all
                boards
    late_events that came too late for a streak
    """

    sent: Sent
    seconds: float
    usage: Usage
    delays: dict[Board, list[float]]
    lag: list[float]
    late_events: int

    @property
    def is_held(self) -> bool:
        """Whether the boards kept up to the end."""
        return self.lag[-1] < HELD_SECONDS


def run(
    settings: Settings, world: World, rate: float, seconds: float, progress: Callable[[float], None]
) -> Result:
    """Let events come in for so long, after a warm-up, and compare the boards with the oracle.

    `progress` is told the seconds that have passed. Raises AssertionError when a board is wrong,
    BenchmarkError when the boards do not catch up.
    """
    chosen = dataclasses.replace(settings, topic=f"live-{time.time_ns()}")
    bounded.create_topic(chosen, keeps_times=False)
    PostgresSink(chosen).clear(GAME.tables)
    jobs = measured.jobs(chosen)
    ids = [system.submit(chosen, each, f"live {each[0].name} {time.time_ns()}") for each in jobs]
    markers = Markers(chosen)
    try:
        markers.begin()
        load = Load(chosen, world, rate, WARM_UP_SECONDS + seconds)
        began = time.monotonic()
        while (passed := time.monotonic() - began) < WARM_UP_SECONDS:
            progress(passed)
            time.sleep(min(1.0, WARM_UP_SECONDS - passed))
        with Watch(chosen) as watch:
            measured_from = time.time()
            lag: list[float] = []
            while time.time() < measured_from + seconds and (not lag or lag[-1] < GIVE_UP_SECONDS):
                progress(time.monotonic() - began)
                time.sleep(1)
                lag.append(markers.oldest_missing())
            measured_until = time.time()
            load.stop()
        sent = load.sent()
        markers.end()
        found = markers.delays(measured_from, measured_until)
        late = _await_boards(chosen, [table for each in jobs for table in each])
    finally:
        markers.stop()
        for job_id in ids:
            flink.cancel(chosen, job_id)
        system.delete_topic(chosen)
    return Result(sent, measured_until - measured_from, watch.usage, found, lag, late)


def _await_boards(settings: Settings, tables: list[Table]) -> int:
    """Wait until the boards are the oracle's; how many events were late for a streak.

    The oracle knows of no late event, so streaks are compared when there was none.
    """
    folded = fold.folded(settings)

    def late_events() -> int:
        return system.counts(settings, LATE_QUERY)["late"]

    def compare() -> None:
        late = late_events()
        check(settings, [each for each in tables if not late or each is not HOT_STREAKS], folded)

    eventually(compare)
    return late_events()


class Markers:
    """Sends the markers, and looks when their rows are there; both in threads of their own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        own = {"bootstrap.servers": settings.brokers, "linger.ms": 0, "acks": "all"}
        self._producer = Producer(own)
        self._sent: dict[int, list[tuple[int, float]]] = {each: [] for each in range(MARKERS)}
        self._read: dict[tuple[str, int], list[tuple[float, int]]] = {
            (board.name, number): [] for board in TOTALS for number in range(MARKERS)
        }
        self._windows: list[tuple[float, int]] = []
        self._is_over, self._is_left = Event(), Event()
        self._sender = Thread(target=self._send, daemon=True)
        self._reader = Thread(target=self._look, daemon=True)

    def begin(self) -> None:
        """Put the markers on the boards, and start when they are there."""
        for number in range(MARKERS):
            for _ in range(HEAD_STARTS):
                self._produce(number, HEAD_START)
        self._producer.flush()
        self._reader.start()
        self._await(dict.fromkeys(range(MARKERS), HEAD_START * HEAD_STARTS))
        self._sender.start()

    def end(self) -> None:
        """Send no more, and wait until all are on the boards.

        Raises BenchmarkError when that takes too long.
        """
        self._is_over.set()
        self._sender.join()
        self._producer.flush()
        self._await({number: sent[-1][0] for number, sent in self._sent.items()})
        self.stop()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()
        self._is_left.set()
        for thread in (self._sender, self._reader):
            if thread.is_alive():
                thread.join()

    def delays(self, since: float, until: float) -> dict[Board, list[float]]:
        """Of the markers that the broker stamped, and the windows that ended, in this time.

        Times are in epoch seconds.
        """
        seconds: dict[Board, list[float]] = {}
        for board in TOTALS:
            found = []
            for number, sent in self._sent.items():
                delayed = delays(sent, self._read[board.name, number])
                pairs = zip(sent, delayed, strict=True)
                found += [(at, delay) for (_, at), delay in pairs if since <= at <= until]
            seconds[board] = [delay for _, delay in sorted(found)]
        ended = [(at, end / 1000) for at, end in self._windows if since <= end / 1000 <= until]
        seconds[HOT_STREAKS] = [at - end - WATERMARK_SECONDS for at, end in ended]
        return seconds

    def oldest_missing(self) -> float:
        """How many seconds ago the oldest marker was sent that is not on all boards; 0: none."""
        now, oldest = time.time(), 0.0
        for number, sent in self._sent.items():
            lowest = min(self._read[board.name, number][-1][1] for board in TOTALS)
            missing = (now - at for total, at in sent[-LOOKED_BACK:] if total > lowest)
            oldest = max([oldest, *missing])
        return oldest

    def _await(self, totals: dict[int, int]) -> None:
        """Wait until every board has these totals, by marker."""
        wanted = {(board.name, number): totals[number] for board in TOTALS for number in totals}
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while any(not self._read[key] or self._read[key][-1][1] < wanted[key] for key in wanted):
            if not self._reader.is_alive() or time.monotonic() > deadline:
                late = f"after {CATCH_UP_SECONDS} s"
                raise BenchmarkError(f"the markers were not on the boards {late}")
            time.sleep(0.1)

    def _send(self) -> None:
        began = time.monotonic()
        totals = dict.fromkeys(range(MARKERS), HEAD_START * HEAD_STARTS)
        for mark, number in enumerate(cycle(range(MARKERS))):
            while (early := began + mark / MARKS_PER_SECOND - time.monotonic()) > 0:
                self._producer.poll(early)
            if self._is_over.is_set():
                return
            totals[number] += 1
            self._produce(number, 1, totals[number])

    def _produce(self, number: int, score: int, total: int = 0) -> None:
        event = {
            "event_id": f"marker {number} {total} {time.time_ns()}",
            "user_id": _user(number),
            "user_name": f"Marker {number}",
            "team_id": _team(number),
            "team_name": f"Marked {number}",
            "score": score,
            "event_time_millis": int(time.time() * 1000),
        }

        def note(error: object, message: Any) -> None:
            if error:
                raise BenchmarkError(f"a marker was refused: {error}")
            if total:
                self._sent[number].append((total, message.timestamp()[1] / 1000))

        value, key = json.dumps(event).encode(), _user(number).encode()
        self._producer.produce(self._settings.topic, value, key, on_delivery=note)

    def _look(self) -> None:
        users, teams = ([name(number) for number in range(MARKERS)] for name in (_user, _team))
        numbers = {name: number for names in (users, teams) for number, name in enumerate(names)}
        start = season.of(self._settings).start_of(int(time.time() * 1000))
        totals: dict[tuple[str, int], int] = {}
        newest = 0
        dsn = postgres.owner_dsn(self._settings)
        with postgres.connect(dsn) as db, db.cursor() as cursor:
            cursor.execute(TOTALS_QUERY)
            for look in count():
                if self._is_left.wait(LOOK_SECONDS):
                    return
                cursor.execute("EXECUTE totals (%s, %s, %s)", (start, users, teams))
                now = time.time()
                for board, name, total in cursor:
                    key = board, numbers[name]
                    if totals.get(key) != total:
                        totals[key] = total
                        self._read[key].append((now, total))
                if look % LOOKS_PER_STREAK == 0:
                    cursor.execute(WINDOW_QUERY)
                    ((ended_at,),) = cursor.fetchall()
                    window = int((ended_at or 0) * 1000)
                    if window > newest:
                        newest = window
                        self._windows.append((time.time(), window))


def _user(number: int) -> str:
    return f"USR-MARKER-{number:02}"


def _team(number: int) -> str:
    return f"TEAM-MARKER-{number:02}"
