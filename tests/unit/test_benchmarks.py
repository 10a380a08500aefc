"""The benchmark's own arithmetic, its events and what they add up to."""

from __future__ import annotations

import json
import math
from itertools import islice

import pytest

from benchmarks import figures, fold, profile, report
from benchmarks.events import Events, World
from games.score import TEAM_MVPS, TOP_PLAYERS, TOP_TEAMS
from generator.score.events import records
from generator.score.league import League, LeagueOptions
from tests import oracle
from tests.oracle import Record

NOON = 1_790_000_000_000 // oracle.DAY * oracle.DAY + oracle.DAY // 2


def test_a_percentile_is_one_of_the_values():
    values = list(range(100, 0, -1))
    percents = (50, 95, 99, 100)
    assert [figures.percentile(values, percent) for percent in percents] == [50, 95, 99, 100]
    assert figures.percentile([7.0], 99) == 7.0
    with pytest.raises(ValueError, match="no values"):
        figures.percentile([], 50)


def test_a_marker_is_read_with_the_first_total_that_contains_it():
    sent = [(1, 10.0), (2, 10.5), (3, 11.0), (4, 11.5)]
    read = [(10.2, 1), (11.4, 3)]  # the second and the third came together
    delays = [pytest.approx(0.2), pytest.approx(0.9), pytest.approx(0.4), math.inf]
    assert figures.delays(sent, read) == delays


def test_a_total_that_steps_back_is_not_read_twice():
    assert figures.delays([(1, 0.0), (2, 1.0)], [(1.5, 2), (2.0, 1), (3.0, 2)]) == [1.5, 0.5]


def test_the_line_through_points():
    assert figures.line([(0, 1), (1, 3), (2, 5)]) == (1, 2)
    with pytest.raises(ValueError, match="two points"):
        figures.line([(1, 1), (1, 2)])


def test_the_events_are_the_generators():
    key, value, _ = Events(World(players=10, teams=2, corrupt=0), 0).chunk([NOON])[0]
    model = next(islice(records(League(LeagueOptions(), 1), NOON), 1))
    ours, theirs = json.loads(value), json.loads(model.value)
    assert list(ours) == list(theirs)
    assert list(map(type, ours.values())) == list(map(type, theirs.values()))
    assert [len(ours[name]) for name in ("event_id", "user_id", "team_id")] == [
        len(theirs[name]) for name in ("event_id", "user_id", "team_id")
    ]
    assert value == json.dumps(ours, separators=(",", ":")).encode()
    assert key.decode() == ours["user_id"]


def test_equal_worlds_have_equal_events():
    chunks = [Events(World(players=10, teams=2), 0).chunk([NOON, NOON + 1]) for _ in range(2)]
    assert chunks[0] == chunks[1]


def test_the_oracle_in_arrays_is_the_oracle():
    drawn = Events(World(players=300, teams=40, corrupt=20, repeated=20), 0)
    chunk = drawn.chunk([NOON + 5 * number for number in range(20_000)])
    sent = [(value, at) for _, value, at in chunk]
    sent += [(value, at + 1) for _, value, at in drawn.again(chunk)]
    topic = [Record(0, number, at, value) for number, (value, at) in enumerate(sent)]
    folded = fold.joined([fold.fold(topic)])
    events = oracle.accepted(topic)
    totals = oracle.totals(events)
    assert len(folded.events) == len(events)
    assert folded.rejected == len(oracle.rejected(topic)) > 100
    assert folded.repeated == len(topic) - folded.rejected - len(events) > 100
    assert folded.rows(TOP_PLAYERS) == oracle.top_players(totals)
    assert folded.rows(TOP_TEAMS) == oracle.top_teams(totals)
    assert folded.rows(TEAM_MVPS) == oracle.team_mvps(totals)[:100]
    # Also before a player's name changed.
    for window_end in range(NOON + 10_000, NOON + 110_000, 2_000):
        assert folded.streaks(window_end) == oracle.hot_streaks(events, window_end)


def test_cpu_is_told_by_what_threads_do():
    threads = {"Source: message": 2.0, "Source Data Fet": 1.0, "main": 0.125}
    threads |= {"GC Thread#0": 0.5, "GC Thread#1": 0.25}
    found = {part: cost for part, cost in report.by_part(threads).items() if cost}
    assert found == {"reading": 3.0, "garbage": 0.75, "the rest": 0.12}


def test_a_stack_is_at_the_innermost_thing_that_has_a_name():
    found = profile.seconds(
        "[Source: messages tid=7];com/jayway/Path.read;jackson/Parser.next;"
        "java/lang/String.hash 4\n"
        "[Rank tid=8];StringSerializer.serialize;org/rocksdb/RocksDB.get;"
        "rocksdb::DBImpl::Get;read 2\n"
        "[Rank tid=9];org/rocksdb/RocksDB.get;StringSerializer.serialize 1\n"
        "[rocksdb:low];clone 3\n"
    )
    assert {kind: dict(threads) for kind, threads in found.items() if threads} == {
        "JSON": {"Source: messages": 0.02},
        "RocksDB": {"Rank": 0.01},
        "serializing": {"Rank": 0.005},
        profile.ELSE: {"rocksdb:low": 0.015},
    }


def test_the_page_shows_what_was_measured():
    block = report.BLOCK.search(report.PAGE.read_text())
    assert block and block[0] == report.markdown(report.read())
