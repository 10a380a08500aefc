"""The page Campaigns as a person finds it, over campaigns that a test hands in."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import psycopg2
import pytest
from streamlit.testing.v1 import AppTest

from boards import campaigns, sinks
from boards.campaigns import CampaignError, Standing
from clients.errors import BoardsUnavailable
from compose.status import Status
from dashboard import health, html, login, navigation, reading, standings
from dashboard.health import Health
from dashboard.pages.spins import icons, terms
from dashboard.reading import Refresh, answer
from dashboard.standings import latest_of
from games.campaign import Campaign, Terms
from games.spins import GAME
from settings import Settings
from tests.dashboard.test_app import HOSTILE, MARKUP, RUN_PAGE, links, ran, tables, tree, words

NOW = datetime.now(UTC).replace(microsecond=0)  # when a test begins
MINUTE = timedelta(minutes=1)


def a_campaign(number=1, name="Happy Hour", start=-60, end=61, games=(12,), **changed):
    """A campaign that starts and ends so many minutes from now."""
    terms = {
        "start_at": NOW + start * MINUTE,
        "end_at": NOW + end * MINUTE,
        "closes_at": NOW + (end + 10) * MINUTE,
        "minimum_spins": 5,
    }
    return Campaign(**terms | {"campaign_id": number, "name": name, "games": games} | changed)


def some_rows(*players, least=0):
    """Rows of these players, the first of whom has won two for each staked."""
    return [
        {
            "place": place, "rank_number": place, "player_id": player, "stake": 1_000_000,
            "win": 2_000_000 - 100_000 * place, "ratio": 2 - place / 10, "spins": 7,
        }
        for place, player in enumerate(players, 1)
    ]  # fmt: skip


def a_standing(campaign=None, rows=(101, 102), recent=(102,), age_seconds=8, **changed):
    totals = {
        "players": 40, "spins": 12_345, "stake": 300, "win": 299, "recent_players": 3,
        "recent_spins": 9, "recent_stake": 9, "recent_win": 9,
        "window_end": datetime.now(UTC) - timedelta(seconds=age_seconds),
    }  # fmt: skip
    boards = {"campaign": some_rows(*rows), "recent": some_rows(*recent)}
    return replace(Standing(campaign or a_campaign(), None, totals, boards), **changed)


def planned(**changed):
    campaign = a_campaign(**{"number": 2, "name": "Later", "start": 90, "end": 200} | changed)
    return Standing(campaign, None, None, {"campaign": [], "recent": []})


def final(**changed):
    over = a_campaign(3, "Over", -200, -100, (15,))
    return a_standing(over, recent=(), frozen_at=NOW - 89 * MINUTE, **changed)


@pytest.fixture(autouse=True)
def _now(monkeypatch):
    """Minutes may pass from the import of this file to a test."""
    monkeypatch.setitem(globals(), "NOW", datetime.now(UTC).replace(microsecond=0))


@pytest.fixture
def page(monkeypatch):
    """Runs the page over such campaigns; `moderates` says whether the reader may decide."""

    def run(*shown, moderates=False, latest=None, sink="postgres", services=None, **address):
        found = latest or latest_of(shown, datetime.now(UTC))
        services = services or Health(Status(sink))
        monkeypatch.setattr(standings, "latest", lambda name, _: found)
        monkeypatch.setattr(health, "sink_in_use", lambda _: sinks.sink(sink, Settings()))
        monkeypatch.setattr(health, "watch", lambda _: SimpleNamespace(latest=lambda: services))
        monkeypatch.setattr(login, "may_moderate", lambda *_: moderates)
        monkeypatch.setattr(campaigns, "game_of", lambda _: GAME)
        test = AppTest.from_string(RUN_PAGE.format("spins.campaigns"), default_timeout=120)
        for name, value in address.items():
            test.query_params[name] = value
        return ran(test)

    return run


def alerts(test):
    return [
        "".join(each.itertext())
        for markdown in test.markdown
        for each in tree(markdown.value).iter("div")
        if each.get("role") == "alert"
    ]


def classes(test, tag):
    found = (each for markdown in test.markdown for each in tree(markdown.value).iter(tag))
    return [each.get("class", "") for each in found]


# What there is to see


def test_the_page_is_there_with_the_game_that_has_campaigns():
    paths = {
        games: [each.path for each in navigation.pages(Settings(games=games))]
        for games in ("score", "score,spins")
    }
    assert "campaigns" in paths["score,spins"] and "campaigns" not in paths["score"]


def test_without_a_campaign_the_page_says_how_one_is_made(page):
    test = page()
    assert "There is none" in words(test) and "boards.campaigns create" in words(test)
    assert not alerts(test)


def test_both_boards_stand_below_the_countdown(page):
    test = page(a_standing())
    assert tables(test) == {
        "Whole campaign": [
            ["1", "1011,900,000 of 1,000,000", "7", "1,000,000", "1,900,000", "1.90"],
            ["2", "1021,800,000 of 1,000,000", "7", "1,000,000", "1,800,000", "1.80"],
        ],
        "Last 10 minutes": [
            ["1", "1021,900,000 of 1,000,000", "7", "1,000,000", "1,900,000", "1.90"]
        ],
    }
    assert all(word in words(test) for word in ("LIVE", "RUNNING", "12,345", "40 players"))
    # 299 of 300 is neither 0 nor 0.99
    assert "Won per staked1.00" in words(test)
    (timer,) = (
        each
        for markdown in test.markdown
        for each in tree(markdown.value).iter("p")
        if each.get("role") == "timer"
    )
    assert re.fullmatch(r"ends in 1 h 0 min", timer.get("aria-label"))
    assert re.search(r"ends in01 h00 min\d\d s", "".join(timer.itertext()))


def test_the_list_has_what_runs_what_comes_and_what_has_ended(page):
    closing = a_campaign(4, "Last call", -60, -3)
    test = page(planned(), a_standing(), a_standing(closing), final())
    text = words(test)
    assert re.search(
        r"Running 2Last call.*late spins count for 6 min.*Happy Hour.*ends in 1 h.*"
        r"Coming 1Later.*starts in 1 h 29 min.*Ended 1Over.*FINAL.*ended 1 h 4",
        text,
    )
    assert "campaigns?campaign=2" in links(test)


def test_what_runs_and_ends_first_is_shown_unless_the_address_says_which(page):
    soon = a_campaign(5, "Soon over", -60, 5)
    shown = (planned(), a_standing(), a_standing(soon), final())
    assert "Soon over number 5" in words(page(*shown))
    assert "Later number 2" in words(page(*shown, campaign="2"))
    assert "Over number 3" in words(page(*shown, slot="15"))
    assert "Later number 2" in words(page(planned(), final()))
    assert "Over number 3" in words(page(final()))


@pytest.mark.parametrize("number", ["99", "-1"])
def test_a_campaign_that_is_not_there_is_said(page, number):
    assert alerts(page(a_standing(), campaign=number)) == [f"No campaign has the number {number}."]


def test_an_address_that_makes_no_sense_shows_what_it_can(page):
    test = page(a_standing(), campaign="x", player="y", slot="z", top="7")
    assert "Happy Hour number 1" in words(test)
    assert "top=7" in alerts(test)[0] and "10, 25, 50 or 100" in alerts(test)[0]


def test_games_have_icons_in_their_own_colours_and_the_chosen_one_colours_the_boards(page):
    assert len({icons.colour([game]) for game in range(10, 16)}) == 6
    several = a_standing(a_campaign(games=(10, 15)))
    for test, colour in (
        (page(several), icons.colour([10])),
        (page(several, slot="15"), icons.colour([15])),
        (page(a_standing(a_campaign(games=()))), "blue"),
    ):
        assert f"panel {colour} campaign" in classes(test, "section")
        assert f"panel {colour} recent" in classes(test, "section")
    assert "game 10" in words(page(several)) and "game 15" in words(page(several))
    many = a_standing(a_campaign(games=tuple(range(50))))
    assert "and 44 more" in words(page(many))
    assert "all games" in words(page(a_standing(a_campaign(games=()))))


def test_a_chosen_game_leaves_its_campaigns_and_those_of_all_games(page):
    others = a_standing(a_campaign(6, "Another game", games=(13,)))
    every = a_standing(a_campaign(7, "All games", games=()))
    test = page(a_standing(), others, every, slot="12")
    assert "Another game" not in words(test)
    assert "Running 2" in words(test) and "All games" in words(test)
    assert "campaigns?campaign=7&slot=12" in links(test)


def test_a_final_table_is_marked_and_names_the_winner(page):
    test = page(final())
    assert list(tables(test)) == ["Final table"]
    assert "Winner: player 101, with 1.90. Final since" in words(test)
    assert "this table never changes" in words(test)
    equal = final()
    for row in equal.boards["campaign"]:
        row["rank_number"] = 1
    assert "Winner: player 101 and player 102, with" in words(page(equal))
    assert "Nobody is on it" in words(page(final(rows=())))


def test_an_empty_board_says_when_it_fills(page):
    assert (
        list(tables(page(planned())).values())
        == [[[f"It fills when the campaign starts: {html.moment(NOW + 90 * MINUTE)} UTC"]]] * 2
    )
    nothing = a_standing(rows=(), recent=(), totals=None)
    said = "No spin has counted yet: it fills a few seconds after the first"
    assert list(tables(page(nothing)).values()) == [[[said]]] * 2
    few = list(tables(page(a_standing(rows=(), recent=()))).values())
    assert few == [
        [["Nobody has 5 spins with something staked yet"]],
        [["Nobody has 5 spins in this time. It is counted anew every 10 s"]],
    ]


def test_so_many_places_are_shown_as_are_asked_for(page):
    standing = a_standing(rows=range(100, 160))
    for top, count in ((None, 10), ("25", 25), ("100", 60)):
        address = {"top": top} if top else {}
        assert len(tables(page(standing, **address))["Whole campaign"]) == count


# One player


def test_a_player_is_shown_in_all_campaigns_that_run(page):
    closing = a_standing(a_campaign(4, "Last call", -60, -3), rows=(101,), recent=())
    test = page(a_standing(), closing, planned(), final(), player="102")
    assert tables(test)["Player 102"] == [
        ["Happy Hour", "2 of 40 1.80", "1 of 3 1.90"],
        ["Last call", "not listed", "not listed"],
    ]
    marked = [
        each[1].text or "".join(each[1].itertext())
        for markdown in test.markdown
        for each in tree(markdown.value).iter("tr")
        if each.get("aria-current")
    ]
    assert len(marked) == 2 and all(each.startswith("102") for each in marked)
    assert "campaigns?campaign=4&player=102" in links(test)
    assert "campaigns?player=101&campaign=1" in links(test)


def test_a_player_who_is_nowhere_listed_is_said_to_be(page):
    assert "is on no board of a campaign that runs" in words(page(a_standing(), player="5"))
    assert "No campaign runs now" in words(page(planned(), player="5"))


# What goes wrong


def test_boards_that_stand_still_say_why(page):
    services = Health(Status("postgres", {"kafka": "STOPPED"}), silent_seconds={"gameplay": 300})
    test = page(a_standing(age_seconds=200), services=services)
    assert "STALE" in words(test)
    (said,) = alerts(test)
    assert re.match(r"The boards stand still: they are 3 min [0-9]+ s old\.", said)
    assert "no new record in the topic for 300 s" in said


def test_trouble_is_said_and_what_was_read_before_stays(page, monkeypatch):
    answers = [[a_standing()], BoardsUnavailable("PostgreSQL cannot be reached: x."), KeyError("y")]

    def read(*_):
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(campaigns, "standings", read)
    monkeypatch.setattr(reading, "LONGEST_REST_SECONDS", 0)
    refresh = Refresh("postgres", Settings())
    refresh.read()
    for reason in ("PostgreSQL cannot be reached: x.", "The campaigns cannot be read: 'y'."):
        test = page(latest=refresh.read())
        assert alerts(test)[0].startswith(reason)
        assert "STALE" in words(test) and len(tables(test)["Whole campaign"]) == 2
    answers.append(BoardsUnavailable("PostgreSQL cannot be reached: x."))
    test = page(latest=Refresh("postgres", Settings()).read())
    assert "UNAVAILABLE" in words(test) and not tables(test)


def test_reading_that_takes_long_is_not_repeated_at_once(monkeypatch):
    clock, read_at = [1_000.0], []

    def read(*_):
        read_at.append(clock[0])
        clock[0] += 0.3
        return [final()]

    monkeypatch.setattr(campaigns, "standings", read)
    for name in ("monotonic", "process_time"):
        monkeypatch.setattr(reading, name, lambda: clock[0])
    refresh = Refresh("postgres", Settings())
    for _ in range(7):
        found = refresh.read()
        clock[0] += 0.7
    assert read_at == pytest.approx([1_000, 1_002.4, 1_004.8])
    assert found.by_id[3].boards["campaign"].texts[0].startswith('{"rank_number": 1, "place": 1,')


def test_only_what_has_changed_is_handed_over_again():
    others = planned(), final()
    before = latest_of([a_standing(), *others], NOW)
    assert list(answer(before, before)) == [None]
    now = latest_of([a_standing(rows=(102, 101)), *others], NOW + MINUTE)
    changed, *rest = answer(now, before)
    assert list(changed.boards["campaign"].by_player) == [102, 101]
    assert rest == [2, 3, replace(now, standings=())]
    assert list(answer(now, latest_of([], NOW))) == [*now.standings, replace(now, standings=())]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_wherever_it_stands(page, name):
    for standing in (a_standing(a_campaign(name=name)), planned(name=name)):
        test = page(standing, player="101", moderates=True)
        tags = {each.tag for markdown in test.markdown for each in tree(markdown.value).iter()}
        assert not {"script", "img"} & tags
    if name == MARKUP:
        assert MARKUP in words(test)


# Files to save


def test_both_boards_are_offered_as_files_when_somebody_asks(page, monkeypatch):
    files = {}
    monkeypatch.setattr(html, "save", files.__setitem__)
    test = page(a_standing(), final())
    assert not files
    test.session_state["download"] = True
    ran(test)
    assert list(files) == ["Whole campaign", "Last 10 minutes"]
    assert files["Whole campaign"].text.splitlines()[:2] == [
        "rank_number,place,player_id,ratio,win,stake,spins",
        "1,1,101,1.9,1900000,1000000,7",
    ]
    assert files["Whole campaign"].name.startswith("campaign-1_campaign_2")


# Who may moderate


@pytest.fixture
def decided(monkeypatch):
    """What was decided, as the calls; an error that stands in `fails` is raised instead."""
    calls = SimpleNamespace(made=[], fails=None)

    def deciding(verb):
        def decide(settings, *about, **changes):
            calls.made.append((verb, *about, changes))
            if calls.fails:
                raise calls.fails
            return a_campaign()

        return decide

    for verb in ("create", "change", "end", "cancel"):
        monkeypatch.setattr(campaigns, verb, deciding(verb))
    monkeypatch.setattr(login, "author", lambda *_: "Ada")
    return calls


def control(test, kind, label):
    """The control of this kind with this label."""
    return next(each for each in test.get(kind) if each.label == label)


def test_only_who_may_moderate_is_offered_a_form(page):
    assert not page(a_standing()).button
    labels = [each.label for each in page(a_standing(), moderates=True).button]
    assert labels == ["Create", "Change"]
    assert [each.label for each in page(final(), moderates=True).button] == ["Create"]


def test_a_campaign_is_made_by_its_terms(page, decided):
    test = page(moderates=True)
    for label, words_ in (
        ("Name", " Autumn "),
        ("Start, UTC", "2026-12-01 10:00"),
        ("End, UTC", "2026-12-01T12:30:00.125+02:00"),
        ("Games", "12, 10"),
    ):
        control(test, "text_input", label).set_value(words_)
    control(test, "number_input", "Minutes of the second board").set_value(30)
    control(test, "number_input", "Least spins to be listed").set_value(20)
    control(test, "number_input", "Places").set_value(50)
    control(test, "button", "Create").click()
    ran(test)
    terms = Terms(
        name="Autumn",
        start_at=datetime(2026, 12, 1, 10, tzinfo=UTC),
        end_at=datetime(2026, 12, 1, 10, 30, 0, 125_000, tzinfo=UTC),
        games=(10, 12),
        last_minutes=30,
        minimum_spins=20,
        places=50,
    )
    assert decided.made == [("create", terms, "Ada", {})]
    assert alerts(test) == ["Campaign 1, Happy Hour, is created. Show it"]
    assert "campaigns?campaign=1" in links(test)


def test_without_times_a_campaign_is_the_day_from_the_next_minute(page, decided):
    test = page(moderates=True)
    control(test, "text_input", "Name").set_value("Autumn")
    control(test, "button", "Create").click()
    before = datetime.now(UTC)
    ran(test)
    ((_, made, _, _),) = decided.made
    assert before < made.start_at <= datetime.now(UTC) + MINUTE
    assert made.end_at - made.start_at == timedelta(days=1)


def test_a_form_keeps_what_somebody_types_while_minutes_pass(page, monkeypatch):
    """The browser keeps what is typed by the field's id, which the offered value is a part of."""
    test = page(moderates=True)
    fields = [each.id for each in test.text_input]
    clock = SimpleNamespace(now=lambda zone: datetime.now(zone) + 2 * MINUTE)
    monkeypatch.setattr(terms, "datetime", clock)
    ran(test)
    assert [each.id for each in test.text_input] == fields


