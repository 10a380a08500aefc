"""A season as a race: the boards as of a minute, the slider, and whose bar moves where."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from boards import history
from boards.seasons import held_season, millis
from clients.errors import BoardsUnavailable
from dashboard import refresh, replay
from dashboard.replay import FRAME_SECONDS, Slot, Span, seated
from games import season as lengths
from games.score import GAME, TOP_PLAYERS
from tests.dashboard.test_app import (  # noqa: F401
    BOARDS,
    links,
    page,
    ran,
    saved,
    some_boards,
    tables,
    tree,
    words,
)

MINUTE = timedelta(minutes=1)
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=1)
START = NOON.replace(hour=0)


def season(length="day", at=NOON):
    chosen = lengths.SEASONS[length]
    return held_season(GAME, chosen, chosen.start_of(millis(at)))


def a_span(length="day", **changed):
    end = NOON + timedelta(hours=11, minutes=59)
    return replace(Span(season(length), START + 7 * MINUTE, end), **changed)


# Where the race is


@pytest.mark.parametrize(
    ("length", "begin", "seconds", "minute"),
    [
        ("day", START + 7 * MINUTE, 0, START + 7 * MINUTE),
        ("day", START + 7 * MINUTE, FRAME_SECONDS, START + timedelta(hours=1)),
        ("day", NOON, 5, NOON + timedelta(hours=11, minutes=59)),  # half a day
        ("day", START, 5, NOON),
        ("hour", NOON, 5, NOON + timedelta(minutes=30)),
        ("week", NOON, 5, NOON + timedelta(hours=11, minutes=59)),
        ("all", START, 5, NOON),
    ],
)
def test_a_day_passes_in_ten_seconds_and_so_does_a_shorter_season(length, begin, seconds, minute):
    assert a_span(length).frame(begin, seconds + 0.01) == minute


def test_a_minute_that_is_not_kept_is_the_nearest_that_is():
    span = a_span()
    assert span.within(START) == span.first
    assert span.within(NOON + timedelta(days=3)) == span.last
    assert span.within(NOON) == NOON


# Whose bar is where


def test_a_bar_stays_in_its_slot_and_a_newcomer_takes_one_that_was_not_seen():
    """Two places: a and b, then b and c, then c and d, then a comes back."""
    first = seated([None] * 4, set(), {"a": "A", "b": "B"})
    assert first == [Slot("a", "A"), Slot("b", "B"), None, None]
    second = seated(first, {"a", "b"}, {"b": "B", "c": "C"})
    assert second == [Slot("a", "A"), Slot("b", "B"), Slot("c", "C"), None]
    third = seated(second, {"b", "c"}, {"c": "C", "d": "D"})
    assert third == [Slot("d", "D"), Slot("b", "B"), Slot("c", "C"), None]
    fourth = seated(third, {"c", "d"}, {"c": "C2", "a": "A"})
    assert fourth == [Slot("d", "D"), Slot("a", "A"), Slot("c", "C2"), None]


def test_a_slot_is_always_free_when_everybody_changes():
    slots, before = [None] * 6, set()
    for frame in range(50):
        named = {f"{frame} {number}": "x" for number in range(3)}
        slots = seated(slots, before, named)
        assert {slot.found_by for slot in slots if slot} >= set(named)
        before = set(named)
    assert len(slots) == 6


# The page


@pytest.fixture
def kept(monkeypatch):
    """What the history keeps: from the first minute to the last, and boards of each of them."""
    told = SimpleNamespace(first=START, last=NOON, boards=some_boards, asked=[], trouble=None)

    def first_minute(*_):
        if told.trouble:
            raise told.trouble
        return told.first

    def at_minute(game, minute, settings):
        told.asked.append(minute)
        found = replace(told.boards(), minute=min(minute, told.last))
        return refresh.Refreshed(found, read_at=minute)

    monkeypatch.setattr(history, "first_minute", first_minute)
    monkeypatch.setattr(history, "last_minute", lambda *_: told.last)
    monkeypatch.setattr(refresh, "at_minute", at_minute)
    return told


def micros(at):
    return at.timestamp() * 1e6


def named(minute):
    return history.address_of(minute)


def query(test):
    found = test.query_params
    return {name: each if isinstance(each, str) else each[0] for name, each in found.items()}


def clicked(test, label):
    (button,) = [each for each in test.button if each.label == label]
    button.click()
    return ran(test)


def test_the_boards_are_shown_as_of_a_minute(page, kept):  # noqa: F811
    kept.boards = lambda: some_boards([9, 7, 7], name="<b>x</b>")
    minute = START + timedelta(hours=9, minutes=41)
    test = page(at=named(minute))
    assert kept.asked == [minute]
    assert list(tables(test)) == BOARDS
    assert tables(test)["Top players"][1] == ["2", "<b>x</b> Team 1", "7,000"]
    assert "AS OF" in words(test) and f"{minute:%H:%M} UTC" in words(test)
    assert "LIVE" not in words(test) and "Trend" not in words(test)
    assert f"player?player=u0&season={START:%Y-%m-%d}" in links(test)  # in the season of then


def test_the_slider_goes_from_the_first_minute_to_the_last(page, kept):  # noqa: F811
    test = page(at=named(NOON - MINUTE))
    (slider,) = test.slider
    assert (slider.min, slider.max) == (micros(START), micros(NOON))
    assert slider.value == NOON - MINUTE
    slider.set_value(START + 5 * MINUTE)
    ran(test)
    assert query(test) == {"at": named(START + 5 * MINUTE)}
    assert kept.asked[-1] == START + 5 * MINUTE


def test_a_step_is_a_minute_and_ends_where_the_history_does(page, kept):  # noqa: F811
    test = clicked(page(at=named(NOON - MINUTE)), "Forward")
    assert query(test) == {"at": named(NOON)}
    assert query(clicked(test, "Forward")) == {"at": named(NOON)}
    assert query(clicked(test, "Back")) == {"at": named(NOON - MINUTE)}


def test_a_race_runs_from_its_address_until_somebody_stops_it(page, kept, monkeypatch):  # noqa: F811
    clock = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(replay, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    test = clicked(page(at=named(START)), "Play")
    assert query(test) == {"at": named(START), "play": "true"}
    assert "RACE" in words(test) and not tables(test) and not test.slider
    assert bars(test, "top_players") == [
        *((0, "1", "9,000"), (1, "2", "7,000"), (2, "2", "7,000"), (3, "4", "5,000")),
    ]
    clock.seconds += 2.6
    ran(test)
    assert kept.asked[-1] == START + timedelta(hours=6)
    clicked(test, "Stop")
    assert query(test) == {"at": named(START + timedelta(hours=6))}
    assert list(tables(test)) == BOARDS


def test_a_race_ends_with_the_last_minute(page, kept, monkeypatch):  # noqa: F811
    clock = SimpleNamespace(seconds=100.0)
    monkeypatch.setattr(replay, "time", SimpleNamespace(monotonic=lambda: clock.seconds))
    test = page(at=named(START), play="true")
    clock.seconds += 20
    ran(test)
    assert query(test) == {"at": named(NOON)}
    assert "AS OF" in words(test)
    # Played again, it begins anew.
    clicked(test, "Play")
    assert kept.asked[-1] == START


def bars(test, board):
    """The places, ranks and values of a race's bars that are seen."""
    panels = [each for html in test.markdown for each in tree(html.value).iter("section")]
    (panel,) = [each for each in panels if board in each.get("class")]
    found = [
        (
            round(float(each.get("style").split("(")[1].split("rem")[0]) / replay.ROW_REM),
            each.find("b").text,
            each.find("i").text,
        )
        for each in panel.iter("li")
        if each.get("class") != "gone"
    ]
    return sorted(found)


