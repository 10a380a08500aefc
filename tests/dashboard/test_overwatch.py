"""The page Overwatch over rows that a test hands in: what it asks for, and what it shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from streamlit.testing.v1 import AppTest

from boards import cache, requests, sinks
from clients.errors import BoardsUnavailable
from compose.status import Status
from dashboard import health, html, navigation
from dashboard.health import Health
from dashboard.pages import live
from dashboard.pages.overwatch import profile
from games.overwatch import (
    FAULT,
    HELD,
    NO_STATISTICS,
    OK,
    PRIVATE,
    PROFILE_DAYS,
    PROFILE_STATISTICS,
    PROFILES,
    REQUESTS,
    UNKNOWN,
    WAIT,
    WRONG_TAG,
    Request,
)
from generator.overwatch import statistics
from settings import Settings
from tests import overfast
from tests.dashboard.test_app import RUN_PAGE, ran, tree, words

NOVA = Request("Nova-1111", "pc", "quickplay")
NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=1)


class Rows:
    """What a sink holds of one profile, and what the page has sent."""

    def __init__(self) -> None:
        tables = (PROFILES, PROFILE_STATISTICS, PROFILE_DAYS)
        self.of: dict[str, list[dict]] = {table.name: [] for table in tables}
        self.sent: list[tuple] = []
        self.trouble: str | None = None

    def find(self, table, key):
        if self.trouble:
            raise BoardsUnavailable(self.trouble)
        return [row for row in self.of[table.name] if key.items() <= row.items()]

    def answer(self, status=OK, request=NOVA, at=NOW, games=20, **said):
        """An answer arrives: its row, its statistics and its day."""
        kind = overfast.PUBLIC if status == OK else overfast.PRIVATE
        bodies = (overfast.summary(request.player_id, kind), {}, {})
        if status == OK:
            bodies = (bodies[0], overfast.stats(games), overfast.career(games))
        is_told = status in (OK, PRIVATE, NO_STATISTICS)
        found = statistics.of_profile(*bodies, request.platform) if is_told else []
        row = {"status": status, "detail": "", "fresh_end": None, "retry_at": None} | said
        own = request.key | {"answered_at": at}
        self.of[PROFILES.name] = [own | row | {"statistic_count": len(found)}]
        if found:
            self.of[PROFILE_STATISTICS.name] = [own | each for each in found]
            day = {"day_start": at.replace(hour=0, minute=0, second=0, microsecond=0)}
            self.of[PROFILE_DAYS.name] += [
                own | each | day for each in found if each["category"] in ("general", "ranks")
            ]


@pytest.fixture
def rows(monkeypatch):
    held = Rows()
    monkeypatch.setattr(cache, "CACHED_SECONDS", 0)
    monkeypatch.setattr(health, "sink_in_use", lambda _: sinks.sink("postgres", Settings()))
    monkeypatch.setattr(sinks.PostgresSink, "find", lambda _, *asked: held.find(*asked))
    monkeypatch.setattr(requests, "send", lambda *sent: held.sent.append(sent[:3]))
    services = Health(Status("postgres", problems=["overwatch_worker is FATAL"]))
    monkeypatch.setattr(health, "watch", lambda _: type("W", (), {"latest": lambda *_: services})())
    return held


def opened(**address):
    test = AppTest.from_string(RUN_PAGE.format("overwatch.profile"), default_timeout=120)
    for name, value in address.items():
        test.query_params[name] = value
    return ran(test)


def asked_for(tag, test=None):
    """The page when somebody has typed this and pressed Show."""
    test = test or opened()
    test.text_input(key="player").set_value(tag)
    test.button[0].click()
    return ran(test)


def metrics(test):
    """Every figure by its name, in the order of the page."""
    return [
        ("".join(pair.find("dt").itertext()), "".join(pair.find("dd").itertext()))
        for each in test.markdown
        for listed in tree(each.value).iter("dl")
        if listed.get("class") == "metrics"
        for pair in listed
    ]


# Asking


@pytest.mark.parametrize("typed", ["Nova#1111", "Nova-1111", " Nova#1111 "])
def test_a_request_is_sent_when_somebody_submits(rows, typed):
    test = asked_for(typed)
    assert rows.sent == [(REQUESTS.name, "Nova-1111", NOVA.key)]
    assert test.query_params["player"] == typed
    assert "is being asked" in words(test)


def test_platform_and_game_mode_are_asked_for(rows):
    test = opened(platform="console", gamemode="competitive")
    asked_for("Nova#1111", test)
    assert rows.sent[0][2] == {
        "player_id": "Nova-1111",
        "platform": "console",
        "gamemode": "competitive",
    }


def test_nothing_is_sent_for_showing_an_address(rows):
    test = opened(player="Nova#1111")
    for _ in range(3):
        ran(test)
    assert rows.sent == []
    assert "Nobody has asked for this profile yet: press Show." in words(test)


def test_one_request_is_sent_however_often_the_page_is_shown(rows):
    test = asked_for("Nova#1111")
    for _ in range(3):
        ran(test)
    rows.answer(fresh_end=LATER)
    ran(test)
    ran(test)
    assert len(rows.sent) == 1


@pytest.mark.parametrize(
    ("status", "said", "is_sent"),
    [
        (OK, {"fresh_end": LATER}, False),
        (OK, {"fresh_end": NOW}, True),
        (OK, {}, True),
        (UNKNOWN, {"retry_at": LATER}, False),
        (WAIT, {"retry_at": LATER}, False),
        (FAULT, {"retry_at": NOW}, True),
        (HELD, {"retry_at": LATER}, True),
    ],
)
def test_nothing_is_sent_while_an_answer_holds(rows, status, said, is_sent):
    rows.answer(status, **said)
    asked_for("Nova#1111")
    assert bool(rows.sent) is is_sent


def test_a_choice_on_the_page_sends_nothing(rows):
    rows.answer()
    test = opened(player="Nova#1111")
    test.selectbox(key="hero").set_value("ana")
    ran(test)
    test.selectbox(key="form").set_value("rank_tank")
    ran(test)
    assert rows.sent == []
    assert test.query_params["hero"] == "ana"


def test_a_broker_that_takes_no_request_is_said(rows, monkeypatch):
    def refuse(*_):
        raise BoardsUnavailable("Kafka at x does not take the request")

    monkeypatch.setattr(requests, "send", refuse)
    test = asked_for("Nova#1111")
    assert "does not take the request" in words(test)


def test_after_a_while_the_page_says_why_there_is_no_answer(rows, monkeypatch):
    monkeypatch.setattr(profile, "PATIENT_SECONDS", 0)
    assert "overwatch_worker is FATAL" in words(asked_for("Nova#1111"))


def test_an_answer_counts_when_all_of_it_is_there(rows):
    test = asked_for("Nova#1111")
    rows.answer()
    *others, last = rows.of[PROFILE_STATISTICS.name]
    rows.of[PROFILE_STATISTICS.name] = others
    assert "is being asked" in words(ran(test))
    rows.of[PROFILE_STATISTICS.name] = [*others, last]
    ran(test)
    assert "is being asked" not in words(ran(test))


def test_a_request_that_is_held_goes_on_by_itself(rows):
    test = asked_for("Nova#1111")
    rows.answer(HELD, retry_at=LATER)
    assert "this page goes on by itself then" in words(ran(test))
    rows.answer(at=LATER)
    ran(test)
    assert ("Name", "Nova") in metrics(ran(test))


# What is wrong, in one sentence


@pytest.mark.parametrize(
    ("status", "said", "sentence"),
    [
        (PRIVATE, {}, "The profile of Nova-1111 is private"),
        (NO_STATISTICS, {}, "Nova-1111 shows no statistics for PC, quick play"),
        (UNKNOWN, {"retry_at": LATER}, "There is no player Nova-1111 (capital letters count)"),
        (WRONG_TAG, {}, "takes Nova-1111 for no BattleTag"),
        (FAULT, {"detail": "it answered with HTTP 504, 5 times"}, "HTTP 504, 5 times: press Show"),
        (WAIT, {"retry_at": LATER}, "wants nobody to ask now: press Show again after"),
        (HELD, {"retry_at": LATER}, "wants nobody to ask before"),
    ],
)
def test_what_is_wrong_is_one_sentence(rows, status, said, sentence):
    rows.answer(status, **said)
    test = opened(player="Nova#1111")
    (notice,) = [each for each in test.markdown if 'class="notice' in each.value]
    told = "".join(tree(notice.value).itertext())
    assert sentence in told and told.count(". ") == 0 and told.endswith(".")


@pytest.mark.parametrize("tag", ["Nova", "<b>Nova</b>#1111", "[x](http://y)#1", "Nova#1111#"])
def test_a_wrong_battle_tag_is_said_and_not_asked_for(rows, tag):
    test = asked_for(tag)
    assert rows.sent == []
    assert "is no BattleTag: that is a name and a number, such as Name#1234." in words(test)
    assert not [each for each in test.markdown if "<b>" in each.value or "](http" in each.value]


def test_a_private_profile_shows_what_is_public(rows):
    rows.answer(PRIVATE)
    found = metrics(opened(player="Nova#1111"))
    assert ("Name", "Nova") in found and ("Title", html.MISSING) in found
    assert ("Games played", html.MISSING) in found and ("Tank", html.MISSING) in found


def test_a_fault_leaves_the_statistics_of_before(rows):
    rows.answer()
    rows.answer(FAULT, at=LATER, detail="it cannot be reached, 5 times")
    test = opened(player="Nova#1111")
    assert "Below is the answer of" in words(test) and ("Name", "Nova") in metrics(test)


def test_a_store_that_is_away_is_said(rows):
    rows.trouble = "PostgreSQL cannot be reached"
    assert "PostgreSQL cannot be reached" in words(opened(player="Nova#1111"))
    assert "PostgreSQL cannot be reached" in words(asked_for("Nova#1111"))


# Showing


def test_a_profile_is_shown_by_category(rows):
    rows.answer()
    test = opened(player="Nova#1111")
    for heading in (
        *("Summary", "Ranks by role", "General", "Form", "Roles", "Heroes"),
        *("Assists", "Average", "Best", "Combat", "Game", "Match awards", "Hero specific"),
    ):
        assert heading in words(test)
    found = metrics(test)
    assert found[:5] == [
        ("Name", "Nova"),
        ("Title", "Bytefixer"),
        ("Endorsement", "3"),
        ("Profile updated, UTC", "28 May 2026, 20:26:40"),
        ("Competitive season", "14"),
    ]
    assert found[5][0] == "Answered, UTC"
    assert found[6:10] == [
        ("Tank", "Diamond 3"),
        ("Damage", html.MISSING),
        ("Support", "Gold 1"),
        ("Open queue", html.MISSING),
    ]
    assert found[10:16] == [
        ("Games played", "20"),
        ("Games won", "10"),
        ("Games lost", "10"),
        ("Time played", "3.3 h"),
        ("Win rate", "50.0 %"),
        ("K/D/A", "3.41"),
    ]
    assert ("Eliminations per 10 min", "18.50") in found and ("Damage in all", "162,000") in found


def test_a_hero_is_chosen(rows):
    rows.answer()
    found = metrics(opened(player="Nova#1111", hero="ana"))
    assert ("Enemies slept", "23") in found and ("Scoped accuracy", "44.0 %") in found
    assert ("Objective time", "13 min 20 s") in found
    assert ("Pulse bombs attached", "17") not in found
    assert ("Cards", "20") not in found  # of all heroes


def test_the_form_is_a_plot_of_days(rows):
    for days, games in ((9, 20), (2, 40), (0, 60)):
        rows.answer(at=NOW - timedelta(days=days), games=games)
    test = opened(player="Nova#1111", form="games_played")
    (plot,) = [each for markdown in test.markdown for each in tree(markdown.value).iter("figure")]
    assert plot.find("svg").get("aria-label") == "Games played, 3 days, between 20 and 60"
    places = [place.split(",") for place in plot.find("svg/polyline").get("points").split()]
    assert [float(y) for _, y in places] == [120, 60, 0]
    assert float(places[1][0]) == pytest.approx(600 * 7 / 9, abs=0.1)


def test_ranks_are_a_plot_too(rows):
    rows.answer()
    # As the SQL counts them: Diamond 3 is 23.
    for row in rows.of[PROFILE_DAYS.name]:
        row["number"] = 23 if row["hero"] == "tank" else row["number"]
    test = opened(player="Nova#1111", form="rank_tank")
    told = "Rank, tank, 1 days, between Diamond 3 and Diamond 3"
    assert any(told in each.value for each in test.markdown)


@pytest.mark.parametrize(
    ("points", "rank"), [(1, "Bronze 5"), (5, "Bronze 1"), (6, "Silver 5"), (40, "Champion 1")]
)
def test_a_rank_is_told_from_its_number(points, rank):
    assert profile._rank_points(points) == rank


def test_what_players_call_themselves_is_no_markup(rows):
    rows.answer()
    for row in rows.of[PROFILE_STATISTICS.name]:
        row["words"] = "<script>alert(1)</script> **b** [x](http://y)"
    test = opened(player="Nova#1111")
    assert not [each for each in test.markdown if "<script" in each.value or "](http" in each.value]
    assert ("Name", "<script>alert(1)</script> **b** [x](http://y)") in metrics(test)


# Beside the other pages


def test_the_page_is_there_when_the_game_is_chosen():
    paths = [page.path for page in navigation.pages(Settings(games="score,overwatch"))]
    assert "overwatch" in paths
    assert "overwatch" not in [page.path for page in navigation.pages(Settings())]


def test_a_game_without_boards_leaves_the_page_live_to_the_others(monkeypatch, rows):
    monkeypatch.setattr(live, "settings", replace(Settings(), games="overwatch"))
    test = AppTest.from_string(RUN_PAGE.format("live"), default_timeout=120)
    assert "have no boards" in words(ran(test))
    assert html.wall(0)
