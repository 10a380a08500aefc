"""The contract's rules, one at a time: given events, expected rows."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pytest

from tests import bounded
from tests.bounded import Message
from tests.conftest import Stack

START = 1_772_366_400_000  # 2026-03-01T12:00Z
MIDNIGHT = START + 12 * 3_600_000


@dataclass(frozen=True)
class Scenario:
    """Events in order of arrival, and these columns of what stands on a board afterwards."""

    rule: str
    board: str
    columns: tuple[str, ...]
    expected: list[tuple]
    events: list[dict] = field(default_factory=list)


def scored(user: str, team: str, score: float, at: float = 0, **other: object) -> dict:
    """A player's points for a team, `at` seconds after the start."""
    names = {"user_id": user, "team_id": team, "team_name": team.title()}
    return names | {"score": score, "event_time_millis": START + int(at * 1000)} | other


SCENARIOS = [
    Scenario(
        "equal totals share a rank and are listed by who reached theirs first",
        "top_teams",
        ("rank_number", "team_id", "total_score"),
        [(1, "green", 9), (2, "blue", 7), (2, "red", 7), (4, "white", 5)],
        [
            scored("a", "red", 7, at=2),
            scored("b", "blue", 7, at=1),
            scored("c", "green", 9),
            scored("d", "white", 5),
        ],
    ),
    Scenario(
        "equal totals reached at the same moment are listed by id",
        "top_players",
        ("rank_number", "user_id"),
        [(1, "a"), (1, "b")],
        [scored("b", "red", 7), scored("a", "blue", 7)],
    ),
    Scenario(
        "a player who changes team keeps the personal total and is shown with the latest team",
        "top_players",
        ("user_id", "team_id", "team_name", "total_score"),
        [("ada", "blue", "Blue", 12)],
        [scored("ada", "red", 10), scored("ada", "blue", 2)],
    ),
    Scenario(
        "points stay with the team that they were scored for",
        "top_teams",
        ("team_id", "total_score"),
        [("red", 10), ("blue", 2)],
        [scored("ada", "red", 10), scored("ada", "blue", 2)],
    ),
    Scenario(
        "a player who left stays MVP while nobody there has more",
        "team_mvps",
        ("team_id", "user_id", "player_total", "team_total"),
        [("blue", "ada", 2, 2), ("red", "ada", 10, 19)],
        [scored("ada", "red", 10), scored("bob", "red", 9), scored("ada", "blue", 2)],
    ),
    Scenario(
        "a team that changes name keeps its total under its id",
        "top_teams",
        ("team_id", "team_name", "total_score"),
        [("red", "Crimson", 3)],
        [scored("a", "red", 1), scored("b", "red", 2, team_name="Crimson")],
    ),
    Scenario(
        "the latest known name of a player is shown",
        "top_players",
        ("user_id", "user_name"),
        [("ada", "Countess")],
        [
            scored("ada", "red", 1, user_name="Ada"),
            scored("ada", "red", 2, user_name="Countess"),
            scored("ada", "red", 3),
        ],
    ),
    Scenario(
        "a player without a name is shown by id, a team without one too",
        "top_players",
        ("user_name", "team_name"),
        [("ada", "red")],
        [scored("ada", "red", 1, team_name="")],
    ),
    Scenario(
        "a team of one is carried by that one",
        "team_mvps",
        ("user_id", "contribution_ratio"),
        [("ada", 1.0)],
        [scored("ada", "red", 4), scored("ada", "red", 1)],
    ),
    Scenario(
        "who scores nothing but zeros has a total of 0",
        "top_players",
        ("rank_number", "user_id", "total_score"),
        [(1, "bob", 1), (2, "ada", 0)],
        [scored("ada", "red", 0), scored("ada", "red", 0), scored("bob", "blue", 1)],
    ),
    Scenario(
        "a team with a total of 0 has no MVP",
        "team_mvps",
        ("team_id",),
        [("blue",)],
        [scored("ada", "red", 0), scored("bob", "blue", 1)],
    ),
    Scenario(
        "of a team's equally good players the first by id is its MVP",
        "team_mvps",
        ("user_id", "contribution_ratio"),
        [("ada", 0.5)],
        [scored("bob", "red", 3), scored("ada", "red", 3)],
    ),
    Scenario(
        "MVPs of equal share share a rank and are listed by their total",
        "team_mvps",
        ("rank_number", "team_id", "contribution_ratio"),
        [(1, "blue", 0.75), (1, "red", 0.75), (3, "green", 0.5)],
        [
            scored("a", "red", 3),
            scored("b", "red", 1),
            scored("c", "blue", 6),
            scored("d", "blue", 2),
            scored("e", "green", 1),
            scored("f", "green", 1),
        ],
    ),
    Scenario(
        "totals go far past 2^31",
        "top_players",
        ("total_score",),
        [(5_000_000_000,)],
        [scored("ada", "red", 1_000_000)] * 5_000,
    ),
    Scenario(
        "an event_id counts once, an event without one every time",
        "top_players",
        ("user_id", "total_score"),
        [("bob", 6), ("ada", 3)],
        [scored("ada", "red", 3, event_id="1")] * 3 + [scored("bob", "red", 3)] * 2,
    ),
    Scenario(
        "of events with one id the first to arrive counts, whatever the partition",
        "top_players",
        ("user_id", "total_score"),
        [("ada", 3)],
        [
            scored("ada", "red", 3, event_id="2", partition=number)
            for number in range(bounded.PARTITIONS)
        ],
    ),
    Scenario(
        "a rejected event does not use up its id",
        "top_players",
        ("total_score",),
        [(3,)],
        [scored("ada", "red", -3, event_id="once"), scored("ada", "red", 3, event_id="once")],
    ),
    Scenario(
        "a new season begins at midnight UTC",
        "top_players",
        ("user_id", "total_score"),
        [("ada", 2)],
        [
            scored("ada", "red", 9, event_time_millis=MIDNIGHT - 1),
            scored("ada", "red", 2, event_time_millis=MIDNIGHT),
        ],
    ),
    Scenario(
        "a streak is the average of the last 10 s over that of the last 60 s",
        "hot_streaks",
        (
            "user_id",
            "short_term_average",
            "long_term_average",
            "short_term_events",
            "long_term_events",
            "hotness",
        ),
        [("ada", 6.0, 3.0, 3, 9, 2.0)],
        # Long before: six events of 1.5 on average; then three of 6; the window ends at 60 s.
        [
            scored("ada", "red", score, at)
            for score, at in ((1, 1), (2, 9), (1, 17), (2, 25), (1, 33), (2, 41))
        ]
        + [scored("ada", "red", 6, at) for at in (51, 54, 59)]
        + [scored("bob", "red", 1, 59)],
    ),
    Scenario(
        "two events in 10 s are no streak, and zeros are none",
        "hot_streaks",
        ("user_id",),
        [],
        [scored("ada", "red", 9, at) for at in (58, 59)]
        + [scored("bob", "red", 0, at) for at in (57, 58, 59)],
    ),
    Scenario(
        "who stops drops out within 10 s while others play on",
        "hot_streaks",
        ("user_id",),
        [("bob",)],
        [scored("ada", "red", 5, at) for at in (40, 41, 42)]
        + [scored("bob", "red", 5, at) for at in (55, 57, 59)],
    ),
    Scenario(
        "streaks of equal hotness are listed by more events in the long window",
        "hot_streaks",
        ("rank_number", "user_id", "long_term_events"),
        [(1, "bob", 5), (1, "ada", 3)],
        [scored("bob", "red", 5, at) for at in (10, 20)]
        + [scored(user, "red", 5, at) for at in (55, 57, 59) for user in ("ada", "bob")],
    ),
    Scenario(
        "most improved are listed by points of this hour less those of the hour before",
        "most_improved",
        ("rank_number", "user_id", "improvement", "points_this_hour", "points_hour_before"),
        [(1, "ada", 4, 9, 5), (2, "bob", -4, 5, 9)],
        [
            scored("ada", "red", 5, at=-1),
            scored("bob", "red", 9, at=-3600),
            scored("ada", "red", 9, at=0),
            scored("bob", "red", 5, at=3599),
        ],
    ),
    Scenario(
        "who has no points in one of the two hours is not among the most improved",
        "most_improved",
        ("user_id",),
        [("eve",)],
        [
            scored("ada", "red", 5, at=-1),
            scored("bob", "red", 0, at=-1),
            scored("eve", "red", 1, at=-1),
            scored("ada", "red", 0, at=1),
            scored("bob", "red", 5, at=1),
            scored("eve", "red", 1, at=1),
        ],
    ),
    Scenario(
        "equal improvements share a rank and are listed by more points of this hour",
        "most_improved",
        ("rank_number", "user_id", "points_this_hour"),
        [(1, "bob", 8), (1, "ada", 3)],
        [
            scored("ada", "red", 1, at=-1),
            scored("bob", "red", 6, at=-1),
            scored("ada", "red", 3, at=1),
            scored("bob", "red", 8, at=1),
        ],
    ),
    Scenario("nobody at all is nobody on the board", "top_players", ("user_id",), []),
]


