"""What is measured: each case is a list of rows, each row what was measured under a title."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks import campaigns, compare, drain, live, measured, profile, report, system
from benchmarks.compare import Rival
from benchmarks.drain import Result, Topic
from benchmarks.driver import Sent
from benchmarks.events import World
from benchmarks.figures import line, percentile
from benchmarks.measured import COMPARED, GAME, LATER, TOTALS, Tables
from benchmarks.screen import Screen
from compose import services
from games import sql
from games.board import Board
from games.score import HOT_STREAKS, REJECTED_EVENTS, TOP_PLAYERS
from settings import AVRO, JSON, Settings

RECORDED_RATE = 50_000.0  # events per second in the times of what is drained
REST_SECONDS = 60
REGISTRY = "registry"
Row = dict[str, Any]
MANY = World()  # 100,000 players by Zipf's law in 10,000 teams


@dataclass(frozen=True)
class Sizes:
    """How much is measured: events, players, and seconds and events per second of live ones."""

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
    events=3_000_000,
    few_events=500_000,
    players=(1_000, 10_000, 100_000, 1_000_000),
    crowd=1_000_000,
    live_seconds=30,
    rates=(1_000, 5_000, 20_000),
    sustained_seconds=180,
    sustained_rates=(36_000, 34_500, 33_000),
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
WARM_UP_EVENTS = 500_000
PROMPT_MILLIS = 1_500  # 99 % of the changes of a total are on the boards by then


def smaller(events: int, rate: int, seconds: int) -> Sizes:
    """The full sizes, but with no more events in a drain, and no faster or longer live ones."""
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


# A million players who come by within ten minutes, each twice: a fifth of them plays each minute.
CROWD_SECONDS = 600
EVERYBODY = {"totals_flush_seconds": Settings().totals_flush_seconds}
# What the services of a case start with, where that is not the usual.
STARTED_WITH: dict[str, dict[str, Any]] = {
    "memory": {"flink_taskmanager_memory_mb": 4096, "state_backend": "rocksdb"},
    "avro": {"event_format": AVRO},
}
SLIDE = {"streak_slide_seconds": compare.SLIDE_SECONDS}  # where a line says nothing else


class Bench:
    """What the cases share: the settings, the sizes, the topic that is full, and the screen."""

    def __init__(self, settings: Settings, sizes: Sizes, screen: Screen) -> None:
        self.settings, self.sizes, self.screen = settings, sizes, screen
        self.too_fast = math.inf  # the lowest rate, in events per second, that was not held
        self._topic: tuple[object, Topic] | None = None

    def warm_up(self) -> None:
        """A first drain, which warms the JVMs up and is not counted."""
        self.drain("warming up", World(1_000, 100), WARM_UP_EVENTS)

    def jobs(self, boards: Sequence[Board] = COMPARED, **changed: Any) -> list[Tables]:
        """The tables of each job that run_all.sh would submit for these boards."""
        return measured.jobs(dataclasses.replace(self.settings, **changed), boards)

    def topic(self, world: World, events: int, rate: float = RECORDED_RATE) -> Topic:
        """A topic that holds so many events of a world; one at a time is kept."""
        key = world, events, rate
        if self._topic is None or self._topic[0] != key:
            if self._topic:
                system.delete_topic(self._topic[1].settings)
                self._topic = None
            title = f"filling a topic with {events:,} events of {world.players:,} players"
            with self.screen.progress(title):
                self._topic = key, drain.filled(self.settings, world, events, rate)
        return self._topic[1]

    def drain(
        self,
        what: str,
        world: World,
        events: int,
        jobs: Sequence[Tables] | None = None,
        rate: float = RECORDED_RATE,
        **changed: Any,
    ) -> Row:
        """Drain a topic with these jobs, by default those of all boards; what that took."""
        topic = self.topic(world, events, rate)
        with self.screen.progress(what, topic.records) as progress:
            result = drain.drain(topic, jobs or self.jobs(), progress, **(SLIDE | changed))
        row = _row(what, result)
        self.screen.print(f"  {what}: {row['per_second']:,} events/s, right")
        return row

    def in_format(self, form: str) -> Row:
        """Fill a topic with events in a format, and drain it with one board; what that took."""
        settings, what = dataclasses.replace(self.settings, event_format=form), f"events in {form}"
        with self.screen.progress(f"filling a topic with {what}"):
            topic = drain.filled(settings, MANY, self.sizes.few_events, RECORDED_RATE)
        on_disk = system.bytes_on_disk(topic.settings)
        with self.screen.progress(what, topic.records) as progress:
            row = _row(what, drain.drain(topic, [[TOP_PLAYERS]], progress))
        system.delete_topic(topic.settings)
        records = topic.records
        return row | {
            "bytes_per_event": round(topic.sent.value_bytes / records, 1),
            "compressed_bytes_per_event": round(on_disk / records, 1),
        }

    def live(self, what: str, rate: float, seconds: float, **changed: Any) -> Row:
        """Let events come in at a rate; what that took, and how late the boards were."""
        settings = dataclasses.replace(self.settings, **changed)
        with self.screen.progress(what, live.WARM_UP_SECONDS + seconds) as progress:
            row = _live_row(what, rate, live.run(settings, MANY, rate, seconds, progress))
        p99 = row["latency_ms"][TOP_PLAYERS.title]["p99"]
        self.screen.print(f"  {what}: p99 {p99:,} ms, right")
        return row


def _row(what: str, result: Result) -> Row:
    return {
        "what": what,
        **_speed(result.sent.records, result.seconds),
        "state_mb": report.by_part(result.state_mb),
        **_machine_row(result.usage, result.seconds, result.sent.records, result.sent),
    }


def _speed(records: int, seconds: float) -> Row:
    return {
        "events": records,
        "seconds": round(seconds, 1),
        "per_second": round(records / seconds),
    }


def _machine_row(usage: system.Usage, seconds: float, records: int, sent: Sent) -> Row:
    driver = {"driver": sent.cpu_seconds / sent.records * 1e6}
    rows = {
        board.title: round(usage.rows_written[board.name] / records, 5)
        for board in GAME.boards
        if usage.rows_written.get(board.name)
    }
    return {
        "cpu_per_million": _rounded(_per_million(usage.cpu_seconds, records) | driver),
        "rows_per_event": rows,
        "threads_per_million": report.by_part(_per_million(usage.thread_seconds, records)),
        "gc_percent": round(100 * usage.gc_seconds / seconds, 1),
        "heap_peak_mb": round(usage.heap_peak_mb),
        "peak_mb": {name: round(peak) for name, peak in usage.peak_mb.items()},
        **report.busiest(usage.busy_percent),
    }


def _per_million(seconds: dict[str, float], records: int) -> dict[str, float]:
    return {name: each / records * 1e6 for name, each in seconds.items()}


def _rounded(costs: dict[str, float]) -> dict[str, float]:
    return {name: round(cost, 2) for name, cost in costs.items()}


def _live_row(what: str, rate: float, result: live.Result) -> Row:
    usage, records = result.usage, round(rate * result.seconds)
    latency = {
        board.title: {
            f"p{percent}": round(1000 * percentile(values, percent)) for percent in (50, 95, 99)
        }
        for board, values in result.delays.items()
        if values
    }
    return {
        "what": what,
        "rate": rate,
        **_speed(records, result.seconds),
        "latency_ms": latency,
        "markers": len(result.delays[TOTALS[0]]),
        "lag_seconds": {"median": round(median(result.lag), 2), "end": round(result.lag[-1], 2)},
        "late_events": result.late_events,
        "held": "yes" if result.is_held else "no",
        "driver_behind_seconds": round(result.sent.behind_seconds, 2),
        "table_mb": round(sum(usage.table_mb.values()), 2),
        **_machine_row(usage, result.seconds, records, result.sent),
    }


# The cases


def drain_all(bench: Bench) -> list[Row]:
    """All boards, a full topic read to its end: in one job, and in a job for each board."""
    every, few = bench.sizes.events, bench.sizes.few_events
    rows = [
        bench.drain("one job, hot streaks every 5 s", MANY, every),
        bench.drain("four jobs, hot streaks every 5 s", MANY, every, bench.jobs(one_job="no")),
        bench.drain("one job, hot streaks every 2 s", MANY, few, streak_slide_seconds=2),
    ]
    if LATER:
        titles = " and ".join(board.title.lower() for board in LATER)
        jobs = bench.jobs(GAME.boards)
        rows.append(bench.drain(f"one job, {titles} too", MANY, few, jobs))
    return rows


def stacks(bench: Bench) -> list[Row]:
    """What the TaskManager's threads are at in a drain in one job, by samples of their stacks."""
    with profile.sampled(bench.settings) as sampled:
        row = bench.drain("one job, sampled", MANY, bench.sizes.few_events)
    kinds = {
        kind: report.by_part(_per_million(threads, row["events"]))
        for kind, threads in sampled.items()
    }
    return [
        {"what": part} | {kind: parts[part] for kind, parts in kinds.items()}
        for part in report.PARTS
    ]


