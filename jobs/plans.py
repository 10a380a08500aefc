"""Rewrites the plan that Flink has compiled, where neither SQL nor a setting has words for it.

A compiled plan is JSON: a list of operators (nodes), each with its id and configuration, and of
edges between them. What is changed, on the way from an event to a board of totals:

    before                                    after `rewritten`
    38 first_arrivals    by user_id           1 first_arrivals      by user_id
    39 exchange          hash of user_id      5 watermark-assigner  wakes up (new)
                                              6 mini-batch-assigner every 100 ms (new)
    40 running_totals    by user_id           2 running_totals      by user_id
    41 exchange          hash of season, user
    42 group-aggregate   MAX(total)           7 calc                total (new)
    43 exchange          hash of season       8 exchange            hash of season
    44 rank              Retract              3 rank                UpdateFast

- `_with_growing_ranks`: the planner takes it that what comes out of a process table function may be
  taken back, and makes a rank of it that keeps every row, for the case that the best falls. A MAX
  or COUNT of rows that are only added never falls: the best rows are enough.
- `_with_ticks`: running_totals and period_leaders tell when the watermark of their input moves on.
  An assigner of mini-batches before them makes that a clock: a watermark every 100 ms, whatever the
  events' time is. An assigner of watermarks before that lets the clock go on when an idle source
  has a late event.
- `_with_mini_batches`: totals that are made from events by GROUP BY, and what joins totals, work in
  batches of that clock too. Flink's own setting would batch whole jobs, and in a job with windows
  a batch ends with the watermark, so that a lagging partition would hold back the totals.
- `_without_last_totals`: by GROUP BY, SQL says that of a key's rows of running_totals the last one
  counts. Who replaces rows by key takes them as they are. The aggregate's state would have a time
  to live, and on the heap two fifths of its work would be Flink's search for what is out of date.
- `_without_exchanges`: a function's rows are partitioned by its key already, which the planner does
  not know. Another function by the same key takes them as they are.
- `numbered`: an operator finds its state in a savepoint by its number. Flink numbers operators on
  from one plan to the next; here they are numbered from 1, first those with state, so that one more
  or less of the others moves none of them.

The form of a plan is Flink's own and may change with its version.
"""

from __future__ import annotations

from typing import Any

from clients.errors import JobError

Node = dict[str, Any]

KNOWN_VERSION = "2.3"
BATCH_MILLIS, BATCH_ROWS = 100, 10_000  # totals take in at once what comes in so long, or so many
AWAKE_SECONDS = 10  # after a row; running_totals tells it within 6
# Operators that remember nothing.
STATELESS = (
    "stream-exec-calc",
    "stream-exec-correlate",
    "stream-exec-exchange",
    "stream-exec-mini-batch-assigner",
    "stream-exec-watermark-assigner",
)
MAX, LAST_VALUE = "$MAX$1", "$LAST_VALUE$1"
GROWING = (MAX, "$COUNT$1")  # aggregates that never fall while rows are only added
SPLIT_BY, LATEST = 4, 5  # arguments of running_totals
TICKED = ("running_totals", "period_leaders")


