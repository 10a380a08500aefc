"""What was measured as a table, as JSON, as the README's tables and as pictures."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.table import Table

from settings import PROJECT

RESULTS = PROJECT / "benchmarks" / "results.json"
README = PROJECT / "README.md"
PICTURE = PROJECT / "docs" / "benchmark.svg"
# What stands between these two lines of the README is written from the results.
BLOCK = re.compile(r"(?<=<!-- scripts/bench -->\n).*?(?=<!-- end of scripts/bench -->)", re.DOTALL)
DRAWN = {"players", "latency", "boards"}
LEFT_OUT = ("zookeeper",)
COLUMNS = 5  # of a table on a screen
TOTALS = ("top_players", "top_teams", "team_mvps")
# What the TaskManager's threads do, by how their names begin; a task is named after the first of its operators.
PARTS = {
    "reading": ("Source",),
    "event ids": ("Deduplicate",),
    "totals": ("GroupAggregate",),
    "ranks, MVPs' join": ("Rank", "Join"),
    "hot streaks": ("GlobalWindow", "LocalWindow", "OverAggregate", "Window", "Calc"),  # Calc after their union
    "RocksDB's own": ("rocksdb:", "AsyncOperations"),
    "garbage": ("GC Thread", "G1 "),
    "compiling": ("C1 ", "C2 "),
    "the rest": ("",),
}
Row = dict[str, Any]


def keep(file: Path, name: str, machine: str, rows: list[Row]) -> None:
    """Write a case's rows into a file of results, in place of its earlier ones."""
    kept = read(file) if file.exists() else {}
    kept[name] = {"machine": machine, "rows": rows}
    file.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")


def read(file: Path = RESULTS) -> dict[str, Row]:
    """The machine and the rows of each case."""
    return json.loads(file.read_text())


def by_part(threads: dict[str, float]) -> dict[str, float]:
    """CPU by what threads do, of CPU by their names."""
    parts = dict.fromkeys(PARTS, 0.0)
    for name, cost in threads.items():
        parts[next(part for part, begins in PARTS.items() if name.startswith(begins))] += cost
    return {part: round(cost, 2) for part, cost in parts.items()}


def tables(rows: list[Row]) -> Iterator[Table]:
    """What fits on a screen, a column for each row, a few to a table; the rest is in the file of results."""
    for first in range(0, len(rows), COLUMNS):
        shown = [_flat(row) for row in rows[first : first + COLUMNS]]
        made = Table("", *(row.pop("what") for row in shown))
        for column in made.columns[1:]:
            column.justify = "right"
        for key in dict.fromkeys(key for row in shown for key in row):
            made.add_row(key.replace("_", " "), *(row.get(key, "") for row in shown))
        yield made


def _flat(row: Row) -> dict[str, str]:
    flat = {}
    for key, value in row.items():
        if key == "cpu_per_million":
            flat |= {f"CPU s/M {name}": f"{value[name]:.1f}" for name in value if name not in LEFT_OUT}
        elif key == "peak_mb":
            flat |= {f"peak MB {name}": f"{peak:,}" for name, peak in value.items() if name not in LEFT_OUT}
        elif key == "rows_per_event":
            flat["rows/event"] = f"{sum(value.values()):.3f}"
        elif key == "table_mb":
            flat["tables MB"] = f"{sum(value.values()):.1f}"
        elif key == "latency_ms":
            flat |= {f"{board} p50/p95/p99 ms": "/".join(map(str, found.values())) for board, found in value.items()}
        elif key == "lag_seconds":
            flat["lag s, median/end"] = f"{value['median']}/{value['end']}"
        elif key == "busy_percent" and value:
            name = busiest(row)
            flat["busiest"] = f"{name} {max(value.values()):.0f} %"
        elif not isinstance(value, dict):
            flat[key] = f"{value:,}" if isinstance(value, int | float) else str(value)
    return flat


def busiest(row: Row) -> str:
    """The first operator of the chain that was busiest."""
    chain = max(row["busy_percent"], key=row["busy_percent"].__getitem__)
    return re.split(r"\[|:| ->", chain)[0]


# The README


def write_readme() -> None:
    """Put the tables of the results into the README."""
    README.write_text(BLOCK.sub(lambda _: markdown(read()), README.read_text()))


def markdown(results: dict[str, Row]) -> str:
    """The README's tables: drains, live runs, what they leave, ours beside others, what it costs."""
    cases = {name: case["rows"] for name, case in results.items()}
    machine = next(iter(results.values()))["machine"]
    parts = [f"Measured on {machine}.", _drains(cases), _threads(cases), _stacks(cases)]
    parts += [_lives(cases), _rivals(cases), _costs(cases)]
    if cases.keys() >= DRAWN:
        parts.append("![Rate over players, latency over rate, CPU per board](docs/benchmark.svg)")
    return "\n\n".join(filter(None, parts)) + "\n"


