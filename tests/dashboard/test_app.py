"""The pages as a person finds them, over boards and services that a test hands in."""

import sys
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from xml.etree import ElementTree

import pytest
from streamlit.testing.v1 import AppTest

import games
from boards import history, last_events, lookups, moderation, prizes, sinks
from boards.announcements import called
from boards.history import Step
from boards.last_events import Recent
from boards.lookups import Player, Team
from boards.moderation import ModerationError, UnknownId
from boards.seasons import NotYet, Season
from boards.snapshot import Boards
from boards.tiers import Rule, Tier
from clients.errors import BoardsUnavailable
from compose.lag import Lag
from compose.status import Job, Status
from dashboard import announcements, health, html, login, navigation, refresh
from dashboard.announcements import Told
from dashboard.health import Health, Rejects
from dashboard.pages import live, pipeline, season
from dashboard.pages.score import sessions
from dashboard.pages.score.sessions import Play
from games.score import GAME, HOT_STREAKS, LATE_EVENTS, TOP_PLAYERS, TOP_TEAMS
from jobs.names import JobName
from settings import PROJECT, Settings

MARKUP = (
    "<script>alert(1)</script> **bold** [link](http://x) :red[x] $a$ ![](y) &amp; :material/home:"
)
HOSTILE = [
    MARKUP,
    "x" * 10_000,
    "a\nb\tc\x00",
    "",
    "   ",
    "\u202eevil",
    "🦊" * 300,
    "👩‍👩‍👧",
    "\ud800",
    "</table></div>",
]
TOPIC = GAME.topic(Settings())
RUNNING = {
    JobName(GAME.name, board.job, "postgres"): Job("RUNNING", 3.0, 0, 7, Lag(120, 0), 900, 300)
    for board in GAME.boards
}
WELL = Health(
    Status("postgres", {"score_generator": "RUNNING"}, RUNNING, ends={TOPIC: {0: 70_000}}),
    {TOPIC: 50.0},
)
RUN_PAGE = "from importlib import import_module\nimport_module('dashboard.pages.{}').page()"


@pytest.fixture
def page(monkeypatch):
    """Runs a page over what the refresh, the services and the list of rejects tell."""

    def run(
        latest=None,
        module=None,
        services=WELL,
        rejected=None,
        known_seasons=(),
        past=None,
        steps=(),
        told=(),
        receivers=(),
        **parameters,
    ):
        def refreshed(game, sink, _):
            run.asked.append(sink.name)
            return run.latest

        def answering(answer):
            return lambda *_: SimpleNamespace(latest=lambda wait_seconds=0: answer)

        in_use = (services and services.status.sink) or "postgres"
        monkeypatch.setattr(refresh, "refreshed", refreshed)
        monkeypatch.setattr(refresh, "seasons", lambda *_: run.seasons)
        monkeypatch.setattr(refresh, "past", lambda *_: run.past)
        monkeypatch.setattr(history, "course", lambda *_: run.steps)
        monkeypatch.setattr(health, "watch", answering(services))
        monkeypatch.setattr(health, "sink_in_use", lambda _: sinks.sink(in_use, Settings()))
        monkeypatch.setattr(health, "watch_rejects", answering(rejected))
        monkeypatch.setattr(announcements, "latest", lambda *_, **__: Told(tuple(run.told)))
        monkeypatch.setattr(announcements, "receivers", lambda _: list(receivers))
        run.asked, run.latest = [], latest or latest_of()
        run.seasons, run.past, run.steps, run.told = known_seasons, past, steps, told
        if module:
            test = AppTest.from_string(RUN_PAGE.format(module), default_timeout=120)
        else:
            script = PROJECT / "dashboard" / "pages" / "app.py"
            test = AppTest.from_file(str(script), default_timeout=120)
        for name, value in parameters.items():
            test.query_params[name] = value
        return ran(test)

    return run


def ran(test):
    test.run()
    assert not test.exception
    return test


def some_boards(totals=(9, 7, 7, 5), name="Player", age_seconds=1, late=(), team="Team", game=GAME):
    """Boards whose rows have these totals."""
    at = datetime.now(UTC) - timedelta(seconds=age_seconds)
    rows = [
        {
            "rank_number": 1 + sum(other > total for other in totals),
            "team_id": f"t{number}",
            "team_name": f"{team} {number % 2}" if team == "Team" else name,
            "user_id": f"u{number}",
            "user_name": name,
            "total_score": total * 1_000,
            "short_term_average": float(total),
            "long_term_average": 4.0,
            "short_term_events": 3,
            "long_term_events": 9,
            "hotness": total / 4,
            "contribution_ratio": total / 10,
            "player_total": total,
            "team_total": 10,
            "points_this_hour": total,
            "points_hour_before": 0,
            "reached_at": at,
            "window_end": at,
            "season_start": at - timedelta(hours=1),  # at its beginning the page tells of the last
        }
        for number, total in enumerate(totals)
    ]
    own = {board.name: [of_board(board, row, at) for row in rows] for board in game.boards}
    return Boards(game, own | {LATE_EVENTS.name: late})


def of_board(board, row, at):
    """The row, with the columns that this board has beside the others'."""
    times = {column: at for column in (board.newest, board.period) if column}
    return {board.value: row["total_score"] / 1_000} | times | row


def latest_of(*totals, trouble=None, **options):
    """What the refresh tells of such boards."""
    boards = some_boards(*totals, **options)
    counts = refresh.Counts(50.4, 70_000, {"Players": 1_234, "Teams": 12})
    return refresh.Refreshed(boards, trouble, datetime.now(UTC), counts, refresh.sample(boards))


def after(seconds, before, now):
    """What it tells when these boards came so many seconds after those."""
    then, late = refresh.sample(before), refresh.sample(now)
    earlier = refresh.Sample(late.at - seconds, then.places, late.period_starts)
    minutes = (earlier,)
    return refresh.Refreshed(now, None, datetime.now(UTC), refresh.Counts(), late, minutes, minutes)


def words(test):
    """All text of the page."""
    return " ".join("".join(tree(each.value).itertext()) for each in test.markdown)


def links(test):
    """Where the links of the page lead."""
    return [each.get("href") for html in test.markdown for each in tree(html.value).iter("a")]


def tree(html):
    return ElementTree.fromstring(f"<div>{html}</div>")


def tables(test):
    """The cells of every table, by its caption."""
    found = [each for markdown in test.markdown for each in tree(markdown.value).iter("table")]
    return {
        "".join(table.find("caption").itertext()): [
            ["".join(cell.itertext()) for cell in row] for row in table.find("tbody")
        ]
        for table in found
    }


BOARDS = [board.title for board in GAME.boards]


# Files to save


@pytest.fixture
def saved(monkeypatch):
    """The files that the page offers, by the label of their button."""
    files = {}
    monkeypatch.setattr(html, "save", files.__setitem__)
    return files


def opened(test):
    """The page when somebody has opened Download."""
    test.session_state["download"] = True
    return ran(test)


def test_every_board_is_offered_as_a_file_when_somebody_asks(page, saved):
    test = page(latest_of([9, 7], name="=1+1"))
    assert not saved
    opened(test)
    assert list(saved) == BOARDS
    assert saved["Top players"].name.startswith("top_players_day-")
    assert saved["Top players"].text.count("'=1+1") == 2


