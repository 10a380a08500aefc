"""What was measured as a table, as JSON, as the tables of docs/benchmarks.md and as pictures."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.table import Table

from benchmarks.measured import TOTALS
from games.score import HOT_STREAKS, TEAM_MVPS, TOP_PLAYERS
from settings import PROJECT

RESULTS = PROJECT / "benchmarks" / "results.json"
PAGE = PROJECT / "docs" / "benchmarks.md"
PICTURE = PROJECT / "docs" / "benchmark.svg"
# What stands between these two lines of the page is written from the results.
BLOCK = re.compile(r"(?<=<!-- scripts/bench -->\n).*?(?=<!-- end of scripts/bench -->)", re.DOTALL)
DRAWN = {"players", "latency", "boards"}
LEFT_OUT = ("zookeeper",)
COLUMNS = 5  # of a table on a screen
# The lines that are compared with each other.
OURS, PLAIN_PYTHON = "ours, all boards", "plain Python, all boards"
ALL_BOARDS = "all boards in one job"
NO_DEDUPLICATION = "the same, no de-duplication"
NO_REJECTS = "the same, no rejects"
EVERYBODY_TOO = "the same, everybody's totals too"
# What the TaskManager's threads do and keep, by how their names begin. A task is named after the
# first of its operators.
PARTS = {
    "reading": ("Source",),
    "functions": ("ProcessTable",),
    "ranks, joins": ("Rank", "Join", "GroupAggregate"),
    "hot streaks": ("GlobalWindow", "Window"),
    "checkpoints": ("AsyncOperations", "rocksdb:"),
    "garbage": ("GC Thread", "G1 "),
    "compiling": ("C1 ", "C2 "),
    "the rest": ("",),
}
Row = dict[str, Any]
Cases = dict[str, list[Row]]


def keep(file: Path, name: str, machine: str, rows: list[Row]) -> None:
    """Write a case's rows into a file of results, in place of its earlier ones."""
    kept = read(file) if file.exists() else {}
    kept[name] = {"machine": machine, "rows": rows}
    file.write_text("{\n" + ",\n".join(_case(*each) for each in kept.items()) + "\n}\n")


def _case(name: str, case: Row) -> str:
    """A case as JSON, with a line for each row."""
    machine, *rows = (
        json.dumps(each, ensure_ascii=False) for each in [case["machine"], *case["rows"]]
    )
    return f'"{name}": {{"machine": {machine}, "rows": [\n ' + ",\n ".join(rows) + "\n]}"


def read(file: Path = RESULTS) -> dict[str, Row]:
    """The machine and the rows of each case."""
    return json.loads(file.read_text())


# What rows are made of


def by_part(threads: dict[str, float]) -> dict[str, float]:
    """CPU or state by what threads do, of the same by their names."""
    parts = dict.fromkeys(PARTS, 0.0)
    for name, cost in threads.items():
        parts[next(part for part, begins in PARTS.items() if name.startswith(begins))] += cost
    return {part: round(cost, 2) for part, cost in parts.items()}


def busiest(busy_percent: dict[str, float]) -> Row:
    """The first operator of the busiest chain, how busy it was, and the rank of all players.

    Nothing when nobody looked.
    """
    if not busy_percent:
        return {}
    chain, percent = max(busy_percent.items(), key=lambda each: each[1])
    found = {"busiest": re.split(r"\[|:| ->", chain)[0], "busiest_percent": round(percent, 1)}
    ranks = [busy for name, busy in busy_percent.items() if f"Sink: {TOP_PLAYERS.name}" in name]
    return found | ({"rank_percent": round(max(ranks), 1)} if ranks else {})


def whole(row: Row) -> float:
    """CPU seconds per million of all that is not the driver."""
    return sum(cost for name, cost in row["cpu_per_million"].items() if name != "driver")


# The screen


