"""Who plays like a robot, and for how long people play: given events, expected rows."""

from __future__ import annotations

import json
from datetime import datetime
from itertools import takewhile

import pytest

from boards import sinks
from boards.sinks import sink
from clients import flink
from generator.score.events import records
from generator.score.league import League, LeagueOptions
from jobs.running import running
from tests import bounded, oracle
from tests.bounded import GAME, Message
from tests.conftest import Stack, eventually
from tests.oracle import Record

START = 1_772_366_400_000  # 2026-03-01T12:00Z
MINUTE = 60_000
PLAY = GAME.jobs["play"]


def played(user: str, team: str, minute: float, count: int = 1, name: str = "") -> list[dict]:
    """Events of a player, a second apart, from so many minutes after the start."""
    return [
        {
            "user_id": user,
            "user_name": name,
            "team_id": team,
            "team_name": team.title(),
            "score": 1,
            "event_time_millis": int(START + minute * MINUTE + second * 1_000),
        }
        for second in range(count)
    ]


def window(number: int, robot: int) -> list[dict]:
    """A window in which a robot has so many events, and the others of the team 2 and 4."""
    return [
        *played("robot", "red", 5 * number, robot),
        *played("ada", "red", 5 * number + 1, 4),
        *played("bob", "red", 5 * number + 2, 2),
    ]


SUSPICIOUS = [
    *window(0, robot=9),
    *window(1, robot=7),
    *window(2, robot=6),  # 1.5 times the median: that much people do
    *window(3, robot=7),
    *window(4, robot=8),
    # A guest of two teams: all events count, and the team is that of the last.
    *played("guest", "green", 0, 5, name="Guest"),
    *played("guest", "blue", 1, 2),
    *played("carl", "blue", 1, 2),
    *played("dora", "blue", 2, 3),
    *played("eve", "blue", 3, 4),
    *played("hermit", "cave", 0, 50),  # a team of one has the pace of that one
    *played("fox", "wood", 0, 3),  # three times as many as the others, but too few
    *played("hare", "wood", 0),
    *played("owl", "wood", 0),
]
SESSIONS = [
    *(event for minute in (0, 4, 9) for event in played("ada", "red", minute)),
    *(event for minute in (0, 5 + 1 / 60) for event in played("bob", "red", minute)),
]


def messages(events: list[dict]) -> list[Message]:
    """The events in the order of their times."""
    return [
        Message(event.get("partition", 0), event["event_time_millis"], json.dumps(event).encode())
        for event in sorted(events, key=lambda event: event["event_time_millis"])
    ]


def rows_of(
    stack: Stack, sink_name: str, sent: list[Message], **changed
) -> tuple[list[Record], dict[str, list[dict]]]:
    """The records that messages became, and what readers see of play in a sink."""
    settings = bounded.prepare(stack, {"watch_play": "yes"} | changed)
    own = sink(sink_name, settings)
    own.create([GAME])
    own.clear(PLAY)
    sent_records = bounded.send(settings, sent)
    bounded.submit(settings, PLAY, settings.topic, sink_name, is_bounded=True)
    bounded.await_end(settings, settings.topic)
    names = (table.name for table in PLAY)
    return sent_records, dict(zip(names, own.rows(GAME, PLAY), strict=True))


def after(at: datetime) -> float:
    """Minutes from the start to a time."""
    return (at.timestamp() * 1000 - START) / MINUTE


@pytest.mark.parametrize("sink_name", sinks.NAMES)
def test_who_plays_faster_than_the_team_is_a_suspect(stack, sink_name):
    found = rows_of(stack, sink_name, messages(SUSPICIOUS), suspect_events=4)[1]["suspects"]
    shown = ("user_name", "team_name", "events", "team_median", "factor", "windows_in_a_row")
    assert [
        (row["user_id"], after(row["window_end"]), *(row[each] for each in shown)) for row in found
    ] == [
        ("robot", 25, "robot", "Red", 8, 4.0, 2.0, 2),
        ("guest", 5, "Guest", "Blue", 7, 3.5, 2.0, 1),
    ]


@pytest.mark.parametrize("sink_name", sinks.NAMES)
def test_a_gap_of_more_than_five_minutes_ends_a_session(stack, sink_name):
    found = rows_of(stack, sink_name, messages(SESSIONS))[1]
    assert {
        after(row["minute_end"]): (row["sessions"], row["mean_seconds"])
        for row in found["ended_sessions"]
    } == {5: (1, 0.0), 11: (1, 0.0), 14: (1, 540.0)}
    assert {after(row["minute_end"]): row["players"] for row in found["active_players"]} == {
        **dict.fromkeys(range(1, 10), 2),
        10: 2,
        **dict.fromkeys(range(11, 15), 1),
    }


def league(minutes: int) -> list[Message]:
    """So many minutes of the injector's events, with robots, some sent twice."""
    options = LeagueOptions(rate=20, robots=2, hopping_robots=3, duplicates=50)
    until = minutes * MINUTE / 1_000
    return [
        Message(sum(key or b"") % bounded.PARTITIONS, START + int(due * 1_000), value)
        for key, value, due in takewhile(
            lambda record: record.due < until, records(League(options, seed=1), START)
        )
    ]


def test_what_is_found_of_the_injectors_events_is_what_the_oracle_finds(stack):
    sent, found = rows_of(stack, "postgres", league(minutes=30), parallelism=2)
    events = oracle.accepted(sent)
    suspects = oracle.suspects(events)
    assert len(suspects) > 10 and max(row["windows_in_a_row"] for row in suspects) > 2
    assert sorted(found["suspects"], key=lambda row: row["user_id"]) == suspects
    assert {
        row["minute_end"]: row["players"] for row in found["active_players"]
    } == oracle.active_players(events)
    assert {
        row["minute_end"]: (row["sessions"], pytest.approx(row["mean_seconds"]))
        for row in found["ended_sessions"]
    } == oracle.ended_sessions(events)


def clock(minute: float) -> list[dict]:
    """A player of each partition, who lets time go on there."""
    return [
        played(f"clock-{partition}", "clocks", minute)[0] | {"partition": partition}
        for partition in range(bounded.PARTITIONS)
    ]


def test_the_job_goes_on_from_its_savepoint(stack):
    own = stack.changed(topic="play", watch_play="yes", suspect_events=4)
    bounded.create_topic(own.settings)
    own.run("compose", "create")

    def expect_run(windows: int) -> None:
        (rows,) = sink("postgres", own.settings).rows(GAME, [GAME.table("suspects")])
        assert [(row["user_id"], row["windows_in_a_row"]) for row in rows] == [("robot", windows)]

    own.run("jobs", "play", "--sink", "postgres")
    try:
        bounded.send(own.settings, messages([*window(0, 9), *window(1, 9), *clock(10.2)]))
        eventually(lambda: expect_run(2))
        assert "play to postgres: suspended" in own.run("jobs", "play", "--suspend").stdout
        assert "goes on from its savepoint" in own.run("jobs", "play").stdout
        bounded.send(own.settings, messages([*window(2, 9), *clock(15.2)]))
        eventually(lambda: expect_run(3))
    finally:
        for name, job_id in running(own.settings).items():
            if name.job == "play":
                flink.cancel(own.settings, job_id)