def messages(scenario: Scenario, number: int) -> list[Message]:
    """A scenario's events, with ids of its own; in the first partition unless they say."""
    own_messages = []
    for event in scenario.events:
        own = {
            name: f"{number}:{event[name]}"
            for name in ("event_id", "user_id", "team_id")
            if name in event
        }
        value = json.dumps(event | own).encode()
        own_messages.append(Message(event.get("partition", 0), event["event_time_millis"], value))
    return own_messages


@pytest.fixture(scope="module")
def tables(stack: Stack) -> dict[str, list[bounded.Row]]:
    """What the jobs make of all scenarios, merged by time: a window is of all players at once."""
    all_messages = [
        each for number, scenario in enumerate(SCENARIOS) for each in messages(scenario, number)
    ]
    all_messages.sort(
        key=lambda each: each.timestamp
    )  # stable: a scenario's events keep their order of arrival
    return bounded.run(stack, all_messages, board_size=100_000)[1]


@pytest.mark.parametrize("number", range(len(SCENARIOS)), ids=lambda number: SCENARIOS[number].rule)
def test_rule(tables, number):
    scenario = SCENARIOS[number]
    rows = bounded.ranked({table: own_rows(table, rows, number) for table, rows in tables.items()})
    found = [tuple(row[column] for column in scenario.columns) for row in rows[scenario.board]]
    assert found == scenario.expected


def own_rows(table: str, rows: list[bounded.Row], number: int) -> list[bounded.Row]:
    """A scenario's rows under the names it gave; of streaks, the window that ends at 60 s."""
    prefix = f"{number}:"
    if table == "hot_streaks":
        rows = [row for row in rows if row["window_end"] == START + 60_000]
    mine = [row for row in rows if str(row.get("user_id", row.get("team_id"))).startswith(prefix)]
    if table == "hot_streaks":
        mine = [row | {"window_rows": len(mine)} for row in mine]
    return [
        {
            name: value.removeprefix(prefix) if isinstance(value, str) else value
            for name, value in row.items()
        }
        for row in mine
    ]
