"""The plans that make the boards cheap: a change that loses one is seen here, not in production."""

from __future__ import annotations

import pytest

from jobs import job
from settings import Settings


@pytest.fixture(scope="module")
def plans() -> dict[str, str]:
    settings = Settings()
    environment = job.table_environment(settings)
    job.define_tables(environment, "kafka", settings)
    names = ("top_teams", "top_players", "hot_streaks", "team_mvps")
    explained = {name: job.compile_plan(environment, [name], settings).explain() for name in names}
    explained["one job"] = job.compile_plan(environment, list(names), settings).explain()
    return {name: text.split("== Optimized Execution Plan ==")[1] for name, text in explained.items()}


@pytest.mark.parametrize("name", ["top_teams", "top_players", "team_mvps"])
def test_a_total_board_keeps_only_its_best_rows(plans, name):
    assert "UpdateFastStrategy" in plans[name]
    assert "RetractStrategy" not in plans[name]


def test_hot_streaks_are_ranked_window_by_window(plans):
    assert "WindowRank(" in plans["hot_streaks"]
    assert "OverAggregate(" in plans["hot_streaks"]
    assert "GlobalWindowAggregate(" in plans["hot_streaks"]


def test_the_mvp_join_holds_one_row_a_side(plans):
    assert "leftInputSpec=[JoinKeyContainsUniqueKey]" in plans["team_mvps"]
    assert "rightInputSpec=[JoinKeyContainsUniqueKey]" in plans["team_mvps"]


@pytest.mark.parametrize("name", ["top_teams", "top_players", "hot_streaks", "team_mvps"])
def test_no_sink_keeps_a_copy_of_its_rows(plans, name):
    assert "upsertMaterialize=[true]" not in plans[name]


def test_one_job_reads_the_topic_once(plans):
    assert plans["one job"].count("TableSourceScan(") == 1
