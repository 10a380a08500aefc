"""Any game, in any order, with anything mixed in: the tables are the oracle's."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests import bounded, hostile, invariants, oracle
from tests.bounded import Message
from tests.conftest import Stack
from tests.oracle import Event, Record

GAMES = 300
TOTALS = [table.name for table in bounded.GAME.jobs["totals"]]
SECOND, HOUR = 1_000, 3_600_000
# Half a minute before midnight UTC, so that games cross into a new season.
START = 1_772_323_170_000
LENGTH_SECONDS = 90
# Events this late or later are 5 minutes old; windows that end from here on hold none of them.
FIRST_SURE_WINDOW = START - 60 * SECOND
SLIDE = 2 * SECOND

# How long before its record an event happened, in milliseconds.
PROMPT = st.integers(0, 4_000)  # within the watermark
DELAYS = st.one_of(
    PROMPT,
    PROMPT,
    st.integers(-60_000, -1),  # a clock ahead: the record's time counts
    st.integers(5 * 60_000, 10 * 60_000),  # late
    st.sampled_from(
        [-60_001, -60_000, 24 * HOUR, 24 * HOUR + 1]
    ),  # at the limits, and just past them
)
SCORES = st.one_of(
    st.integers(0, 20),
    st.integers(0, 20),
    st.just(0),
    st.sampled_from([1_000_000, 1_000_001, -1, 3.9]),
)
NO_IDS: list[Any] = [None, "", "  ", [], {}]  # others would be players or teams of several games
NAMES = st.one_of(
    st.none(), st.text(max_size=12), st.sampled_from(["Ada", "<b>Bob</b>", "\u202eeve", "n" * 201])
)


@dataclass(frozen=True)
class Sent:
    """A message of a game: when the broker took it, seconds after the start, and what was in it."""

    at: float
    value: bytes


@st.composite
def games(draw) -> list[Sent]:
    """Up to 25 messages of up to four players in up to three teams, in order of arrival."""
    arrivals = sorted(draw(st.lists(st.integers(0, LENGTH_SECONDS * SECOND), max_size=25)))
    return [Sent(at / SECOND, draw(messages(at))) for at in arrivals]


@st.composite
def messages(draw, at: int) -> bytes:
    event = {
        "event_id": draw(st.one_of(st.none(), st.integers(0, 12).map(str), st.uuids().map(str))),
        "user_id": draw(st.sampled_from(["ada", "bob", "eve", "RBT-1"])),
        "user_name": draw(NAMES),
        "team_id": draw(st.sampled_from(["red", "blue", "green"])),
        "team_name": draw(st.sampled_from(["Red Fox", "Blue Whale", ""])),
        "score": draw(SCORES),
        "event_time_millis": START + at - draw(DELAYS),
    }
    if draw(st.integers(0, 9)) == 0:
        name = draw(st.sampled_from(sorted(event)))
        event[name] = draw(
            st.sampled_from(NO_IDS if name in ("user_id", "team_id") else hostile.VALUES)
        )
    if draw(st.integers(0, 19)) == 0:
        del event[draw(st.sampled_from(sorted(event)))]
    value = json.dumps(event).encode()
    return value[: draw(st.integers(0, len(value)))] if draw(st.integers(0, 29)) == 0 else value


def drawn_games() -> list[list[Sent]]:
    """Hypothesis draws the games; all are played at once, as a Flink job each takes an hour."""
    drawn = []

    @settings(
        max_examples=GAMES,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(games())
    def draw(game: list[Sent]) -> None:
        drawn.append(game)

    draw()
    return drawn


def belonging_to(number: int, value: bytes) -> bytes:
    """The message with ids that no other game has."""
    for name in (b"event_id", b"user_id", b"team_id"):
        value = value.replace(b'"%s": "' % name, b'"%s": "%d:' % (name, number))
    return value


@dataclass
class Played:
    """Games, and what became of them: records, and by game, accepted events and rows."""

    games: list[list[Sent]]
    records: list[Record]
    events: dict[str, list[Event]]
    tables: dict[str, dict[str, list[bounded.Row]]]
    rejected: list[bounded.Row]


@pytest.fixture(scope="module")
def played(stack: Stack) -> Played:
    drawn = drawn_games()
    # A game stays in one partition, where the order of arrival is one for all who read.
    sent = [
        (
            each.at,
            Message(
                number % bounded.PARTITIONS,
                START + int(each.at * SECOND),
                belonging_to(number, each.value),
            ),
        )
        for number, game in enumerate(drawn)
        for each in game
    ]
    sent.sort(key=lambda each: each[0])
    records, tables = bounded.run(stack, [message for _, message in sent], board_size=100_000)
    events = defaultdict(list)
    for event in oracle.accepted(records):
        events[game_of(event.user_id)].append(event)
    rows: dict[str, dict[str, list[bounded.Row]]] = {name: defaultdict(list) for name in tables}
    for name in (*(board.name for board in bounded.GAME.boards), *TOTALS):
        for row in tables[name]:
            rows[name][game_of(str(row.get("user_id", row.get("team_id"))))].append(row)
    return Played(drawn, records, events, rows, tables["rejected_events"])


def game_of(some_id: str) -> str:
    """The game's number, before the colon; none for the marker row of a window."""
    return some_id.partition(":")[0]