def tables(rows: list[Row]) -> Iterator[Table]:
    """What fits on a screen, a column for each row, a few to a table."""
    for first in range(0, len(rows), COLUMNS):
        columns = [_flat(row) for row in rows[first : first + COLUMNS]]
        table = Table("", *(column.pop("what") for column in columns))
        for column in table.columns[1:]:
            column.justify = "right"
        for key in dict.fromkeys(key for column in columns for key in column):
            table.add_row(key.replace("_", " "), *(column.get(key, "") for column in columns))
        yield table


def _flat(row: Row) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in row.items():
        if key == "cpu_per_million":
            flat |= {
                f"CPU s/M {name}": f"{value[name]:.1f}" for name in value if name not in LEFT_OUT
            }
        elif key == "peak_mb":
            flat |= {
                f"peak MB {name}": f"{value[name]:,}" for name in value if name not in LEFT_OUT
            }
        elif key == "rows_per_event":
            flat["rows/event"] = f"{sum(value.values()):.3f}"
        elif key in ("state_mb", "bytes_per_player"):
            flat[key] = f"{sum(value.values()):,.0f}"
        elif key == "latency_ms":
            percentiles = {
                board: "/".join(map(str, found.values())) for board, found in value.items()
            }
            flat |= {f"{board} p50/p95/p99 ms": text for board, text in percentiles.items()}
        elif key == "lag_seconds":
            flat["lag s, median/end"] = f"{value['median']}/{value['end']}"
        elif not isinstance(value, dict):
            flat[key] = f"{value:,}" if isinstance(value, int | float) else str(value)
    return flat


# The page


def write() -> None:
    """Put the tables of the results into the page."""
    PAGE.write_text(BLOCK.sub(lambda _: markdown(read()), PAGE.read_text()))


def _machines(results: dict[str, Row]) -> str:
    """Which cases were measured on which machine."""
    measured: dict[str, list[str]] = {}
    for name, case in results.items():
        machine, _, _ = case["machine"].partition("; load average")
        measured.setdefault(machine, []).append(f"`{name}`")
    if len(measured) == 1:
        return f"Measured on {next(iter(measured))}."
    lines = (f"- {', '.join(names)}: {machine}." for machine, names in measured.items())
    return "\n".join(["Measured, case by case, on these machines:", "", *lines])


def markdown(results: dict[str, Row]) -> str:
    """The page's tables: drains, live runs, what they leave, ours beside others, what it costs."""
    cases = {name: case["rows"] for name, case in results.items()}
    parts = [_ratio(cases), _machines(results), _drains(cases), _threads(cases)]
    parts.append(_stacks(cases))
    parts += [_lives(cases), _whole(cases), _questions(cases), _rivals(cases), _formats(cases)]
    parts += [_costs(cases), _campaigns(cases)]
    if cases.keys() >= DRAWN:
        parts.append(f"![Rate over players, latency over rate, CPU per board]({PICTURE.name})")
    return "\n\n".join(filter(None, parts)) + "\n"


