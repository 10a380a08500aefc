"""What a person reads when a job cannot be submitted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING, cast

import pytest

import games
from clients import flink
from clients.errors import JobError
from games import season, sql
from jobs import plans, savepoints
from jobs.names import ALL_BOARDS, JobName, board_jobs, by_title
from jobs.running import computing
from settings import PROJECT, Settings

if TYPE_CHECKING:
    from pyflink.table import CompiledPlan

GAME = games.load("score")
NOBODY_LISTENS = "127.0.0.1:1"

FLINK_ERROR = """An error occurred while calling o8.executeSql.
: org.apache.flink.table.api.ValidationException: SQL validation failed.
\tat org.apache.flink.table.planner.calcite.FlinkPlannerImpl.validate(FlinkPlannerImpl.java:200)
Caused by: org.apache.calcite.runtime.CalciteContextException: From line 3, column 5
Caused by: org.apache.calcite.sql.validate.SqlValidatorException: \
Column 'scor' not found in any table
\t... 12 more
"""


def jobs(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jobs", *words]
    return subprocess.run(
        command, env=os.environ | environment, cwd=PROJECT, capture_output=True, text=True
    )


def test_an_absent_jobmanager_is_one_sentence_that_says_what_to_do():
    done = jobs(LEADERBOARD_FLINK_REST_ADDRESS=NOBODY_LISTENS)
    assert done.returncode == 1
    assert f"JobManager does not answer at {NOBODY_LISTENS}" in done.stderr
    assert "scripts/run_all.sh" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_jobmanager_that_refuses_is_not_taken_for_one_that_is_away():
    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.handle_request).start()
        address = f"127.0.0.1:{server.server_port}"
        with pytest.raises(JobError, match=f"at {address} refuses GET /jobs/none: 404") as refused:
            flink.rest(Settings(flink_rest_address=address), "GET", "/jobs/none")
    assert "run_all.sh" not in str(refused.value)


@pytest.mark.parametrize("verb", ["suspend", "resume", "rebuild"])
def test_a_failure_is_told_in_the_words_of_its_script(verb):
    done = jobs(f"--{verb}", "top_teams", LEADERBOARD_FLINK_REST_ADDRESS=NOBODY_LISTENS)
    assert done.returncode == 1
    what, again = done.stderr.splitlines()
    assert what.startswith(f"Could not {verb}: Flink's JobManager does not answer")
    assert again.endswith(f": scripts/{verb}.sh top_teams --verbose")


@pytest.mark.parametrize("verb", ["--resume", "--rebuild", "--explain"])
def test_a_job_that_the_sink_does_not_have_is_refused_by_its_name(verb):
    done = jobs("top_teams", "totals", verb, "--sink", "kafka")
    assert done.returncode == 1
    assert "totals: there is nothing of that name in the sink kafka" in done.stderr
    assert "top_teams:" not in done.stderr


def run_script(name: str, option: str) -> subprocess.CompletedProcess[str]:
    script = PROJECT / "scripts" / f"{name}.sh"
    return subprocess.run([script, option], capture_output=True, text=True)


@pytest.mark.parametrize("script", ["suspend", "resume", "rebuild", "status", "reset", "stop"])
def test_the_help_of_a_script_speaks_of_itself(script):
    done = run_script(script, "--help")
    assert done.returncode == 0
    assert f"scripts/{script}.sh" in done.stdout
    assert "python -m" not in done.stdout


@pytest.mark.parametrize("script", ["suspend", "rebuild", "status", "reset", "stop"])
def test_an_unknown_option_does_nothing_and_names_the_script(script):
    done = run_script(script, "--golf")
    assert done.returncode == 2
    assert f"scripts/{script}.sh" in done.stderr
    assert "python -m" not in done.stderr


@pytest.mark.parametrize("verb", ["--resume", "--rebuild", "--switch", "--explain"])
def test_one_command_does_one_thing(verb):
    done = jobs("--suspend", verb)
    assert done.returncode == 2
    assert f"argument {verb}: not allowed with argument --suspend" in done.stderr


def test_verbose_shows_the_stack_trace():
    assert "Traceback" in jobs("--verbose", LEADERBOARD_FLINK_REST_ADDRESS=NOBODY_LISTENS).stderr


def test_an_unknown_job_is_wrong_usage():
    done = jobs("top_golfers")
    assert done.returncode == 2
    assert "no job is called top_golfers" in done.stderr


def test_an_application_can_end_and_empty_nothing():
    done = jobs("--application", "--rebuild")
    assert done.returncode == 2
    assert "each time that its JobManager starts" in done.stderr


def test_flinks_innermost_cause_is_the_sentence():
    expected = "Column 'scor' not found in any table (SqlValidatorException)"
    assert flink.readable(Exception(FLINK_ERROR)) == expected


def test_one_stateless_operator_more_moves_no_other():
    def plan(*types: str) -> dict:
        nodes = [
            {"id": 40 + number, "type": f"stream-exec-{name}_1"}
            for number, name in enumerate(types)
        ]
        edges = [{"source": 40 + number, "target": 41 + number} for number in range(len(types) - 1)]
        return plans.numbered({"nodes": nodes, "edges": edges})

    def numbers(plan: dict) -> dict[str, int]:
        return {node["type"]: node["id"] for node in plan["nodes"] if "calc" not in node["type"]}

    shorter = plan("table-source-scan", "calc", "rank", "sink")
    longer = plan("table-source-scan", "calc", "calc", "rank", "calc", "sink")
    assert numbers(shorter) == numbers(longer)
    assert [(edge["source"], edge["target"]) for edge in shorter["edges"]] == [
        (1, 4),
        (4, 2),
        (2, 3),
    ]


def test_a_placeholder_without_a_value_is_an_error():
    with pytest.raises(KeyError):
        sql.read("score/top_teams/metric.sql")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hour", "event_millis - MOD(event_millis - 0, 3600000)"),
        ("week", "event_millis - MOD(event_millis - 345600000, 604800000)"),
        ("all", "CAST(0 AS BIGINT)"),
    ],
)
def test_a_season_starts_where_its_length_divides_time(name, expected):
    assert season.SEASONS[name].start_sql("event_millis") == expected


def test_a_running_job_stands_for_the_boards_it_computes():
    known = by_title(Settings())
    assert "another project's job" not in known
    one = known["score: top_teams to kafka"]
    assert one == JobName("score", "top_teams", "kafka")
    assert computing([one], Settings()) == {"top_teams": one}
    whole = JobName("score", ALL_BOARDS, "kafka")
    assert set(computing([whole], Settings())) == {board.name for board in GAME.boards}
    assert board_jobs(GAME) == [board.name for board in GAME.boards]


def test_the_topic_outlives_every_season_that_can_still_change():
    day_and_a_late_day_and_an_outage = 3 * 24 * 3_600_000
    assert retention_millis(Settings()) == day_and_a_late_day_and_an_outage
    assert retention_millis(Settings(season="all")) is None


def retention_millis(settings: Settings) -> int | None:
    return season.of(settings).retention_millis(settings)


@pytest.mark.parametrize(
    ("name", "millis", "start"),
    [("hour", 3_600_001, 3_600_000), ("week", 345_599_999, -259_200_000), ("all", 7, 0)],
)
def test_a_season_in_python_is_the_one_in_sql(name, millis, start):
    assert season.SEASONS[name].start_of(millis) == start


def test_a_plan_of_another_flink_is_refused_in_a_sentence():
    with pytest.raises(JobError, match=r"version 9\.9, and jobs/plans\.py knows those of 2\.3"):
        plans.rewritten({"flinkVersion": "9.9", "nodes": [], "edges": []})


NAME = JobName("score", "top_teams", "postgres")


@pytest.fixture
def noted(tmp_path) -> Settings:
    """The settings of a job that was started with them."""
    settings = Settings(state_folder=str(tmp_path), season="hour", parallelism=2)
    note = savepoints.Note(settings=savepoints._of_a_job(settings))
    savepoints._write(settings, NAME, note)
    return settings


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, None),
        ({"rate_per_second": 3.0}, None),  # no job knows it
        (
            {"parallelism": 4},
            "LEADERBOARD_PARALLELISM was 2 and is 4 now: that has no effect on it before you run "
            "scripts/suspend.sh and then scripts/resume.sh.",
        ),
        (
            {"season": "day"},
            "LEADERBOARD_SEASON was hour and is day now: that has no effect on it before you run "
            "scripts/rebuild.sh.",
        ),
    ],
)
def test_a_setting_that_a_running_job_does_not_have_is_said_to_have_no_effect(
    noted, changed, expected
):
    assert savepoints.without_effect(replace(noted, **changed), NAME) == expected


def test_a_job_does_not_go_on_into_another_season_and_the_setting_is_named(noted):
    plan = cast("CompiledPlan", None)  # not looked at
    with pytest.raises(JobError, match="LEADERBOARD_SEASON was hour and is all now"):
        savepoints.check(replace(noted, season="all"), NAME, plan)


def test_who_reads_a_note_while_it_is_written_has_the_old_one_whole(noted):
    with savepoints._file(noted, NAME).open() as reading:
        savepoints._write(noted, NAME, savepoints.Note(savepoint="file:///savepoint"))
        assert savepoints.Note(**json.load(reading)).settings["season"] == noted.season
    assert savepoints.suspended(noted) == {NAME: "file:///savepoint"}


def test_a_note_of_an_earlier_commit_tells_of_no_setting(tmp_path):
    settings = Settings(state_folder=str(tmp_path))
    savepoints._write(settings, NAME, savepoints.Note(savepoint="file:///savepoint"))
    assert savepoints.without_effect(settings, NAME) is None
    assert savepoints.seasons_written(settings, NAME) == set()


def test_seasons_that_a_job_of_all_boards_wrote_are_known_to_the_job_of_one(noted):
    whole = JobName("score", ALL_BOARDS, "postgres")
    assert savepoints.seasons_written(noted, whole) == {"hour"}
    assert savepoints.seasons_written(noted, JobName("score", ALL_BOARDS, "kafka")) == set()
    assert savepoints.seasons_written(noted, JobName("score", "totals", "postgres")) == set()
