"""What looks at how people play is asked for, and costs little for each event."""

from __future__ import annotations

import pytest

import games
from boards import sinks
from boards.sinks import sink
from jobs import environment as flink_environment
from jobs.running import planned
from settings import Settings

GAME = games.load("score")
WATCHING = Settings(watch_play="yes")
PLAY = GAME.jobs["play"]
NAMES = [table.name for table in PLAY]


@pytest.fixture(scope="module")
def environment():
    own = flink_environment.table_environment(WATCHING)
    flink_environment.define_tables(own, GAME, "postgres", WATCHING, group="plans")
    return own


def compiled(environment, tables):
    return flink_environment.compile_plan(environment, GAME, tables, WATCHING)


@pytest.fixture(scope="module")
def plans(environment) -> dict[str, str]:
    asked = {"play": PLAY} | {table.name: [table] for table in PLAY}
    explained = {name: compiled(environment, tables).explain() for name, tables in asked.items()}
    return {
        name: text.split("== Optimized Execution Plan ==")[1] for name, text in explained.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_window_comes_by_one_path(plans, name):
    """Of two, one may be idle while the other's watermark ends a window without its rows."""
    assert plans[name].count("TableSourceScan(") == 1
    for of_two_paths in ("Join(", "Union("):
        assert of_two_paths not in plans[name]


def test_the_tables_of_play_share_what_they_have_in_common(plans):
    for once in ("TableSourceScan(", "[first_arrivals(", "[sliding_sums("):
        assert plans["play"].count(once) == 1


def test_a_team_is_added_up_before_it_is_sent_to_where_all_of_it_is(plans):
    assert "LocalWindowAggregate(groupBy=[team_id]" in plans["suspects"]


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_only_added(plans, environment, name):
    from pyflink.table import ExplainDetail

    assert "upsertMaterialize=[true]" not in plans[name]
    statements = environment.create_statement_set()
    statements.add_insert_sql(flink_environment.insert(GAME, GAME.table(name), WATCHING))
    text = statements.explain(ExplainDetail.CHANGELOG_MODE)
    physical = text.split("== Optimized Physical Plan ==")[1]
    assert set(physical.split("changelogMode=[")[2].split("]")[0].split(",")) == {"I"}


def test_only_suspects_are_followed_from_window_to_window(plans, environment):
    plan = plans["suspects"]
    assert plan.count("OverAggregate(") == 2
    # From the end to the beginning: what is behind the array of a team is of suspects alone.
    assert plan.rindex("OverAggregate(") < plan.index("Correlate(invocation=[$UNNEST_ROWS")
    assert environment.get_config().get("table.exec.state.ttl", "") == "259200000 ms"  # 3 days


@pytest.mark.parametrize("sink_name", sinks.NAMES)
def test_nothing_of_it_is_written_unless_it_is_asked_for(sink_name):
    asked = [(GAME.name, job) for job in GAME.jobs]
    for settings, expected in ((Settings(), []), (WATCHING, NAMES)):
        held = sink(sink_name, settings).tables(GAME.tables)
        assert [table.name for table in held if table in PLAY] == expected
        names = [name.job for name in planned(asked, sink_name, settings)]
        assert names.count("play") == bool(expected)


def test_the_job_is_apart_from_the_one_of_all_boards():
    one = Settings(watch_play="yes", one_job="yes")
    jobs = planned([(GAME.name, job) for job in GAME.jobs], "kafka", one)
    assert {name.job: [table.name for table in tables] for name, tables in jobs.items()}[
        "play"
    ] == NAMES