def test_boards_that_cannot_be_read_are_no_file(page, saved):
    test = opened(page(refresh.Refreshed(trouble="PostgreSQL cannot be reached")))
    assert not saved and "There are no boards to save" in words(test)


def test_all_rejected_messages_that_are_known_are_offered_as_a_file(page, saved):
    row = {
        "topic": "user-score", "partition": 0, "offset": 5, "reason": "user_id missing",
        "payload": "@evil", "rejected_at": datetime.now(UTC),
    }  # fmt: skip
    rejected = Rejects([row] * 80, Counter({"user_id missing": 80}), row["rejected_at"])
    test = opened(page(module="pipeline", rejected=rejected))
    assert len(tables(test)["The last rejected messages"]) == 50
    (file,) = saved.values()
    assert file.name.startswith("rejected_events_2") and file.text.count("'@evil") == 80


def test_players_who_are_found_are_offered_as_a_file(page, known, saved):
    known["find"] = [FOUND, FOUND | {"user_id": "u2"}]
    page(module="score.player", search="a")
    assert saved["Download"].text.count("\r\n") == 3


# Live


def test_the_boards_stand_in_their_order_below_the_state(page):
    test = page()
    assert list(tables(test)) == BOARDS
    assert BOARDS[:4] == ["Top teams", "Top players", "Hot streaks", "Team MVPs"]
    assert all(word in words(test) for word in ("LIVE", "UTC", "50", "1,234", "12", "day of"))
    assert 'role="alert"' not in "".join(each.value for each in test.markdown)


def test_equal_values_show_equal_ranks(page):
    found = tables(page())
    assert [[row[0] for row in found[name]] for name in BOARDS] == [["1", "2", "2", "4"]] * len(
        BOARDS
    )


def test_values_are_shown_in_their_units_with_separators(page):
    found = tables(page(latest_of([1_234_567])))
    values = [found[name][0][-1] for name in BOARDS[:4]]
    assert values == ["1,234,567,000", "1,234,567,000", "×308641.75", "12345670.0 %"]


def test_movement_since_a_minute_ago_is_shown(page):
    before, now = some_boards([9, 7, 5]), some_boards([5, 9, 7, 1])
    now.rows[TOP_PLAYERS.name].sort(key=lambda row: row["rank_number"])
    rows = tables(page(after(60, before, now)))["Top players"]
    assert [row[1] for row in rows] == ["▲up 1", "▲up 1", "▼down 2", "new"]


def test_movement_since_an_hour_is_a_choice(page):
    before, now = some_boards([9, 7, 5]), some_boards([5, 9, 7])
    now.rows[TOP_PLAYERS.name].sort(key=lambda row: row["rank_number"])
    known = after(3_600, before, now)
    rows = {since: tables(page(known, since=since))["Top players"] for since in refresh.SINCE}
    moved = {since: [row[1] for row in each] for since, each in rows.items()}
    assert moved["hour"] == ["▲up 1", "▲up 1", "▼down 2"]
    assert moved["minute"] == moved["day"] == ["·", "·", "·"]
    assert "since=week" in words(page(known, since="week"))


def test_without_a_look_a_minute_ago_movement_and_trend_are_still_to_come(page):
    rows = tables(page())["Top players"]
    assert {(row[1], row[3]) for row in rows} == {("·", "…")}


def test_who_stays_where_they_are_has_no_arrow(page):
    boards = some_boards([9, 7, 5])
    assert {row[1] for row in tables(page(after(60, boards, boards)))["Top players"]} == {""}


def test_without_rows_the_page_says_so_and_what_to_do(page):
    test = page(latest_of([]))
    assert "EMPTY" in words(test) and "No scores yet" in words(test)
    assert list(tables(test).values()) == [[[board.why_empty]] for board in GAME.boards]
    assert tables(test)["Top teams"] == [["Nothing here yet"]]
    assert "both this hour and the hour before it" in tables(test)["Most improved"][0][0]


def test_without_rows_where_no_job_writes_the_page_says_that(page):
    said = words(page(latest_of([]), sink="kafka"))
    assert "No scores yet. The jobs write to PostgreSQL, so nothing new comes to Kafka" in said
    assert "scripts/run_all.sh --sink kafka" in said and "The boards fill" not in said


def test_one_row_is_enough(page):
    assert {len(rows) for rows in tables(page(latest_of([1]))).values()} == {1}


def in_trouble(*problems):
    return Health(Status("postgres", problems=list(problems)))


STALE = {
    "the injector is silent": (
        Health(WELL.status, silent_seconds={TOPIC: 40}),
        "no new record in the topic for 40 s",
    ),
    "a job restarts": (
        in_trouble("job 'score: top_teams to postgres' is RESTARTING"),
        "is RESTARTING",
    ),
    "Flink is away": (
        Health(Status(problems=["Flink's JobManager does not answer"])),
        "does not answer",
    ),
    "no checkpoint": (
        in_trouble("job 'x' completed its last checkpoint 90 s ago"),
        "checkpoint 90 s ago",
    ),
    "the jobs write elsewhere": (
        Health(Status("kafka")),
        "The jobs write to Kafka, so nothing new comes to PostgreSQL. Choose where the jobs write "
        "under More, or move them: scripts/run_all.sh --sink postgres",
    ),
    "nobody knows": (WELL, "may be catching up"),
    "nobody has looked yet": (None, "Asking the services"),
}


@pytest.mark.parametrize("cause", STALE)
def test_old_boards_are_stale_with_their_age_and_the_reason(page, cause):
    services, said = STALE[cause]
    test = page(latest_of(age_seconds=7_205), services=services, sink="postgres")
    assert "STALE" in words(test) and "2 h 0 min old" in words(test) and said in words(test)
    assert list(tables(test)) == BOARDS


def test_what_the_status_says_of_old_boards_is_no_reason_for_them(page):
    problems = ["the newest score on the boards is 200 s old", "kafka is STOPPED"]
    test = page(
        latest_of(age_seconds=7_205), services=Health(Status("postgres", problems=problems))
    )
    assert "kafka is STOPPED" in words(test) and "score on the boards" not in words(test)


def test_a_board_that_lags_behind_the_others_says_so(page):
    latest, minute = latest_of(), timedelta(minutes=1)
    streaks = latest.boards.rows[HOT_STREAKS.name]
    streaks[:] = [row | {"window_end": row["window_end"] - minute} for row in streaks]
    assert "1 min 0 s behind the other boards" in words(page(latest))


def test_events_too_late_for_a_hot_streak_are_counted_there(page):
    assert "1,234 events of the season came too late" in words(
        page(latest_of(late=[{"events": 1_234}]))
    )
    assert "too late" not in words(page())


def test_a_database_that_is_away_is_said_plainly(page):
    test = page(refresh.Refreshed(trouble="PostgreSQL cannot be reached. Start it."))
    assert "UNAVAILABLE" in words(test) and "cannot be reached" in words(test)
    assert not tables(test)


def test_the_last_boards_stay_when_the_database_goes_away(page):
    test = page(latest_of(trouble="PostgreSQL cannot be reached."))
    assert "STALE" in words(test) and "the last that were read" in words(test)
    assert list(tables(test)) == BOARDS


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_shown_as_text_and_never_as_markup(page, name):
    test = page(latest_of(name=name, team=name))
    for board in BOARDS:
        cell = tables(test)[board][0][2]
        assert "\n" not in cell and 1 <= len(cell) <= 2 * 48 + 1
    assert {each.tag for markdown in test.markdown for each in tree(markdown.value).iter()} <= {
        "div", "section", "h1", "h2", "small", "dl", "dt", "dd", "span", "table", "caption",
        "thead", "tbody", "tr", "th", "td", "a", "bdi", "p", "svg", "polyline",
    }  # fmt: skip
    if name == MARKUP:
        assert tables(test)["Top teams"][0][2] == MARKUP[:47] + "…"


