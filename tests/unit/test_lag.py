"""Lag and gaps are told from offsets alone.

They are those of a partition's first record, its end, and what a job committed.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from compose import lag
from compose.lag import Gap, Lag
from jobs.names import ALL_BOARDS, JobName
from settings import Settings

JOB = JobName("score", "top_teams", "postgres")
GAP = Gap(JOB.title, "user-score", 2, 100, 149, "2026-03-01T12:00:00+00:00")


@pytest.mark.parametrize(
    ("committed", "expected"),
    [
        ({0: 50, 1: 20}, Lag(0, 0)),
        ({0: 40, 1: 20}, Lag(10, 0)),
        ({0: 25, 1: 20}, Lag(25, 5)),
        ({0: 50}, Lag(10, 8)),  # it has read nothing of partition 1, which begins at 10
        ({}, Lag(50, 28)),
        ({0: 3, 1: 20}, Lag(40, 20)),  # what was deleted is no lag: nobody can read it
    ],
)
def test_lag_is_what_lies_between_a_job_and_the_end(committed, expected):
    starts, late, ends = {0: 10, 1: 10}, {0: 30, 1: 18}, {0: 50, 1: 20}
    assert lag.lag(starts, late, ends, committed) == expected


def test_records_that_went_away_before_a_job_are_a_gap():
    starts = {0: 150, 1: 10, 2: 10, 3: 10}
    assert list(lag.deleted(starts, {0: 100, 1: 10, 2: 11})) == [(0, 100, 149)]


def test_a_job_that_committed_nothing_begins_at_the_first_record_and_misses_none():
    assert list(lag.deleted({0: 150}, {})) == []


def test_a_known_gap_is_not_seen_again():
    assert lag.unknown_part(replace(GAP, seen_at="later"), [GAP]) is None


def test_of_a_gap_that_grows_the_new_part_is_seen():
    grown = replace(GAP, last=199)
    assert lag.unknown_part(grown, [GAP]) == replace(GAP, first=150, last=199)


@pytest.mark.parametrize(
    "change", [{"job": "score: top_players to postgres"}, {"partition": 3}, {"topic": "other"}]
)
def test_a_gap_elsewhere_is_another(change):
    assert lag.unknown_part(replace(GAP, **change), [GAP]) == replace(GAP, **change)


def test_a_gap_is_remembered_once_and_read_as_a_sentence(tmp_path):
    settings = Settings(state_folder=str(tmp_path))
    (tmp_path / "data").mkdir()
    assert lag.gaps(settings) == []
    for _ in range(2):
        lag.remember(settings, [GAP])
    assert lag.gaps(settings) == [GAP]
    assert json.loads((tmp_path / "data" / "gaps.jsonl").read_text())["first"] == 100
    assert str(GAP) == (
        "50 records of user-score-2 (offsets 100 to 149) were deleted before "
        "'score: top_teams to postgres' had read them"
    )


@pytest.mark.parametrize("cut", ['{"job": "score: top_t', "\n\n", "\0\0\0", "7\n"])
def test_a_line_that_a_full_disk_has_cut_hides_no_gap(cut, tmp_path):
    settings = Settings(state_folder=str(tmp_path))
    (tmp_path / "data").mkdir()
    other = replace(GAP, partition=3)
    lag.remember(settings, [GAP])
    with (tmp_path / "data" / "gaps.jsonl").open("a") as file:
        file.write(cut)
    lag.remember(settings, [GAP, other])
    assert lag.gaps(settings) == [GAP, other]


def test_a_job_has_a_group_of_its_own_whichever_its_sink():
    assert JOB.group == replace(JOB, sink="kafka").group == "leaderboard.score.top_teams"
    assert replace(JOB, job=ALL_BOARDS, sink="kafka").group == "leaderboard.score.all_boards"


def test_a_job_of_another_game_has_another_group():
    assert replace(JOB, game="spins").group != JOB.group
