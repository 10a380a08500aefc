"""What is measured: each case is a list of rows, each row what was measured under a title."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

from benchmarks import compare, drain, live, profile, report, system
from benchmarks.compare import Rival
from benchmarks.drain import Result, Topic
from benchmarks.events import World
from benchmarks.figures import line, percentile
from jobs import sql
from settings import Settings

RECORDED_RATE = 50_000.0  # events per second in the times of what is drained
Row = dict[str, Any]
MANY = World()  # 100,000 players by Zipf's law in 10,000 teams


@dataclass(frozen=True)
class Sizes:
    """How much is measured: events of a drain, players, and seconds and events per second of live ones."""

    events: int
    few_events: int
    players: tuple[int, ...]
    crowd: int
    live_seconds: int
    rates: tuple[int, ...]
    sustained_seconds: int
    sustained_rates: tuple[int, ...]
    rivals_events: int
    naive_seconds: int
    rank_seconds: int  # until a rank is given up


FULL = Sizes(
    events=5_000_000,
    few_events=500_000,
    players=(1_000, 10_000, 100_000, 1_000_000),
    crowd=1_000_000,
    live_seconds=30,
    rates=(1_000, 5_000, 10_000),
    sustained_seconds=180,
    sustained_rates=(10_000, 5_000),
    rivals_events=200_000,
    naive_seconds=30,
    rank_seconds=30,
)
QUICK = Sizes(
    events=200_000,
    few_events=100_000,
    players=(1_000, 100_000),
    crowd=20_000,
    live_seconds=10,
    rates=(1_000,),
    sustained_seconds=10,
    sustained_rates=(3_000, 1_000),
    rivals_events=50_000,
    naive_seconds=10,
    rank_seconds=10,
)
WARM_UP_EVENTS = 100_000


def smaller(events: int, rate: int, seconds: int) -> Sizes:
    """The full sizes, but for no more events in a drain, no faster live events, and no longer than these."""
    return dataclasses.replace(
        FULL,
        events=events,
        few_events=min(events, FULL.few_events),
        rivals_events=min(events, FULL.rivals_events),
        crowd=min(events, FULL.crowd),
        live_seconds=min(seconds, FULL.live_seconds),
        rates=tuple(each for each in FULL.rates if each <= rate),
        sustained_seconds=seconds,
        sustained_rates=(rate, *(each for each in FULL.sustained_rates if each < rate)),
    )


# A million players who come by within ten minutes, each twice: in every minute a fifth of them plays.
CROWD_SECONDS = 600
EVERYBODY = {"totals_flush_seconds": Settings().totals_flush_seconds}
MEMORY_MB = {"memory": 4096}


class Screen(Protocol):
    """Where progress is shown."""

    def say(self, text: str) -> None:
        """One more line."""

    def progress(self, title: str, total: float | None = None) -> AbstractContextManager[Callable[[float], None]]:
        """A bar for as long as something takes."""


class Bench:
    """What the cases share: the settings, the sizes, the topics that are full already, and the screen."""

    def __init__(self, settings: Settings, sizes: Sizes, screen: Screen) -> None:
        self.settings, self.sizes, self.screen = settings, sizes, screen
        self.too_fast = math.inf  # the lowest rate, in events per second, that was seen not to be held
        self._topics: dict[tuple, Topic] = {}

    def warm_up(self) -> None:
        """A first drain, which warms the JVMs up and is not counted."""
        self.drain("warming up", World(1_000, 100), WARM_UP_EVENTS, system.shape(self.settings))

    def topic(self, world: World, events: int, rate: float = RECORDED_RATE) -> Topic:
        """A topic that holds so many events of a world; one at a time is kept."""
        key = world, events, rate
        if key not in self._topics:
            for old in self._topics.values():
                system.delete_topic(old.settings)
            with self.screen.progress(f"filling a topic with {events:,} events of {world.players:,} players"):
                self._topics = {key: drain.filled(self.settings, world, events, rate)}
        return self._topics[key]

    def drain(
        self,
        what: str,
        world: World,
        events: int,
        groups: tuple[tuple[str, ...], ...],
        rate: float = RECORDED_RATE,
        **changed: Any,
    ) -> Row:
        """Drain a topic with these jobs; what that took."""
        topic = self.topic(world, events, rate)
        with self.screen.progress(what, topic.records) as progress:
            result = drain.drain(topic, groups, progress, **changed)
        row = _row(what, result)
        self.screen.say(f"  {what}: {row['per_second']:,} events/s, right")
        return row

    def live(self, what: str, rate: float, seconds: float, **changed: Any) -> Row:
        """Let events come in at a rate, under these changed settings; what that took, and how late the boards were."""
        with self.screen.progress(what, live.WARM_UP_SECONDS + seconds) as progress:
            result = live.run(dataclasses.replace(self.settings, **changed), MANY, rate, seconds, progress)
        row = _live_row(what, rate, result)
        self.screen.say(f"  {what}: p99 {row['latency_ms']['top_players']['p99']:,} ms, right")
        return row


def _row(what: str, result: Result) -> Row:
    usage = result.usage
    return {
        "what": what,
        "events": result.records,
        "seconds": round(result.seconds, 1),
        "per_second": round(result.per_second),
        "cpu_per_million": _per_million(usage, result.records)
        | {"driver": round(result.sent.cpu_seconds / result.sent.records * 1e6, 2)},
        "state_mb": round(result.state_mb, 1),
        "rows_per_event": _rows_per_event(usage, result.records),
        **_machine_row(usage, result.seconds, result.records),
    }


def _machine_row(usage: system.Usage, seconds: float, records: int) -> Row:
    threads = {name: taken / records * 1e6 for name, taken in usage.thread_seconds.items()}
    return {
        "threads_per_million": report.by_part(threads),
        "gc_percent": round(100 * usage.gc_seconds / seconds, 1),
        "heap_peak_mb": round(usage.heap_peak_mb),
        "peak_mb": {name: round(peak) for name, peak in usage.peak_mb.items()},
        "busy_percent": {name: round(share, 1) for name, share in usage.busy_percent.items()},
    }


def _per_million(usage: system.Usage, records: int) -> dict[str, float]:
    return {name: round(seconds / records * 1e6, 2) for name, seconds in usage.cpu_seconds.items()}


def _rows_per_event(usage: system.Usage, records: int) -> dict[str, float]:
    return {name: round(rows / records, 5) for name, rows in usage.rows_written.items() if rows}


def _live_row(what: str, rate: float, result: live.Result) -> Row:
    usage, records = result.usage, round(rate * result.seconds)
    latency = {
        board: {f"p{percent}": round(1000 * percentile(values, percent)) for percent in (50, 95, 99)}
        for board, values in result.delays.items()
        if values
    }
    return {
        "what": what,
        "rate": rate,
        "seconds": round(result.seconds, 1),
        "events": records,
        "latency_ms": latency,
        "markers": len(result.delays["top_players"]),
        "lag_seconds": {"median": round(median(result.lag), 2), "end": round(result.lag[-1], 2)},
        "late_events": result.late_events,
        "held": "yes" if result.is_held else "no",
        "driver_behind_seconds": round(result.sent.behind_seconds, 2),
        "cpu_per_million": _per_million(usage, records)
        | {"driver": round(result.sent.cpu_seconds / result.sent.records * 1e6, 2)},
        "rows_per_event": _rows_per_event(usage, records),
        "table_mb": {name: round(size, 2) for name, size in usage.table_mb.items()},
        **_machine_row(usage, result.seconds, records),
    }


# The cases


def drain_all(bench: Bench) -> list[Row]:
    """All four boards, a full topic read to its end: in one job, and in a job for each board."""
    rows, few = [], bench.sizes.few_events
    for what, events, changed, slide in (
        ("one job", bench.sizes.events, {}, 5),
        ("one job", few, {}, 2),
        ("four jobs", few, {"one_job": "no"}, 5),
    ):
        groups = system.shape(dataclasses.replace(bench.settings, **changed))
        rows.append(
            bench.drain(f"{what}, hot streaks every {slide} s", MANY, events, groups, streak_slide_seconds=slide)
        )
    return rows


def stacks(bench: Bench) -> list[Row]:
    """What the TaskManager's threads are at in a drain of all boards in one job, by samples of their stacks."""
    with profile.sampled(bench.settings) as sampled:
        groups = system.shape(bench.settings)
        row = bench.drain("one job, sampled", MANY, bench.sizes.few_events, groups, streak_slide_seconds=5)
    million = row["events"] / 1e6
    kinds = {
        kind: report.by_part({thread: seconds / million for thread, seconds in threads.items()})
        for kind, threads in sampled.items()
    }
    return [{"what": part} | {kind: parts[part] for kind, parts in kinds.items()} for part in report.PARTS]