def test_whoever_has_no_name_is_called_by_the_id(page):
    assert tables(page(latest_of(name="  ")))["Top players"][0][2] == "u0 Team 0"


def test_names_lead_to_their_pages(page):
    latest = latest_of()
    latest.boards.rows[TOP_PLAYERS.name][0]["user_id"] = 'a&b="<x>'
    markdowns = page(latest).markdown
    links = [each.get("href") for html in markdowns for each in tree(html.value).iter("a")]
    assert "player?player=a%26b%3D%22%3Cx%3E" in links and "team?team=t0" in links


def test_choices_come_from_the_url(page):
    test = page(latest_of(range(100, 0, -1)), sink="kafka", top="25", every="5")
    assert set(page.asked[1:]) == {"kafka"} and {len(rows) for rows in tables(test).values()} == {
        25
    }
    assert "Kafka" in words(test)


def test_choices_that_the_url_has_wrong_are_the_defaults(page):
    test = page(
        latest_of(range(100, 0, -1)), sink="oracle", top="-1", every="soon", paused="perhaps"
    )
    assert set(page.asked) == {"postgres"} and {len(rows) for rows in tables(test).values()} == {10}
    assert "LIVE" in words(test)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"top": "7"}, "top=7, which there is not. You may choose 10, 25, 50 or 100."),
        ({"game": "chess"}, "The address asks for game=chess, which there is not."),
        ({"game": "chess"}, "You may choose score."),
        ({"sink": "<b>"}, "sink=<b>, which there is not. You may choose postgres or kafka."),
        ({"top": "25", "sink": "kafka", "every": "5", "game": "score"}, None),
    ],
)
def test_what_the_address_asks_for_in_vain_is_said(page, asked, said):
    found = words(page(**asked))
    assert said in found if said else "The address asks" not in found


@pytest.mark.parametrize(
    ("size", "offered"),
    [(100, [10, 25, 50, 100]), (300, [10, 25, 50, 100, 300]), (60, [10, 25, 50, 60]), (7, [7])],
)
def test_as_many_places_are_offered_as_the_boards_have(size, offered):
    assert live.places(Settings(board_size=size)) == offered


def test_the_boards_of_one_team_keep_their_ranks(page):
    found = tables(page(team="Team 1"))
    assert [row[0] for row in found["Top players"]] == ["2", "4"]
    assert "No team on the boards" not in words(page(team="Team 1"))
    assert tables(page(team="ＴÉAM 1")) == found  # as a search does, whatever case and accents
    test = page(team="No such <team>")
    assert words(test).count("No team on the boards is called No such <team>.") == 1
    assert tables(test)["Top teams"] == [["Not on this board"]]


def test_without_a_choice_the_boards_come_from_where_the_jobs_write(page):
    test = page(services=Health(Status("kafka")))
    assert set(page.asked) == {"kafka"} and "LIVE" in words(test)


def test_a_paused_page_shows_what_it_had(page):
    test = page()
    test.toggle(key="paused").set_value(True)
    page.latest = latest_of([1])
    ran(test)
    assert "PAUSED" in words(test) and len(tables(test)["Top teams"]) == 4
    test.toggle(key="paused").set_value(False)
    assert len(tables(ran(test))["Top teams"]) == 1


def test_on_a_wall_there_is_no_chrome(page):
    styles = "".join(each.proto.body for each in page(view="wall").get("html"))
    assert ".stHeader, .st-key-pages, .st-key-controls { display: none" in styles
    assert ".stHeader, .st-key-pages, .st-key-controls" not in "".join(
        each.proto.body for each in page().get("html")
    )


# What was told


def announcement(number, name="Ada", age_seconds=0, banned_at=None, **other):
    """One as the table has it."""
    return {
        "announcement_number": number,
        "announced_at": datetime.now(UTC) - timedelta(seconds=age_seconds),
        "board": "top_players",
        "kind": "top_3",
        "sentence": f"{name} enters the top {number} of Top players (1,451 points).",
        "entity_kind": "player",
        "entity_id": f"u{number}",
        "entity_name": name,
        "banned_at": banned_at,
    } | other


def ticker(test):
    """The sentences of the ticker, without their times; None when there is none."""
    found = [
        each
        for markdown in test.markdown
        for each in tree(markdown.value).iter("section")
        if each.get("class") == "ticker"
    ]
    if not found:
        return None
    return [
        " ".join("".join(each.itertext()).split()[1:]) for each in found[0].find("ul").iter("li")
    ]


def test_what_was_told_last_stands_above_the_boards(page):
    now = datetime.now(UTC)
    told = [announcement(7), announcement(6, age_seconds=60), announcement(5, banned_at=now)]
    told += [announcement(4, age_seconds=601), announcement(3, age_seconds=700)]
    hour = "The last hour of season 2026-11-27 has begun: it ends at 00:00 UTC."
    nobody = {"board": None, "entity_id": None, "entity_name": None, "entity_kind": None}
    test = page(told=[announcement(8, **nobody, sentence=hour), *told])
    assert ticker(test) == [
        hour,
        "Ada enters the top 7 of Top players (1,451 points).",
        "Ada enters the top 6 of Top players (1,451 points).",
    ]
    assert {"player?player=u7", "player?player=u6"} <= {*links(test)}
    assert len(ticker(page(told=[announcement(number) for number in range(9)]))) == 5


def test_a_paused_page_keeps_what_was_told_too(page):
    test = page(told=[announcement(7)], paused="true")
    page.told = [announcement(8)]
    assert ticker(ran(test)) == ["Ada enters the top 7 of Top players (1,451 points)."]


def test_a_wall_keeps_room_for_what_is_told(page):
    assert ticker(page()) is None
    assert ticker(page(view="wall")) == []
    assert len(ticker(page(view="wall", told=[announcement(1)]))) == 1


@pytest.mark.parametrize("name", HOSTILE)
def test_names_within_sentences_are_text(page, name):
    called_ = called(name, "u1")
    said = f"{called_} enters the top 1 of Top players (1,451 points)."
    test = page(told=[announcement(1, called_)])
    assert ticker(test) == [" ".join(said.split())]
    values = [each.value for each in test.markdown]
    assert not any("<script" in each or "**bold**" in each for each in values)


# Several games


@pytest.fixture
def two_games(monkeypatch):
    """The settings of a page for the score game and another one, which has one board."""
    board = replace(HOT_STREAKS, name="lucky_spins", job="", title="Lucky spins", late_events=None)
    slots = replace(GAME, name="slots", tables=(board,), counts={}, rejects=None)
    module = ModuleType("games.slots")
    module.GAME, module.__spec__ = slots, ModuleSpec("games.slots", None)
    monkeypatch.setitem(sys.modules, "games.slots", module)
    settings = Settings(games="score,slots")
    for each in (live, pipeline):
        monkeypatch.setattr(each, "settings", settings)
    yield slots
    games.load.cache_clear()
    games._all.cache_clear()