def rewritten(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan with all changes. Raises JobError for a plan of another Flink."""
    version = plan.get("flinkVersion")
    if version != KNOWN_VERSION:
        raise JobError(
            f"This Flink compiles plans of version {version}, and jobs/plans.py knows those of "
            f"{KNOWN_VERSION}. Install the apache-flink that requirements.txt names, or bring "
            "jobs/plans.py up to date: tests/plan shows what must hold."
        )
    graph = Graph(plan)
    _with_growing_ranks(graph)
    _without_last_totals(graph)
    _without_exchanges(graph)
    _with_ticks(graph)
    _with_mini_batches(graph)
    return numbered(graph.plan())


class Graph:
    """A plan's operators by number, and who reads whom."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self.nodes: dict[int, Node] = {node["id"]: dict(node) for node in plan["nodes"]}
        self.edges: list[dict[str, Any]] = list(plan["edges"])

    def plan(self) -> dict[str, Any]:
        return self._plan | {"nodes": list(self.nodes.values()), "edges": self.edges}

    def of(self, kind: str) -> list[Node]:
        """The operators of a kind: `rank` for all versions of stream-exec-rank."""
        return [node for node in self.nodes.values() if _is(node, kind)]

    def source(self, node: Node) -> Node:
        """What the operator reads, of one that reads from one."""
        (source,) = self.sources(node)
        return source

    def sources(self, node: Node) -> list[Node]:
        """What the operator reads, in its order."""
        return [self.nodes[edge["source"]] for edge in self.edges if edge["target"] == node["id"]]

    def readers(self, node: Node) -> list[Node]:
        return [self.nodes[edge["target"]] for edge in self.edges if edge["source"] == node["id"]]

    def leave_out(self, node: Node) -> None:
        """Let those who read this operator read what it reads."""
        source = self.source(node)["id"]
        self.edges = [
            edge | {"source": source} if edge["source"] == node["id"] else edge
            for edge in self.edges
            if edge["target"] != node["id"]
        ]
        del self.nodes[node["id"]]

    def put_before(self, reader: Node, *operators: Node, source: Node | None = None) -> None:
        """Let an operator read a source of its through others, which pass on what they get."""
        source = source or self.source(reader)
        for operator in operators:
            at, edge = next(
                (at, edge)
                for at, edge in enumerate(self.edges)
                if (edge["source"], edge["target"]) == (source["id"], reader["id"])
            )
            number = max(self.nodes) + 1
            self.nodes[number] = operator | {
                "id": number,
                "inputProperties": [ANY_INPUT],
                "outputType": source["outputType"],
            }
            # In its place: an operator's edges are in the order of its inputs.
            self.edges[at : at + 1] = [edge | {"target": number}, edge | {"source": number}]
            source = self.nodes[number]


ANY_INPUT = {
    "requiredDistribution": {"type": "UNKNOWN"},
    "damBehavior": "PIPELINED",
    "priority": 0,
}
# An idle source says so to all behind it, and they heed no watermark until it has a newer one: a
# late event would wait for an event on time. This operator has no watermark of its own, and says
# that it is active with each row. Flink wants a column that is never NULL: the key comes first.
AWAKE = {
    "type": "stream-exec-watermark-assigner_1",
    "watermarkExpr": {
        "kind": "LITERAL",
        "value": None,
        "type": "TIMESTAMP(3) WITH LOCAL TIME ZONE",
    },
    "rowtimeFieldIndex": 0,
    "configuration": {"table.exec.source.idle-timeout": f"{AWAKE_SECONDS} s"},
    "description": "WatermarkAssigner(watermark=[null])",
}
TICKS = {
    "type": "stream-exec-mini-batch-assigner_1",
    "miniBatchInterval": {"interval": BATCH_MILLIS, "mode": "ProcTime"},
    "description": f"MiniBatchAssigner(interval=[{BATCH_MILLIS}ms], mode=[ProcTime])",
}


def _is(node: Node, *kinds: str) -> bool:
    return node["type"].rsplit("_", 1)[0] in [f"stream-exec-{kind}" for kind in kinds]


def _with_growing_ranks(graph: Graph) -> None:
    for rank in graph.of("rank"):
        aggregate = graph.source(graph.source(rank))
        if rank["rankStrategy"]["type"] != "Retract" or not _grows(aggregate, rank):
            continue
        keys = list(range(len(aggregate["grouping"])))
        rank["rankStrategy"] = {"type": "UpdateFast", "primaryKeys": keys}
        rank["description"] = rank["description"].replace("Retract", "UpdateFast")
        # Nobody has to hear what a total was before it grew.
        if all(_keeps_one_row(each, graph) for each in graph.readers(aggregate)):
            aggregate["generateUpdateBefore"] = False


def _grows(aggregate: Node, rank: Node) -> bool:
    """Whether the rank is by the greatest of a value that the aggregate never lowers."""
    if not _is(aggregate, "group-aggregate") or aggregate["needRetraction"]:
        return False
    first = rank["orderBy"]["fields"][0]
    call = first["index"] - len(aggregate["grouping"])
    if call < 0 or first["isAscending"]:
        return False
    name: str = aggregate["aggCalls"][call]["internalName"]
    return name in GROWING


def _keeps_one_row(reader: Node, graph: Graph) -> bool:
    """Whether a reader of totals replaces the row that it has of a key."""
    while _is(reader, "calc", "exchange"):
        (reader,) = graph.readers(reader)
    if _is(reader, "rank"):
        strategy: str = reader["rankStrategy"]["type"]
        return strategy == "UpdateFast"
    return _is(reader, "join", "sink")


def _without_last_totals(graph: Graph) -> None:
    for aggregate in graph.of("group-aggregate"):
        if aggregate["generateUpdateBefore"] or not _tells_last_totals(graph, aggregate):
            continue
        exchange = graph.source(aggregate)
        given = graph.source(exchange)["projection"]
        columns = [*aggregate["grouping"], *(call["argList"][0] for call in aggregate["aggCalls"])]
        graph.leave_out(exchange)
        if columns == list(range(len(given))):
            graph.leave_out(aggregate)
            continue
        graph.nodes[aggregate["id"]] = {
            "id": aggregate["id"],
            "type": "stream-exec-calc_1",
            "projection": [
                {"kind": "INPUT_REF", "inputIndex": column, "type": given[column]["type"]}
                for column in columns
            ],
            "condition": None,
            "inputProperties": [ANY_INPUT],
            "outputType": aggregate["outputType"],
            "description": aggregate["description"].replace("GroupAggregate", "LastTotals"),
        }


def _tells_last_totals(graph: Graph, aggregate: Node) -> bool:
    """Whether an aggregate says of a key what the last row of running_totals for it says."""
    exchange = graph.source(aggregate)
    if not _is(exchange, "exchange"):
        return False
    calc = function = graph.source(exchange)
    while _is(function, "calc"):
        function = graph.source(function)
    if calc is function or _name(function) != "running_totals":
        return False
    operands = function["functionCall"]["operands"]
    split_by, latest = (len(operands[at].get("operands", [])) for at in (SPLIT_BY, LATEST))
    # Its columns are the key, the period, what it is split by, the latest, and seven sums, of which
    # the first three are of a part.
    sums = 2 + split_by + latest
    keys = {_origin(graph, calc, column) for column in aggregate["grouping"]}
    is_whole = keys == {0, 1}
    growing = range(sums + (3 if is_whole and split_by else 0), sums + 7)
    # LAST_VALUE skips NULL; a column that once had a value keeps one.
    told = {LAST_VALUE: range(sums + 7), MAX: growing}
    return (is_whole or keys == set(range(2 + split_by))) and all(
        call["filterArg"] < 0
        and call["internalName"] in told
        and _origin(graph, calc, call["argList"][0]) in told[call["internalName"]]
        for call in aggregate["aggCalls"]
    )


def _origin(graph: Graph, node: Node, column: int | None) -> int | None:
    """The column behind one that calcs pass on as it is; None when it is computed."""
    while _is(node, "calc") and column is not None:
        column = node["projection"][column].get("inputIndex")
        node = graph.source(node)
    return column


def _without_exchanges(graph: Graph) -> None:
    for exchange in graph.of("exchange"):
        readers = graph.readers(exchange)
        distribution = exchange["inputProperties"][0]["requiredDistribution"]
        if (
            distribution["type"] == "HASH"
            and all(_is(each, "process-table-function") for each in readers)
            and _partition(graph, graph.source(exchange)) == distribution["keys"]
        ):
            for reader in readers:
                reader["inputProperties"] = [ANY_INPUT]
            graph.leave_out(exchange)


def _partition(graph: Graph, node: Node) -> list[int] | None:
    """The columns by which a function has partitioned the rows that an operator gives."""
    if _is(node, "process-table-function"):
        return list(range(len(_input(node)["partitionKeys"])))  # its key comes first
    if not _is(node, "calc"):
        return None
    keys = _partition(graph, graph.source(node))
    passed = [column.get("inputIndex") for column in node["projection"]]
    if keys is None or not set(keys) <= set(passed):
        return None
    return [passed.index(key) for key in keys]


def _input(function: Node) -> Node:
    operand: Node = function["functionCall"]["operands"][0]
    return operand


def _with_ticks(graph: Graph) -> None:
    for function in graph.of("process-table-function"):
        if _tells_by_ticks(function):
            for source in graph.sources(function):
                if _is(source, "exchange"):
                    graph.put_before(source, AWAKE, TICKS)
                else:
                    graph.put_before(function, AWAKE, TICKS, source=source)


def _with_mini_batches(graph: Graph) -> None:
    for node in graph.nodes.values():
        if _is(node, "group-aggregate", "join"):
            node["configuration"] = (node.get("configuration") or {}) | {
                "table.exec.mini-batch.enabled": "true",
                "table.exec.mini-batch.size": str(BATCH_ROWS),
            }
    for aggregate in graph.of("group-aggregate"):
        if not _is_ticked(graph, aggregate):
            graph.put_before(graph.source(aggregate), AWAKE, TICKS)


def _is_ticked(graph: Graph, node: Node) -> bool:
    """Whether the watermarks that an operator gets are ticks already."""
    while _is(node, "calc", "exchange", "group-aggregate"):
        node = graph.source(node)
    return _is(node, "process-table-function") and _tells_by_ticks(node)


def _tells_by_ticks(function: Node) -> bool:
    return _name(function) in TICKED


def _name(node: Node) -> str | None:
    """The name of a function; None of another operator."""
    name: str | None = node.get("functionCall", {}).get("systemName")
    return name


def numbered(plan: dict[str, Any]) -> dict[str, Any]:
    """The plan with its operators numbered from 1, those that keep nothing last."""
    in_turn = sorted(
        plan["nodes"], key=lambda node: (node["type"].startswith(STATELESS), node["id"])
    )
    numbers = {node["id"]: number for number, node in enumerate(in_turn, start=1)}
    nodes = [node | {"id": numbers[node["id"]]} for node in plan["nodes"]]
    edges = [
        edge | {end: numbers[edge[end]] for end in ("source", "target")} for edge in plan["edges"]
    ]
    return plan | {"nodes": nodes, "edges": edges}


def stateful_operators(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """The operators that keep state, without what says nothing about it."""
    stateful = [node for node in plan["nodes"] if not node["type"].startswith(STATELESS)]
    return [
        {name: value for name, value in node.items() if name not in ("id", "configuration")}
        for node in stateful
    ]
