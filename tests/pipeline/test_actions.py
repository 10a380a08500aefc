"""Actions through Kafka and Flink: their boards, and the scores that they become, are exact.

Everything is sent while the TaskManager dies and the boards move to the other sink.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice

import pytest
from kafka import KafkaProducer

import games
from boards.sinks import sink
from clients import postgres
from generator.actions.events import Actions
from tests import actions_oracle, bounded, hostile, oracle
from tests.conftest import WARM_JAVA, Stack, eventually
from tests.oracle import Record

GAME = games.load("actions")
SCORE = games.load("score")
TOPIC = GAME.topic(bounded.Settings())
JOBS = ("top_teams", "top_players", "action_counts", "action_scores")
LIMITS = {
    **hostile.LIMITS,
    "action": ["fly", "MOVE", "x" * 128, "x" * 129, "a\0b"],
    "direction": ["up", "North", "x" * 129, "a\0b"],
    "target": ["dragon", "x" * 129],
    "collect_item": ["x" * 129],
    "use_item": ["x" * 129],
    "action_id": ["a\0b", "twice", "twice"],
}


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[Stack]:
    """The stack's services, with both games, a database and a topic of score events of its own."""
    stack.cancel_jobs()  # so that Flink has slots
    own = stack.changed(
        games="score,actions",
        topic="scores-of-actions",
        postgres_url=bounded.database(stack, "actions"),
    )
    # Each command with a Java of its own: after a quick rebuild, on a quiet machine, all scores
    # were sent again in two of three runs. Why is not known.
    cold = {name: own.environment[name] for name in own.environment if name != WARM_JAVA}
    own = replace(own, environment=cold)
    own.run("compose", "create")
    yield own
    stack.cancel_jobs()


@pytest.fixture(scope="module")
def in_postgres(own: Stack) -> None:
    """Half of all into PostgreSQL, while the TaskManager dies; all is counted at the end."""
    own.run("jobs", *JOBS, "--sink", "postgres")
    send(own, *played(1, 2_000), *hostile_messages())

    def have_points() -> None:
        assert sink("postgres", own.settings).read(SCORE).rows["top_players"]

    eventually(have_points)
    own.kill("taskmanager")
    send(own, *played(2, 2_000))
    expect_all(own, "postgres")