def test_who_has_one_game_chooses_none(page):
    assert "Game" not in [each.label for each in page(game="slots").selectbox]


def test_the_address_chooses_among_several_games(page, two_games):
    test = page(module="live")
    assert list(tables(test)) == BOARDS
    assert [each.options for each in test.selectbox if each.label == "Game"] == [["score", "slots"]]
    latest = latest_of(game=two_games)
    assert list(tables(page(latest, module="live", game="slots"))) == ["Lucky spins"]
    assert list(tables(page(module="live", game="no such game"))) == BOARDS


def test_the_pipeline_of_another_game_is_its_own(page, two_games):
    name = JobName("slots", "lucky_spins", "postgres")
    jobs = RUNNING | {name: Job("RUNNING", 3.0, 0, 7)}
    services = Health(Status("postgres", {"slots_generator": "STOPPED"}, jobs))
    test = page(module="pipeline", services=services, game="slots")
    assert [row[0] for row in tables(test)["Jobs"]] == ["slots: lucky_spins to postgres"]
    assert "injector: stopped" in words(test)


def test_a_games_own_pages_are_found_by_its_name(two_games):
    paths = [page.path for page in navigation.pages(Settings(games="score,slots"))]
    assert paths == ["", "player", "team", "season", "pipeline", "moderation"]
    assert [page.path for page in navigation.pages(Settings(games="slots"))] == [
        "", "pipeline", "moderation",
    ]  # fmt: skip


# Pipeline


def test_the_pipeline_is_shown_from_events_to_page(page):
    ends = {TOPIC: {0: 70_000, 1: 5}}
    rows = {TOP_PLAYERS.name: 9}
    status = Status("postgres", {"score_generator": "RUNNING"}, RUNNING, ends, board_rows=rows)
    rates = dict.fromkeys(RUNNING, 49.6), dict.fromkeys(RUNNING, 20.0)
    services = Health(status, {TOPIC: 50.4}, *rates)
    test = page(module="pipeline", services=services, rejected=Rejects([], Counter(), None))
    jobs = len(RUNNING)
    for said in (
        "50 /s", "70,005", f"{jobs} of {jobs} jobs well", "up to 120 records in no checkpoint yet",
        f"{20 * jobs} /s", "9 places held", "Flink's own", "injector: running",
    ):  # fmt: skip
        assert said in words(test)
    name, *figures = tables(test)["Jobs"][0]
    assert name == "score: top_teams to postgres"
    assert figures == ["RUNNING", "50 /s", "20 /s", "120", "3 s ago", "0", "7"]
    assert "alert" not in "".join(each.value for each in test.markdown)


def test_receivers_of_announcements_are_shown_with_what_is_wrong(page):
    counts = {"delivered": 1_204, "failures": 3, "dropped": 1}
    well = {"receiver": "kafka", "failing_since": None, "last_error": None, **counts}
    since = datetime.now(UTC)
    bad = {"receiver": "<b> 1f", "failing_since": since, "last_error": "it answers 503"}
    test = page(module="pipeline", receivers=[well, bad | counts])
    assert tables(test)["Receivers of announcements"] == [
        ["kafka", "well", "1,204", "3", "1"],
        ["<b> 1f", f"it answers 503, since {since:%H:%M:%S} UTC", "1,204", "3", "1"],
    ]
    assert "Announcements" not in words(page(module="pipeline"))


def test_rejects_are_counted_by_reason_and_shown_as_text(page):
    row = {
        "topic": "scores",
        "partition": 2,
        "offset": 77,
        "reason": "empty message",
        "rejected_at": datetime.now(UTC),
    }
    rows = [row | {"payload": MARKUP}, row | {"payload": None}]
    rejected = Rejects(rows, Counter({"empty message": 3, "team_id blank": 1}), row["rejected_at"])
    found = tables(page(module="pipeline", rejected=rejected))
    reasons = [["empty message", "3", "75 %"], ["team_id blank", "1", "25 %"]]
    assert found["Rejected by reason"] == reasons
    latest = [each[1:] for each in found["The last rejected messages"]]
    assert latest == [
        ["empty message", "scores-2:77", MARKUP],
        ["empty message", "scores-2:77", "N/A"],
    ]


def test_what_is_counted_but_has_no_rate_yet_is_being_measured(page):
    test = page(module="pipeline", rejected=Rejects([], Counter(), None))
    assert {tuple(row[2:4]) for row in tables(test)["Jobs"]} == {("measuring …", "measuring …")}


def test_what_nobody_counts_has_no_rate(page):
    uncounted = {name: replace(each, rows_written=None) for name, each in RUNNING.items()}
    services = replace(WELL, status=replace(WELL.status, jobs=uncounted))
    test = page(module="pipeline", services=services, rejected=Rejects([], Counter(), None))
    assert {row[3] for row in tables(test)["Jobs"]} == {"N/A"}


def test_a_job_that_catches_up_is_in_no_trouble(page):
    new = Job("RUNNING", None, 0, 0, Lag(36_000, 36_000), is_catching_up=True)
    services = Health(replace(WELL.status, jobs=dict.fromkeys(RUNNING, new)))
    test = page(module="pipeline", services=services, rejected=Rejects([], Counter(), None))
    assert {row[1] for row in tables(test)["Jobs"]} == {"catching up"}
    assert f"{len(RUNNING)} of {len(RUNNING)} jobs well" in words(test)


def test_without_rejects_the_page_says_since_when(page):
    test = page(module="pipeline", rejected=Rejects([], Counter(), None))
    assert "Rejected in the last 7 days" in words(test)


def test_what_is_wrong_with_the_services_is_said(page):
    status = Status(problems=["Flink's JobManager does not answer"], services={"kafka": "STOPPED"})
    test = page(
        module="pipeline",
        services=Health(status, silent_seconds={TOPIC: 9}),
        rejected=Rejects([], Counter(), None, "away"),
    )
    assert (
        "does not answer" in words(test)
        and "silent" in words(test)
        and "Unknown: away" in words(test)
    )
    assert "runs no job of ours" in words(test) and "N/A" in words(test)


def test_before_the_first_look_the_pipeline_says_so(page):
    assert "are being asked" in words(page(module="pipeline", services=None))


# Moderation


@pytest.fixture
def bans(monkeypatch):
    """Decisions in place of the database's."""
    decisions = []

    def listed(first):
        return lambda _: [(datetime.now(UTC), *each[first:]) for each in decisions]

    def decide(_, *decision, anyway):
        if decision[2].startswith("nobody") and not anyway:
            raise UnknownId("PostgreSQL knows no player of this id")
        decisions.append(decision)
        return ["The player was banned already"]

    monkeypatch.setattr(moderation, "decide", decide)
    monkeypatch.setattr(moderation, "bans", listed(1))
    monkeypatch.setattr(moderation, "history", listed(0))
    return decisions


def test_a_ban_is_decided_and_listed(page, bans, known):
    test = page(module="moderation", id="USR-1")
    test.text_input[1].set_value(MARKUP)
    assert test.button[0].label == "Ban player"
    decided(test)
    assert [each[:4] for each in bans] == [("ban", "player", "USR-1", MARKUP)]
    assert "USR-1 is banned" in words(test)
    assert "was banned already" in words(test)
    assert tables(test)["Banned now"][0][1:4] == ["player", "USR-1", MARKUP]
    assert tables(test)["Decisions"][0][1] == "ban"


def decided(test):
    test.button[0].click()
    return ran(test)


