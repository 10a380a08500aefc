"""The plans that make the boards cheap: a change that loses one is seen here, not in production."""

from __future__ import annotations

import dataclasses
import json

import pytest

from jobs import job, sql
from settings import Settings

SETTINGS = Settings()
MINI_BATCH = "table.exec.mini-batch.enabled"


@pytest.fixture(scope="module")
def environment():
    made = job.table_environment(SETTINGS)
    job.define_tables(made, "postgres", SETTINGS, group="plans")
    return made


@pytest.fixture(scope="module")
def plans(environment) -> dict[str, str]:
    explained = {name: job.compile_plan(environment, tables, SETTINGS).explain() for name, tables in sql.JOBS.items()}
    explained["one job"] = job.compile_plan(environment, sql.TABLES, SETTINGS).explain()
    return {name: text.split("== Optimized Execution Plan ==")[1] for name, text in explained.items()}


@pytest.mark.parametrize("name", ["top_teams", "top_players", "team_mvps", "one job"])
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
    plan = json.loads(job.compile_plan(environment, ["top_players"], SETTINGS).as_json_string())
    remembered = {node["type"].rsplit("_")[0]: node["state"][0]["ttl"] for node in plan["nodes"] if "state" in node}
    season_and_a_late_day_and_an_outage = "3 d"
    assert remembered == {
        "stream-exec-deduplicate": "10 min",
        "stream-exec-group-aggregate": season_and_a_late_day_and_an_outage,
        "stream-exec-rank": season_and_a_late_day_and_an_outage,
    }


def test_totals_take_in_batches_by_the_clock_and_nothing_else_does(environment):
    """In batches, de-duplication would retract; and batches by event time would wait for a partition that lags."""
    plan = json.loads(job.compile_plan(environment, sql.TABLES, SETTINGS).as_json_string())
    asked = {(node["type"].rsplit("_")[0], (node.get("configuration") or {}).get(MINI_BATCH)) for node in plan["nodes"]}
    assert {(name.removeprefix("stream-exec-"), value) for name, value in asked if value} == {
        ("deduplicate", "false"),
        ("group-aggregate", "true"),
        ("join", "true"),
    }
    modes = [node["miniBatchInterval"]["mode"] for node in plan["nodes"] if "mini-batch-assigner" in node["type"]]
    assert modes == ["ProcTime"] * sum("group-aggregate" in node["type"] for node in plan["nodes"])


def test_an_operator_has_the_same_number_whatever_was_planned_before(environment):
    once, again = (job.compile_plan(environment, sql.JOBS["hot_streaks"], SETTINGS).as_json_string() for _ in range(2))
    assert once == again


@pytest.mark.parametrize("name", sql.TABLES)
def test_a_row_that_changes_is_never_deleted_first(environment, name):
    """Between the two it would be missing on the board."""
    from pyflink.table import ExplainDetail

    statements = environment.create_statement_set()
    statements.add_insert_sql(job.insert(name, SETTINGS))
    text = statements.explain(ExplainDetail.CHANGELOG_MODE)
    changes = text.split("== Optimized Physical Plan ==")[1].split("changelogMode=[")[2].split("]")[0]
    assert "I" in changes.split(",")
    assert "UB" not in changes.split(",")


@pytest.mark.parametrize("name", ["top_teams", "top_players", "hot_streaks", "team_mvps"])
def test_no_sink_keeps_a_copy_of_its_rows(plans, name):
    assert "upsertMaterialize=[true]" not in plans[name]


@pytest.mark.parametrize(("name", "aggregates"), [("top_players", 1), ("team_mvps", 2), ("totals", 2), ("one job", 4)])
def test_what_boards_and_totals_share_is_added_up_once(plans, name, aggregates):
    assert plans[name].count("GroupAggregate(") == aggregates


@pytest.mark.parametrize("sink", ["kafka", "postgres"])
def test_everybodys_totals_are_for_a_database_and_can_be_left_out(sink):
    without = dataclasses.replace(SETTINGS, totals_flush_seconds=0)
    assert sql.tables(["totals"], sink, without) == []
    assert sql.tables(["totals"], sink, SETTINGS) == (list(sql.TOTALS) if sink == "postgres" else [])


@pytest.mark.parametrize("name", [*sql.JOBS, "one job"])
def test_a_job_reads_decides_and_deduplicates_once(plans, name):
    assert plans[name].count("TableSourceScan(") == 1
    assert plans[name].count("JSON_QUERY(") == 2  # every message's fields, and once more those of an odd one
    assert plans[name].count("Deduplicate(") == 1
