"""The history of the boards: what a minute changes, and who says that one is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import psycopg2
import pytest

from boards import history
from boards.history import Change, Held, Place
from boards.snapshot import Boards
from clients.errors import BoardsUnavailable
from compose import history as writing
from compose import status
from compose.status import Status
from games.score import GAME, TEAM_MVPS, TOP_PLAYERS
from settings import Settings

WELL = Status("postgres")


def rows(*standing):
    """Rows of players by id and total, in rank order."""
    return [
        {"rank_number": 1 + sum(other > total for _, other in standing), "user_id": user_id,
         "user_name": f"Name of {user_id}", "team_name": "T", "total_score": total}
        for user_id, total in standing
    ]  # fmt: skip


def held(*standing):
    return history.held(TOP_PLAYERS, rows(*standing))


def names(user_id):
    return {"user_name": f"Name of {user_id}", "team_name": "T"}


def test_a_row_is_kept_as_its_value_rank_place_and_names():
    assert held(("a", 9), ("b", 7), ("c", 7)) == Held(
        {"a": Place(9, 1, 1), "b": Place(7, 2, 2), "c": Place(7, 2, 3)},
        {each: names(each) for each in "abc"},
    )


def test_a_board_is_found_by_its_key_and_names_somebody_else():
    row = {"rank_number": 1, "team_id": "t", "team_name": "T", "user_id": "u", "user_name": None,
           "player_total": 3, "team_total": 4, "contribution_ratio": 0.75}  # fmt: skip
    found = history.held(TEAM_MVPS, [row])
    assert found.names == {"t": {"team_name": "T", "user_id": "u"}}


def test_who_stands_as_before_is_no_change():
    before, now = held(("a", 9), ("b", 7)), held(("a", 9), ("b", 8))
    assert history.changes(before, before) == []
    assert history.changes(before, now) == [Change("b", Place(8, 2, 2), None)]


def test_who_is_new_comes_with_names_and_who_leaves_without_a_place():
    found = history.changes(held(("a", 9)), held(("b", 10)))
    assert found == [Change("b", Place(10, 1, 1), names("b")), Change("a", None, None)]


def test_a_name_that_changes_is_a_change():
    now = held(("a", 9))
    now.names["a"]["team_name"] = "U"
    assert history.changes(held(("a", 9)), now) == [Change("a", Place(9, 1, 1), now.names["a"])]


def test_an_hour_begins_with_everybody():
    before = held(("a", 9), ("b", 7))
    found = history.changes(before, held(("a", 9)), everybody=True)
    assert found == [Change("a", Place(9, 1, 1), names("a")), Change("b", None, None)]


def test_the_changes_of_an_hour_make_its_last_minute():
    minutes = [held(("a", 9), ("b", 7)), held(("b", 9)), held(("c", 3), ("a", 3))]
    found, before = Held({}, {}), Held({}, {})
    for now in minutes:
        for change in history.changes(before, now):
            history.apply(found, change)
        before = now
        assert found == now


@pytest.mark.parametrize(
    ("text", "minute"),
    [
        ("2026-11-28T09:41Z", datetime(2026, 11, 28, 9, 41, tzinfo=UTC)),
        ("2026-11-28T10:41:30+01:00", datetime(2026, 11, 28, 9, 41, tzinfo=UTC)),
        ("2026-11-28T09:41", None),  # whose morning?
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_minute_is_named_with_its_time_zone(text, minute):
    assert history.minute_named(text) == minute
    assert minute is None or history.minute_named(history.address_of(minute)) == minute


def test_what_is_missing_is_told():
    assert history.missing(GAME, Settings()) is None
    assert "HISTORY_DAYS is 0" in history.missing(GAME, Settings(history_days=0))
    elsewhere = Settings(sink="kafka", postgres_url="postgresql://ada@db.example/boards")
    assert "the boards are in Kafka alone" in history.missing(GAME, elsewhere)
    assert history.missing(GAME, replace(elsewhere, sink="postgres")) is None
    assert history.missing(GAME, Settings(sink="kafka")) is None


# Who writes it


@pytest.fixture
def written(monkeypatch):
    """The minutes that the writer keeps, by the clock of a test; `read_from` names the sinks."""
    told = SimpleNamespace(now=datetime(2026, 11, 28, 9, 41, 7, tzinfo=UTC), minutes=[], read=[])
    told.trouble = None

    def write(_, boards, read_at):
        if told.trouble:
            raise told.trouble
        told.minutes.append((boards.game.name, f"{read_at:%H:%M}"))

    def sink(name, _):
        told.read.append(name)
        return SimpleNamespace(read=lambda game: Boards(game, {}))

    monkeypatch.setattr(writing, "datetime", SimpleNamespace(now=lambda _: told.now))
    monkeypatch.setattr(writing, "sink", sink)
    monkeypatch.setattr(writing.history, "write", write)
    return told


def after(told, seconds, writer, found=WELL):
    told.now += timedelta(seconds=seconds)
    return writer.look(found)


def test_each_minute_is_kept_once_as_soon_as_it_begins(written):
    writer = writing.History(Settings())
    assert writer.look(WELL) is None
    for _ in range(20):
        after(written, 5, writer)
    assert written.minutes == [("score", "09:41"), ("score", "09:42")]


def test_it_goes_on_where_the_jobs_wrote_last_while_flink_is_away(written):
    writer = writing.History(Settings())
    assert writer.look(Status()) is None and not written.read  # nobody has written yet
    writer.look(Status("kafka"))
    after(written, 60, writer, Status())
    assert written.read == ["kafka", "kafka"]


def test_a_minute_that_failed_is_tried_again(written):
    writer = writing.History(Settings())
    written.trouble = psycopg2.OperationalError("nobody answers")
    with pytest.raises(psycopg2.OperationalError):
        writer.look(WELL)
    written.trouble = None
    after(written, 5, writer)
    assert written.minutes == [("score", "09:41")]


def test_nothing_is_kept_for_no_days(written):
    assert writing.History(Settings(history_days=0)).look(WELL) is None
    assert not written.read


def test_a_history_that_ends_long_ago_is_a_problem(monkeypatch):
    def ending(minutes_ago):
        last = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        monkeypatch.setattr(history, "last_minute", lambda *_: last)
        return status._history_problems(Settings())

    assert ending(2) == []
    (problem,) = ending(7.2)
    assert problem.startswith("the history of score is 7 min behind: its last minute is 20")
    monkeypatch.setattr(history, "last_minute", lambda *_: None)
    assert status._history_problems(Settings()) == []


def test_a_database_that_is_away_is_told_by_the_upkeep_alone(monkeypatch):
    def away(*_):
        raise BoardsUnavailable("PostgreSQL cannot be reached.")

    monkeypatch.setattr(history, "last_minute", away)
    assert status._history_problems(Settings()) == []
