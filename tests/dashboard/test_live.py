"""One refresh for all viewers, and what the boards were before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event, Thread, enumerate

import pytest

from dashboard import background, boards, health, live, players
from jobs import job
from settings import Settings
from tests.conftest import eventually
from tests.dashboard.test_app import shown_boards as made

AT = datetime(2026, 1, 1, tzinfo=UTC)
NOBODY = Settings(kafka_brokers="127.0.0.1:1")


@pytest.fixture
def reading(monkeypatch):
    """Stands for the database: what it answers, and how often it was asked."""

    class Database:
        asked, answer = 0, made()

    def read(*_):
        Database.asked += 1
        if isinstance(Database.answer, Exception):
            raise Database.answer
        return Database.answer

    monkeypatch.setattr(boards, "read", read)
    monkeypatch.setattr(players, "counts", lambda _: (None, None))
    monkeypatch.setattr(live, "REFRESH_SECONDS", 0.05)
    monkeypatch.setattr(background, "IDLE_SECONDS", 2)
    yield Database
    eventually(expect_no_refresh)


def expect_no_refresh():
    assert not [each.name for each in enumerate() if each.name.startswith("boards of")]


def looked(*ranks, ages=(), team="t0", season=AT):
    """A look whose team has these ranks, the present one last, and so many seconds before it."""
    samples = [sampled(1_000 - age, rank, team, season) for age, rank in zip(ages, ranks, strict=False)]
    return live.Look(now=sampled(1_000, ranks[-1], "t0", AT), samples=tuple(samples))


def sampled(at, rank, team, season):
    seen = {name: {} for name in live.KEYS} | {"top_teams": {team: (rank, 100.0 - rank)}}
    return live.Sample(at, seen, dict.fromkeys(live.KEYS, season))


@pytest.mark.parametrize(("before", "now", "movement"), [(5, 2, 3), (2, 5, -3), (2, 2, 0)])
def test_movement_is_the_ranks_gone_up_in_a_minute(before, now, movement):
    assert looked(9, before, 7, now, ages=(65, 60, 55)).movement("top_teams", "t0") == movement


def test_who_was_not_there_a_minute_ago_is_new():
    assert looked(1, 1, ages=(60,), team="other").movement("top_teams", "t0") == "new"


def test_movement_is_unknown_without_a_look_a_minute_ago():
    assert looked(1).movement("top_teams", "t0") is None
    assert looked(5, 2, ages=(30,)).movement("top_teams", "t0") is None
    assert looked(5, 2, ages=(90,)).movement("top_teams", "t0") is None


def test_movement_begins_anew_with_a_season():
    assert looked(5, 2, ages=(60,), season=AT - timedelta(days=1)).movement("top_teams", "t0") is None


def test_nobody_off_the_board_has_a_movement():
    assert looked(5, 2, ages=(60,)).movement("top_players", "u0") is None
    assert live.Look().movement("top_teams", "t0") is None


def test_a_trend_ends_with_the_present_value():
    assert looked(5, 3, 2, ages=(10, 5)).trend("top_teams", "t0") == [95, 97, 98]
    assert looked(5, 3, 2, ages=(10, 5)).trend("top_teams", "nobody") == []


def test_a_hundred_viewers_read_once(reading, monkeypatch):
    monkeypatch.setattr(live, "REFRESH_SECONDS", 3)
    viewers = [Thread(target=live.look, args=("postgres", NOBODY)) for _ in range(100)]
    for each in viewers:
        each.start()
    for each in viewers:
        each.join()
    assert live.look("postgres", NOBODY).boards.rows == reading.answer.rows
    assert reading.asked == 1


def test_nothing_is_read_or_remembered_when_nobody_looks(reading):
    seen = live.look("postgres", NOBODY)
    assert seen.team_places("t0") == [(seen.read_at, 1)]
    eventually(expect_no_refresh)
    asked = reading.asked
    live.look("postgres", NOBODY)
    assert reading.asked == asked + 1


def test_the_last_boards_stay_when_there_is_trouble(reading):
    first = live.look("postgres", NOBODY)
    reading.answer = boards.BoardsUnavailable("PostgreSQL cannot be reached.")

    def check():
        seen = live.look("postgres", NOBODY)
        assert seen.trouble == "PostgreSQL cannot be reached."
        assert seen.boards is not None
        assert seen.read_at >= first.read_at

    eventually(check)
    reading.answer = made()
    eventually(expect_no_trouble)


def expect_no_trouble():
    assert live.look("postgres", NOBODY).trouble is None


def test_an_error_nobody_thought_of_ends_no_refresh(reading):
    reading.answer = KeyError("total_score")
    assert "total_score" in live.look("postgres", NOBODY).trouble
    reading.answer = made()
    eventually(expect_no_trouble)


def test_a_broker_that_is_away_leaves_the_rate_unknown(reading):
    assert live.look("postgres", NOBODY).counts == live.Counts()


def test_the_sink_stays_known_while_the_jobmanager_is_away(monkeypatch):
    monkeypatch.setattr(background, "IDLE_SECONDS", 2)
    is_away, has_failed = Event(), Event()

    def look() -> str:
        if is_away.is_set():
            has_failed.set()
            raise job.JobError("nobody listens")
        return "kafka"

    watch = health.Watch("the sink in use", look, seconds=0.05)
    assert watch.latest(wait_seconds=5) == "kafka"
    is_away.set()
    assert has_failed.wait(5)
    assert watch.latest() == "kafka"
