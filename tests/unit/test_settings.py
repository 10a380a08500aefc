"""Settings come from one list; what is wrong with one is said by its name."""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys

import pytest
from requests.utils import should_bypass_proxies

import games
from boards import sinks
from settings import PROJECT, SETTINGS, STARTED, SettingError, Settings, read, shield


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
        ("RATE_PER_SECOND", "inf", "a number from 0 to 1000000"),
        ("RATE_PER_SECOND", "abc", "a number from 0 to 1000000"),
        ("BOARD_SIZE", "-1", "a whole number from 1 to 100000"),
        ("BIND_ADDRESS", "::1", "an IPv4 address, or the name of a host"),
        ("BIND_ADDRESS", "", "an IPv4 address, or the name of a host"),
        (
            "KAFKA_BROKERS",
            "one:9092,two:65536",
            "host:port, or several of them separated by commas",
        ),
        ("FLINK_REST_ADDRESS", "one:0", "host:port"),
        ("KAFKA_BROKERS", "one", "host:port, or several of them separated by commas"),
        ("FLINK_REST_ADDRESS", "http://flink:8081", "host:port"),
        ("POSTGRES_URL", "host=db", "postgresql://user@host:port/database"),
        ("STATE_FOLDER", "", "a text in one line"),
        ("GAMES", "score\n", "a text in one line"),
        ("SEASON", "month", "one of hour, day, week, all"),
    ],
)
def test_the_message_says_what_is_allowed(name, value, allowed):
    with pytest.raises(SettingError) as refused:
        read({f"LEADERBOARD_{name}": value})
    assert str(refused.value) == f"LEADERBOARD_{name} is {value!r}; it must be {allowed}."


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KAFKA_BROKERS", "one:9092,two.example.org:9093"),
        ("KAFKA_BROKERS", "[::1]:9092"),
        ("POSTGRES_URL", "postgresql://ada@db:5433/boards?sslmode=verify-full"),
        ("DASHBOARD_ADDRESS", "::1"),
        ("BIND_ADDRESS", "leaderboard_1.example.org"),
        ("STATE_FOLDER", "it's 50% für #1"),
        ("TOPIC", "user.scores_2"),
    ],
)
def test_a_text_of_the_right_form_is_taken_as_it_is(name, value):
    assert getattr(read({f"LEADERBOARD_{name}": value}), name.lower()) == value


@pytest.mark.parametrize("topic", ["", "user score", "..", "__consumer_offsets", "ü", "a" * 250])
def test_a_name_that_kafka_would_not_take_for_a_topic_is_refused(topic):
    with pytest.raises(SettingError, match=r"^LEADERBOARD_TOPIC is .*; it must be a topic's name"):
        read({"LEADERBOARD_TOPIC": topic})


def test_a_refused_address_with_a_password_is_not_shown():
    with pytest.raises(SettingError, match="has not the right form") as refused:
        read({"LEADERBOARD_POSTGRES_URL": "postgres//ada:secret@db/boards"})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("::1", "[::1]"),
        ("boards.example.org", "boards.example.org"),
    ],
)
def test_the_page_is_reached_under_the_address_on_which_it_listens(address, host):
    assert Settings(dashboard_address=address).page_host == host


FOREIGN = {
    "PGSSLMODE": "require",
    "PGHOSTADDR": "192.0.2.1",
    "JAVA_TOOL_OPTIONS": "-Xmx1k",
    "_JAVA_OPTIONS": "-Xmx1k",
    "KAFKA_OPTS": "-Xmx1k",
    "FLINK_ENV_JAVA_OPTS": "-Xmx1k",
    "HOST": "192.0.2.1",
    "PYTHONPATH": "/nowhere",
    "PIP_TARGET": "/nowhere",
    "CDPATH": "/",
}