def _lines(heads: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _ratio(cases: Cases) -> str:
    """How fast all boards are beside the plain Python consumer, on one topic."""
    speeds = defaultdict(list)
    for row in cases.get("python", []):
        speeds[row["what"]].append(row["per_second"])
    if not speeds:
        return ""
    ours, python = fmean(speeds[OURS]), fmean(speeds[PLAIN_PYTHON])
    events = cases["python"][0]["events"]
    return (
        f"**{ours / python:.2f} times as fast as plain Python**: all boards in one job take "
        f"{ours:,.0f} events/s of a full topic of {events:,} events, and a plain Python consumer "
        f"{python:,.0f}, one after the other on the same machine."
    )


def _drains(cases: Cases) -> str:
    drains = [*cases.get("drain", []), *_alone(cases)]
    drains += [*_measured(cases, "players"), *cases.get("memory", [])]
    rows = [
        [
            row["what"],
            f"{row['events']:,}",
            f"{row['per_second']:,}",
            f"{row['cpu_per_million']['taskmanager']:.1f}",
            f"{whole(row):.1f}",
            f"{row['gc_percent']:.0f} %",
            f"{row['heap_peak_mb']:,} MB",
        ]
        for row in drains
    ]
    heads = ["drain", "events", "events/s", "CPU s/M TaskManager", "CPU s/M all"]
    return _lines([*heads, "collecting garbage", "heap"], rows)


def _threads(cases: Cases) -> str:
    rows = [
        [row["what"], *(f"{cost:.1f}" for cost in row["threads_per_million"].values())]
        for row in cases.get("drain", [])
    ]
    return _lines(["CPU s/M in the TaskManager", *PARTS], rows)


def _stacks(cases: Cases) -> str:
    rows = cases.get("stacks", [])
    kinds = [key for row in rows[:1] for key in row if key != "what"]
    listed = [[row["what"], *(f"{row[kind]:.1f}" for kind in kinds)] for row in rows]
    return _lines(["CPU s/M by samples of stacks", *kinds], listed)


def _campaigns(cases: Cases) -> str:
    rows = [
        [
            row["what"],
            f"{row['events']:,}",
            f"{row['per_second']:,}",
            f"{row['cpu_per_million']['taskmanager']:.1f}",
            f"{whole(row):.1f}",
            f"{row['heap_peak_mb']:,} MB",
        ]
        for row in cases.get("campaigns", [])
    ]
    heads = ["drain of spins", "spins", "spins/s", "CPU s/M TaskManager", "CPU s/M all", "heap"]
    return _lines(heads, rows)


def _lives(cases: Cases) -> str:
    rows = []
    for row in [*_measured(cases, "latency"), *cases.get("sustained", [])]:
        p50, p95, p99 = (_slowest(row, part) for part in ("p50", "p95", "p99"))
        streaks = row["latency_ms"].get(HOT_STREAKS.title)
        written = row["rows_per_event"]
        mvps = written.get(TEAM_MVPS.title, 0)
        rows.append(
            [
                row["what"] + ("" if row["held"] == "yes" else ", not held"),
                f"{p50:,} / {p95:,} / {p99:,} ms",
                f"{streaks['p50']:,} / {streaks['p99']:,} ms" if streaks else "–",
                f"{row['lag_seconds']['end']:.1f} s",
                f"{row['late_events']:,}",
                f"{whole(row):.1f}",
                f"{sum(written.values()) - mvps:.4f} / {mvps:.3f}",
                f"{row['table_mb']:.1f} MB",
            ]
        )
    heads = ["all boards", "totals p50 / p95 / p99", "hot streaks p50 / p99", "behind at the end"]
    heads += ["late events", "CPU s/M all", "rows per event, ranked boards / MVPs", "tables"]
    return _lines(heads, rows)


def _whole(cases: Cases) -> str:
    """How long scripts take, and how many cores the system takes when little goes on."""
    rows = []
    for row in cases.get("running", []):
        if "seconds" in row:
            rows.append([row["what"], f"{row['seconds']:.0f} s"])
        elif "latency_ms" not in row:
            rows.append([row["what"], f"{sum(row['cores'].values()):.2f} cores"])
    return _lines(["everything, as `scripts/run_all.sh` starts it", "takes"], rows)


def _questions(cases: Cases) -> str:
    """How long the API's answers took, from when their questions were due."""
    rows, percents = [], []
    for row in cases.get("running", []):
        if "latency_ms" in row:
            errors = sum(row["errors"].values())
            for kind, found in row["latency_ms"].items():
                percents = list(found)
                what = f"{row['what']}: {kind}, {errors} errors"
                rows.append([what, *(f"{millis:.0f} ms" for millis in found.values())])
    return _lines(["the API", *percents], rows)


def _slowest(row: Row, part: str) -> float:
    """A percentile of the board of totals on which it is worst, in milliseconds."""
    return max(row["latency_ms"][board.title][part] for board in TOTALS)


def _measured(cases: Cases, name: str) -> list[Row]:
    return [row for row in cases.get(name, []) if row["what"] != "fit"]


def _alone(cases: Cases) -> list[Row]:
    return [row for row in cases.get("boards", []) if row["what"].endswith(" alone")]


def _rivals(cases: Cases) -> str:
    rows = []
    for row in [*cases.get("python", []), *cases.get("rivals", [])]:
        costs = row["cpu_per_million"]
        own = costs.get("own", costs.get("taskmanager"))
        what = f"{row['what']}, {row['events']:,} events"
        cost = [f"{own:.1f}", f"{costs['postgres']:.1f}"]
        rows.append([what, f"{row['per_second']:,}", *cost, row["boards"]])
    heads = ["way", "events/s", "CPU s per million, its own", "PostgreSQL's", "boards"]
    return _lines(heads, rows)


def _formats(cases: Cases) -> str:
    """Bytes of an event, and CPU of reading it, by the format that it is in; and the registry."""
    rows = []
    for row in cases.get("avro", []):
        if "bytes_per_event" in row:
            sizes = [f"{row['bytes_per_event']:.0f}", f"{row['compressed_bytes_per_event']:.0f}"]
            reading = f"{row['threads_per_million']['reading']:.1f}"
            whole = f"{row['cpu_per_million']['taskmanager']:.1f}"
            rows.append([f"{row['what']}, {row['events']:,}", *sizes, reading, whole])
    heads = ["top players alone", "bytes of a value", "bytes on disk, with key and compressed"]
    heads += ["CPU s/M reading", "CPU s/M TaskManager"]
    lines = [
        f"The schema registry at rest takes {row['cores']['registry']:.3f} cores and "
        f"{row['peak_mb']['registry']:,} MB."
        for row in cases.get("avro", [])
        if "cores" in row
    ]
    return "\n\n".join(filter(None, [_lines(heads, rows), *lines]))


def _costs(cases: Cases) -> str:
    lines = _extras(cases)
    for row in cases.get("memory", []):
        parts = row["bytes_per_player"]
        listed = "; ".join(f"{part} {count:,}" for part, count in parts.items() if count)
        lines.append(
            f"{row['what']}: {sum(parts.values()):,} bytes of checkpoint per player ({listed})."
        )
    fits = {name: row for name in cases for row in cases[name] if row["what"] == "fit"}
    if "players" in fits:
        start = fits["players"]["cpu_per_million_at_1"]
        more = fits["players"]["more_per_tenfold_players"]
        lines.append(
            f"Top players alone cost {start:.1f} CPU s per million events in the TaskManager, "
            f"and {more:.1f} more with every tenfold of players."
        )
    if "latency" in fits:
        each = fits["latency"]["cpu_per_million"]["all"]
        lines.append(
            "All boards live, when all is compiled, take "
            f"{fits['latency']['cores_idle']:.2f} cores at rest and {each:.1f} CPU s for every "
            f"million events: a million events a second would take about {each:,.0f} cores for "
            "Flink, Kafka and PostgreSQL together."
        )
    for row in cases.get("drain", [])[:1]:
        if row.get("rank_percent"):  # nobody looks at a short one
            lines += _fullest(row)
    for row in cases.get("ranks", []):
        costs = row.get("cpu_per_million")
        cost = f", {costs['taskmanager']:.1f} CPU s per million" if costs else ""
        given_up = ", given up" if "given_up_after_seconds" in row else ""
        what = f"Top players at parallelism 2, {row['what']}"
        lines.append(f"{what}: {row['per_second']:,} events/s{cost}{given_up}.")
    return "\n".join(f"- {line}" for line in lines)


def _fullest(row: Row) -> list[str]:
    rank = row["rank_percent"]
    return [
        f"Busiest in a drain: `{row['busiest']}`, {row['busiest_percent']:.0f} % of the time.",
        f"The rank of all players, one task at any parallelism, was busy {rank:.0f} % of the "
        "time: with a core of its own it is full at "
        f"{row['per_second'] / rank * 100:,.0f} events/s or more.",
    ]


def _extras(cases: Cases) -> list[str]:
    """What is dearer with than without."""
    flink, postgres = defaultdict(list), defaultdict(list)
    for row in cases.get("boards", []):
        costs = row["cpu_per_million"]
        flink[row["what"]].append(costs["taskmanager"] - row["threads_per_million"]["compiling"])
        postgres[row["what"]].append(costs["postgres"])
    return [
        f"{what} cost {fmean(flink[more]) - fmean(flink[less]):z.1f} CPU s per million more in "
        "the TaskManager, but for compiling, "
        f"{fmean(postgres[more]) - fmean(postgres[less]):z.1f} in PostgreSQL."
        for what, more, less in (
            (
                "De-duplication, where one event in 40 is sent twice,",
                ALL_BOARDS,
                NO_DEDUPLICATION,
            ),
            ("The list of rejects, where one message in 50 is broken,", ALL_BOARDS, NO_REJECTS),
            ("Everybody's totals, written every 5 s,", EVERYBODY_TOO, ALL_BOARDS),
        )
        if more in flink and less in flink
    ]


# Pictures


def draw() -> None:
    """Draw the page's picture from the results, when all that it shows was measured."""
    cases = {name: case["rows"] for name, case in read().items()}
    if not cases.keys() >= DRAWN:
        return
    import matplotlib

    own = {"svg.fonttype": "none", "svg.hashsalt": "leaderboard", "font.size": 9}
    matplotlib.use("svg")
    matplotlib.rcParams |= own
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    for draw_panel, axes in zip((_draw_players, _draw_latency, _draw_costs), panels, strict=True):
        draw_panel(axes, cases)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, metadata={"Date": None})


