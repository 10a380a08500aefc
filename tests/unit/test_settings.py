"""Settings come from one list; what is wrong with one is said by its name."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys

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
        ("PARALLELISM", "0"),
        ("KAFKA_PORT", "65536"),
        ("RATE_PER_SECOND", "nan"),
        ("NO_SUCH", "1"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(name, value):
    with pytest.raises(SettingError, match=f"LEADERBOARD_{name}"):
        read({f"LEADERBOARD_{name}": value})


@pytest.mark.parametrize(
    "item", [each for each in dataclasses.fields(Settings) if type(each.default) is not str]
)
def test_every_number_has_a_least_value_and_its_default_is_allowed(item):
    name = f"LEADERBOARD_{item.name.upper()}"
    assert getattr(read({name: str(item.default)}), item.name) == item.default
    with pytest.raises(SettingError, match=rf"^{name} is '-1'; it must be .*\d.*\.$"):
        read({name: "-1"})


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("KAFKA_PORT", "many", "a whole number from 1 to 65535"),
        ("RATE_PER_SECOND", "inf", "a number of 0 or more"),
        ("SEASON", "month", "one of hour, day, week, all"),
    ],
)
def test_the_message_says_what_is_allowed(name, value, allowed):
    with pytest.raises(SettingError) as refused:
        read({f"LEADERBOARD_{name}": value})
    assert str(refused.value) == f"LEADERBOARD_{name} is {value!r}; it must be {allowed}."


@pytest.mark.parametrize("command", ["compose", "jobs", "boards.moderation", "compose.monitor"])
def test_every_command_ends_with_that_one_sentence(command):
    done = subprocess.run(
        [sys.executable, "-m", command, "status"],
        env=os.environ | {"LEADERBOARD_KAFKA_PORT": "many"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("LEADERBOARD_KAFKA_PORT is 'many'; it must be ")
    assert len(done.stderr.splitlines()) == 1


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