def test_replay_is_switched_on_and_off(page, kept):  # noqa: F811
    test = page()
    (switch,) = [each for each in test.toggle if each.label == "Replay"]
    switch.set_value(True)
    ran(test)
    assert history.minute_named(query(test)["at"]) >= NOON
    assert kept.asked[-1] == NOON  # the last that is kept
    (switch,) = [each for each in test.toggle if each.label == "Replay"]
    switch.set_value(False)
    ran(test)
    assert query(test) == {} and "LIVE" in words(test)


def test_a_minute_that_is_none_is_told_and_now_is_shown(page, kept):  # noqa: F811
    test = page(at="yesterday<b>")
    assert "at=yesterday<b>, which is no minute in UTC" in words(test)
    assert "LIVE" in words(test) and not kept.asked


def test_minutes_that_are_missing_are_told(page, kept):  # noqa: F811
    kept.last = NOON - timedelta(hours=2)
    test = page(at=named(NOON))
    assert kept.asked == [kept.last]
    kept.first = kept.last = None
    assert "The history has no minute of this season" in words(page(at=named(NOON)))
    kept.trouble = BoardsUnavailable("PostgreSQL cannot be reached.")
    assert "PostgreSQL cannot be reached" in words(page(at=named(NOON)))
    assert tables(test)


def test_without_postgresql_the_page_says_what_is_missing(page, monkeypatch):  # noqa: F811
    why = "There is no history: it lies in PostgreSQL"
    monkeypatch.setattr(history, "missing", lambda *_: why)
    test = page(at=named(NOON))
    assert why in words(test) and not tables(test)


def test_boards_of_a_minute_are_files(page, kept, saved):  # noqa: F811
    test = page(at=named(NOON))
    test.session_state["download"] = True
    ran(test)
    assert list(saved) == BOARDS
    assert f"_{NOON:%Y-%m-%dT%H%M}" in saved[TOP_PLAYERS.title].name