def boards(bench: Bench) -> list[Row]:
    """Each board alone, and what de-duplication, the list of rejects and everybody's totals cost."""
    events = bench.sizes.few_events
    rows = [bench.drain(name, MANY, events, ((name,),), streak_slide_seconds=5) for name in sql.METRICS]
    rows.append(bench.drain("hot_streaks every 2 s", MANY, events, (("hot_streaks",),), streak_slide_seconds=2))
    # As many repetitions and broken messages as nobody hopes for.
    bad, remembered = World(repeated=40, corrupt=50), bench.settings.deduplicate_minutes
    compared = (
        ("all boards in one job", sql.TOTALS, remembered),
        ("the same, no de-duplication", sql.TOTALS, 0),
        ("the same, no rejects", (*sql.TOTALS, "rejected_events"), remembered),
        ("the same, everybody's totals too", (), remembered),
    )
    measured = []
    # To and fro, so that a machine that becomes slower or faster favours none. The first drain is not counted: it
    # compiles what all share.
    for what, left_out, minutes in (compared[0], *compared, *reversed(compared)):
        tables = tuple(name for name in sql.TABLES if name not in left_out)
        changed = {"streak_slide_seconds": 5, "deduplicate_minutes": minutes} | EVERYBODY
        measured.append(bench.drain(what, bad, events, (tables,), **changed))
    return [*rows, *measured[1:]]


