"""The plans that make the boards cheap: a change that loses one is seen here, not in production."""

from __future__ import annotations

import dataclasses
import json

import pytest

import games
from boards.sinks import sink
from jobs import environment as flink_environment
from settings import Settings

SETTINGS = Settings()
GAME = games.load("score")
BEST = [board.name for board in GAME.boards if board.keeps_best]
SEASONAL = "top_teams", "top_players", "late_events", "team_mvps", "player_totals", "member_totals"
MINI_BATCH = "table.exec.mini-batch.enabled"


@pytest.fixture(scope="module")
def environment():
    own = flink_environment.table_environment(SETTINGS)
    flink_environment.define_tables(own, GAME, "postgres", SETTINGS, group="plans")
    return own


def compiled(environment, tables):
    return flink_environment.compile_plan(environment, GAME, tables, SETTINGS)


@pytest.fixture(scope="module")
def plans(environment) -> dict[str, str]:
    explained = {
        name: compiled(environment, tables).explain() for name, tables in GAME.jobs.items()
    }
    explained["one job"] = compiled(environment, GAME.tables).explain()
    seasonal = [GAME.table(name) for name in SEASONAL]
    explained["totals of a season"] = compiled(environment, seasonal).explain()
    return {
        name: text.split("== Optimized Execution Plan ==")[1] for name, text in explained.items()
    }


@pytest.mark.parametrize("name", [*BEST, "team_mvps", "one job"])
def test_a_total_board_keeps_only_its_best_rows(plans, name):
    assert "UpdateFastStrategy" in plans[name]
    assert "RetractStrategy" not in plans[name]


def test_hot_streaks_are_ranked_window_by_window(plans):
    assert "WindowRank(" in plans["hot_streaks"]
    assert "OverAggregate(" in plans["hot_streaks"]
    assert "GlobalWindowAggregate(" in plans["hot_streaks"]


def test_slices_and_short_windows_are_made_once(plans):
    """And the windows with the number of their streaks: three in all."""
    assert plans["hot_streaks"].count("GlobalWindowAggregate(") == 3
    assert plans["hot_streaks"].count("OverAggregate(") == 1


def test_the_mvp_join_holds_one_row_a_side(plans):
    assert "leftInputSpec=[JoinKeyContainsUniqueKey]" in plans["team_mvps"]
    assert "rightInputSpec=[JoinKeyContainsUniqueKey]" in plans["team_mvps"]


def test_event_ids_are_remembered_for_minutes_and_totals_until_nobody_can_change_them(environment):
    plan = json.loads(compiled(environment, [GAME.board("top_players")]).as_json_string())
    remembered = {
        node["type"].rsplit("_")[0]: node["state"][0]["ttl"]
        for node in plan["nodes"]
        if "state" in node
    }
    season_and_a_late_day_and_an_outage = "3 d"
    assert remembered == {
        "stream-exec-deduplicate": "10 min",
        "stream-exec-group-aggregate": season_and_a_late_day_and_an_outage,
        "stream-exec-rank": season_and_a_late_day_and_an_outage,
    }


def test_totals_take_in_batches_by_the_clock_and_nothing_else_does(environment):
    """Batched de-duplication would retract, and event time would wait for a partition that lags."""
    plan = json.loads(compiled(environment, GAME.tables).as_json_string())
    asked = {
        (node["type"].rsplit("_")[0], (node.get("configuration") or {}).get(MINI_BATCH))
        for node in plan["nodes"]
    }
    assert {(name.removeprefix("stream-exec-"), value) for name, value in asked if value} == {
        ("deduplicate", "false"),
        ("group-aggregate", "true"),
        ("join", "true"),
    }
    modes = [
        node["miniBatchInterval"]["mode"]
        for node in plan["nodes"]
        if "mini-batch-assigner" in node["type"]
    ]
    assert modes == ["ProcTime"] * sum("group-aggregate" in node["type"] for node in plan["nodes"])


def test_an_operator_has_the_same_number_whatever_was_planned_before(environment):
    once, again = (
        compiled(environment, GAME.jobs["hot_streaks"]).as_json_string() for _ in range(2)
    )
    assert once == again


@pytest.mark.parametrize("table", GAME.tables, ids=lambda table: table.name)
def test_a_row_that_changes_is_never_deleted_first(environment, table):
    """Between the two it would be missing on the board."""
    from pyflink.table import ExplainDetail

    statements = environment.create_statement_set()
    statements.add_insert_sql(flink_environment.insert(GAME, table, SETTINGS))
    text = statements.explain(ExplainDetail.CHANGELOG_MODE)
    changes = (
        text.split("== Optimized Physical Plan ==")[1].split("changelogMode=[")[2].split("]")[0]
    )
    assert "I" in changes.split(",")
    assert "UB" not in changes.split(",")


@pytest.mark.parametrize("name", [board.name for board in GAME.boards])
def test_no_sink_keeps_a_copy_of_its_rows(plans, name):
    assert "upsertMaterialize=[true]" not in plans[name]


@pytest.mark.parametrize(
    ("name", "aggregates"),
    [("top_players", 1), ("team_mvps", 2), ("totals", 2), ("totals of a season", 4)],
)
def test_what_boards_and_totals_share_is_added_up_once(plans, name, aggregates):
    assert plans[name].count("GroupAggregate(") == aggregates


@pytest.mark.parametrize(("name", "held"), [("kafka", []), ("postgres", list(GAME.jobs["totals"]))])
def test_everybodys_totals_are_for_a_database_and_can_be_left_out(name, held):
    without = dataclasses.replace(SETTINGS, totals_flush_seconds=0)
    assert sink(name, without).tables(GAME.jobs["totals"]) == []
    assert sink(name, SETTINGS).tables(GAME.jobs["totals"]) == held


@pytest.mark.parametrize("name", [*GAME.jobs, "one job"])
def test_a_job_reads_decides_and_deduplicates_once(plans, name):
    assert plans[name].count("TableSourceScan(") == 1
    assert (
        plans[name].count("JSON_QUERY(") == 2
    )  # every message's fields, and once more those of an odd one
    assert plans[name].count("Deduplicate(") == 1