def _lines(heads: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---", *["---:"] * (len(heads) - 1)], *rows])


def _drains(cases: dict[str, list[Row]]) -> str:
    named = [(row["what"], row) for row in cases.get("drain", [])]
    named += [(f"{row['what']} alone", row) for row in _alone(cases)]
    named += [(row["what"], row) for row in [*_measured(cases, "players"), *cases.get("memory", [])]]
    rows = [
        [
            what,
            f"{row['events']:,}",
            f"{row['per_second']:,}",
            f"{row['cpu_per_million']['taskmanager']:.1f}",
            f"{_whole(row):.1f}",
            f"{row['gc_percent']:.0f} %",
            f"{row['heap_peak_mb']:,} MB",
        ]
        for what, row in named
    ]
    heads = ["drain", "events", "events/s", "CPU s/M TaskManager", "CPU s/M all", "collecting garbage", "heap"]
    return _lines(heads, rows)


def _threads(cases: dict[str, list[Row]]) -> str:
    rows = [row for row in cases.get("drain", []) if "threads_per_million" in row]
    listed = [[row["what"], *(f"{cost:.1f}" for cost in row["threads_per_million"].values())] for row in rows]
    return _lines(["CPU s/M in the TaskManager", *PARTS], listed)


def _stacks(cases: dict[str, list[Row]]) -> str:
    rows = cases.get("stacks", [])
    if not rows:
        return ""
    kinds = [key for key in rows[0] if key != "what"]
    listed = [[row["what"], *(f"{row[kind]:.1f}" for kind in kinds)] for row in rows]
    return _lines(["CPU s/M by samples of stacks", *kinds], listed)


def _lives(cases: dict[str, list[Row]]) -> str:
    rows = []
    for row in [*_measured(cases, "latency"), *cases.get("sustained", [])]:
        p50, p95, p99 = (max(row["latency_ms"][board][part] for board in TOTALS) for part in ("p50", "p95", "p99"))
        streaks = row["latency_ms"].get("hot_streaks")
        rows.append(
            [
                row["what"] + ("" if row["held"] == "yes" else ", not held"),
                f"{p50:,} / {p95:,} / {p99:,} ms",
                f"{streaks['p50']:,} / {streaks['p99']:,} ms" if streaks else "–",
                f"{row['lag_seconds']['end']:.1f} s",
                f"{row['late_events']:,}",
                f"{_whole(row):.1f}",
                f"{_ranked(row):.4f} / {row['rows_per_event'].get('team_mvps', 0):.3f}",
                f"{sum(row['table_mb'].values()):.1f} MB",
            ]
        )
    heads = [
        "all boards",
        "totals p50 / p95 / p99",
        "hot streaks p50 / p99",
        "behind at the end",
        "late events",
        "CPU s/M all",
        "rows per event, ranked boards / MVPs",
        "tables",
    ]
    return _lines(heads, rows)


def _ranked(row: Row) -> float:
    """Rows written per event on the boards that are cut."""
    return sum(row["rows_per_event"].get(name, 0) for name in ("top_players", "top_teams", "hot_streaks"))


def _whole(row: Row) -> float:
    """CPU seconds per million of all that is not the driver."""
    return sum(cost for name, cost in row["cpu_per_million"].items() if name != "driver")


def _measured(cases: dict[str, list[Row]], name: str) -> list[Row]:
    return [row for row in cases.get(name, []) if row["what"] != "fit"]


def _alone(cases: dict[str, list[Row]]) -> list[Row]:
    return [row for row in cases.get("boards", []) if not row["what"].startswith(("all", "the same"))]


def _rivals(cases: dict[str, list[Row]]) -> str:
    rows = []
    for row in cases.get("rivals", []):
        costs = row["cpu_per_million"]
        own = f"{costs.get('own', costs.get('taskmanager')):.1f}"
        rows.append(
            [
                f"{row['what']}, {row['events']:,} events",
                f"{row['per_second']:,}",
                own,
                f"{costs['postgres']:.1f}",
                row["boards"],
            ]
        )
    return _lines(["way", "events/s", "CPU s per million, its own", "PostgreSQL's", "boards"], rows)


def _costs(cases: dict[str, list[Row]]) -> str:
    lines = _extras(cases)
    lines += [
        f"{row['what']}: {row['bytes_per_player']:,} bytes of checkpoint per player." for row in cases.get("memory", [])
    ]
    fits = {name: row for name in cases for row in cases[name] if row["what"] == "fit"}
    if "players" in fits:
        lines.append(
            f"Top players alone cost {fits['players']['cpu_per_million_at_1']:.1f} CPU s per million events in the "
            f"TaskManager, and {fits['players']['more_per_tenfold_players']:.1f} more with every tenfold of players."
        )
    if "latency" in fits:
        each = fits["latency"]["cpu_per_million"]["all"]
        lines.append(
            f"All boards live, when all is compiled, take {fits['latency']['cores_idle']:.2f} cores at rest and "
            f"{each:.1f} CPU s for every million events: a million events a second would take about {each:,.0f} cores "
            "for Flink, Kafka and PostgreSQL together."
        )
    if "drain" in cases and cases["drain"][0]["busy_percent"]:  # a short one has not been looked at
        row = cases["drain"][0]
        lines.append(f"Busiest in a drain: `{busiest(row)}`, {max(row['busy_percent'].values()):.0f} % of the time.")
        rank = next(busy for chain, busy in row["busy_percent"].items() if "Sink: top_players" in chain)
        lines.append(
            f"The rank of all players, one task at any parallelism, was busy {rank:.0f} % of the time: with a core "
            f"of its own it is full at {row['per_second'] / rank * 100:,.0f} events/s or more."
        )
    for row in cases.get("ranks", []):
        cost = f", {row['cpu_per_million']['taskmanager']:.1f} CPU s per million" if "cpu_per_million" in row else ""
        given_up = ", given up" if "given_up_after_seconds" in row else ""
        lines.append(f"Top players at parallelism 2, {row['what']}: {row['per_second']:,} events/s{cost}{given_up}.")
    return "\n".join(f"- {line}" for line in lines)


def _extras(cases: dict[str, list[Row]]) -> list[str]:
    flink, postgres = defaultdict(list), defaultdict(list)
    for row in cases.get("boards", []):
        flink[row["what"]].append(row["cpu_per_million"]["taskmanager"] - row["threads_per_million"]["compiling"])
        postgres[row["what"]].append(row["cpu_per_million"]["postgres"])
    boards = "all boards in one job"
    if boards not in flink:
        return []
    return [
        f"{what} cost {fmean(flink[more]) - fmean(flink[less]):z.1f} CPU s per million more in the TaskManager, but "
        f"for compiling, {fmean(postgres[more]) - fmean(postgres[less]):z.1f} in PostgreSQL."
        for what, more, less in (
            ("De-duplication, where one event in 40 is sent twice,", boards, "the same, no de-duplication"),
            ("The list of rejects, where one message in 50 is broken,", boards, "the same, no rejects"),
            ("Everybody's totals, written every 5 s,", "the same, everybody's totals too", boards),
        )
    ]


# Pictures


def draw() -> None:
    """Draw the README's picture from the results, when all that it shows was measured."""
    if not read().keys() >= DRAWN:
        return
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "leaderboard", "font.size": 9}
    from matplotlib import pyplot

    cases = {name: case["rows"] for name, case in read().items()}
    figure, (left, middle, right) = pyplot.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    rows = _measured(cases, "players")
    left.semilogx([row["players"] for row in rows], [row["per_second"] / 1000 for row in rows], "o-", clip_on=False)
    left.set(title="top players alone, drain", xlabel="players", ylabel="thousand events/s", ylim=0)
    lives = [row for row in [*_measured(cases, "latency"), *cases.get("sustained", [])] if row["held"] == "yes"]
    longest = {row["rate"]: row for row in lives if "totals" not in row["what"]}  # the sustained ones come last
    rows = sorted(longest.values(), key=lambda row: row["rate"])
    for part, style in (("p50", "o--"), ("p99", "o-")):
        values = [max(row["latency_ms"][board][part] for board in TOTALS) for row in rows]
        middle.semilogy([row["rate"] / 1000 for row in rows], values, style, label=part)
    middle.set(title="event → row in PostgreSQL, worst of three", xlabel="thousand events/s", ylabel="ms", xlim=0)
    marks = [100, 200, 500, 1_000, 2_000, 5_000, 10_000]
    middle.set_yticks(marks, [f"{mark:,}" for mark in marks])
    middle.minorticks_off()
    middle.legend(frameon=False)
    rows, start = _alone(cases), [0.0] * len(_alone(cases))
    for service in ("taskmanager", "postgres", "kafka", "jobmanager"):
        costs = [row["cpu_per_million"][service] for row in rows]
        right.barh([row["what"] for row in rows], costs, left=start, label=service)
        start = [sum(pair) for pair in zip(start, costs, strict=True)]
    right.set(title="one board alone, drain", xlabel="CPU s per million events")
    right.invert_yaxis()
    right.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.4, -0.2), ncols=4, columnspacing=1)
    for axes in (left, middle, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PICTURE, metadata={"Date": None})