@pytest.mark.parametrize(("banned_id", "reason"), [("", "x"), ("USR-1", " ")])
def test_a_decision_needs_an_id_and_a_reason(page, bans, known, banned_id, reason):
    test = page(module="moderation")
    test.text_input[0].set_value(banned_id)
    test.text_input[1].set_value(reason)
    decided(test)
    assert not bans and "needs an id and a reason" in words(test)


def test_a_decision_that_cannot_be_made_says_why(page, bans, known, monkeypatch):
    def decide(*_, anyway):
        raise ModerationError("player USR-1 is not banned")

    monkeypatch.setattr(moderation, "decide", decide)
    test = page(module="moderation", id="USR-1")
    test.text_input[1].set_value("a twin")
    assert "USR-1 is not banned" in words(decided(test))


def test_an_id_is_banned_as_it_is_and_shown_so_that_its_blanks_are_seen(page, bans, known):
    test = page(module="moderation", id=" ts ")
    test.text_input[1].set_value("a twin")
    decided(test)
    assert [each[2] for each in bans] == [" ts "]
    assert "player ␠ts␠ is banned" in words(test)
    assert tables(test)["Banned now"][0][2] == "␠ts␠"
    assert tables(test)["Decisions"][0][3] == "␠ts␠"


def test_an_id_that_nobody_has_is_banned_at_the_second_word_only(page, bans, known):
    known["player"] = None
    test = page(module="moderation", id="nobody")
    test.text_input[1].set_value("a bot")
    decided(test)
    assert not bans and "Nothing was decided. PostgreSQL knows no player" in words(test)
    test.text_input[0].set_value("nobody else")
    assert "Ban all the same" not in [each.label for each in ran(test).button]
    decided(test)
    test.button(key="anyway").click()
    ran(test)
    assert [each[2] for each in bans] == ["nobody else"]
    assert "Ban all the same" not in [each.label for each in ran(test).button]


def test_who_is_to_be_banned_is_shown_before_the_decision(page, bans, known):
    player = words(page(module="moderation", id="u5000"))
    assert all(said in player for said in ("u5000", "Teal Swans", "1,234", "5,000 of 20,000"))
    known["team"] = a_team(banned_at=AT)
    team = words(page(module="moderation", kind="team", id="t1"))
    assert all(said in team for said in ("Teal Swans", "100", "3 of 12", "02 Jan 2026"))


def test_who_is_to_be_banned_is_found_by_a_part_of_the_name(page, bans, known):
    known["player"] = known["team"] = None
    known["find"] = [FOUND | {"user_id": "u2 "}]
    test = page(module="moderation", id="ad")
    assert tables(test)["Found"] == [["Ada", "u2␠", "Swans", "1,234"]]
    assert "moderation?kind=player&id=u2+" in links(test)
    known["find_teams"] = [
        {"team_id": "t1", "team_name": "Swans", "team_total": 50, "is_banned": True}
    ]
    test = page(module="moderation", kind="team", id="swa")
    assert tables(test)["Found"] == [["Swans", "t1 banned", "50"]]
    assert "moderation?kind=team&id=t1" in links(test)


@pytest.mark.parametrize("kind", ["player", "team"])
def test_whom_nobody_can_look_up_is_banned_by_the_whole_id(page, bans, known, kind):
    test = page(module="moderation", services=Health(Status("kafka")), kind=kind, id="u1")
    assert "nobody can be searched. Give the whole id." in words(test)
    known[kind] = BoardsUnavailable("PostgreSQL cannot be reached")
    assert "PostgreSQL cannot be reached" in words(page(module="moderation", kind=kind, id="u1"))
    test.text_input[1].set_value("a bot")
    decided(test)
    assert [each[1:3] for each in bans] == [(kind, "u1")]


def a_suspect(**changed):
    return {
        "user_id": "u 1 ", "user_name": MARKUP, "team_id": "t1", "team_name": "Teal Swans",
        "events": 45, "team_median": 20.0, "factor": 2.25, "windows_in_a_row": 3,
        "window_end": datetime(2026, 1, 2, 14, 5, tzinfo=UTC),
    } | changed  # fmt: skip


@pytest.fixture
def suspects(monkeypatch):
    """Suspects in place of the sink's, which settings ask for."""
    listed = [a_suspect()]
    module = "dashboard.pages.moderation"
    monkeypatch.setattr(f"{module}.settings", Settings(watch_play="yes"))
    monkeypatch.setattr(f"{module}.suspects", lambda _: listed)
    return listed


def test_a_suspect_is_banned_with_the_evidence_as_reason(page, bans, known, suspects):
    suspects.append(a_suspect(user_id="nobody", events=1_200, windows_in_a_row=1))
    test = page(module="moderation")
    assert [each.label for each in test.button] == ["Ban player", "Ban no. 1", "Ban no. 2"]
    for shown in (MARKUP[:47], "u 1␠", "Teal Swans", "45", "20", "×2.2", "1,200", "14:05:00"):
        assert shown in words(test)
    for number in (2, 1):
        test.button[number].click()
        ran(test)
    assert "player u 1␠ is banned" in words(test)
    assert bans == [
        ("ban", "player", user_id, reason, moderation.login_name())
        for user_id, reason in (
            (
                "nobody",
                "1,200 events from 14:00 to 14:05 UTC on 2026-01-02, 2.2 times the median of 20 in "
                "team Teal Swans; 1 window in a row",
            ),
            (
                "u 1 ",
                "45 events from 14:00 to 14:05 UTC on 2026-01-02, 2.2 times the median of 20 in "
                "team Teal Swans; 3 windows in a row",
            ),
        )
    ]


def test_a_button_bans_whom_it_stood_beside_though_the_list_has_changed(
    page, bans, known, suspects
):
    test = page(module="moderation")
    test.button[1].click()
    suspects.insert(0, a_suspect(user_id="new"))
    ran(test)
    assert "new" not in {each[2] for each in bans}


def test_the_latest_suspects_are_listed_and_all_are_counted(page, bans, known, suspects):
    suspects += [a_suspect(user_id=f"u{number}") for number in range(1_000)]
    test = page(module="moderation")
    assert len(test.button) == 21 and "The latest 20 of 1,001" in words(test)
    suspects.clear()
    assert "Nobody stands out" in words(page(module="moderation"))


def test_where_nobody_looks_for_suspects_the_page_says_how_to(page, bans, known, monkeypatch):
    assert "LEADERBOARD_WATCH_PLAY=yes" in words(page(module="moderation"))

    def away(_):
        raise BoardsUnavailable("PostgreSQL cannot be <reached>")

    module = "dashboard.pages.moderation"
    monkeypatch.setattr(f"{module}.settings", Settings(watch_play="yes"))
    monkeypatch.setattr(f"{module}.suspects", away)
    test = page(module="moderation")
    assert "PostgreSQL cannot be <reached>" in words(test) and "Banned now" in tables(test)


def minutes_of_play(count):
    """Minutes with one more player each; in every second of them two sessions ended."""
    last = datetime(2026, 1, 2, 14, 5, tzinfo=UTC)
    ends = [last - timedelta(minutes=number) for number in range(count)]
    active = [{"minute_end": end, "players": count - n} for n, end in enumerate(ends)]
    ended = [{"minute_end": end, "sessions": 2, "mean_seconds": 90.0 + n}
             for n, end in enumerate(ends) if n % 2]  # fmt: skip
    return Play(active, ended)


