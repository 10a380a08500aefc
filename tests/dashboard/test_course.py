"""Somebody's way through a season: what is drawn, and what the table beside it says."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from boards.history import COURSE_POINTS, Step, step_width
from dashboard.course import MOST_LINES, by_time, drawn, rank_chart, ticks, times, value_chart
from games.score import TOP_PLAYERS, TOP_TEAMS
from settings import PROJECT

NOON = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def step(minutes: float, rank: int | None = 1, value: float | None = 10) -> Step:
    return Step(NOON + timedelta(minutes=minutes), rank, value)


def test_no_plot_finds_half_of_pandas():
    """It is whole as soon as there are plots, and no thread has to load it later."""
    code = "import sys; import dashboard.course; assert sys.modules['pandas'].Timestamp"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)


def test_a_line_breaks_where_somebody_was_off_the_board():
    steps = [step(0, 3, 5), step(10, None, None), step(20, 9, 6)]
    points = [(each["time"], each["rank"], each["value"]) for each in drawn(steps)]
    assert points == [
        ("28 Nov, 12:00", 3, 5),
        ("28 Nov, 12:10", 3, 5),
        ("28 Nov, 12:10", None, None),
        ("28 Nov, 12:20", 9, 6),
    ]


def test_the_table_tells_whole_hours_the_beginning_and_the_end():
    steps = [step(-7, 4, 1), step(50, 3, 2), step(61, 2, 3), step(190, 2, 3)]
    told = [(f"{each.minute:%H:%M}", each.rank_number, each.value) for each in by_time(steps)]
    assert told == [
        ("11:53", 4, 1),
        ("12:00", 4, 1),
        ("13:00", 3, 2),
        ("14:00", 2, 3),
        ("15:00", 2, 3),
        ("15:10", 2, 3),
    ]


def test_one_minute_is_one_line():
    assert by_time([step(0)]) == [step(0)]


@pytest.mark.parametrize("hours", [1, 24, 7 * 24, 30 * 24, 365 * 24])
def test_no_season_makes_a_table_too_long(hours):
    steps = [step(minutes) for minutes in range(0, hours * 60, 60)]
    assert len(by_time(steps)) <= MOST_LINES
    assert by_time(steps)[-1] == steps[-1]


@pytest.mark.parametrize(
    ("length", "width"), [(timedelta(hours=1), 1), (timedelta(days=1), 2), (timedelta(days=30), 60)]
)
def test_a_step_is_as_wide_as_the_plot_needs(length, width):
    assert step_width(NOON, NOON + length) == timedelta(minutes=width)
    assert length / step_width(NOON, NOON + length) <= COURSE_POINTS


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (timedelta(minutes=1), ["28 12:00", "28 12:01"]),
        (timedelta(minutes=11), ["28 12:00", "28 12:05", "28 12:10"]),
        (timedelta(hours=3), ["28 12:00", "28 13:00", "28 14:00", "28 15:00"]),
        (timedelta(hours=49), ["28 12:00", "29 00:00", "29 12:00", "30 00:00", "30 12:00"]),
        (timedelta(days=3), ["29 00:00", "30 00:00", "01 00:00"]),
    ],
)
def test_the_times_below_a_plot_are_round_and_each_is_there_once(length, expected):
    assert [f"{each:%d %H:%M}" for each in times(NOON, NOON + length)] == expected


def test_the_first_rank_is_at_the_top_and_times_are_utc():
    chart = rank_chart(TOP_TEAMS, [step(0, 12), step(10, 3)]).to_dict()
    low, high = chart["encoding"]["y"]["scale"]["domain"]
    assert low > 12 and high < 3
    assert chart["encoding"]["x"]["scale"] == {"type": "utc"}


@pytest.mark.parametrize(
    ("best", "worst", "expected"),
    [
        (1, 1, [1]),
        (1, 4, [1, 2, 3, 4]),
        (3, 12, [3, 4, 6, 8, 10, 12]),
        (1, 100, [1, 20, 40, 60, 80, 100]),
        (7, 99_000, [7, 20_000, 40_000, 60_000, 80_000]),
    ],
)
def test_round_ranks_are_written_beside_the_plot(best, worst, expected):
    assert ticks(best, worst) == expected


def test_points_are_drawn_from_zero_on():
    chart = value_chart(TOP_PLAYERS, [step(0, 12, 5_000), step(10, 3, 6_000)]).to_dict()
    assert chart["mark"]["type"] == "area"
    assert "scale" not in chart["encoding"]["y"]
