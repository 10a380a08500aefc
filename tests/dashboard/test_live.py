"""One refresh for all viewers, and what the boards were before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event, Thread, enumerate

import pytest

from boards import background, sinks
from boards.postgres import PostgresSink
from clients.errors import BoardsUnavailable, JobError
from compose.status import Job, Status
from dashboard import health, html, refresh
from dashboard.refresh import Counts, Refreshed, Sample
from games.score import GAME, HOT_STREAKS, TEAM_MVPS, TOP_PLAYERS, TOP_TEAMS
from jobs.names import JobName
from settings import Settings
from tests.conftest import eventually
from tests.dashboard.test_app import some_boards

AT = datetime(2026, 1, 1, tzinfo=UTC)
NOBODY = Settings(kafka_brokers="127.0.0.1:1")


@pytest.fixture
def reading(monkeypatch):
    """Stands for the database: what it answers, and how often it was asked."""

    class Database:
        asked, answer = 0, some_boards()

    def read(*_):
        Database.asked += 1
        if isinstance(Database.answer, Exception):
            raise Database.answer
        return Database.answer

    monkeypatch.setattr(PostgresSink, "read", read)
    monkeypatch.setattr(PostgresSink, "count", lambda *_: None)
    monkeypatch.setattr(refresh, "REFRESH_SECONDS", 0.05)
    monkeypatch.setattr(background, "IDLE_SECONDS", 2)
    yield Database
    eventually(expect_no_refresh)


def latest():
    return refresh.refreshed(GAME, sinks.sink("postgres", NOBODY), NOBODY)


def expect_no_refresh():
    assert not [each.name for each in enumerate() if each.name.startswith("boards of")]


def ranked(*ranks, ages=(), team="t0", period_start=AT):
    """What is known of a team with these ranks, the present one last, so many seconds before it."""
    pairs = zip(ages, ranks, strict=False)
    samples = [sampled(1_000 - age, rank, team, period_start) for age, rank in pairs]
    return Refreshed(now=sampled(1_000, ranks[-1], "t0", AT), samples=tuple(samples))


def sampled(at, rank, team, period_start):
    names = [board.name for board in GAME.boards]
    places = {name: {} for name in names} | {TOP_TEAMS.name: {team: (rank, 100.0 - rank)}}
    return Sample(at, places, dict.fromkeys(names, period_start))


@pytest.mark.parametrize(("before", "now", "movement"), [(5, 2, 3), (2, 5, -3), (2, 2, 0)])
def test_movement_is_the_ranks_gone_up_in_a_minute(before, now, movement):
    known = ranked(9, before, 7, now, ages=(65, 60, 55))
    assert known.movement(TOP_TEAMS, "t0") == movement


def test_who_was_not_there_a_minute_ago_is_new():
    assert ranked(1, 1, ages=(60,), team="other").movement(TOP_TEAMS, "t0") == "new"


def test_movement_is_unknown_without_a_look_a_minute_ago():
    assert ranked(1).movement(TOP_TEAMS, "t0") is None
    assert ranked(5, 2, ages=(30,)).movement(TOP_TEAMS, "t0") is None
    assert ranked(5, 2, ages=(90,)).movement(TOP_TEAMS, "t0") is None


@pytest.mark.parametrize("earlier", [timedelta(days=1), timedelta(hours=1)])
def test_movement_begins_anew_with_a_season_or_an_hour(earlier):
    known = ranked(5, 2, ages=(60,), period_start=AT - earlier)
    assert known.movement(TOP_TEAMS, "t0") is None


def test_a_board_without_periods_moves_at_any_time():
    boards = some_boards()
    assert refresh.sample(boards).period_starts[HOT_STREAKS.name] is None
    start = boards.rows[TOP_TEAMS.name][0]["season_start"]
    assert refresh.sample(boards).period_starts[TEAM_MVPS.name] == start


def test_nobody_off_the_board_has_a_movement():
    assert ranked(5, 2, ages=(60,)).movement(TOP_PLAYERS, "u0") is None
    assert Refreshed().movement(TOP_TEAMS, "t0") is None


def test_a_trend_ends_with_the_present_value():
    assert ranked(5, 3, 2, ages=(10, 5)).trend(TOP_TEAMS, "t0") == [95, 97, 98]
    assert ranked(5, 3, 2, ages=(10, 5)).trend(TOP_TEAMS, "nobody") == []


def test_a_hundred_viewers_read_once(reading, monkeypatch):
    monkeypatch.setattr(refresh, "REFRESH_SECONDS", 3)
    viewers = [Thread(target=latest) for _ in range(100)]
    for each in viewers:
        each.start()
    for each in viewers:
        each.join()
    assert latest().boards.rows == reading.answer.rows
    assert reading.asked == 1


def test_nothing_is_read_or_remembered_when_nobody_looks(reading):
    first = latest()
    assert first.ranks_of(TOP_TEAMS, "t0") == [(first.read_at, 1)]
    eventually(expect_no_refresh)
    asked = reading.asked
    latest()
    assert reading.asked == asked + 1


def test_the_last_boards_stay_when_there_is_trouble(reading):
    first = latest()
    reading.answer = BoardsUnavailable("PostgreSQL cannot be reached.")

    def check():
        last = latest()
        assert last.trouble == "PostgreSQL cannot be reached."
        assert last.boards is not None
        assert last.read_at >= first.read_at

    eventually(check)
    reading.answer = some_boards()
    eventually(expect_no_trouble)


def expect_no_trouble():
    assert latest().trouble is None


def test_an_error_nobody_thought_of_ends_no_refresh(reading):
    reading.answer = KeyError("total_score")
    assert "total_score" in latest().trouble
    reading.answer = some_boards()
    eventually(expect_no_trouble)


def test_a_broker_that_is_away_leaves_the_rate_unknown(reading):
    assert latest().counts == Counts(rows={"Players": None, "Teams": None})


def test_the_sink_stays_known_while_the_jobmanager_is_away(monkeypatch):
    monkeypatch.setattr(background, "IDLE_SECONDS", 2)
    is_away, has_failed = Event(), Event()

    def ask() -> str:
        if is_away.is_set():
            has_failed.set()
            raise JobError("nobody listens")
        return "kafka"

    watch = health.Watch("the sink in use", ask, seconds=0.05)
    assert watch.latest(wait_seconds=5) == "kafka"
    is_away.set()
    assert has_failed.wait(5)
    assert watch.latest() == "kafka"


def test_rates_and_silence_are_those_of_each_topic_and_job():
    name = JobName("score", "top_teams", "postgres")
    history = health.History(Settings())

    def said(seconds, busy, still):
        jobs = {name: Job("RUNNING", 3.0, 0, 0, records_read=busy, rows_written=busy // 2)}
        return history.add(
            Status(jobs=jobs, ends={"busy": {0: busy}, "still": {0: still}}), seconds
        )

    assert said(100, 0, 7).events_per_second == {"busy": None, "still": None}
    assert said(105, 50, 7).read_per_second == {name: None}
    latest = said(110, 100, 7)
    assert latest.events_per_second == {"busy": 10, "still": 0}
    assert (latest.read_per_second, latest.written_per_second) == ({name: 10}, {name: 5})
    assert latest.silent_seconds == {"busy": 0, "still": 10}
    assert latest.reasons("busy") == []
    assert latest.reasons("still") == [
        "the injector is silent: no new record in the topic for 10 s"
    ]
    assert history.add(Status(), 115).silent_seconds == {}
    away = history.add(Status(problems=["Flink is away. Start it."]), 116)
    assert away.reasons("busy") == ["Flink is away. Start it"]  # the page adds the full stop


def test_a_jobs_rate_is_that_from_one_renewal_of_its_count_to_another():
    name = JobName("score", "top_teams", "postgres")
    history = health.History(Settings())

    def rate(seconds, records):
        jobs = {name: Job("RUNNING", 3.0, 0, 0, records_read=records)}
        return history.add(Status(jobs=jobs), seconds).read_per_second[name]

    assert [rate(seconds, 100) for seconds in (0, 4)] == [None, None]
    assert [rate(seconds, 500) for seconds in (8, 12, 16)] == [None, None, None]
    assert rate(18, 1_000) == 50  # and not 900 in 18 s
    assert rate(34, 1_000) == 50
    assert rate(44, 1_000) == pytest.approx(900 / 44)
    assert [rate(seconds, 1_000) for seconds in (70, 80)][-1] == 0


def test_a_job_whose_count_never_changes_does_nothing():
    name = JobName("score", "top_teams", "postgres")
    history = health.History(Settings())
    jobs = {name: Job("RUNNING", 3.0, 0, 0, records_read=7)}
    rates = [history.add(Status(jobs=jobs), at).read_per_second[name] for at in (0, 20, 26)]
    assert rates == [None, None, 0]


@pytest.mark.parametrize(
    ("values", "is_rank", "told", "points"),
    [
        ([0, 5, 10], False, "between 0 and 10", "0,20 1,10 2,0"),
        ([-700, -650], False, "between -700 and -650", "0,20 1,0"),  # of most improved
        ([3, 1], True, "between 1 and 3", "0,20 1,0"),
        ([0, 0], False, "between 0 and 0", "0,20 1,20"),
        ([7, 7], True, "between 7 and 7", "0,10 1,10"),
    ],
)
def test_a_line_has_the_best_at_the_top_and_tells_its_limits(values, is_rank, told, points):
    drawn = html.spark(values, "trend", is_rank=is_rank)
    assert f'aria-label="trend, {told}"' in drawn
    assert f'points="{points}"' in drawn
