"""The spins injector's command line and events, and what a campaign may be."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import islice, pairwise

import pytest

from boards import campaigns
from boards.campaigns import CampaignError
from games.campaign import Campaign, Terms
from generator.spins import FORM, command
from generator.spins.events import Spins, read_time, write_time
from generator.writer import LineWriter

NOW = datetime(2026, 11, 28, 10, 15, 30, 123_456, tzinfo=UTC)
MICROS = 1_795_860_930_123_456


def spins(count: int, **changed) -> list[dict]:
    records = islice(Spins(**changed).records(7, 0, 1, MICROS // 1000), count)
    return [json.loads(record.value or b"") for record in records]


def test_a_spin_is_what_the_contract_says():
    (spin,) = spins(1)
    assert list(spin) == ["playerId", "gameId", "stake", "win", "eventTime"]
    assert spin["eventTime"] == "2026-11-28 10:15:30.123000"


def test_players_games_stakes_and_wins_stay_in_their_ranges():
    found = spins(3_000)
    assert {each["playerId"] for each in found} == set(range(100, 111))
    assert {each["gameId"] for each in found} == set(range(10, 16))
    assert {min(each["stake"] for each in found), max(each["stake"] for each in found)} == {10, 300}
    wins = [each["win"] for each in found if each["win"]]
    assert 100 <= min(wins) <= max(wins) <= 500
    assert 900 < len(wins) < 1_100


def test_spins_come_between_the_shortest_and_the_longest_latency():
    times = [read_time(each["eventTime"]) for each in spins(100)]
    gaps = [after - before for before, after in pairwise(times)]
    assert 500_000 <= min(gaps) <= max(gaps) <= 1_000_001


def test_the_key_is_the_player_as_text():
    (record,) = islice(Spins(players=(5, 5)).records(7, 0, 1, 0), 1)
    assert record.key == b"5"


def test_spins_with_ids_have_one_each():
    assert len({each["spinId"] for each in spins(100, with_ids=True)}) == 100


def test_the_first_message_is_printed_and_every_hundredth_after_it(capsys):
    spins(201, print_every=100)
    assert [line.split(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "1",
        "101",
        "201",
    ]


def test_the_options_have_their_letters(monkeypatch):
    monkeypatch.delenv("BOOTSTRAP_SERVERS", raising=False)
    line = "-t gameplay -b broker:1 -l -e 20 -m 5 -x 6 -p 7 --players 1-9"
    given = command.given_options(line.split())
    assert (given.topic, given.brokers, given.loop, given.count) == (
        "gameplay",
        "broker:1",
        True,
        20,
    )
    assert (given.latency_millis, given.print_every, given.players) == ((5, 6), 7, (1, 9))
    usual = command.given_options(["-t", "gameplay"])
    assert (usual.brokers, usual.loop, usual.count) == ("localhost:9092", False, 10)
    assert (usual.latency_millis, usual.print_every) == ((500, 1000), 100)


def test_the_environment_wins_over_the_option(monkeypatch):
    monkeypatch.setenv("BOOTSTRAP_SERVERS", "other:2")
    assert command.parse(["-t", "gameplay", "-b", "broker:1"]).brokers == "other:2"


def test_a_loop_of_no_events_goes_on_without_end():
    assert command.parse(["-t", "gameplay", "-l", "-e", "0"]).count is None


@pytest.mark.parametrize(
    "words",
    ["", "-t x -m 7 -x 6", "-t x --players 5", "-t x --wins 1-1000000000000001", "-t x -e -1"],
)
def test_bad_usage_ends_with_2(words, capsys):
    with pytest.raises(SystemExit) as ended:
        command.parse(words.split())
    assert ended.value.code == 2
    assert "error" in capsys.readouterr().err


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-28 10:15:30.123456",
        "2026-11-28T10:15:30.123456Z",
        "2026-11-28T11:15:30.123456+01:00",
    ],
)
def test_times_are_read_and_written(text):
    assert read_time(text) == MICROS
    assert FORM.write_time(MICROS) == write_time(MICROS) == "2026-11-28 10:15:30.123456"


def terms(**changed) -> Terms:
    start = datetime(2026, 11, 28, 10, tzinfo=UTC)
    return replace(
        Terms(name="Autumn", start_at=start, end_at=start + timedelta(days=1)), **changed
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": " "}, "needs a name"),
        ({"name": "a\u202eb"}, "cannot be seen"),
        ({"name": "a\0b"}, "cannot be seen"),
        ({"name": "n" * 81}, "81 characters"),
        ({"end_at": datetime(2026, 11, 28, 10, tzinfo=UTC)}, "end must be after"),
        ({"end_at": datetime(2028, 11, 28, tzinfo=UTC)}, "at most 366 days"),
        ({"start_at": datetime(1970, 1, 1, tzinfo=UTC)}, "days from now"),
        ({"start_at": datetime(2026, 11, 28, 10, 0, 0, 1, tzinfo=UTC)}, "whole millisecond"),
        ({"games": (2**31,)}, "is no game"),
        ({"games": tuple(range(1001))}, "too many"),
        ({"last_minutes": 0}, "last minutes must be from 1"),
        ({"minimum_spins": -1}, "minimum spins must be from 1"),
        ({"places": 1001}, "places must be from 1 to 1,000"),
    ],
)
def test_what_no_campaign_can_be(changed, message):
    with pytest.raises(CampaignError, match=message):
        campaigns._check(terms(**changed), "Ada", NOW)


def test_a_campaign_needs_somebody_who_decides():
    campaigns._check(terms(), "Ada", NOW)
    with pytest.raises(CampaignError, match="who decides"):
        campaigns._check(terms(), " ", NOW)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["change", "1"], "nothing to change: give at least one of the options"),
        (["cancel", "Autumn"], "'Autumn' is no number of a campaign; list shows them"),
        (["create", "Autumn", "--start", "2026-11-28"], "--end"),
    ],
)
def test_bad_usage_of_the_command_says_what_to_do(words, complaint, capsys):
    with pytest.raises(SystemExit) as ended:
        campaigns.main(words)
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_a_time_that_is_none_is_said_by_the_command(capsys):
    assert campaigns.main(["change", "1", "--end", "2026-11-31 10:00"]) == 1
    assert "2026-11-31 10:00 is no time; write it like" in capsys.readouterr().err


def test_ctrl_c_at_the_question_leaves_the_report_a_line_of_its_own(monkeypatch, capsys):
    def interrupted(question):
        raise KeyboardInterrupt

    monkeypatch.setattr("builtins.input", interrupted)
    monkeypatch.setattr(command, "KafkaWriter", lambda *_: LineWriter(BytesIO()))
    assert command.ask(command.parse(["-t", "gameplay"])) == 0
    printed = capsys.readouterr()
    assert printed.out == "\n"
    assert printed.err.startswith("generator: sent 0")


def test_the_phases_of_a_campaign():
    own = terms()
    one = Campaign(campaign_id=1, closes_at=own.end_at + timedelta(minutes=10), **vars(own))
    moments = {
        own.start_at - timedelta(milliseconds=1): "planned",
        own.start_at: "running",
        own.end_at: "closing",
        one.closes_at: "closed",
    }
    assert {moment: one.phase(moment) for moment in moments} == moments


@pytest.mark.parametrize(
    ("win", "stake", "text"),
    [
        (299, 300, "1.00"),
        (1, 3, "0.33"),
        (1, 200, "0.01"),
        (0, 1, "0.00"),
        (10**15, 1, f"{10**15:,}.00"),
    ],
)
def test_a_ratio_is_shown_with_two_decimals_half_up(win, stake, text):
    assert campaigns.shown(win, stake) == text


@pytest.mark.parametrize(
    ("text", "games"), [("all", ()), ("", ()), ("12, 10,12", (10, 12)), ("-1", (-1,))]
)
def test_games_are_read(text, games):
    assert campaigns.parse_games(text) == games


@pytest.mark.parametrize("text", ["ten", "1,,2", "1.5", "٣", "1;2"])
def test_what_is_no_list_of_games(text):
    with pytest.raises(CampaignError, match="is no game"):
        campaigns.parse_games(text)


def test_moments_are_in_utc():
    ten = datetime(2026, 11, 28, 10, tzinfo=UTC)
    for text in ("2026-11-28 10:00", "2026-11-28T10:00:00Z", "2026-11-28 11:00+01:00"):
        assert campaigns.parse_moment(text) == ten
    with pytest.raises(CampaignError, match="is no time"):
        campaigns.parse_moment("tomorrow")
