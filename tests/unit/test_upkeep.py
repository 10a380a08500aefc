"""Upkeep: when a season becomes final, and who is told that something is behind."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from kafka.errors import KafkaError

from boards.seasons import NotYet, held_season
from compose import lag, seasons, troubles, upkeep
from compose.lag import Lag, Reading
from compose.seasons import SETTLED_SECONDS, Seasons
from compose.status import Job, Status
from compose.troubles import Trouble
from games import season as lengths
from games.score import GAME
from jobs import savepoints
from jobs.names import JobName
from settings import Settings

DAY = lengths.SEASONS["day"]
JOBS = {
    JobName("score", job, "postgres"): Job("RUNNING", 3.0, 0, 0, Lag(10, 0))
    for job in ("top_teams", "top_players", "hot_streaks", "team_mvps", "totals")
}
WELL = Status("postgres", jobs=JOBS)


def days_ago(days: int):
    start = DAY.start_of(int((datetime.now(UTC) - timedelta(days=days)).timestamp() * 1000))
    return held_season(GAME, DAY, start)


@pytest.fixture
def looks(monkeypatch):
    """Looks of a keeper at a status, with what it finds; gives the seasons that it made final."""
    now = SimpleNamespace(seconds=0.0)
    told = SimpleNamespace(
        seasons={
            "score": [days_ago(0), days_ago(1), days_ago(3), days_ago(4)],
            "slots": [days_ago(4)],
        },
        reading=Reading(lags=dict.fromkeys(JOBS, Lag(0, 0))),
        finished=[],
        changed={},
        trouble=None,
        why=None,
        asked=[],
    )

    def finish(_, game, season, sink):
        if told.trouble and told.trouble[0] == season:
            raise told.trouble[1]
        told.finished.append(season)
        return []

    def held(game):
        done = {each.season for each in told.finished if each.game == game.name}
        return [each for each in told.seasons[game.name] if each.season not in done]

    def look(_, jobs, late_seconds):
        told.asked.append(late_seconds)
        return told.reading

    used = SimpleNamespace(seasons=held, tables=lambda tables: tables)
    monkeypatch.setattr(seasons, "sink", lambda *_: used)
    monkeypatch.setattr(
        seasons,
        "time",
        SimpleNamespace(monotonic=lambda: now.seconds, time=datetime.now(UTC).timestamp),
    )
    monkeypatch.setattr(seasons.finals, "finish", finish)
    monkeypatch.setattr(seasons.finals, "publish", lambda _: 0)
    monkeypatch.setattr(lag, "look", look)
    monkeypatch.setattr(savepoints, "season_in_use", lambda *_: "day")
    monkeypatch.setattr(savepoints, "changed_settings", lambda *_: told.changed)
    watching = Seasons(Settings())

    def at(*statuses: Status):
        for found in statuses:
            told.why = watching.look(found)
            now.seconds += SETTLED_SECONDS
        return told.finished

    at.told = told
    return at


def test_seasons_are_final_when_their_jobs_have_settled_the_oldest_first(looks):
    assert looks(WELL) == []
    assert looks(WELL) == [days_ago(4), days_ago(3)]
    # Asked about what came until the newer one of them could change no more.
    until = days_ago(3).season_end + timedelta(hours=24)
    ago = (datetime.now(UTC) - until).total_seconds()
    assert looks.told.asked[-1] == pytest.approx(ago, abs=60)
    assert looks(WELL, WELL, WELL) == [days_ago(4), days_ago(3)]


@pytest.mark.parametrize(
    "found",
    [
        Status(None),
        Status("postgres"),
        replace(WELL, jobs={name: job for name, job in JOBS.items() if name.job != "totals"}),
        replace(WELL, jobs=JOBS | {min(JOBS): Job("RESTARTING", 3.0, 1, 0, Lag(10, 0))}),
        replace(WELL, jobs=JOBS | {min(JOBS): replace(JOBS[min(JOBS)], is_catching_up=True)}),
        replace(WELL, jobs=JOBS | {min(JOBS): replace(JOBS[min(JOBS)], is_of_old_topic=True)}),
    ],
    ids=["no job", "unknown", "one is missing", "restarting", "catching up", "of an old topic"],
)
def test_a_job_that_may_write_more_keeps_a_season_from_being_final(looks, found):
    assert looks(found, found, found) == []


@pytest.mark.parametrize("lags", [{}, JOBS | {min(JOBS): Lag(9, 2)}])
def test_so_does_what_a_job_has_not_read(looks, lags):
    known = {name: each if isinstance(each, Lag) else Lag(0, 0) for name, each in lags.items()}
    looks.told.reading = Reading(lags=known)
    assert looks(WELL, WELL, WELL) == []


def test_a_restart_begins_the_wait_anew(looks):
    restarted = replace(WELL, jobs={name: replace(job, restarts=1) for name, job in JOBS.items()})
    assert looks(WELL, restarted) == []
    assert len(looks(restarted)) == 2


def test_games_settle_beside_each_other(looks, monkeypatch):
    slots = SimpleNamespace(name="slots", seasonal=GAME.seasonal, tables=GAME.tables)
    monkeypatch.setattr(seasons, "chosen", lambda _: [GAME, slots])
    assert looks(WELL) == []
    assert [(each.game, each.season) for each in looks(WELL)] == [
        ("score", days_ago(4).season),
        ("score", days_ago(3).season),
        ("slots", days_ago(4).season),
    ]


def test_a_job_that_allows_later_events_is_waited_for(looks):
    looks.told.changed = {"max_late_hours": (72, 24)}  # until today begins
    assert looks(WELL, WELL) == [days_ago(4)]


def test_a_season_whose_winners_are_unknown_keeps_no_other_from_being_final(looks):
    looks.told.trouble = days_ago(4), NotYet("it is unknown who wins.")
    assert looks(WELL, WELL) == [days_ago(3)]
    called = days_ago(4).season
    assert looks.told.why == f"season {called} of score is not final yet: it is unknown who wins"


class Lazy:
    """A duty that is behind for a while, then fails, and is well in the end."""

    name, every_seconds = "naps", 20

    def __init__(self):
        self.answers = iter(["it sleeps", "it sleeps", KafkaError("no broker."), None])

    def look(self, found):
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_what_is_behind_is_logged_once_and_noted_with_the_time_since_when(
    monkeypatch, tmp_path, caplog
):
    now = 0
    monkeypatch.setattr(upkeep.time, "monotonic", lambda: now)
    monkeypatch.setattr(upkeep, "Seasons", lambda _: Lazy())
    for other in ("Campaigns", "History", "Deliveries"):
        monkeypatch.setattr(upkeep, other, lambda _, name=other: SimpleNamespace(
            name=name, every_seconds=0, look=lambda found: None
        ))  # fmt: skip
    settings = Settings(state_folder=str(tmp_path))
    kept = upkeep.Upkeep(settings)

    def look():
        nonlocal now
        now += 10
        kept.look(WELL)

    look()
    (first,) = troubles.listed(settings)
    assert (first.duty, first.why) == ("naps", "it sleeps")
    assert troubles.lasting(settings) == []
    look(), look()
    # Another process goes on with what the last one noted.
    monkeypatch.setattr(upkeep, "Seasons", lambda _: again)
    again = Lazy()
    next(again.answers), next(again.answers)
    kept = upkeep.Upkeep(settings)
    look()
    (second,) = troubles.listed(settings)
    assert (second.why, second.since) == ("no broker", first.since)
    others = dict.fromkeys(("Campaigns", "History", "Deliveries"), 0.0)
    assert kept.behind_seconds == {"naps": pytest.approx(0, abs=60)} | others
    look(), look()
    assert troubles.listed(settings) == []
    assert [each.message for each in caplog.records] == [
        "Upkeep of naps: it sleeps",
        "Upkeep of naps: no broker",
    ]


def test_a_duty_that_is_behind_for_long_is_a_problem_in_the_status(tmp_path):
    settings = Settings(state_folder=str(tmp_path))
    now = datetime.now(UTC)
    since = [now - timedelta(seconds=seconds) for seconds in (60, 180)]
    known = [Trouble(f"duty {n}", "it sleeps", each.isoformat()) for n, each in enumerate(since)]
    troubles.note(settings, known)
    assert [each.duty for each in troubles.lasting(settings)] == ["duty 1"]
