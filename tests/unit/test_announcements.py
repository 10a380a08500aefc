"""What is told of boards: given looks, expected sentences."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from boards.announcements import Announcement, Look, Memory, decide, just_over
from boards.seasons import Season, held_season, millis, past_boards
from games import season as lengths
from games.board import Board
from games.score import GAME, HOT_STREAKS, PLAYER, TEAM_MVPS, TOP_PLAYERS, TOP_TEAMS
from settings import Settings

DAY, HOUR = lengths.SEASONS["day"], lengths.SEASONS["hour"]
START = datetime(2026, 11, 27, tzinfo=UTC)
NOON = START + timedelta(hours=12)
SETTINGS = Settings(
    leader_seconds=10, milestone_points=1_000, streak_alarm=3.0, announcements_per_minute=600
)
CROWD = {f"u{number}": 100 - number for number in range(15)}  # u0 is first


def rows(board: Board, values: dict[str, float], at: datetime, start: datetime = START):
    """A board with these values, as its view has them."""
    listed = sorted(values, key=lambda each: (-values[each], each))
    return [
        {
            "rank_number": 1 + sum(other > values[each] for other in values.values()),
            board.found_by: each,
            board.entity.id_column: each,
            board.entity.name_column: f"Name of {each}",
            board.value: values[each],
            board.newest or "reached_at": at,
            board.period or "season_start": start,
        }
        for each in listed
    ]


class Telling:
    """Looks at one moment after another, and what was told of them."""

    def __init__(self, settings: Settings = SETTINGS, length=DAY, at: datetime = NOON) -> None:
        self.settings, self.length, self.at = settings, length, at
        self.memory: Memory | None = None
        self.told: list[Announcement] = []
        self.newest: datetime | None = None

    def look(
        self,
        seconds: float = 2,
        *,
        players=None,
        teams=None,
        streaks=None,
        start: datetime = START,
        over=None,
        final=(),
    ) -> list[str]:
        """So many seconds later the boards are these. Returns the sentences."""
        self.at += timedelta(seconds=seconds)
        held = {
            board.name: rows(board, values, self.newest or self.at, start)
            for board, values in (
                (TOP_PLAYERS, players),
                (TOP_TEAMS, teams),
                (HOT_STREAKS, streaks),
            )
            if values
        }
        look = Look(millis(self.at), self.length, past_boards(GAME, held), over, tuple(final))
        told, self.memory = decide(look, self.memory, self.settings)
        # What is remembered is the same after a restart.
        self.memory = Memory.of_json(json.loads(json.dumps(self.memory.as_json())))
        self.told += told
        return [each.sentence for each in told]


def sentences(telling: Telling) -> list[str]:
    return [each.sentence for each in telling.told]


@pytest.fixture
def telling() -> Telling:
    return Telling()


# Leaders


def test_who_leads_at_the_first_look_is_no_news(telling):
    for _ in range(20):
        assert telling.look(players=CROWD) == []


def test_a_new_leader_is_told_after_having_led_for_long_enough_and_once(telling):
    telling.look(players=CROWD)
    said = [telling.look(players=CROWD | {"u7": 1_451}) for _ in range(30)]
    assert said[0] == ["Name of u7 enters the top 3 of Top players (1,451 points)."]
    assert said[5] == ["Name of u7 now leads Top players (1,451 points)."]  # ten seconds later
    _, told = telling.told
    assert (told.entity_kind, told.entity_id, told.rank_number, told.value) == (
        *("player", "u7", 1, 1_451),
    )


def test_who_leads_again_is_told_again(telling):
    telling.look(players={"a": 10, "b": 5})
    ids = []
    for number, who in enumerate(("b", "a", "b"), 1):
        values = {"a": 10, "b": 5} | {who: 100 * number}
        for _ in range(8):
            telling.look(players=values)
        ids.append(telling.told[-1].announcement_id)
        assert telling.told[-1].sentence.startswith(f"Name of {who} now leads")
    assert len(set(ids)) == len(telling.told) == 3


@pytest.mark.parametrize("seen", ["ab", "b"], ids=["each in turn", "always the same one"])
def test_two_who_swap_ten_times_a_second_are_told_of_never(telling, seen):
    """Also when each look happens to find the same one first."""
    telling.look(players={"a": 10, "b": 5})
    total = 10
    for number in range(300):
        total += 20  # ten swaps, by a point each time
        first = seen[number % len(seen)]
        other = "a" if first == "b" else "b"
        assert telling.look(players={first: total + 1, other: total}) == []


def test_who_is_ahead_without_a_doubt_is_told_while_all_go_on(telling):
    telling.look(players={"a": 100, "b": 90})
    for number in range(10):
        telling.look(players={"a": 100 + number, "b": 200 + 10 * number})
    assert sentences(telling) == ["Name of b now leads Top players (250 points)."]


def test_without_a_wait_a_leader_is_told_at_once():
    telling = Telling(replace(SETTINGS, leader_seconds=0))
    telling.look(players={"a": 1})
    assert telling.look(players={"a": 1, "b": 2}) == ["Name of b now leads Top players (2 points)."]


def test_a_board_that_is_computed_again_tells_nothing_until_it_is_there(telling):
    """Its totals rise from nothing, with everybody's milestones and tops once more."""
    full = {f"u{number}": 5_000 - number for number in range(15)}
    telling.look(players=full, teams=full)
    for share in (0, 0.2, 0.4, 0.8):
        telling.newest = NOON - timedelta(hours=2) + share * timedelta(hours=1)
        values = {who: int(value * share) + 1 for who, value in reversed(full.items())}
        values["u9"] = 4_999  # led an hour ago
        for _ in range(10):
            assert telling.look(players=values, teams=values) == []
    telling.newest = None
    for _ in range(10):
        assert telling.look(players=full, teams=full) == []


