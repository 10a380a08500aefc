"""The plans that make the boards cheap: a change that loses one is seen here, not in production."""

from __future__ import annotations

import dataclasses
import json

import pytest

import games
from boards.sinks import sink
from jobs import environment as flink_environment
from jobs.plans import rewritten, stateful_operators
from settings import Settings

SETTINGS = Settings()
GAME = games.load("score")
HELD = sink("postgres", SETTINGS).tables(GAME.tables)
JOBS = {table.job: GAME.jobs[table.job] for table in HELD}
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
    explained = {name: compiled(environment, tables).explain() for name, tables in JOBS.items()}
    explained["one job"] = compiled(environment, HELD).explain()
    seasonal = [GAME.table(name) for name in SEASONAL]
    explained["totals of a season"] = compiled(environment, seasonal).explain()
    return {
        name: text.split("== Optimized Execution Plan ==")[1] for name, text in explained.items()
    }


def test_both_boards_of_campaigns_are_added_up_once():
    settings, game = Settings(games="spins"), games.load("spins")
    own = flink_environment.table_environment(settings)
    flink_environment.define_tables(own, game, "postgres", settings, group="plans")
    plan = flink_environment.compile_plan(own, game, game.tables, settings).explain()
    optimized = plan.split("== Optimized Execution Plan ==")[1]
    assert optimized.count("invocation=[period_leaders(") == 1
    assert optimized.count("metadata=[value.message") == 1  # the topic is read once
    assert optimized.count("MiniBatchAssigner") == 2  # its ticks, before both of its inputs


@pytest.mark.parametrize(
    ("name", "strategy"),
    [
        *((name, "UpdateFast") for name in BEST),
        ("team_mvps", "AppendFast"),
        ("one job", "UpdateFast"),
    ],
)
def test_a_total_board_keeps_only_its_best_rows(plans, name, strategy):
    assert f"{strategy}Strategy" in plans[name]
    assert "RetractStrategy" not in plans[name]


def test_hot_streaks_are_ranked_window_by_window(plans):
    assert "WindowRank(" in plans["hot_streaks"]


def test_a_window_and_its_streaks_come_by_one_path(plans):
    """Of two, one may be idle while the other's watermark ends a window without its streaks."""
    assert plans["hot_streaks"].count("sliding_sums(") == 1
    for of_two_paths in ("Join(", "Union("):
        assert of_two_paths not in plans["hot_streaks"]
    assert "OverAggregate(" not in plans["hot_streaks"]


def test_the_mvp_join_holds_one_row_a_side(plans):
    assert "leftInputSpec=[JoinKeyContainsUniqueKey]" in plans["team_mvps"]
    assert "rightInputSpec=[JoinKeyContainsUniqueKey]" in plans["team_mvps"]


def test_totals_are_remembered_until_nobody_can_change_them(environment):
    plan = json.loads(compiled(environment, [GAME.board("top_players")]).as_json_string())
    remembered = {
        node["type"].rsplit("_")[0]: node["state"][0]["ttl"]
        for node in plan["nodes"]
        if node.get("state")
    }
    season_and_a_late_day_and_an_outage = "3 d"
    assert remembered == {"stream-exec-rank": season_and_a_late_day_and_an_outage}


@pytest.mark.parametrize(
    ("name", "aggregates"),
    [
        *((name, 0) for name in ("top_players", "top_teams", "team_mvps", "totals")),
        # Each hour's points are those of the hour before, too: that is a key of its own.
        ("most_improved", 1),
    ],
)
def test_the_last_of_a_keys_running_totals_is_kept_by_who_replaces_it(plans, name, aggregates):
    assert plans[name].count("[running_totals(") > 0
    assert plans[name].count("GroupAggregate(") == aggregates


