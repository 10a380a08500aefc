"""The page as a person finds it, over boards that a test hands in."""

import re
from datetime import UTC, datetime, timedelta

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard import boards
from jobs import job, sql
from settings import PROJECT

MARKUP = "<script>alert(1)</script> **bold** [link](http://x) :red[x] $a$ ![](y)"


@pytest.fixture
def page(monkeypatch):
    """Runs the page over boards, or over the error that reading them raises; what it was asked stays in `asked`."""
    monkeypatch.setattr(job, "sink_in_use", lambda _: "postgres")

    def run(shown, **parameters):
        def read(sink, _):
            run.asked.append(sink)
            if isinstance(shown, Exception):
                raise shown
            return shown

        monkeypatch.setattr(boards, "read", read)
        st.cache_resource.clear()
        st.cache_data.clear()
        test = AppTest.from_file(str(PROJECT / "dashboard" / "app.py"), default_timeout=20)
        for name, value in parameters.items():
            test.query_params[name] = value
        test.run()
        assert not test.exception
        return test

    run.asked = []
    return run


def made(totals=(9, 7, 7, 5), name="Player", age_seconds=1, late=()):
    """Boards whose rows have these totals."""
    at = datetime.now(UTC) - timedelta(seconds=age_seconds)
    rows = [
        {
            "rank_number": 1 + sum(other > total for other in totals),
            "team_id": f"t{number}",
            "team_name": name,
            "user_id": f"u{number}",
            "user_name": name,
            "total_score": total * 1_000,
            "hotness": total / 4,
            "contribution_ratio": total / 10,
            "reached_at": at,
            "window_end": at,
            "season_start": at.replace(hour=0, minute=0),
        }
        for number, total in enumerate(totals)
    ]
    return boards.Boards({board: rows for board in sql.METRICS} | {"late_events": late})


def words(test):
    return " ".join(each.value for each in [*test.markdown, *test.error, *test.info, *test.title])


def tables(test):
    return [table.value for table in test.dataframe]


def test_events_too_late_for_a_hot_streak_are_counted_there(page):
    assert "1,234 events of the season came too late" in words(page(made(late=[{"events": 1_234}])))
    assert "too late" not in words(page(made()))


def test_the_four_boards_stand_in_their_order(page):
    test = page(made())
    titles = [each.value.split(" &")[0] for each in test.markdown if each.value.startswith("####")]
    assert titles == ["#### Top teams", "#### Top players", "#### Hot streaks", "#### Team MVPs"]
    assert "LIVE" in words(test) and "UTC" in words(test) and re.search(r"\d s old", words(test))
    assert not test.error and not test.info


def test_equal_values_show_equal_ranks(page):
    assert [list(table["rank"]) for table in tables(page(made()))] == [[1, 2, 2, 4]] * 4


def test_values_are_shown_in_their_units(page):
    teams, _, streaks, mvps = tables(page(made([5])))
    assert (teams["value"][0], streaks["value"][0], mvps["value"][0]) == (5_000, 1.25, 50.0)


def test_without_rows_the_page_says_so_and_what_to_do(page):
    test = page(made([]))
    assert "No scores yet" in test.info[0].value and "scripts/status.sh" in test.info[0].value
    assert "EMPTY" in words(test) and not test.dataframe


def test_old_boards_are_called_stale_with_their_age(page):
    test = page(made(age_seconds=200))
    assert "STALE" in words(test) and "3 min 20 s old" in test.error[0].value
    assert len(test.dataframe) == 4


def test_stale_boards_of_the_sink_that_no_job_writes_to_say_so(page):
    test = page(made(age_seconds=200), sink="kafka")
    assert "The jobs write to PostgreSQL" in test.error[0].value


def test_a_database_that_is_away_is_said_plainly(page):
    test = page(boards.BoardsUnavailable("PostgreSQL cannot be reached. Start it."))
    assert "UNAVAILABLE" in words(test) and "cannot be reached" in test.error[0].value
    assert not test.dataframe


def test_the_last_boards_stay_when_the_database_goes_away(page, monkeypatch):
    test = page(made())

    def read(*_):
        raise boards.BoardsUnavailable("PostgreSQL cannot be reached.")

    monkeypatch.setattr(boards, "read", read)
    st.cache_resource.clear()
    test.run()
    assert "the last that were read" in test.error[0].value and len(test.dataframe) == 4


@pytest.mark.parametrize("name", [MARKUP, "x" * 10_000, "a\nb\tc\x00", "", "\u202eevil", "🦊" * 300, None])
def test_names_are_shown_as_text_and_never_as_markup(page, name):
    test = page(made(name=name))
    shown = tables(test)[0]["name"][0]
    assert "\n" not in shown and 1 <= len(shown) <= 48
    if name == MARKUP:
        assert shown == MARKUP[:47] + "…" and "alert" not in words(test)


def test_choices_come_from_the_url(page):
    test = page(made(range(100, 0, -1)), sink="kafka", top="25")
    assert page.asked == ["kafka"] and {len(table) for table in tables(test)} == {25}


def test_choices_that_the_url_has_wrong_are_the_defaults(page):
    test = page(made(range(100, 0, -1)), sink="oracle", top="-1")
    assert page.asked == ["postgres"] and {len(table) for table in tables(test)} == {10}


def test_a_paused_page_reads_nothing_new(page):
    test = page(made())
    test.toggle(key="paused").set_value(True)
    st.cache_resource.clear()
    test.run()
    assert page.asked == ["postgres"] and "PAUSED" in words(test) and len(test.dataframe) == 4