def test_an_empty_board_tells_nothing(telling):
    telling.look(players=CROWD, teams=CROWD)
    assert telling.look() == []
    assert telling.look(players=CROWD, teams=CROWD) == []


# Who enters the top


def test_who_enters_a_top_is_told_once_in_a_season(telling):
    telling.look(players=CROWD)
    assert telling.look(players=CROWD | {"u12": 95.5}) == [
        "Name of u12 enters the top 10 of Top players (95.5 points)."
    ]
    assert telling.look(players=CROWD) == []
    assert telling.look(players=CROWD | {"u12": 95.5}) == []
    assert telling.look(players=CROWD | {"u12": 98.5}) == [
        "Name of u12 enters the top 3 of Top players (98.5 points)."
    ]
    assert telling.look(players=CROWD | {"u14": 98.7}) == [
        "Name of u14 enters the top 3 of Top players (98.7 points)."
    ]
    assert telling.look(players=CROWD | {"u14": 96}) == []


def test_who_finds_a_free_place_is_not_told_of(telling):
    few = {name: 90 - number for number, name in enumerate("abcdefghi")}
    telling.look(players=few)
    assert telling.look(players=few | {"j": 5}) == []
    assert telling.look(players=few | {"j": 5, "k": 6}) == [
        "Name of k enters the top 10 of Top players (6 points)."
    ]


# Milestones


def test_a_team_that_passes_milestones_is_told_of_by_the_last(telling):
    telling.look(teams={"a": 900, "b": 1_900})
    assert telling.look(teams={"a": 1_000, "b": 1_999}) == ["Name of a passes 1,000 points."]
    assert telling.look(teams={"a": 1_100, "b": 4_700}) == ["Name of b passes 4,000 points."]
    assert telling.look(teams={"a": 900, "b": 4_800}) == []
    assert telling.look(teams={"a": 1_300, "b": 4_900}) == []
    # A team that was not seen before may have passed it long ago.
    assert telling.look(teams={"a": 1_300, "b": 4_900, "c": 7_000}) == []
    said = telling.look(teams={"a": 1_300, "b": 4_900, "c": 8_000})
    assert said == ["Name of c passes 8,000 points."]


def test_another_milestone_tells_nothing_of_what_was_passed_before(telling):
    telling.look(teams={"a": 4_900})
    telling.settings = replace(SETTINGS, milestone_points=100)
    assert telling.look(teams={"a": 4_990}) == []
    assert telling.look(teams={"a": 5_000}) == ["Name of a passes 5,000 points."]


def test_players_have_no_milestones_and_none_is_told_with_0(telling):
    telling.look(players={"a": 900})
    assert telling.look(players={"a": 5_000}) == []
    without = Telling(replace(SETTINGS, milestone_points=0))
    without.look(teams={"a": 900})
    assert without.look(teams={"a": 5_000}) == []


# Streaks