@pytest.fixture
def playing(monkeypatch):
    """How people play, in place of what a sink holds."""
    held = {"play": minutes_of_play(100)}
    answer = SimpleNamespace(latest=lambda wait_seconds: held["play"])
    monkeypatch.setattr(sessions, "watch", lambda *_: answer)
    return held


def test_the_page_of_sessions_shows_who_plays_and_how_long(page, playing):
    test = page(module="score.sessions")
    rows = tables(test)["Minute by minute"]
    assert rows[:2] == [
        ["02 Jan 2026, 14:05:00", "100", "0", "–"],
        ["02 Jan 2026, 14:04:00", "99", "2", "1 min 31 s"],
    ]
    assert len(rows) == 30
    del playing["play"].active[1]  # nobody played
    assert tables(page(module="score.sessions"))["Minute by minute"][1][1] == "0"
    said = words(test)
    for figure in ("Active now", "100", "2 min 0 s", "60"):  # of the last hour: 30 minutes
        assert figure in said
    assert "last 1 h 40 min, from 1 to 100" in said


def test_the_page_of_sessions_says_what_it_does_not_know(page, playing):
    for unknown, said in (
        (None, "being read"),
        (Play(), "not over yet"),
        (Play(trouble="Kafka <is> away"), "Kafka <is> away"),
    ):
        playing["play"] = unknown
        test = page(module="score.sessions")
        assert said in words(test) and not tables(test)


def test_sessions_have_a_page_where_somebody_asks_for_them():
    for asked, count in (("no", 0), ("yes", 1)):
        paths = [each.path for each in navigation.pages(Settings(watch_play=asked))]
        assert paths.count("sessions") == count


@pytest.mark.parametrize("kind", ["player", "team"])
def test_who_may_moderate_finds_a_button_on_the_pages_of_players_and_teams(
    page, known, kind, monkeypatch
):
    address = "moderation?decision={}&kind={}&id={}"
    known["player"], known["team"] = a_player(user_id="u 1 "), a_team(team_id="u 1 ")
    asked = {"module": f"score.{kind}", kind: "u 1 "}
    assert address.format("ban", kind, "u+1+") in links(page(**asked))
    known["player"], known["team"] = a_player(banned_at=AT), a_team(banned_at=AT)
    assert f"Unban this {kind}" in words(page(**asked))
    monkeypatch.setattr(login, "may_moderate", lambda *_: False)
    assert f"Unban this {kind}" not in words(page(**asked))


@pytest.mark.parametrize(
    ("options", "may"),
    [
        ({}, True),
        ({"moderation_page": "off"}, False),
        ({"dashboard_address": "0.0.0.0", "page_without_login": "yes"}, False),
        ({"oidc_metadata_url": "https://x", "oidc_moderators": "ada@example.org"}, True),
        ({"oidc_metadata_url": "https://x", "oidc_moderators": "bob@example.org"}, False),
        ({"oidc_metadata_url": "https://x"}, False),
    ],
)
def test_who_may_ban_on_the_page(options, may):
    ada = {"email": "ada@example.org", "email_verified": True}
    assert login.may_moderate(Settings(**options), ada) is may


# Player and team


AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EVENT = {"event_at": AT, "team_id": "t1", "team_name": "Teal Swans", "score": 1_200}


def a_player(**changed):
    """A player far below the board, with neighbours, and these things otherwise."""
    around = [
        {
            "rank_number": rank,
            "user_id": f"u{rank}",
            "user_name": f"Player {rank}",
            "total_score": 5_000 - rank,
        }
        for rank in range(4_997, 5_004)
    ]
    return Player(
        **{
            "user_id": "u5000", "user_name": "Ada", "team_id": "t1", "team_name": "Teal Swans",
            "total_score": 1_234, "reached_at": AT, "season_start": AT, "rank_number": 5_000,
            "players": 20_000, "percentile": 75.005, "points_for_team": 617, "team_total": 2_468,
            "team_share": 0.25, "ban_reason": None, "banned_at": None, "neighbours": around,
        } | changed
    )  # fmt: skip


def a_team(**changed):
    best = [
        {
            "rank_number": 1,
            "user_id": "u1",
            "user_name": "Ada",
            "player_total": 75,
            "share": 0.75,
            "fair_share": 1.5,
        },
        {
            "rank_number": 2,
            "user_id": "u2",
            "user_name": None,
            "player_total": 25,
            "share": 0.25,
            "fair_share": None,
        },
    ]
    return Team(
        **{
            "team_id": "t1", "team_name": "Teal Swans", "team_total": 100, "season_start": AT,
            "rank_number": 3, "teams": 12, "members": 2, "ban_reason": None, "banned_at": None,
            "mvp": best[0], "best": best,
        } | changed
    )  # fmt: skip


FOUND = {
    "user_id": "u1",
    "user_name": "Ada",
    "team_id": "t1",
    "team_name": "Swans",
    "total_score": 1_234,
    "is_exact": False,
    "is_banned": False,
}


@pytest.fixture
def known(monkeypatch):
    """What looking up tells; an error is raised."""
    answers = {"find": [], "find_teams": [], "player": a_player(), "team": a_team()}
    answers["recent"] = Recent(
        AT, [EVENT] * 2, AT - timedelta(minutes=3), 4_321, 12.5, 6.25, 4, 9, 2.0, True
    )

    def answering(name):
        def answer(*_):
            if isinstance(answers[name], Exception):
                raise answers[name]
            return answers[name]

        return answer

    for name in answers:
        reader = last_events if name == "recent" else lookups
        monkeypatch.setattr(reader, name, answering(name))
    return answers


def test_a_player_far_below_the_board_is_shown_in_full(page, known):
    test = page(module="score.player", player="u5000")
    for said in (
        "1,234", "5,000 of 20,000", "75.0", "Teal Swans", "617", "25.0 %",
        "02 Jan 2026, 03:04:05", "12.5 in 4 events", "6.2 in 9 events", "×2.00",
    ):  # fmt: skip
        assert said in words(test)
    found = tables(test)
    ranks = [f"{rank:,}" for rank in range(4_997, 5_004)]
    assert [row[0] for row in found["Neighbours in rank"]] == ranks
    assert [row[1:] for row in found["Last events"]] == [["Teal Swans", "1,200"]] * 2
    assert "from the last 3 min 0 s of the topic" in words(test)
    (marked,) = [
        each
        for each in test.markdown
        for each in tree(each.value).iter("tr")
        if each.get("aria-current")
    ]
    assert marked[0].text == "5,000"


def test_what_is_unknown_of_a_player_is_said_to_be(page, known):
    known["player"] = a_player(
        user_name="",
        team_name="",
        percentile=None,
        points_for_team=None,
        team_share=None,
        neighbours=[],
    )
    known["recent"] = BoardsUnavailable("Kafka at x cannot be read")
    test = page(module="score.player", player="u5000")
    assert (
        words(test).count("N/A") >= 6
        and "None" not in words(test)
        and "Kafka at x cannot be read" in words(test)
    )


def test_a_banned_player_has_no_rank_but_a_reason(page, known):
    known["player"] = a_player(
        rank_number=None, percentile=None, banned_at=AT, ban_reason=MARKUP, neighbours=[]
    )
    test = page(module="score.player", player="u5000")
    assert (
        "Banned since 02 Jan 2026" in words(test)
        and MARKUP in words(test)
        and "N/A of 20,000" in words(test)
    )


