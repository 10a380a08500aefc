"""What a job makes for another game costs no state beyond the ids that it has seen."""

from __future__ import annotations

import json

import pytest

import games
from jobs import environment as flink_environment
from jobs import plans
from settings import Settings

GAME = games.load("actions")


@pytest.mark.parametrize("event_format", ["json", "avro"])
def test_points_are_joined_without_state(event_format):
    """In Avro, Flink compares the columns with the schema of the other game's events."""
    settings = Settings(games="score,actions", event_format=event_format)
    (feed,) = GAME.feeds
    environment = flink_environment.table_environment(settings)
    flink_environment.define_tables(environment, GAME, "kafka", settings, group="plans")
    plan = flink_environment.compile_plan(environment, GAME, [feed], settings)
    text = plan.explain()
    assert "Correlate(invocation=[$UNNEST_ROWS" in text and "Join(" not in text
    kinds = [each["type"] for each in plans.stateful_operators(json.loads(plan.as_json_string()))]
    assert kinds == [
        "stream-exec-table-source-scan_2",
        "stream-exec-process-table-function_1",
        "stream-exec-sink_2",
    ]