@pytest.mark.parametrize(
    ("call", "aggregates"),
    [
        ("MAX(total_score)", 0),
        ("LAST_VALUE(team_name)", 0),
        ("MAX(player_total)", 1),  # that of one team, and so not the last row's
        ("MAX(total_score) FILTER (WHERE events > 3)", 1),
        ("LAST_VALUE(NULLIF(team_name, 'Red Fox'))", 1),
        ("SUM(total_score)", 1),
        ("COUNT(*)", 1),
    ],
)
def test_an_aggregate_that_says_more_than_the_last_row_is_kept(environment, call, aggregates):
    environment.execute_sql("DROP TEMPORARY TABLE IF EXISTS nowhere")
    environment.execute_sql(
        "CREATE TEMPORARY TABLE nowhere (season_start BIGINT, user_id STRING, found STRING, "
        "PRIMARY KEY (season_start, user_id) NOT ENFORCED) WITH ('connector' = 'blackhole')"
    )
    statements = environment.create_statement_set()
    statements.add_insert_sql(
        f"INSERT INTO nowhere SELECT season_start, user_id, CAST({call} AS STRING) "
        "FROM player_season_totals GROUP BY season_start, user_id"
    )
    plan = rewritten(json.loads(statements._j_statement_set.compilePlan().asJsonString()))
    kinds = [node["type"] for node in plan["nodes"]]
    assert sum("group-aggregate" in kind for kind in kinds) == aggregates


def test_totals_take_in_batches_by_the_clock_and_nothing_else_does(environment):
    """Event time would wait for a partition that lags."""
    plan = json.loads(compiled(environment, HELD).as_json_string())
    nodes = plan["nodes"]
    asked = {
        (node["type"].rsplit("_")[0], (node.get("configuration") or {}).get(MINI_BATCH))
        for node in nodes
    }
    assert {(name.removeprefix("stream-exec-"), value) for name, value in asked if value} == {
        ("group-aggregate", "true"),
        ("join", "true"),
    }
    assigners = [node["id"] for node in nodes if "mini-batch-assigner" in node["type"]]
    modes = {node["miniBatchInterval"]["mode"] for node in nodes if "miniBatchInterval" in node}
    assert modes == {"ProcTime"}
    ticked = [
        node for node in nodes if node.get("functionCall", {}).get("systemName") == "running_totals"
    ]
    from_events = 1  # late events
    assert len(assigners) == len(ticked) + from_events


def test_functions_by_the_same_key_share_its_partitions(plans):
    """The player's: between de-duplication, streaks and totals no row is sent again."""
    text = plans["one job"]
    assert text.count("Exchange(distribution=[hash[user_id]])") == 1
    assert text.count("Exchange(distribution=[hash[team_id]])") == 1


def test_an_operator_has_the_same_number_whatever_was_planned_before(environment):
    once, again = (
        json.loads(compiled(environment, GAME.jobs["hot_streaks"]).as_json_string())
        for _ in range(2)
    )
    numbers = [{node["id"]: node["type"] for node in plan["nodes"]} for plan in (once, again)]
    assert numbers[0] == numbers[1]
    assert stateful_operators(once) == stateful_operators(again)


@pytest.mark.parametrize("table", HELD, ids=lambda table: table.name)
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
    ("name", "totals"),
    [("top_players", 1), ("team_mvps", 2), ("totals", 1), ("totals of a season", 2)],
)
def test_what_boards_and_totals_share_is_added_up_once(plans, name, totals):
    assert plans[name].count("[running_totals(") == totals


@pytest.mark.parametrize(("name", "held"), [("kafka", []), ("postgres", list(GAME.jobs["totals"]))])
def test_everybodys_totals_are_for_a_database_and_can_be_left_out(name, held):
    without = dataclasses.replace(SETTINGS, totals_flush_seconds=0)
    assert sink(name, without).tables(GAME.jobs["totals"]) == []
    assert sink(name, SETTINGS).tables(GAME.jobs["totals"]) == held


@pytest.mark.parametrize("name", [*JOBS, "one job"])
def test_a_job_reads_decides_and_deduplicates_once(plans, name):
    assert plans[name].count("TableSourceScan(") == 1
    assert plans[name].count("[first_arrivals(") == 1