@pytest.fixture(scope="module")
def in_kafka(own: Stack, in_postgres: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The boards move to Kafka, and more is played: from a recording, and by the injector."""
    own.run("jobs", *JOBS, "--sink", "kafka", "--switch")
    path = str(tmp_path_factory.mktemp("recording") / "actions.jsonl")
    words = ["--rate", "0", "--seed", "3"]
    own.run("generator", "actions", "--count", "500", *words, "--output", "file", "--path", path)
    own.run("generator", "replay", path, "--shift-to-now")
    own.run("generator", "actions", "--count", "20", "--rate", "0", "--anonymous")
    expect_all(own, "kafka")


def played(seed: int, count: int) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Keys and values of actions of the last minutes; some late, sent twice, without an id."""
    chance = random.Random(seed)
    start = int(time.time() * 1000) - 150_000
    for record in islice(Actions(rate=count / 150).records(seed, 0, 1, start), count):
        action = json.loads(record.value or b"")
        if chance.random() < 0.05:
            action["event_time_millis"] -= chance.randint(3, 720) * 60_000
        if chance.random() < 0.1:
            del action["action_id"]
        copies = 2 if "action_id" in action and chance.random() < 0.1 else 1
        yield from [(record.key, json.dumps(action).encode())] * copies


def hostile_messages() -> Iterator[tuple[bytes | None, bytes | None]]:
    """Messages at and past every limit, each field with every kind of value."""
    numbers = iter(range(100_000))

    def action(**changed: object) -> dict:
        plain = dict.fromkeys(actions_oracle.TEXTS, "") | {"action": "move", "direction": "north"}
        number = next(numbers)
        ours = {"action_id": f"hostile-{number}", "user_id": f"USR-hostile-{number % 7}"}
        # A name of its own for one team only: which of several is the latest, no sender decides.
        # And few teams: of those with equal points at the last place, any may be kept.
        team_id = f"TEAM-named-{number}" if "team_name" in changed else f"TEAM-{number % 30}"
        team = {"team_id": team_id, "team_name": "Hostile Takeover"}
        return plain | ours | team | {"event_time_millis": int(time.time() * 1000)} | changed

    for name in actions_oracle.FIELDS:
        yield b"hostile", json.dumps({k: v for k, v in action().items() if k != name}).encode()
        for value in [*hostile.VALUES, *LIMITS.get(name, [])]:
            yield b"hostile", json.dumps(action(**{name: value})).encode()
    for hours in (23, 25, -1):
        at = int(time.time() * 1000) - hours * oracle.HOUR
        yield b"hostile", json.dumps(action(event_time_millis=at)).encode()
    one, two = (json.dumps(action()).encode() for _ in range(2))
    yield from ((b"hostile", value) for value in hostile._broken(one, two))
    yield None, json.dumps(dict.fromkeys(actions_oracle.TEXTS, "") | {"action": "move"}).encode()


def send(own: Stack, *messages: tuple[bytes | None, bytes | None]) -> None:
    with closing(KafkaProducer(bootstrap_servers=own.settings.brokers)) as producer:
        for key, value in messages:
            producer.send(TOPIC, key=key, value=value)


def action_records(own: Stack) -> list[Record]:
    return own.changed(topic=TOPIC).records()


def expect_all(own: Stack, sink_name: str) -> None:
    """Boards, rejects, score events and the score game's boards are all the oracles'."""
    records = action_records(own)
    actions = actions_oracle.accepted(records)
    expected = actions_oracle.score_events(actions, TOPIC)

    def check_scores() -> None:
        events = [json.loads(record.value or b"") for record in own.records()]
        by_id = {(event["user_id"], event["event_id"]): event for event in events}
        assert by_id == expected
        # One that was sent again is the same.
        assert all(event == by_id[event["user_id"], event["event_id"]] for event in events)

    eventually(check_scores)
    counted = oracle.accepted(own.records())
    assert len(counted) == len(expected)  # whatever was sent again
    totals = oracle.totals(counted)

    def check_boards() -> None:
        read = sink(sink_name, own.settings).read(GAME).rows
        for board in GAME.boards:
            assert read[board.name] == getattr(actions_oracle, board.name)(actions), board.name
        scores = sink(sink_name, own.settings).read(SCORE).rows
        assert scores["top_teams"] == oracle.top_teams(totals)
        assert scores["top_players"] == oracle.top_players(totals)
        rejects = sink(sink_name, own.settings).rejects(GAME, 10_000)
        found = {(row["partition"], row["offset"]): row["reason"] for row in rejects}
        assert found == actions_oracle.rejected(records)

    eventually(check_boards)


def test_all_is_exact_in_postgres_though_the_job_dies(own, in_postgres):
    reasons = Counter(actions_oracle.rejected(action_records(own)).values())
    assert reasons["without a player"] and reasons["action unknown"]
    assert reasons["direction unknown"] and reasons["event_time_millis too old"]
    copies = [record.value for record in action_records(own)]
    assert len(copies) > len(set(copies))


def test_all_is_exact_in_kafka_and_no_score_counts_twice(own, in_kafka):
    accepted = actions_oracle.accepted(action_records(own))
    points = sum(event["score"] for event in actions_oracle.score_events(accepted, TOPIC).values())
    counted = oracle.accepted(own.records())
    assert sum(event.score for event in counted) == points


def test_a_rebuild_sends_no_score_again(own, in_kafka):
    sent = own.records_sent()
    own.run("jobs", "action_counts", "action_scores", "--rebuild")
    expect_all(own, "kafka")
    # At most what was sent since the last checkpoint.
    assert own.records_sent() - sent <= 520


def test_the_reader_sees_the_boards_and_nothing_else(own, in_postgres):
    with postgres.connect(postgres.reader_dsn(own.settings)) as db, db.cursor() as cursor:
        cursor.execute("SELECT action FROM leaderboard.actions_by_kind")
        assert {row[0] for row in cursor} <= set(actions_oracle.LISTED)


def test_without_the_score_game_it_says_that_actions_score_nothing(own, in_kafka):
    alone = own.changed(games="actions")
    said = alone.run("jobs").stdout
    assert "action_scores is left out. It makes events for the game score, which" in said
    named = alone.run("jobs", "action_scores", check=False)
    assert named.returncode == 1
    assert "action_scores: there is nothing of that name" in named.stderr


def test_the_consumer_prints_a_topic_from_its_first_record(own, in_kafka):
    records = action_records(own)
    command = ["generator", "consume", "-t", TOPIC, "-b", "localhost:1", "-p", "3"]
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=own.environment | {"BOOTSTRAP_SERVERS": own.settings.brokers},
        cwd=own.project,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    printed = -(-len(records) // 3)
    lines = list(islice(process.stdout, printed))
    process.send_signal(signal.SIGINT)
    assert process.stdout.read() == f"Consumed {len(records):,} messages.\n"
    assert process.wait(timeout=20) == 0
    assert all(line.startswith("Consumed: ") for line in lines)
    assert "Consumed: Player attacked dragon\n" in lines