def players(bench: Bench) -> list[Row]:
    """Top players alone over the number of players, and CPU s per million fitted over its logarithm."""
    rows = []
    for count in bench.sizes.players:
        world = dataclasses.replace(MANY, players=count, teams=max(1, count // 10))
        rows.append(
            bench.drain(f"top players, {count:,} players", world, bench.sizes.few_events, (("top_players",),))
            | {"players": count}
        )
    start, slope = line([(math.log10(row["players"]), row["cpu_per_million"]["taskmanager"]) for row in rows])
    return [
        *rows,
        {"what": "fit", "cpu_per_million_at_1": round(start, 2), "more_per_tenfold_players": round(slope, 2)},
    ]


def latency(bench: Bench) -> list[Row]:
    """From event to row at steady rates, and CPU fitted over the rate; given up where the boards fall behind."""
    rows = []
    for rate in bench.sizes.rates:
        rows.append(bench.live(f"live, {rate:,} events/s", rate, bench.sizes.live_seconds))
        if rows[-1]["held"] == "no":
            bench.too_fast = rate
            break
    held = [(row["rate"], _cores(row)) for row in rows if row["held"] == "yes"]
    slow = bench.sizes.rates[0]
    rows.append(
        bench.live(f"live, {slow:,} events/s, everybody's totals too", slow, bench.sizes.live_seconds, **EVERYBODY)
    )
    if len(held) < 2:
        return rows
    idle, each = line(held)
    return [*rows, {"what": "fit", "cores_idle": round(idle, 3), "cpu_per_million": {"all": round(each * 1e6, 1)}}]


def _cores(row: Row) -> float:
    """CPU seconds per second of everything but the driver, and but for compiling, which comes to its end."""
    costs = [cost for name, cost in row["cpu_per_million"].items() if name != "driver"]
    return (sum(costs) - row["threads_per_million"]["compiling"]) * row["rate"] / 1e6


def sustained(bench: Bench) -> list[Row]:
    """All four boards live for minutes, at the highest rate that they hold: latency, rows written, table sizes."""
    rows, seconds = [], bench.sizes.sustained_seconds
    for rate in filter(lambda rate: rate < bench.too_fast, bench.sizes.sustained_rates):
        rows.append(bench.live(f"live, {rate:,} events/s for {seconds} s", rate, seconds))
        if rows[-1]["held"] == "yes":
            break
    return rows


def memory(bench: Bench) -> list[Row]:
    """A million players on all boards in a small TaskManager, and bytes of checkpoint for each."""
    count = bench.sizes.crowd
    crowd = World(players=count, teams=count // 10, is_even=True)
    row = bench.drain(
        f"all boards, {count:,} players in {MEMORY_MB['memory']:,} MB",
        crowd,
        2 * count,
        system.shape(bench.settings),
        rate=2 * count / CROWD_SECONDS,
        streak_slide_seconds=5,
    )
    return [row | {"bytes_per_player": round(row["state_mb"] * system.MEGABYTE / count)}]


def rivals(bench: Bench) -> list[Row]:
    """The same topic and oracle: ours, the usual SQL, plain Python, Bytewax."""
    events = bench.sizes.rivals_events
    slide = {"streak_slide_seconds": compare.SLIDE_SECONDS}
    ours = {
        "ours, top players": (("top_players",),),
        "ours, hot streaks": (("hot_streaks",),),
        "ours, all boards in one job": system.shape(bench.settings),
    }
    rows = [bench.drain(what, MANY, events, groups, **slide) | {"boards": "right"} for what, groups in ours.items()]
    topic = bench.topic(MANY, events)
    rows.append(_rival_row("usual SQL, top players", _naive(bench, topic, "top_players")))
    rows.append(_rival_row("usual SQL, hot streaks", _naive(bench, topic, "hot_streaks")))
    for what, program in (
        ("plain Python, all boards", compare.python),
        ("Bytewax, top players and hot streaks", compare.bytewax),
    ):
        with bench.screen.progress(what):
            rows.append(_rival_row(what, program(topic)))
    compare.forget(bench.settings)
    return rows


def _naive(bench: Bench, topic: Topic, board: str) -> Rival:
    with bench.screen.progress(f"usual SQL, {board}", topic.records) as progress:
        found = compare.naive(topic, board, bench.sizes.naive_seconds, progress)
    system.restart_taskmanager(bench.settings)
    return found


def _rival_row(what: str, rival: Rival) -> Row:
    records = max(1, rival.records)
    cpu = {"own": rival.cpu_seconds} | {name: rival.usage.cpu_seconds[name] for name in ("kafka", "postgres")}
    return {
        "what": what,
        "events": rival.records,
        "seconds": round(rival.seconds, 1),
        "per_second": round(rival.records / rival.seconds),
        "cpu_per_million": {name: round(seconds / records * 1e6, 2) for name, seconds in cpu.items()},
        "boards": rival.verdict,
    }


def ranks(bench: Bench) -> list[Row]:
    """The rank of all players as one task, in parts that the view ranks, and in two levels, at parallelism 2."""
    rows, topic, limit = [], bench.topic(MANY, bench.sizes.few_events), bench.sizes.rank_seconds
    for what, metric in (
        ("rank as one task", sql.metric),
        (f"rank in {drain.RANK_PARTS} parts, ranked by the view", drain.rank_in_parts),
        ("rank in two levels", drain.rank_in_two_levels),
    ):
        with bench.screen.progress(what, topic.records) as progress:
            try:
                result = drain.drain(topic, (("top_players",),), progress, metric, limit, parallelism=2)
                rows.append(_row(what, result))
            except system.TooSlow as slow:
                rate = round(slow.records / limit)
                rows.append({"what": what, "per_second": rate, "given_up_after_seconds": limit})
                system.restart_taskmanager(bench.settings)
        bench.screen.say(f"  {what}: {rows[-1]['per_second']:,} events/s")
    return rows


CASES: dict[str, Callable[[Bench], list[Row]]] = {
    "drain": drain_all,
    "stacks": stacks,
    "boards": boards,
    "players": players,
    "ranks": ranks,
    "latency": latency,
    "sustained": sustained,
    "rivals": rivals,
    "memory": memory,
}
QUICK_CASES = ("drain", "latency", "rivals")  # of a first look