def _draw_players(axes: Any, cases: Cases) -> None:
    rows = _measured(cases, "players")
    rates = [row["per_second"] / 1000 for row in rows]
    axes.semilogx([row["players"] for row in rows], rates, "o-", clip_on=False)
    what = "top players alone, drain"
    axes.set(title=what, xlabel="players", ylabel="thousand events/s", ylim=0)


def _draw_latency(axes: Any, cases: Cases) -> None:
    rows = [*_measured(cases, "latency"), *cases.get("sustained", [])]
    held = [row for row in rows if row["held"] == "yes" and "totals" not in row["what"]]
    longest = {row["rate"]: row for row in held}  # the sustained ones come last
    for part, style in (("p50", "o--"), ("p99", "o-")):
        values = [_slowest(longest[rate], part) for rate in sorted(longest)]
        axes.semilogy([rate / 1000 for rate in sorted(longest)], values, style, label=part)
    what = "event → row in PostgreSQL, worst of three"
    axes.set(title=what, xlabel="thousand events/s", ylabel="ms", xlim=0)
    marks = [100, 200, 500, 1_000, 2_000, 5_000, 10_000]
    axes.set_yticks(marks, [f"{mark:,}" for mark in marks])
    axes.minorticks_off()
    axes.legend(frameon=False)


def _draw_costs(axes: Any, cases: Cases) -> None:
    rows = _alone(cases)
    names, start = [row["what"].removesuffix(" alone") for row in rows], [0.0] * len(rows)
    for service in ("taskmanager", "postgres", "kafka", "jobmanager"):
        costs = [row["cpu_per_million"][service] for row in rows]
        axes.barh(names, costs, left=start, label=service)
        start = [sum(pair) for pair in zip(start, costs, strict=True)]
    axes.set(title="one board alone, drain", xlabel="CPU s per million events")
    axes.invert_yaxis()
    below = {"loc": "upper center", "bbox_to_anchor": (0.4, -0.2), "ncols": 4, "columnspacing": 1}
    axes.legend(frameon=False, **below)