def test_players_are_found_by_a_part_of_the_name(page, known):
    row = FOUND | {"user_name": MARKUP}
    known["find"] = [row, row | {"user_id": "u2", "is_banned": True}]
    rows = tables(page(module="score.player", search="script"))["Found"]
    assert [row[1:] for row in rows] == [["u1", "Swans", "1,234"], ["u2 banned", "Swans", "1,234"]]


def test_who_is_found_alone_is_shown_at_once(page, known):
    known["find"] = [{"user_id": "u5000"}]
    assert "5,000 of 20,000" in words(page(module="score.player", search="Ada"))


@pytest.mark.parametrize(
    ("found", "nobody"),
    [({"search": "<b>"}, "No player's id or name contains"), ({"player": "<b>"}, "Nobody")],
)
def test_nobody_found_is_said(page, known, found, nobody):
    known["player"] = None
    text = words(page(module="score.player", **found))
    assert nobody in text and "<b>" in text


@pytest.mark.parametrize("kind", ["player", "team"])
def test_a_lookup_without_a_database_says_why(page, known, kind):
    for name in ("find", "player", "team"):
        known[name] = BoardsUnavailable("PostgreSQL cannot be reached")
    test = page(module=f"score.{kind}", search="x", **{kind: "x"})
    assert "PostgreSQL cannot be reached" in words(test)


def test_in_kafka_mode_a_player_is_shown_as_far_as_the_board_goes(page, known):
    test = page(
        latest_of(range(9, 0, -1)),
        module="score.player",
        services=Health(Status("kafka")),
        player="u4",
    )
    assert (
        "The jobs write to Kafka" in words(test)
        and "5,000" in words(test)
        and "Rank 5" in " ".join(words(test).replace("Rank", "Rank ").split())
        and "of N/A" not in words(test)
    )
    assert [row[0] for row in tables(test)["Neighbours in rank"]] == list("2345678")
    assert tables(test)["Last events"]


def test_a_team_is_shown_with_its_members_and_their_fair_shares(page, known):
    test = page(module="score.team", team="t1")
    assert all(said in words(test) for said in ("Teal Swans", "3 of 12", "75.0 %"))
    assert tables(test)["Members"] == [
        ["1", "Ada", "75", "75.0 %", "×1.50"],
        ["2", "u2", "25", "25.0 %", "N/A"],
    ]


@pytest.mark.parametrize("kind", ["player", "team"])
def test_rank_and_points_over_the_season_are_drawn_with_a_table_beside(page, known, kind):
    steps = [
        Step(AT + timedelta(minutes=30 * number), 1 + number % 3, 100 * number)
        for number in range(7)
    ]
    test = page(module=f"score.{kind}", steps=steps, **{kind: "x"})
    assert "best 1, worst 3" in words(test)
    assert len(test.get("vega_lite_chart")) == 2
    assert tables(test)["By time"] == [
        ["06:04", "1", "600"],
        ["06:00", "3", "500"],
        ["05:00", "1", "300"],
        ["04:00", "2", "100"],
        ["03:04", "1", "0"],
    ]


@pytest.mark.parametrize("kind", ["player", "team"])
def test_without_a_minute_on_the_board_the_page_says_when_a_line_begins(page, known, kind):
    asked = {"module": f"score.{kind}", kind: "x"}
    assert "A line begins with the first minute among the best 100" in words(page(**asked))
    one = [Step(AT, 1, 9)]
    assert "A line begins with the second minute" in words(page(steps=one, **asked))
    over = seasons_of(a_season(final_at=FINAL_SINCE))
    past = of_past(FINAL_SINCE)
    test = page(known_seasons=over, past=past, season=f"{THIS_YEAR:%Y-%m-%d}", **asked)
    assert "Never seen among the best 100" in words(test)


def test_without_a_history_the_pages_say_what_is_missing(page, known, monkeypatch):
    monkeypatch.setattr(history, "missing", lambda *_: "There is no history: it lies elsewhere.")
    for kind in ("player", "team"):
        assert "it lies elsewhere" in words(page(module=f"score.{kind}", **{kind: "x"}))


def test_in_kafka_mode_a_team_is_shown_as_far_as_the_boards_go(page, known):
    test = page(module="score.team", services=Health(Status("kafka")), team="t1")
    assert "The jobs write to Kafka" in words(test) and "of N/A" not in words(test)
    assert "move the boards to PostgreSQL: scripts/run_all.sh --sink postgres" in words(test)
    assert "most valuable player only" in words(test)
    assert tables(test)["Members"] == [["1", "Player", "7", "70.0 %", "N/A"]]


@pytest.mark.parametrize(("kind", "board"), [("player", TOP_PLAYERS), ("team", TOP_TEAMS)])
def test_without_a_choice_there_are_names_to_start_from(page, known, kind, board):
    test = page(latest_of(range(30, 0, -1)), module=f"score.{kind}")
    assert len(tables(test)[board.title]) == 10
    assert f"{kind}?{kind}={kind[0].replace('p', 'u')}0" in links(test)
    chosen = page(latest_of(range(30, 0, -1)), module=f"score.{kind}", **{kind: "x"})
    assert board.title not in tables(chosen)


def test_of_an_unknown_player_there_is_what_the_topic_holds_or_nothing_more(page, known):
    known["player"] = None
    test = page(module="score.player", player="u1")
    assert tables(test).keys() == {"Last events"} and "Form" in words(test)
    known["recent"] = Recent(AT, [], None, 0)
    test = page(module="score.player", player="u1")
    assert not tables(test) and "Form" not in words(test)
    assert "Nobody with the id u1" in words(test)


def test_ids_that_differ_by_what_nobody_sees_look_different(page, known):
    known["find"] = [FOUND | {"user_id": each, "user_name": each} for each in ("ts", "ts ")]
    rows = tables(page(module="score.player", search="ts"))["Found"]
    assert [row[:2] for row in rows] == [["ts", "ts"], ["ts␠", "ts␠"]]
    known["player"], known["team"] = a_player(user_id="ts\u200b", user_name=""), None
    assert words(page(module="score.player", player="ts\u200b")).count("ts<U+200B>") == 2
    assert "No team with the id ␠t has scored" in words(page(module="score.team", team=" t"))
    boards = latest_of([5])
    for rows in boards.boards.rows.values():
        for row in rows:
            row |= {"user_id": "ts ", "user_name": "ts "}
    assert tables(page(boards))["Top players"][0][2].startswith("ts␠ ")


def test_a_team_that_is_not_there_is_said(page, known):
    known["team"] = None
    assert "No team with the id t99" in words(page(module="score.team", team="t99"))


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_on_the_pages_of_players_and_teams_too(page, known, name):
    known["player"], known["team"] = (
        a_player(user_name=name, team_name=name),
        a_team(team_name=name),
    )
    known["recent"] = replace(known["recent"], events=[EVENT | {"team_name": name}])
    for kind in ("player", "team"):
        test = page(module=f"score.{kind}", **{kind: "x"})
        assert not {"script", "img", "b"} & {
            each.tag for html in test.markdown for each in tree(html.value).iter()
        }


# Seasons