def expect(played: Played, seed: str, check) -> None:
    """Check every game; the first that fails is shown with the seed that it was drawn with."""
    for number, game in enumerate(played.games):
        try:
            check(str(number))
        except AssertionError as error:
            listing = "\n".join(f"{each.at:7.3f} s  {each.value!r}" for each in game)
            raise AssertionError(
                f"game {number} of --hypothesis-seed={seed}:\n{listing}\n{error}"
            ) from None


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> str:
    return request.config.getoption("--hypothesis-seed")


def test_the_games_are_worth_playing(played):
    assert len(played.games) == GAMES
    assert sum(map(len, played.events.values())) > 500
    assert len(played.rejected) > 100


@pytest.mark.parametrize("board", invariants.totals(bounded.GAME), ids=lambda board: board.name)
def test_totals_are_the_oracles_in_every_period(played, seed, board):
    def check(game: str) -> None:
        rows = played.tables[board.name][game]
        periods = oracle.every_season(played.events[game], oracle.PERIODS[board.period])
        assert {row[board.period] for row in rows} <= {totals.season for totals in periods}
        for totals in periods:
            own = [row for row in rows if row[board.period] == totals.season]
            assert bounded.ranked({board.name: own})[board.name] == oracle.rows_of(board, totals)

    expect(played, seed, check)


@pytest.mark.parametrize("table", TOTALS)
def test_everybodys_totals_are_the_oracles_in_every_season(played, seed, table):
    def check(game: str) -> None:
        found = sorted(played.tables[table][game], key=lambda row: tuple(map(str, row.values())))
        seasons = oracle.every_season(played.events[game])
        expected = [row for totals in seasons for row in getattr(oracle, table)(totals)]
        assert found == sorted(expected, key=lambda row: tuple(map(str, row.values())))

    expect(played, seed, check)


def test_hot_streaks_are_the_oracles_in_every_window(played, seed):
    def check(game: str) -> None:
        windows = defaultdict(list)
        for row in played.tables["hot_streaks"][game]:
            windows[row["window_end"]].append(row)
        for window_end in range(FIRST_SURE_WINDOW, START + (LENGTH_SECONDS + 12) * SECOND, SLIDE):
            rows = [row | {"window_rows": len(windows[window_end])} for row in windows[window_end]]
            # Most windows of a game have no streak.
            found = bounded.ranked({"hot_streaks": rows})["hot_streaks"] if rows else []
            assert found == oracle.hot_streaks(played.events[game], window_end)

    expect(played, seed, check)


def test_what_does_not_count_is_listed_with_its_reason(played):
    found = {
        (row["event_partition"], row["event_offset"]): row["reason"] for row in played.rejected
    }
    assert found == oracle.rejected(played.records)