@pytest.mark.parametrize(
    ("yours", "kept"),
    [
        ({}, set()),
        ({"postgres_url": "postgresql://db/boards"}, {"PGSSLMODE", "PGHOSTADDR"}),
        ({"flink_rest_address": "flink:8081"}, {"FLINK_ENV_JAVA_OPTS", "HOST"}),
    ],
)
def test_variables_of_other_programs_reach_no_service_but_yours(yours, kept):
    environment = {"HOME": "/home/ada", "HOSTNAME": "here", **FOREIGN}
    shield(environment, Settings(**yours))
    assert environment.keys() & FOREIGN.keys() == kept
    assert (environment["HOME"], environment["HOSTNAME"]) == ("/home/ada", "here")


@pytest.mark.parametrize("given", [{}, {"no_proxy": "example.org"}, {"NO_PROXY": "example.org"}])
def test_a_proxy_is_for_others_than_our_own_services(given):
    environment = given | {"http_proxy": "http://127.0.0.1:9"}
    own = Settings(bind_address="10.1.2.3", flink_rest_address="[2001:db8::1]:8081")
    shield(environment, own)
    for host in ("127.0.0.1", "localhost", "[::1]", "10.1.2.3", "[2001:db8::1]"):
        assert should_bypass_proxies(f"http://{host}:8081/", environment["no_proxy"]), host
    is_spared = should_bypass_proxies("http://example.org/", environment["no_proxy"])
    assert is_spared == bool(given)
    assert not should_bypass_proxies("http://repo.example.net/", environment["no_proxy"])


def test_who_wants_no_proxy_at_all_gets_none():
    environment = {"no_proxy": "*"}
    shield(environment, Settings())
    assert environment["no_proxy"] == "*"


@pytest.mark.parametrize(
    "command", ["compose", "jobs", "boards.moderation", "compose.monitor", "compose.announcer"]
)
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


@pytest.mark.parametrize(
    "command", ["dashboard", "dashboard.api", "compose.monitor", "compose.announcer"]
)
def test_a_game_that_is_none_ends_what_serves_with_one_sentence(command):
    done = subprocess.run(
        [sys.executable, "-m", command],
        env=os.environ | {"LEADERBOARD_GAMES": "golf"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "LEADERBOARD_GAMES names 'golf', which is no game; there are actions, overwatch, score, "
        "spins.\n"
    )


@pytest.mark.parametrize("text", ["*", "https://game.example", "http://localhost:3000, https://b"])
def test_origins_are_taken_as_browsers_say_them(text):
    assert read({"LEADERBOARD_API_ORIGINS": text}).origins == text.split(", ")


@pytest.mark.parametrize(
    "text",
    [
        "game.example",
        "https://game.example/",
        "https://Game.example",
        "https://game.example:65536",
        "null",
        "http://[",
        "file://",
    ],
)
def test_what_is_no_origin_is_refused(text):
    with pytest.raises(SettingError, match=r"LEADERBOARD_API_ORIGINS names .* must be"):
        read({"LEADERBOARD_API_ORIGINS": text})


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


@pytest.mark.parametrize(
    ("noted", "chosen", "games_there"),
    [
        (None, None, "score"),
        ('{"games": "score,spins"}', None, "score,spins"),
        ('{"games": "score,spins"}', "score", "score"),
        ('{"games": "sco', None, "score"),
    ],
)
def test_every_command_means_the_games_of_the_last_start(tmp_path, noted, chosen, games_there):
    if noted:
        (tmp_path / "conf").mkdir()
        (tmp_path / STARTED).write_text(noted)
    environment = os.environ | {"LEADERBOARD_STATE_FOLDER": str(tmp_path)}
    if chosen:
        environment["LEADERBOARD_GAMES"] = chosen
    command = [sys.executable, "-c", "from settings import settings; print(settings.games)"]
    done = subprocess.run(command, env=environment, cwd=PROJECT, capture_output=True, text=True)
    assert done.stdout.strip() == games_there


def test_formats_are_those_of_the_last_start_too(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / STARTED).write_text('{"event_format": "avro", "board_format": "avro"}')
    environment = {"LEADERBOARD_STATE_FOLDER": str(tmp_path), "LEADERBOARD_BOARD_FORMAT": "json"}
    code = "from settings import settings; print(settings.event_format, settings.board_format)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["avro", "json"]