@pytest.mark.parametrize(
    ("label", "words_", "says"),
    [("Start, UTC", "tomorrow", "tomorrow is no time"), ("Games", "ten", "ten is no game")],
)
def test_what_cannot_be_read_is_said_and_nothing_is_decided(page, decided, label, words_, says):
    test = page(moderates=True)
    control(test, "text_input", label).set_value(words_)
    control(test, "button", "Create").click()
    assert says in alerts(ran(test))[0] and not decided.made


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (CampaignError("a campaign needs a name"), "a campaign needs a name"),
        (psycopg2.OperationalError("no route"), "PostgreSQL keeps the campaigns"),
    ],
)
def test_what_cannot_be_decided_says_why(page, decided, error, says):
    decided.fails = error
    test = page(moderates=True)
    control(test, "button", "Create").click()
    assert says in alerts(ran(test))[0]


def test_only_what_is_different_is_changed(page, decided):
    exact = a_campaign(games=(10, 12), end=61).end_at.replace(microsecond=7_000)
    test = page(a_standing(a_campaign(games=(10, 12), end_at=exact)), moderates=True)
    form = [each for each in test.text_input if each.label == "Name"]
    form[1].set_value("Longer Hour")
    control(test, "button", "Change").click()
    ran(test)
    assert decided.made == [("change", 1, "Ada", {"name": "Longer Hour"})]
    assert "its boards are counted anew" in alerts(test)[0]


@pytest.mark.parametrize(("verb", "label"), [("end", "End it now"), ("cancel", "Cancel it")])
def test_a_campaign_is_ended_and_cancelled_by_a_choice_and_a_button(page, decided, verb, label):
    test = page(a_standing(), moderates=True)
    control(test, "button_group", "What").set_value(verb)
    ran(test)
    assert not decided.made
    control(test, "button", label).click()
    ran(test)
    assert decided.made == [(verb, 1, "Ada", {})]
    assert alerts(test)[0].startswith("Campaign 1, Happy Hour, is")


def test_decisions_are_listed_for_who_may_moderate(page, monkeypatch):
    row = (NOW, "create", 1, MARKUP, NOW, NOW + MINUTE, "10,12", "Ada")
    monkeypatch.setattr(campaigns, "history", lambda _: [row, (*row[:6], "", "Bob")])
    test = page(a_standing(), moderates=True)
    assert "Decisions" not in tables(test)
    test.session_state["decisions"] = True
    found = tables(ran(test))["Decisions"]
    assert [each[-2:] for each in found] == [["10,12", "Ada"], ["all", "Bob"]]
    assert found[0][1:3] == ["create", "1"]
