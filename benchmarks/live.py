"""What readers of the boards see while events come in at a steady rate, and how late they see it.

Markers are players with teams of their own whose totals grow by 1 at times that nothing delays: each such event has
its row on the boards of players, teams and MVPs. What counts is from the broker's timestamp of that event to the
moment at which a reader, who looks again and again, has the new total in hand. Every marker counts, so a system that
stands still is not asked less. Hot streaks count from their window's end, less the watermark's 5 s.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, cycle
from threading import Event, Thread

from confluent_kafka import Producer

from benchmarks import driver, oracle, system
from benchmarks.drain import check
from benchmarks.driver import Load, Sent
from benchmarks.events import World
from benchmarks.figures import delays
from benchmarks.system import BenchmarkError, Usage, Watch
from compose import postgres
from jobs import job, sql
from settings import Settings
from tests.oracle import season_start

MARKERS = 10
MARKS_PER_SECOND = 20
LOOKED_BACK = 200  # markers of a player, in search of the oldest that is not seen
LOOK_SECONDS = 0.01
LOOKS_PER_STREAK = 10  # hot streaks come every few seconds, and cost more to look at
HEAD_START, HEAD_STARTS = 1_000_000, 20  # what keeps a marker on the boards, in as many events
WATERMARK_MILLIS = 5_000
WARM_UP_SECONDS = 20
CATCH_UP_SECONDS = 600
SETTLE_SECONDS = 60
GIVE_UP_SECONDS = 20.0  # behind
HELD_SECONDS = 2.0  # behind, at most, when a rate is held
TOTALS = ("top_players", "top_teams", "team_mvps")


@dataclass(frozen=True)
class Result:
    """What happened under a steady rate."""

    sent: Sent
    seconds: float
    usage: Usage
    delays: dict[str, list[float]]  # by board: seconds from event to row, in the order of sending
    lag: list[float]  # every second, how many seconds ago the oldest marker was sent that is not on all boards
    late_events: int  # that came too late for a streak

    @property
    def is_held(self) -> bool:
        """Whether the boards kept up to the end."""
        return self.lag[-1] < HELD_SECONDS


def run(settings: Settings, world: World, rate: float, seconds: float, progress: Callable[[float], None]) -> Result:
    """Let events come in for so long, after a warm-up, and compare the boards with the oracle in the end.

    `progress` is told the seconds that have passed. Raises AssertionError when a board is wrong, BenchmarkError when
    the boards do not catch up.
    """
    chosen = dataclasses.replace(settings, topic=f"live-{time.time_ns()}")
    system.create_topic(chosen, keeps_times=False)
    postgres.clear(chosen, sql.TABLES)
    jobs = [system.submit(chosen, group, f"live {group[0]} {time.time_ns()}") for group in system.shape(chosen)]
    markers = Markers(chosen)
    try:
        markers.begin()
        load = Load(chosen.brokers, chosen.topic, world, rate, WARM_UP_SECONDS + seconds, driver.PROCESSES)
        began = time.monotonic()
        _wait(WARM_UP_SECONDS, began, progress)
        with Watch(chosen) as watch:
            measured_from = time.time()
            lag = []
            while time.time() < measured_from + seconds and (not lag or lag[-1] < GIVE_UP_SECONDS):
                progress(time.monotonic() - began)
                time.sleep(1)
                lag.append(markers.oldest_unseen())
            measured_until = time.time()
            load.stop()
        sent = load.sent()
        markers.end()
        found = markers.delays(measured_from, measured_until)
        folded = oracle.fold(chosen.brokers, chosen.topic, system.ends(chosen))
        late = _await_boards(chosen, folded)
    finally:
        markers.stop()
        for job_id in jobs:
            job.cancel(chosen, job_id)
        system.delete_topic(chosen)
    return Result(sent, measured_until - measured_from, watch.usage, found, lag, late)


def _wait(until: float, began: float, progress: Callable[[float], None]) -> None:
    while (passed := time.monotonic() - began) < until:
        progress(passed)
        time.sleep(min(1.0, until - passed))


def _await_boards(settings: Settings, folded: oracle.Fold) -> int:
    """Compare until it holds: the sink holds rows back for a moment; how many events were late for a streak.

    The oracle knows of no late event, so streaks are compared when there was none.
    """
    deadline = time.monotonic() + SETTLE_SECONDS
    written = [name for group in system.shape(settings) for name in group]
    while True:
        late = system.counts(settings, "SELECT 'late', COALESCE(SUM(events), 0) FROM flink.late_events")["late"]
        try:
            check(settings, [name for name in written if not late or name != "hot_streaks"], folded)
            return late
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        time.sleep(2)


class Markers:
    """Sends the markers, and looks when their rows are there; both in threads of their own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = Producer({"bootstrap.servers": settings.brokers, "linger.ms": 0, "acks": "all"})
        self._sent: dict[int, list[tuple[int, float]]] = defaultdict(list)
        self._seen: dict[tuple[str, int], list[tuple[float, int]]] = defaultdict(list)
        self._windows: list[tuple[float, int]] = []
        self._is_over, self._is_left = Event(), Event()
        self._threads = [Thread(target=self._send, daemon=True), Thread(target=self._look, daemon=True)]

    def begin(self) -> None:
        """Put the markers on the boards, and start when they are there."""
        for number in range(MARKERS):
            for _ in range(HEAD_STARTS):
                self._produce(number, HEAD_START)
        self._producer.flush()
        self._threads[1].start()
        self._await(lambda: len(self._seen) == MARKERS * len(TOTALS) and self._are_all(HEAD_START * HEAD_STARTS))
        self._threads[0].start()

    def end(self) -> None:
        """Send no more, and wait until all are on the boards. Raises BenchmarkError when that takes too long."""
        self._is_over.set()
        self._threads[0].join()
        self._producer.flush()
        totals = {number: sent[-1][0] for number, sent in self._sent.items()}
        self._await(lambda: all(seen[-1][1] >= totals[number] for (_, number), seen in self._seen.items()))
        self.stop()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()
        self._is_left.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def delays(self, since: float, until: float) -> dict[str, list[float]]:
        """Of the markers that the broker stamped in this time (epoch seconds), and the windows that ended in it."""
        seconds: dict[str, list[float]] = {}
        for board in TOTALS:
            found = []
            for number, sent in self._sent.items():
                times = delays(sent, self._seen[board, number])
                found += [(at, delay) for (_, at), delay in zip(sent, times, strict=True) if since <= at <= until]
            seconds[board] = [delay for _, delay in sorted(found)]
        ended = [(at, window / 1000) for at, window in self._windows if since <= window / 1000 <= until]
        seconds["hot_streaks"] = [at - window - WATERMARK_MILLIS / 1000 for at, window in ended]
        return seconds

    def oldest_unseen(self) -> float:
        """How many seconds ago the oldest marker was sent that is not on all boards; 0 when all are."""
        now, oldest = time.time(), 0.0
        for number, sent in list(self._sent.items()):
            seen = min(self._seen[board, number][-1][1] for board in TOTALS)
            oldest = max([oldest, *(now - at for total, at in sent[-LOOKED_BACK:] if total > seen)])
        return oldest

    def _are_all(self, total: int) -> bool:
        return all(seen[-1][1] >= total for seen in self._seen.values())

    def _await(self, holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + CATCH_UP_SECONDS
        while not holds():
            if not self._threads[1].is_alive() or time.monotonic() > deadline:
                raise BenchmarkError(f"the markers were not on the boards after {CATCH_UP_SECONDS} s")
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

        def note(error: object, message) -> None:
            if error:
                raise BenchmarkError(f"a marker was refused: {error}")
            if total:
                self._sent[number].append((total, message.timestamp()[1] / 1000))

        self._producer.produce(
            self._settings.topic, json.dumps(event).encode(), _user(number).encode(), on_delivery=note
        )

    def _look(self) -> None:
        season = season_start(int(time.time() * 1000), self._settings.season)
        users, teams = ([name(number) for number in range(MARKERS)] for name in (_user, _team))
        numbers = {name: number for names in (users, teams) for number, name in enumerate(names)}
        totals: dict[tuple[str, int], int] = {}
        newest = 0
        with postgres.connect(postgres.owner_dsn(self._settings)) as db, db.cursor() as cursor:
            for look in count():
                if self._is_left.wait(LOOK_SECONDS):
                    return
                cursor.execute(TOTALS_QUERY, {"season": season, "users": users, "teams": teams})
                now = time.time()
                for board, name, total in cursor:
                    key = board, numbers[name]
                    if totals.get(key) != total:
                        totals[key] = total
                        self._seen[key].append((now, total))
                if look % LOOKS_PER_STREAK == 0:
                    cursor.execute("SELECT max(extract(epoch FROM window_end)) FROM leaderboard.hot_streaks")
                    window = int((cursor.fetchone()[0] or 0) * 1000)
                    if window > newest:
                        newest = window
                        self._windows.append((time.time(), window))


TOTALS_QUERY = """
SELECT 'top_players', user_id, total_score FROM flink.top_players
WHERE season_start = %(season)s AND user_id = ANY(%(users)s)
UNION ALL
SELECT 'top_teams', team_id, total_score FROM flink.top_teams
WHERE season_start = %(season)s AND team_id = ANY(%(teams)s)
UNION ALL
SELECT 'team_mvps', team_id, team_total FROM flink.team_mvps
WHERE season_start = %(season)s AND team_id = ANY(%(teams)s)
"""


def _user(number: int) -> str:
    return f"USR-MARKER-{number:02}"


def _team(number: int) -> str:
    return f"TEAM-MARKER-{number:02}"