NOW = datetime.now(UTC)
THIS_YEAR = NOW.replace(month=6, day=3, hour=0, minute=0, second=0, microsecond=0)
LAST_ENDED = NOW - timedelta(hours=1)
FINAL_SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def a_season(day=THIS_YEAR, end=LAST_ENDED, final_at=None, length="day"):
    return Season("score", f"{length}-{day:%Y-%m-%d}", day, end, final_at)


def seasons_of(*others):
    """The one that runs, and others before it."""
    running = a_season(THIS_YEAR + timedelta(days=9), NOW + timedelta(days=1))
    return [running, *others]


def of_past(final_at=None, *totals, **options):
    return refresh.Refreshed(replace(some_boards(*totals, **options), final_at=final_at))


def test_a_season_that_is_final_is_shown_as_it_was(page):
    final = a_season(final_at=FINAL_SINCE)
    test = page(
        known_seasons=seasons_of(final),
        past=of_past(FINAL_SINCE, [9, 7, 7]),
        season=f"{THIS_YEAR:%Y-%m-%d}",
    )
    assert list(tables(test)) == [board.title for board in GAME.seasonal]
    assert tables(test)["Top players"][1] == ["2", "Player Team 1", "7,000"]
    assert "FINAL" in words(test) and "02 Jan 2026, 03:04:05 UTC" in words(test)
    assert "LIVE" not in words(test) and "Trend" not in words(test)
    assert f"player?player=u0&season={THIS_YEAR:%Y-%m-%d}" in links(test)


def test_a_season_that_late_events_may_change_is_provisional(page):
    test = page(
        known_seasons=seasons_of(a_season()), past=of_past(), season=f"{THIS_YEAR:%Y-%m-%d}"
    )
    assert "PROVISIONAL" in words(test) and "Final from" in words(test)
    assert "events that come late may still change it" in words(test)


def test_the_newest_season_is_shown_for_one_that_there_is_not(page):
    test = page(known_seasons=seasons_of(a_season()), season="1999-01-01<b>")
    assert "season=1999-01-01<b>, which there is not" in words(test)
    assert list(tables(test)) == BOARDS
    assert "LIVE" in words(test)


def test_a_season_of_another_length_is_called_by_its_id(page):
    week = a_season(length="week", final_at=FINAL_SINCE)
    known_seasons = seasons_of(week)
    test = page(known_seasons=known_seasons, past=of_past(FINAL_SINCE), season=week.season)
    assert f"week of {THIS_YEAR:%-d %b}" in words(test) and "which there is not" not in words(test)


def began(seconds):
    """What the refresh tells of a season that is so old."""
    latest = latest_of()
    for rows in latest.boards.rows.values():
        for row in rows:
            if "season_start" in row:
                row["season_start"] = datetime.now(UTC) - timedelta(seconds=seconds)
    return latest


@pytest.mark.parametrize(("seconds", "is_told"), [(300, True), (900, False)])
def test_a_season_begins_with_the_winners_of_the_last(page, seconds, is_told):
    past = of_past(None, [9, 8, 7, 6], name=MARKUP)
    test = page(began(seconds), known_seasons=[a_season()], past=past)
    told = f"Winners of {THIS_YEAR:%a %-d %b} PROVISIONAL"
    assert (told in words(test)) == is_told
    assert (f"?season={THIS_YEAR:%Y-%m-%d}" in links(test)) == is_told
    assert list(tables(test)) == BOARDS


@pytest.mark.parametrize("kind", ["player", "team"])
def test_somebody_is_shown_in_a_season_that_is_over(page, known, kind):
    shown = {"module": f"score.{kind}", kind: "u5000", "season": f"{THIS_YEAR:%Y-%m-%d}"}
    test = page(
        known_seasons=seasons_of(a_season(final_at=FINAL_SINCE)),
        past=of_past(FINAL_SINCE),
        **shown,
    )
    assert "FINAL" in words(test)
    rank = {"player": "5,000 of 20,000", "team": "3 of 12"}[kind]
    assert rank in words(test)
    # What is of now is not shown.
    assert "Form" not in words(test)
    assert any(each.endswith(f"season={THIS_YEAR:%Y-%m-%d}") for each in links(test))
    known[kind] = None
    shown["known_seasons"] = seasons_of(a_season(final_at=FINAL_SINCE))
    assert "totals are forgotten by now" in words(page(past=of_past(FINAL_SINCE), **shown))


# Prizes


@pytest.fixture
def won(monkeypatch):
    """The rules, the awards that were given, and those that would be."""
    told = {
        "rules": {"top_players": Rule(4, (Tier(MARKUP, 1, 1), Tier("cup", 2, 3)), "Ada")},
        "given": [],
        "preview": [],
    }

    def telling(name):
        def tell(*_):
            if isinstance(told[name], Exception):
                raise told[name]
            return told[name]

        return tell

    for name in told:
        monkeypatch.setattr(prizes, name, telling(name))
    monkeypatch.setattr(season, "_rules", lambda *_: prizes.rules())
    monkeypatch.setattr(season, "_awards", season._awards.__wrapped__)
    return told


def test_who_would_win_is_shown_while_a_season_runs(page, won):
    won["preview"] = [
        {"board": "top_players", "entity_id": "u0", "prize": MARKUP, "banned_at": None}
    ]
    test = page(module="season", known_seasons=seasons_of(), past=of_past())
    assert "RUNNING" in words(test) and "would be won if it ended now" in words(test)
    assert tables(test)["Top players"][0][3] == MARKUP
    assert [row[3] for row in tables(test)["Top players"][1:]] == ["", "", ""]
    assert tables(test)["Prizes"] == [
        ["Top players", "1", MARKUP, "4", "Ada"],
        ["Top players", "2-3", "cup", "4", "Ada"],
    ]


def test_what_was_won_is_shown_with_bans_that_came_later(page, won, saved):
    award = {
        "award_id": "id", "season": "day-2026-06-03", "board": "top_players", "rank_number": 1,
        "entity_kind": "player", "entity_id": "u0", "entity_name": "=1", "value": 9_000, "tier": 1,
        "prize": {"coins": 5}, "rule_version": 4, "awarded_at": AT, "banned_at": AT,
    }  # fmt: skip
    won["given"] = [award, award | {"entity_id": "far below", "banned_at": None}]
    test = page(
        module="season",
        known_seasons=seasons_of(a_season(final_at=FINAL_SINCE)),
        past=of_past(FINAL_SINCE),
        season=f"{THIS_YEAR:%Y-%m-%d}",
    )
    assert tables(test)["Top players"][0][3] == '{"coins": 5} banned since'
    assert "1 more below these places win" in words(test)
    assert "nothing changes these tables and awards any more" in words(test)
    opened(test)
    assert [*saved] == [*(board.title for board in GAME.seasonal), "Awards"]
    assert saved["Awards"].name.startswith("awards_day-")
    assert saved["Awards"].text.count("'=1") == 2


def test_a_season_page_without_anything_says_so(page, won):
    won["rules"] = {}
    assert "There is no season yet" in words(page(module="season"))
    test = page(module="season", known_seasons=seasons_of(), past=of_past())
    assert "None are set" in words(test)
    won["preview"] = NotYet("it is unknown how many they are")
    test = page(module="season", known_seasons=seasons_of(), past=of_past())
    assert "It is unknown who would win: it is unknown how many" in words(test)
    won["rules"] = BoardsUnavailable("PostgreSQL cannot be reached")
    test = page(module="season", known_seasons=seasons_of(), past=of_past())
    assert "PostgreSQL cannot be reached" in words(test)