def boards(bench: Bench) -> list[Row]:
    """Each board alone, and what de-duplication, the list of rejects and all totals cost."""
    events = bench.sizes.few_events
    rows = [bench.drain(f"{each.title} alone", MANY, events, [[each]]) for each in GAME.boards]
    what = f"{HOT_STREAKS.title} every 2 s alone"
    rows.append(bench.drain(what, MANY, events, [[HOT_STREAKS]], streak_slide_seconds=2))
    # As many repetitions and broken messages as nobody hopes for.
    bad, remembered = World(repeated=40, corrupt=50), bench.settings.deduplicate_minutes
    (every_board,) = bench.jobs()
    no_rejects = [table for table in every_board if table is not REJECTED_EVENTS]
    totals = [table for table in GAME.tables if table.for_lookups]
    compared = (
        (report.ALL_BOARDS, every_board, remembered),
        (report.NO_DEDUPLICATION, every_board, 0),
        (report.NO_REJECTS, no_rejects, remembered),
        (report.EVERYBODY_TOO, [*every_board, *totals], remembered),
    )
    pairs = []
    # To and fro, so that a machine that becomes slower or faster favours none. The first drain is
    # not counted: it compiles what all share.
    for what, tables, minutes in (compared[0], *compared, *reversed(compared)):
        changed = {"deduplicate_minutes": minutes} | EVERYBODY
        pairs.append(bench.drain(what, bad, events, [tables], **changed))
    return [*rows, *pairs[1:]]


