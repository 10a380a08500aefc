"""The page Actions: what is done most, whatever names teams have."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from boards.snapshot import Boards
from dashboard import navigation, refresh
from dashboard.pages.actions import most_done
from games.actions import GAME
from settings import Settings
from tests.dashboard.test_app import HOSTILE, MARKUP, page, tables, words  # noqa: F401

MODULE = "actions.most_done"


def boards(age_seconds: float = 1, team: str = "Red Fox") -> Boards:
    at = datetime.now(UTC) - timedelta(seconds=age_seconds)
    times = {"reached_at": at, "minute_start": at.replace(second=0)}

    def row(rank: int, this_minute: int, minute_before: int, **names: str) -> dict:
        counts = {"this_minute": this_minute, "minute_before": minute_before}
        recent = {"recent_actions": this_minute + minute_before}
        return {"rank_number": rank} | names | recent | counts | times

    return Boards(
        GAME,
        {
            "actions_by_kind": [
                row(1, 1_200, 4_000, action="attack"),
                row(2, 3, 0, action="use_item"),
            ],
            "actions_by_target": [
                row(1, 1_200, 4_000, action="attack", target="dragon"),
                row(2, 3, 0, action="use_item", target="nothing"),
            ],
            "actions_by_team": [row(1, 1_203, 4_000, team_id="t1", team_name=team)],
        },
    )


def latest(read: Boards | None = None, trouble: str | None = None) -> refresh.Refreshed:
    read = read or boards()
    return refresh.Refreshed(read, trouble, datetime.now(UTC), now=refresh.sample(read))


@pytest.fixture
def both_games(monkeypatch):
    """The settings of a page for the score game and this one."""
    monkeypatch.setattr(most_done, "settings", Settings(games="score,actions"))


def test_what_is_done_most_is_shown_by_kind_target_and_team(page, both_games):  # noqa: F811
    test = page(latest(), module=MODULE)
    found = tables(test)
    assert found["Actions by kind"] == [
        ["1", "attack", "…", "4,000", "1,200"],
        ["2", "use item", "…", "0", "3"],
    ]
    assert found["Actions by target"][0][1] == "dragon attack"
    assert found["Actions by team"] == [["1", "Red Fox", "…", "4,000", "1,203"]]
    said = words(test)
    assert "Last minute4,000 actions" in said and "This minute1,203 so far" in said
    assert "Done mostattack: dragon" in said and "score no points" not in said


def test_old_actions_are_marked(page, both_games):  # noqa: F811
    said = words(page(latest(boards(age_seconds=125)), module=MODULE))
    assert re.search(r"\b2 min [0-9]+ s old", said)


def test_without_any_action_the_page_says_so(page, both_games):  # noqa: F811
    empty = Boards(GAME, {board.name: [] for board in GAME.boards})
    found = tables(page(latest(empty), module=MODULE))
    assert set(map(str, found.values())) == {"[['No action yet']]"}


def test_boards_that_cannot_be_read_are_told(page, both_games):  # noqa: F811
    trouble = refresh.Refreshed(trouble="PostgreSQL cannot be <reached>")
    test = page(trouble, module=MODULE)
    assert "PostgreSQL cannot be <reached>" in words(test) and not tables(test)


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_teams_name_stays_text(page, both_games, name):  # noqa: F811
    test = page(latest(boards(team=name)), module=MODULE)
    assert len(tables(test)["Actions by team"]) == 1
    if name == MARKUP:
        assert "<script>" in words(test)


def test_without_the_score_game_it_says_that_actions_score_nothing(page, monkeypatch):  # noqa: F811
    monkeypatch.setattr(most_done, "settings", Settings(games="actions"))
    said = words(page(latest(), module=MODULE))
    assert "Actions score no points: the game score is not computed." in said
    assert "scripts/run_all.sh --games score,actions" in said


def test_the_page_is_there_when_the_game_is_chosen():
    paths = [each.path for each in navigation.pages(Settings(games="score,actions"))]
    assert paths == ["", "player", "team", "actions", "season", "pipeline", "moderation"]
    assert "actions" not in [each.path for each in navigation.pages(Settings())]


def test_the_boards_are_shown_live_too(page, monkeypatch):  # noqa: F811
    monkeypatch.setattr("dashboard.pages.live.settings", Settings(games="score,actions"))
    found = tables(page(latest(), module="live", game="actions"))
    assert list(found) == ["Actions by kind", "Actions by target", "Actions by team"]
    assert found["Actions by target"][1][2] == "nothing use_item"