def test_a_streak_is_told_once_until_it_has_been_over_for_a_minute(telling):
    assert telling.look(streaks={"a": 3.0, "b": 2}) == []
    assert telling.look(streaks={"a": 3.42, "b": 2}) == ["Name of a is on a hot streak (×3.42)."]
    for hotness in (3.5, 2.5, 3.1):
        assert telling.look(streaks={"a": hotness}) == []
    telling.look(seconds=61, streaks={"b": 1})
    assert telling.look(streaks={"a": 3.2}) == ["Name of a is on a hot streak (×3.20)."]
    assert telling.told[0].announcement_id != telling.told[1].announcement_id


def test_streaks_of_the_past_are_not_told(telling):
    telling.newest = NOON - timedelta(hours=1)
    assert telling.look(streaks={"a": 5}) == []
    telling.newest = None
    telling.look(streaks={"b": 1})
    telling.newest = telling.at - timedelta(seconds=10)  # computed again
    assert telling.look(streaks={"a": 5}) == []
    without = Telling(replace(SETTINGS, streak_alarm=0))
    assert without.look(streaks={"a": 5}) == []


# Seasons


def test_a_new_season_begins_anew_and_its_first_leader_is_told(telling):
    telling.look(players=CROWD, teams={"a": 5_500})
    telling.at = START + timedelta(days=1)
    tomorrow = {"start": START + timedelta(days=1)}
    assert telling.look(players=CROWD, teams={"a": 10}, **tomorrow) == []
    for _ in range(10):
        telling.look(players=CROWD, teams={"a": 1_500}, **tomorrow)
    assert sentences(telling) == [
        "Name of a passes 1,000 points.",
        "Name of a now leads Top teams (1,500 points).",
        "Name of u0 now leads Top players (100 points).",
    ]
    # The old season, which a job that is behind writes once more, is none any more.
    assert telling.look(players={"u3": 999}, start=START) == []
    assert telling.memory.boards["top_players"].season == "day-2026-11-28"


def test_seasons_of_another_length_begin_as_they_are(telling):
    telling.look(players=CROWD)
    telling.length = lengths.SEASONS["week"]
    for _ in range(10):
        assert telling.look(players={"x": 7_000}, start=datetime(2026, 11, 23, tzinfo=UTC)) == []


def test_the_last_hour_of_a_season_is_told_once_if_anybody_plays():
    telling = Telling(at=START + timedelta(hours=22, minutes=59, seconds=50))
    assert telling.look(players=CROWD) == []
    assert telling.look(seconds=10) == []
    assert telling.look(players=CROWD) == [
        "The last hour of season 2026-11-27 has begun: it ends at 00:00 UTC."
    ]
    assert telling.look(players=CROWD) == []
    hourly = Telling(length=HOUR, at=START + timedelta(minutes=30))
    assert hourly.look(players=CROWD) == []


def test_who_is_first_at_the_end_is_told_when_the_last_totals_are_written(telling):
    telling.look(players=CROWD)
    ended = START + timedelta(days=1)

    def asked(seconds: float) -> Season | None:
        assert telling.memory
        return just_over(GAME, DAY, telling.memory, millis(ended) + int(1000 * seconds))

    last = held_season(GAME, DAY, millis(START))
    assert [asked(seconds) for seconds in (-1, 5, 60, 4_000)] == [None, None, last, None]
    telling.at = ended + timedelta(minutes=1)
    held = {
        "top_teams": rows(TOP_TEAMS, {"a": 7, "b": 7, "c": 7, "d": 1}, ended),
        "top_players": rows(TOP_PLAYERS, {"a": 1_451, "b": 7}, ended),
    }
    assert telling.look(over=(last, past_boards(GAME, held))) == [
        "Name of a and 2 others are first in Top teams as season 2026-11-27 ends (7 points); "
        "late events may change that.",
        "Name of a is first in Top players as season 2026-11-27 ends (1,451 points); "
        "late events may change that.",
    ]
    assert asked(70) is None
    # Nobody was there who could have told of a season that ended before the first look.
    fresh = Memory(since=millis(ended) + 1)
    assert just_over(GAME, DAY, fresh, millis(ended) + 60_000) is None
    assert just_over(GAME, lengths.SEASONS["all"], fresh, millis(ended)) is None