def players(bench: Bench) -> list[Row]:
    """Top players alone over the number of players, and CPU s per million fitted over its log."""
    rows = []
    for count in bench.sizes.players:
        world = dataclasses.replace(MANY, players=count, teams=max(1, count // 10))
        what = f"top players, {count:,} players"
        row = bench.drain(what, world, bench.sizes.few_events, [[TOP_PLAYERS]])
        rows.append(row | {"players": count})
    costs = [(math.log10(row["players"]), row["cpu_per_million"]["taskmanager"]) for row in rows]
    start, slope = line(costs)
    fit = {"cpu_per_million_at_1": round(start, 2), "more_per_tenfold_players": round(slope, 2)}
    return [*rows, {"what": "fit"} | fit]


def latency(bench: Bench) -> list[Row]:
    """From event to row at steady rates, and CPU fitted over the rate, until one is not held."""
    rows: list[Row] = []
    seconds = bench.sizes.live_seconds
    for rate in bench.sizes.rates:
        rows.append(bench.live(f"live, {rate:,} events/s", rate, seconds))
        if rows[-1]["held"] == "no":
            bench.too_fast = rate
            break
    held = [(row["rate"], _cores(row)) for row in rows if row["held"] == "yes"]
    slow = bench.sizes.rates[0]
    what = f"live, {slow:,} events/s, everybody's totals too"
    rows.append(bench.live(what, slow, seconds, **EVERYBODY))
    if len(held) < 2:
        return rows
    idle, each = line(held)
    fit = {"cores_idle": round(idle, 3), "cpu_per_million": {"all": round(each * 1e6, 1)}}
    return [*rows, {"what": "fit"} | fit]


def _cores(row: Row) -> float:
    """CPU seconds per second, but for compiling, which comes to its end."""
    costs = report.whole(row) - row["threads_per_million"]["compiling"]
    return costs * row["rate"] / 1e6


def sustained(bench: Bench) -> list[Row]:
    """Live for minutes, down to a rate at which totals are prompt: latency, rows, table sizes."""
    rows, seconds = [], bench.sizes.sustained_seconds
    for rate in filter(lambda rate: rate < bench.too_fast, bench.sizes.sustained_rates):
        rows.append(bench.live(f"live, {rate:,} events/s for {seconds} s", rate, seconds))
        slowest = max(rows[-1]["latency_ms"][board.title]["p99"] for board in TOTALS)
        if rows[-1]["held"] == "yes" and slowest <= PROMPT_MILLIS:
            break
    return rows


def memory(bench: Bench) -> list[Row]:
    """A million players in a small TaskManager with RocksDB, and bytes of checkpoint for each."""
    count = bench.sizes.crowd
    crowd = World(players=count, teams=count // 10, is_even=True)
    memory_mb = bench.settings.flink_taskmanager_memory_mb
    what = f"all boards, {count:,} players in {memory_mb:,} MB, RocksDB"
    row = bench.drain(what, crowd, 2 * count, rate=2 * count / CROWD_SECONDS)
    per_player = {
        part: round(megabytes * system.MEGABYTE / count)
        for part, megabytes in row["state_mb"].items()
    }
    return [row | {"bytes_per_player": per_player}]


def avro(bench: Bench) -> list[Row]:
    """The same events in JSON and in Avro, twice each, and what a schema registry takes at rest."""
    # To and fro, so that a machine that becomes slower or faster favours none. The first is not
    # counted: it compiles what reading Avro needs.
    rows = [bench.in_format(form) for form in (AVRO, JSON, AVRO, AVRO, JSON)][1:]
    with bench.screen.progress("the registry at rest"):
        before = system.cpu_seconds(bench.settings)
        time.sleep(REST_SECONDS)
        used = system.cpu_seconds_since(before, bench.settings)[REGISTRY] / REST_SECONDS
    resident = services.processes(bench.settings)[REGISTRY].memory_info().rss / system.MEGABYTE
    at_rest = {"cores": {REGISTRY: round(used, 4)}, "peak_mb": {REGISTRY: round(resident)}}
    return [*rows, {"what": "registry at rest"} | at_rest]


def rivals(bench: Bench) -> list[Row]:
    """The same topic and oracle: ours, the usual SQL, Bytewax."""
    events = bench.sizes.rivals_events
    ours: dict[str, list[Tables]] = {
        "ours, top players": [[TOP_PLAYERS]],
        "ours, hot streaks": [[HOT_STREAKS]],
        "ours, all boards in one job": bench.jobs(),
    }
    rows = [
        bench.drain(what, MANY, events, jobs) | {"boards": "right"} for what, jobs in ours.items()
    ]
    topic = bench.topic(MANY, events)
    for board in (TOP_PLAYERS, HOT_STREAKS):
        what = f"usual SQL, {board.title.lower()}"
        with bench.screen.progress(what, topic.records) as progress:
            rival = compare.naive(topic, board, bench.sizes.naive_seconds, progress)
        system.restart_taskmanager(bench.settings)
        rows.append(_rival_row(what, rival))
    rows.append(_program(bench, topic, "Bytewax, top players and hot streaks", "bytewax_flow"))
    compare.forget(bench.settings)
    return rows


def python(bench: Bench) -> list[Row]:
    """All boards beside a plain Python consumer, over one full topic, twice each."""
    events, rows = bench.sizes.events, []
    for _ in range(2):  # in turn, so that a machine that changes favours neither
        rows.append(bench.drain(report.OURS, MANY, events) | {"boards": "right"})
        topic = bench.topic(MANY, events)
        rows.append(_program(bench, topic, report.PLAIN_PYTHON, "python_consumer"))
    compare.forget(bench.settings)
    return rows


def _program(bench: Bench, topic: Topic, what: str, program: str) -> Row:
    with bench.screen.progress(what):
        return _rival_row(what, compare.program(topic, program))


def _rival_row(what: str, rival: Rival) -> Row:
    shared = {name: rival.usage.cpu_seconds[name] for name in ("kafka", "postgres")}
    cpu = {"own": rival.cpu_seconds} | shared
    return {
        "what": what,
        **_speed(rival.records, rival.seconds),
        "cpu_per_million": _rounded(_per_million(cpu, max(1, rival.records))),
        "boards": rival.verdict,
    }


def ranks(bench: Bench) -> list[Row]:
    """The rank of all players as one task, in parts, and in two levels, at parallelism 2."""
    rows: list[Row] = []
    topic, limit = bench.topic(MANY, bench.sizes.few_events), bench.sizes.rank_seconds
    for what, metric in (
        ("rank as one task", sql.metric),
        (f"rank in {drain.RANK_PARTS} parts, ranked by the view", drain.rank_in_parts),
        ("rank in two levels", drain.rank_in_two_levels),
    ):
        with bench.screen.progress(what, topic.records) as progress:
            try:
                jobs = [[TOP_PLAYERS]]
                result = drain.drain(topic, jobs, progress, metric, limit, parallelism=2)
                rows.append(_row(what, result))
            except system.TooSlow as slow:
                rate = round(slow.records / limit)
                rows.append({"what": what, "per_second": rate, "given_up_after_seconds": limit})
                system.restart_taskmanager(bench.settings)
        bench.screen.print(f"  {what}: {rows[-1]['per_second']:,} events/s")
    return rows


def of_campaigns(bench: Bench) -> list[Row]:
    """Spins for 100 campaigns over 50 games, 10,000 players, into both sinks."""
    rows: list[Row] = []
    spins = bench.sizes.events
    for sink in ("kafka", "postgres"):
        what = f"{campaigns.CAMPAIGNS} campaigns into {sink}"
        with bench.screen.progress(what, spins) as progress:
            result = campaigns.drain(bench.settings, sink, spins, progress)
        sent = Sent(result.spins, 0.0)
        row = {
            "what": what,
            **_speed(result.spins, result.seconds),
            **_machine_row(result.usage, result.seconds, result.spins, sent),
            "boards": "right",
        }
        rows.append(row)
        bench.screen.print(f"  {what}: {row['per_second']:,} spins/s")
    return rows


CASES: dict[str, Callable[[Bench], list[Row]]] = {
    "python": python,
    "drain": drain_all,
    "stacks": stacks,
    "boards": boards,
    "players": players,
    "ranks": ranks,
    "latency": latency,
    "sustained": sustained,
    "rivals": rivals,
    "memory": memory,
    "campaigns": of_campaigns,
    "avro": avro,
}
QUICK_CASES = ("python", "drain", "latency", "rivals")  # of a first look
