"""Rewrites the plan that Flink has compiled, where Flink's configuration has no words for it.

A compiled plan is JSON: a list of operators (nodes), each with its id and configuration, and of
edges between them. What is changed, on the way from the event ids to a total:

    before                                   after `rewritten`
    38 deduplicate  ttl: season + 2 days     1 deduplicate   ttl: deduplicate_minutes
    39 exchange                              3 mini-batch-assigner  every 100 ms (new)
    40 group-aggregate                       4 exchange
                                             2 group-aggregate      mini-batch: on

- `_with_event_ids_ttl`: one time to live holds for the whole job; event ids are forgotten sooner
  than totals.
- `_with_mini_batches`: Flink batches whole jobs only. De-duplication would no longer be
  append-only then, and all behind it would retract; and in a job with windows a batch ends with
  the watermark, so a lagging partition would hold back the totals. Here the totals alone are
  batched, and what joins them: a batch reads a total once, not once for each event.
- `_with_own_numbers`: an operator finds its state in a savepoint by its number. Flink numbers
  operators on from one plan to the next; here they are numbered from 1, first those with state, so
  that one more or less of the others moves none of them.

The form of a plan is Flink's own and may change with its version.
"""

from __future__ import annotations

from typing import Any

from clients.errors import JobError

Plan = dict[str, Any]

KNOWN_VERSION = "2.3"
BATCH_MILLIS, BATCH_ROWS = 100, 10_000  # totals take in at once what comes in so long, or so many
# Operators that remember nothing.
STATELESS = ("stream-exec-calc", "stream-exec-exchange", "stream-exec-mini-batch-assigner")


def rewritten(plan: Plan, deduplicate_minutes: int) -> Plan:
    """The plan with all three changes. Raises JobError for a plan of another Flink."""
    version = plan.get("flinkVersion")
    if version != KNOWN_VERSION:
        raise JobError(
            f"This Flink compiles plans of version {version}, and jobs/plans.py knows those of "
            f"{KNOWN_VERSION}. Install the apache-flink that requirements.txt names, or bring "
            "jobs/plans.py up to date: tests/plan shows what must hold."
        )
    return numbered(batched(_with_event_ids_ttl(plan, deduplicate_minutes)))


def _with_event_ids_ttl(plan: Plan, minutes: int) -> Plan:
    nodes = [
        node | {"state": [state | {"ttl": f"{minutes} min"} for state in node["state"]]}
        if node["type"].startswith("stream-exec-deduplicate")
        else node
        for node in plan["nodes"]
    ]
    return plan | {"nodes": nodes}


def batched(plan: Plan) -> Plan:
    """The plan with mini-batches for its totals and for what joins them."""
    nodes = {node["id"]: dict(node) for node in plan["nodes"]}
    inputs = {edge["target"]: edge for edge in plan["edges"]}
    assigners: list[dict[str, Any]] = []
    edges = list(plan["edges"])
    for number, node in nodes.items():
        is_total = node["type"].startswith("stream-exec-group-aggregate")
        if is_total or node["type"].startswith("stream-exec-join"):
            node["configuration"] = (node.get("configuration") or {}) | {
                "table.exec.mini-batch.enabled": "true",
                "table.exec.mini-batch.size": str(BATCH_ROWS),
            }
        if is_total:  # whose batches end when an operator before its exchange says so
            exchange = nodes[inputs[number]["source"]]
            assigner = {
                "id": max(nodes) + len(assigners) + 1,
                "type": "stream-exec-mini-batch-assigner_1",
                "miniBatchInterval": {"interval": BATCH_MILLIS, "mode": "ProcTime"},
                "inputProperties": node["inputProperties"],
                "outputType": exchange["outputType"],
                "description": (f"MiniBatchAssigner(interval=[{BATCH_MILLIS}ms], mode=[ProcTime])"),
            }
            assigners.append(assigner)
            before = inputs[exchange["id"]]
            edges.remove(before)
            edges += [before | {"target": assigner["id"]}, before | {"source": assigner["id"]}]
    return plan | {"nodes": [*nodes.values(), *assigners], "edges": edges}


def numbered(plan: Plan) -> Plan:
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


def stateful_operators(plan: Plan) -> list[dict[str, Any]]:
    """The operators that keep state, without what says nothing about it."""
    stateful = [node for node in plan["nodes"] if not node["type"].startswith(STATELESS)]
    return [
        {name: value for name, value in node.items() if name not in ("id", "configuration")}
        for node in stateful
    ]
