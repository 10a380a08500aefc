"""The actions injector keeps its contract, and data/actions.json says what there is."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest

from boards.kafka import folded_tables, ranked_boards
from games import actions, sql
from games.actions import ACTION_SCORES, FIELD_OF, GAME, listed
from generator.__main__ import main
from generator.actions.command import parse
from generator.actions.events import Actions, sentence
from jobs.environment import source_statements
from jobs.names import is_feeding
from jobs.running import planned, unfed
from settings import SettingError, Settings
from tests.unit.test_generator import signals  # noqa: F401

START = 1_700_000_000_000
PLAIN = ["action", "direction", "target", "collect_item", "use_item"]
OURS = ["action_id", "user_id", "user_name", "team_id", "team_name", "event_time_millis"]
MOVE = '{"action": "move", "values": ["north"], "points": 1, "weight": 1}'


def events(count: int, seed: int = 1, start: int = START, **options) -> list[dict]:
    records = Actions(**options).records(seed, 0, 1, start)
    return [json.loads(record.value or b"") for record in islice(records, count)]


def test_an_action_has_the_fields_of_the_contract():
    for event in events(200):
        assert list(event) == PLAIN + OURS
        field, values = FIELD_OF[event["action"]], {a.name: a.values for a in listed()}
        assert event[field] in values[event["action"]]
        assert not any(event[other] for other in FIELD_OF.values() if other != field)


def test_an_anonymous_action_has_the_plain_fields_and_no_key():
    records = list(islice(Actions(is_anonymous=True).records(1, 0, 1, START), 50))
    assert {record.key for record in records} == {None}
    assert all(list(json.loads(record.value)) == PLAIN for record in records)


def test_actions_are_as_frequent_as_their_weights():
    counts = Counter(event["action"] for event in events(10_000))
    whole = sum(each.weight for each in listed())
    for each in listed():
        assert counts[each.name] == pytest.approx(10_000 * each.weight / whole, rel=0.1)


def test_the_same_seed_gives_the_same_actions_and_another_seed_others():
    assert events(100) == events(100)
    assert not {e["action_id"] for e in events(100)} & {e["action_id"] for e in events(100, 2)}


def test_actions_come_one_a_second_and_are_dated_so():
    assert [event["event_time_millis"] - START for event in events(4)] == [0, 1000, 2000, 3000]


def test_a_run_sends_ten_a_second_apart_unless_told_otherwise():
    plain, loop = parse([]), parse(["--loop", "--rate", "50"])
    assert (plain.count, plain.source.rate) == (10, 1.0)
    assert (loop.count, loop.source.rate) == (None, 50.0)
    assert parse(["--count", "3"]).count == 3


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ({"action": "move", "direction": "north"}, "Player moved north"),
        ({"action": "attack", "target": "dragon"}, "Player attacked dragon"),
        ({"action": "collect_item", "collect_item": "rock"}, "Player collected rock"),
        ({"action": "use_item", "use_item": "heal potion"}, "Player used heal potion"),
        ({"action": "use_item"}, "Player used nothing"),
        ({"action": "fly", "direction": "north"}, None),
        ({"action": ["move"]}, None),
        ({"action": "move", "direction": 5}, None),
    ],
)
def test_an_action_is_told_in_a_sentence(action, words):
    assert sentence(dict.fromkeys(PLAIN, "") | action) == words


# data/actions.json


def file_of(folder, *entries: str):
    path = folder / "actions.json"
    path.write_text('{\n"actions": [\n' + ",\n".join(entries) + "\n]}\n")
    return path


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        (MOVE.replace("move", "fly"), "line 4: there is no action 'fly'; known are move, attack"),
        (MOVE, "line 4: move is listed twice"),
        (MOVE.replace("move", "attack"), "line 4: 'north' is listed twice"),
        (MOVE.replace("1,", "-1,").replace("move", "attack"), "line 4: "),
        (MOVE.replace('"points": 1, ', ""), "line 4: an action has action, points, values, weight"),
        ('{"action": "attack" "values": []}', "line 4: Expecting ',' delimiter"),
        ('{"values": []}', 'each of its actions needs one "action"'),
    ],
)
def test_what_is_wrong_in_the_data_file_is_said_with_its_line(tmp_path, entry, complaint):
    with pytest.raises(SettingError, match=r"actions\.json") as error:
        listed(file_of(tmp_path, MOVE, entry))
    assert complaint in str(error.value)


@pytest.mark.parametrize("change", [{"points": -1}, {"points": 1.5}, {"points": 1_000_001},
                                    {"weight": "2"}, {"weight": -1}, {"values": []},
                                    {"values": "dragon"}, {"values": ["a\u0000"]}])  # fmt: skip
def test_a_value_that_an_action_cannot_have_is_refused(tmp_path, change):
    entry = {"action": "attack", "values": ["dragon"], "points": 1, "weight": 1} | change
    with pytest.raises(SettingError, match="line 4"):
        listed(file_of(tmp_path, MOVE, json.dumps(entry)))


def test_a_wrong_data_file_ends_the_injector_before_anything_is_sent(
    tmp_path,
    monkeypatch,
    capsys,
    signals,  # noqa: F811
):
    path = file_of(tmp_path, MOVE, MOVE.replace("move", "fly"))
    monkeypatch.setattr("generator.actions.command.listed", lambda: listed(path))
    assert main(["actions", "--output", "print"]) == 2
    assert "actions.json, line 4: there is no action 'fly'" in capsys.readouterr().err


def test_new_points_and_values_need_no_new_sql(tmp_path, monkeypatch):
    wall = '{"action": "attack", "values": ["the king\'s wall"], "points": 77, "weight": 1}'
    path = file_of(tmp_path, MOVE, wall)
    monkeypatch.setattr(actions, "listed", lambda: listed(path))
    text = "\n".join(source_statements(GAME, Settings(), "g"))
    assert "NOT IN ('move north', 'attack the king''s wall')" in text


# What they feed


def test_the_score_game_is_fed_when_it_is_chosen():
    both, alone = Settings(games="actions,score"), Settings(games="actions")
    wanted = [("actions", job) for job in GAME.jobs]
    assert list(GAME.jobs) == ["action_counts", "action_scores"]
    assert [name.job for name in planned(wanted, "kafka", both)] == list(GAME.jobs)
    assert [name.job for name in planned(wanted, "kafka", alone)] == ["action_counts"]
    assert unfed(both) == []
    assert unfed(alone) == [ACTION_SCORES]


def test_a_feed_is_no_board_and_is_computed_apart_from_them():
    one_job = Settings(games="actions,score", one_job="yes")
    names = planned([("actions", job) for job in GAME.jobs], "postgres", one_job)
    assert [name.job for name in names] == ["all boards", "action_scores"]
    assert [is_feeding(name, one_job) for name in names] == [False, True]


def test_a_job_that_feeds_another_game_can_do_nothing_else():
    shared = replace(ACTION_SCORES, job="action_counts")
    with pytest.raises(ValueError, match="can do nothing else"):
        replace(GAME, feeds=(shared,))


def test_a_feeds_fields_are_those_of_a_score_event():
    """docs/contract.md (1.2) lists them."""
    assert [line.split()[0] for line in sql.fields(ACTION_SCORES).splitlines()] == [
        "event_id", "user_id", "user_name", "team_id", "team_name", "score", "event_time_millis",
        "event_type",
    ]  # fmt: skip


# The boards


def ranked(name: str, *rows: tuple) -> list[tuple]:
    """A board of rows of its table, as (rank, key …, recent, this minute, minute before)."""
    db = folded_tables(GAME.listed)
    for row in rows:
        db.execute(f"INSERT INTO flink.{name} VALUES ({', '.join('?' * len(row))})", row)
    found = ranked_boards(db, GAME, Settings()).rows[name]
    return [tuple(row.values())[:-2] for row in found]


MINUTE = 60_000
NOON = 1_772_366_400_000


def test_a_board_counts_the_newest_minute_and_the_one_before():
    assert ranked(
        "actions_by_kind",
        (NOON - 2 * MINUTE, "move", 99, NOON),
        (NOON - MINUTE, "move", 3, NOON),
        (NOON - MINUTE, "use_item", 4, NOON),
        (NOON, "attack", 4, NOON + 1),
        (NOON, "move", 4, NOON + 2),
    ) == [(1, "move", 7, 4, 3), (2, "attack", 4, 4, 0), (2, "use_item", 4, 0, 4)]


def test_a_team_is_shown_with_its_newest_name():
    assert ranked(
        "actions_by_team",
        (NOON - MINUTE, "red", "Zebra", 3, NOON),
        (NOON, "red", "Antelope", 1, NOON),
        (NOON - MINUTE, "blue", "Bear", 1, NOON),
    ) == [(1, "red", "Antelope", 4, 1, 3), (2, "blue", "Bear", 1, 0, 1)]
