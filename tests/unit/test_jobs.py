"""What a person reads when a job cannot be submitted."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from jobs import job, sql
from settings import PROJECT, Settings

NOBODY_LISTENS = "127.0.0.1:1"

FLINK_ERROR = """An error occurred while calling o8.executeSql.
: org.apache.flink.table.api.ValidationException: SQL validation failed.
\tat org.apache.flink.table.planner.calcite.FlinkPlannerImpl.validate(FlinkPlannerImpl.java:200)
Caused by: org.apache.calcite.runtime.CalciteContextException: From line 3, column 5
Caused by: org.apache.calcite.sql.validate.SqlValidatorException: Column 'scor' not found in any table
\t... 12 more
"""


def jobs(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jobs", *words]
    return subprocess.run(command, env=os.environ | environment, cwd=PROJECT, capture_output=True, text=True)


def test_an_absent_jobmanager_is_one_sentence_that_says_what_to_do():
    done = jobs(LEADERBOARD_FLINK_REST_ADDRESS=NOBODY_LISTENS)
    assert done.returncode == 1
    assert f"JobManager does not answer at {NOBODY_LISTENS}" in done.stderr
    assert "scripts/run_all.sh" in done.stderr
    assert "Traceback" not in done.stderr


def test_verbose_shows_the_stack_trace():
    assert "Traceback" in jobs("--verbose", LEADERBOARD_FLINK_REST_ADDRESS=NOBODY_LISTENS).stderr


def test_an_unknown_metric_is_wrong_usage():
    done = jobs("top_golfers")
    assert done.returncode == 2
    assert "no metric is called top_golfers" in done.stderr


def test_an_application_can_end_and_empty_nothing():
    done = jobs("--application", "--rebuild")
    assert done.returncode == 2
    assert "each time that its JobManager starts" in done.stderr


def test_flinks_innermost_cause_is_the_sentence():
    expected = "Column 'scor' not found in any table (SqlValidatorException)"
    assert job.readable(Exception(FLINK_ERROR)) == expected


def test_one_stateless_operator_more_moves_no_other():
    def plan(*types: str) -> dict:
        nodes = [{"id": 40 + number, "type": f"stream-exec-{name}_1"} for number, name in enumerate(types)]
        edges = [{"source": 40 + number, "target": 41 + number} for number in range(len(types) - 1)]
        return job.numbered({"nodes": nodes, "edges": edges})

    def numbers(plan: dict) -> dict[str, int]:
        return {node["type"]: node["id"] for node in plan["nodes"] if "calc" not in node["type"]}

    shorter = plan("table-source-scan", "calc", "rank", "sink")
    longer = plan("table-source-scan", "calc", "calc", "rank", "calc", "sink")
    assert numbers(shorter) == numbers(longer)
    assert [(edge["source"], edge["target"]) for edge in shorter["edges"]] == [(1, 4), (4, 2), (2, 3)]


def test_a_placeholder_without_a_value_is_an_error():
    with pytest.raises(KeyError):
        sql.read("metrics/top_teams.sql")


@pytest.mark.parametrize(
    ("season", "expected"),
    [
        ("hour", "event_millis - MOD(event_millis - 0, 3600000)"),
        ("week", "event_millis - MOD(event_millis - 345600000, 604800000)"),
        ("all", "CAST(0 AS BIGINT)"),
    ],
)
def test_a_season_starts_where_its_length_divides_time(season, expected):
    assert sql.season_start(season) == expected


def test_a_running_job_stands_for_the_metrics_it_computes():
    assert job.taken(["top_teams to kafka", "another project's job"]) == {"top_teams": "top_teams to kafka"}
    assert set(job.taken(["all boards to kafka"])) == set(sql.METRICS)


def test_the_topic_outlives_every_season_that_can_still_change():
    from compose import topics

    day_and_a_late_day_and_an_outage = 3 * 24 * 3_600_000
    assert topics.retention_millis(Settings()) == day_and_a_late_day_and_an_outage
    assert topics.retention_millis(Settings(season="all")) == -1
