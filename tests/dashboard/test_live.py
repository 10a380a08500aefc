"""One refresh for all viewers, and what the boards were before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event, Thread, enumerate

import pytest

from boards import background, sinks
from boards.postgres import PostgresSink
from clients.errors import BoardsUnavailable, JobError
from compose.status import Job, Status
from dashboard import health, html, refresh
from dashboard.refresh import Counts, Past, Refreshed, Sample
from games.score import GAME, HOT_STREAKS, TEAM_MVPS, TOP_PLAYERS, TOP_TEAMS
from jobs.names import JobName
from settings import Settings
from tests.conftest import eventually
from tests.dashboard.test_app import some_boards

AT = datetime(2026, 1, 1, tzinfo=UTC)
NOBODY = Settings(kafka_brokers="127.0.0.1:1")


@pytest.fixture
def reading(monkeypatch):
    """Stands for the database: what it answers, what was before, how often it was asked."""

    class Database:
        asked, answer, past = 0, some_boards(), Past()

    def read(*_):
        Database.asked += 1
        if isinstance(Database.answer, Exception):
            raise Database.answer
        return Database.answer

    monkeypatch.setattr(PostgresSink, "read", read)
    monkeypatch.setattr(PostgresSink, "count", lambda *_: None)
    monkeypatch.setattr(refresh, "past_of", lambda *_: Database.past)
    monkeypatch.setattr(health, "sink_in_use", lambda settings: sinks.sink("postgres", settings))
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


def of_hour(*standing, board=TOP_TEAMS, day=None, start=AT):
    """What is known of somebody in the minutes of an hour: pairs of an age in s and (rank, value).

    The last is the present.
    """
    names = [each.name for each in GAME.boards]

    def sampled(age, *place):
        places = {name: {} for name in names} | {board.name: {"x": place}}
        return Sample(10_000 - age, places, dict.fromkeys(names, start if age else AT))

    *minutes, now = (sampled(age, *place) for age, place in standing)
    return Refreshed(now=now, minutes=tuple(minutes), day=day and sampled(*day))


def test_the_trend_of_a_total_is_what_each_minute_has_added():
    """A minute that is missing is no leap, and the one that runs is no fall."""
    known = of_hour((250, (1, 10)), (190, (1, 30)), (70, (1, 90)), (10, (1, 95)), (0, (1, 96)))
    assert known.trend(TOP_TEAMS, "x") == [20, 30, 5]
    assert known.trend(TOP_TEAMS, "nobody") == []


def test_the_trend_of_another_value_ends_with_the_present_one():
    known = of_hour((120, (1, 1.5)), (60, (1, 2)), (0, (1, 1)), board=HOT_STREAKS)
    assert known.trend(HOT_STREAKS, "x") == [1.5, 2, 1]


def test_a_trend_begins_anew_with_a_season():
    yesterday = AT - timedelta(days=1)
    known = of_hour((120, (1, 900)), (60, (1, 950)), (0, (1, 3)), start=yesterday)
    assert known.trend(TOP_TEAMS, "x") == []


@pytest.mark.parametrize(("since", "movement"), [("minute", 1), ("hour", 4), ("day", 7)])
def test_movement_is_since_a_minute_an_hour_or_this_days_start(since, movement):
    hour = [(3_660, (9, 1)), (3_610, (6, 1)), (1_800, (5, 1)), (70, (3, 1)), (0, (2, 1))]
    known = of_hour(*hour, day=(9_000, 9, 1))
    assert known.movement(TOP_TEAMS, "x", since) == movement


def test_movement_since_then_is_unknown_where_nobody_wrote_it_down():
    known = of_hour((1_800, (5, 1)), (200, (3, 1)), (0, (2, 1)))
    assert {known.movement(TOP_TEAMS, "x", since) for since in refresh.SINCE} == {None}


def test_what_was_before_is_there_at_the_first_look(reading):
    now = refresh.sample(reading.answer)
    minutes = tuple(
        Sample(now.at - age, now.places, now.period_starts) for age in range(3_660, 0, -60)
    )
    reading.past = Past(minutes, minutes[0])
    first = latest()
    assert {first.movement(TOP_TEAMS, "t0", since) for since in refresh.SINCE} == {0}
    assert len(first.trend(TOP_TEAMS, "t0")) == 60


def test_boards_are_shown_though_nobody_knows_what_was_before(reading, monkeypatch):
    def fail(*_):
        raise BoardsUnavailable("PostgreSQL cannot be reached.")

    monkeypatch.setattr(refresh, "past_of", fail)
    first = latest()
    assert first.trouble is None and first.movement(TOP_TEAMS, "t0") is None


def test_a_history_that_keeps_silent_keeps_no_board_waiting(reading, monkeypatch):
    monkeypatch.setattr(refresh, "HISTORY_SECONDS", 0.1)
    is_answered = Event()

    def wait(*_):
        assert is_answered.wait(60)
        return Past(day=refresh.sample(some_boards()))

    monkeypatch.setattr(refresh, "past_of", wait)
    assert latest().boards is not None and latest().day is None
    is_answered.set()

    def check():
        assert latest().day is not None

    eventually(check)


@pytest.mark.parametrize(
    ("looks", "began"),
    [
        ((-2, -1), None),
        ((-2, 0, 1), 1),
        ((-2, 0, 1, 59, 61, 4_000), 59),  # the season of the day has begun by then
        ((-2, 300, 301), 300),
        ((300, 301), None),
    ],
)
def test_the_day_begins_with_its_first_minute(looks, began):
    memory, now = refresh.Memory(), refresh.sample(some_boards())
    for seconds in looks:
        memory.keep(replace(now, at=seconds), AT + timedelta(seconds=seconds))
    assert (memory.day and memory.day.at) == began


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
    latest()
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
    ("values", "told", "points"),
    [
        ([0, 5, 10], "between 0 and 10", "0,20 1,10 2,0"),
        ([-700, -650], "between -700 and -650", "0,20 1,0"),  # of most improved
        ([0, 0], "between 0 and 0", "0,20 1,20"),
        ([7, 7], "between 7 and 7", "0,10 1,10"),
    ],
)
def test_a_line_has_the_greatest_at_the_top_and_tells_its_limits(values, told, points):
    drawn = html.spark(values, "trend")
    assert f'aria-label="trend, {told}"' in drawn
    assert f'points="{points}"' in drawn
