"""Settings come from one list; what is wrong with one is said by its name."""

from __future__ import annotations

import dataclasses
import re

import pytest

import games
from boards import sinks
from settings import PROJECT, SETTINGS, SettingError, Settings, read


def test_defaults_stand_where_the_environment_says_nothing():
    assert read({}).kafka_port == 9092


def test_the_environment_overrides_a_default():
    assert read({"LEADERBOARD_KAFKA_PORT": "19092"}).kafka_port == 19092


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_PORT", "many"),
        ("SINK", "oracle"),
        ("SEASON", "month"),
        ("STREAK_SLIDE_SECONDS", "3"),
        ("NO_SUCH", "1"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(name, value):
    with pytest.raises(SettingError, match=f"LEADERBOARD_{name}"):
        read({f"LEADERBOARD_{name}": value})


@pytest.mark.parametrize("names", ["scores", "", "score,", "board", "score,score", "../score"])
def test_a_game_that_there_is_not_is_refused_by_the_settings_name(names):
    with pytest.raises(SettingError, match="LEADERBOARD_GAMES"):
        games.chosen(Settings(games=names))


def test_the_sinks_that_may_be_chosen_are_those_that_there_are():
    (sink,) = (each for each in dataclasses.fields(Settings) if each.name == "sink")
    assert sink.metadata["choices"] == sinks.NAMES


def test_the_documents_list_every_setting_with_its_default():
    text = (PROJECT / "docs" / "settings.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", text, flags=re.MULTILINE)
    assert rows == [
        (name, f"`{default}`" if default != "" else "", help) for name, default, help in SETTINGS
    ]