def test_the_winners_of_a_season_that_is_final_are_told(telling):
    telling.look(players=CROWD)
    at = START + timedelta(days=2)
    final = replace(held_season(GAME, DAY, millis(START)), final_at=at)
    held = {
        "top_players": rows(TOP_PLAYERS, {"a": 7, "b": 7}, at),
        "team_mvps": [row | {PLAYER.name_column: None} for row in mvp(at)],
    }
    assert telling.look(final=[(final, past_boards(GAME, held, at))]) == [
        "Name of a and 1 other win Top players in season 2026-11-27 (7 points).",
        "u9 wins Team MVPs in season 2026-11-27 (44.0 % share).",
    ]
    assert telling.memory.final_until == at.isoformat()


def mvp(at: datetime):
    (row,) = rows(TEAM_MVPS, {"t1": 0.44}, at)
    return [row | {"user_id": "u9"}]


# Not too many


def test_the_most_important_are_told_first_and_old_news_is_not_told():
    telling = Telling(replace(SETTINGS, announcements_per_minute=2))
    telling.look(players=CROWD, teams={"a": 900}, streaks={"a": 1})
    many = CROWD | {"u11": 95.5, "u12": 98.5, "u13": 95.6}
    assert telling.look(players=many, teams={"a": 1_000}, streaks={"a": 4}) == [
        "Name of u12 enters the top 3 of Top players (98.5 points).",
        "Name of a passes 1,000 points.",
    ]
    # A minute later there is room again.
    assert telling.look(players=many, streaks={"a": 4}) == []
    assert telling.look(seconds=58, players=many, streaks={"a": 4}) == [
        "Name of a is on a hot streak (×4.00).",
        "Name of u13 enters the top 10 of Top players (95.6 points).",
    ]
    assert len(telling.memory.waiting) == 1
    # The rest is old by then.
    assert telling.look(seconds=60, players=many) == []
    assert telling.memory.waiting == ()


def test_what_waits_is_told_when_there_is_room_and_winners_wait_longest():
    telling = Telling(replace(SETTINGS, announcements_per_minute=1))
    telling.look(players=CROWD)
    at = START + timedelta(days=2)
    final = replace(held_season(GAME, DAY, millis(START)), final_at=at)
    held = {
        "top_players": rows(TOP_PLAYERS, {"a": 7}, at),
        "top_teams": rows(TOP_TEAMS, {"a": 7}, at),
    }
    said = telling.look(final=[(final, past_boards(GAME, held, at))], teams={"a": 900})
    said += telling.look(seconds=40, teams={"a": 1_000}, players=CROWD)
    said += telling.look(seconds=100, players=CROWD)
    said += telling.look(seconds=100, players=CROWD)
    assert said == [
        "Name of a wins Top teams in season 2026-11-27 (7 points).",
        "Name of a wins Top players in season 2026-11-27 (7 points).",
    ]


def test_with_0_nothing_is_told_and_nothing_waits():
    telling = Telling(replace(SETTINGS, announcements_per_minute=0))
    telling.look(teams={"a": 900})
    assert telling.look(teams={"a": 1_000}) == []
    assert telling.memory.waiting == ()


# Names and ids


@pytest.mark.parametrize(
    ("name", "called"),
    [("a\nb\u202e", "a b"), ("x" * 60, "x" * 47 + "…"), (" ", "t"), (None, "t")],
)
def test_a_name_is_one_line_within_a_sentence(telling, name, called):
    look = Look(millis(NOON), DAY, past_boards(GAME, {"top_teams": named(900, name)}))
    _, memory = decide(look, None, SETTINGS)
    look = replace(look, boards=past_boards(GAME, {"top_teams": named(1_000, name)}))
    (told,), _ = decide(look, memory, SETTINGS)
    assert told.sentence == f"{called} passes 1,000 points."


def named(value: int, name: str | None):
    return [row | {"team_name": name} for row in rows(TOP_TEAMS, {"t": value}, NOON)]


def test_the_same_occasion_has_the_same_id_whoever_finds_it():
    found = []
    for _ in range(2):
        telling = Telling()
        telling.look(players=CROWD, teams={"a": 900}, streaks={"a": 1})
        for _ in range(8):
            telling.look(players=CROWD | {"u12": 900}, teams={"a": 1_000}, streaks={"a": 4})
        found.append([each.announcement_id for each in telling.told])
    assert found[0] == found[1]
    assert len(set(found[0])) == len(found[0]) == 4
    assert all(first != second for first, second in pairwise(found[0]))
