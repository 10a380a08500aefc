"""Events and boards in Avro, beside JSON: both sinks show what the oracle does.

Every hostile message comes in both formats. The schema changes and the registry dies meanwhile.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import fastavro
import psutil
import pytest
from kafka import KafkaProducer

import games
from boards import campaigns, last_events, requests
from boards.kafka import live_rows
from boards.sinks import sink as sink_of
from clients import flink, kafka, postgres, registry
from compose import services
from games.actions import TOPIC as ACTIONS
from games.campaign import Terms
from games.overwatch import PROFILE_STATISTICS, PROFILES, REQUESTS, Request
from games.spins import TOPIC as SPINS
from settings import PROJECT
from tests import actions_oracle, hostile, oracle, overfast, spins_oracle
from tests.bounded import GAME
from tests.conftest import DEADLINE_SECONDS, PIPELINE, Stack, eventually, running
from tests.invariants import expect_boards
from tests.oracle import Record
from tests.pipeline.test_campaigns import expect_standing

HOUR = timedelta(hours=1)
RATE_PER_SECOND, EVENTS = 2_000, 20_000
FAULTS = ["--late", "40", "--duplicates", "40", "--minimal", "40", "--corrupt", "50"]
OURS: dict[str, Any] = json.loads((PROJECT / "sql" / "score" / "event.avsc").read_text())
LEVEL = {"type": "enum", "name": "level", "symbols": ["one", "two"]}


def schema_of(*fields: dict, but: str = "") -> dict[str, Any]:
    """Our schema with fields before its own, and without one of these."""
    return OURS | {"fields": [*fields, *(each for each in OURS["fields"] if each["name"] != but)]}


# A producer is ahead of us, one does without an optional field, one has forgotten the team.
NEWER = schema_of(
    {"name": "level", "type": LEVEL, "default": "one"},
    {"name": "tags", "type": {"type": "array", "items": "string"}, "default": []},
)
OLDER = schema_of(but="user_name")
WITHOUT_TEAM = schema_of(but="team_id")
WITH_MORE = schema_of({"name": "more", "type": "double", "default": 0})
UNKNOWN = 1_000_000  # an id that the registry does not know


@dataclass(frozen=True)
class Run:
    """What the topic holds as JSON, with the reasons for what is neither that nor Avro."""

    records: list[Record]
    reasons: dict[tuple[int, int], str]
    totals: oracle.Totals


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A system of its own, with a schema registry."""
    folder = tmp_path_factory.mktemp("avro")
    # One more program that starts at once with the others.
    settings = {"event_format": "avro", "board_format": "avro", "start_seconds": 120}
    with running(folder, *PIPELINE, "registry", **settings) as stack:
        yield stack


@pytest.fixture(scope="module")
def ids(stack: Stack) -> dict[int, dict]:
    """The schemas by which the events of this test are written, by their ids in the registry."""
    subject = registry.subject(stack.settings.topic)
    known = registry.latest(stack.settings, subject)
    assert known
    schema_id, schema = known
    assert [each["name"] for each in schema["fields"]] == [each["name"] for each in OURS["fields"]]
    return {schema_id: OURS}


def encoded(schema_id: int, schema: dict, event: dict) -> bytes:
    out = BytesIO()
    fastavro.schemaless_writer(out, schema, event)
    return b"\0" + schema_id.to_bytes(4, "big") + out.getvalue()


def send(stack: Stack, *values: bytes | None) -> None:
    with closing(KafkaProducer(bootstrap_servers=stack.settings.brokers)) as producer:
        for value in values:
            producer.send(stack.settings.topic, key=b"hostile", value=value)


def event(number: int, **changed: object) -> dict:
    """An event of a player who plays by Avro alone."""
    return {
        "event_id": f"avro-{number}",
        "user_id": "USR-avro",
        "user_name": "Amedeo",
        "team_id": "TEAM-avro",
        "team_name": "Quaregna",
        "score": 5,
        "event_time_millis": int(time.time() * 1000) - 1_000,
        "event_type": "normal",
    } | changed


def in_avro(schema_id: int, message: bytes | None) -> bytes | None:
    """The same message in Avro, when it is what the schema says; None when it is not."""
    try:
        record = json.loads(message or b"")
        if not fastavro.validate(record, OURS, raise_errors=False):
            return None
        if record.get("event_id"):  # another event, not the same one again
            record["event_id"] += "-avro"
        return encoded(schema_id, OURS, record)
    except (ValueError, RecursionError):
        return None


def broken(schema_id: int) -> dict[bytes, str]:
    """Messages that begin like Avro and are none, with the reason."""
    whole = encoded(schema_id, OURS, event(0))
    return {
        b"\0": "not one Avro record",
        whole[:5]: "not one Avro record",
        whole[:-1]: "not one Avro record",
        whole + b"\0": "not one Avro record",
        # A text of two gigabytes, it says.
        whole[:5] + b"\2\xfe\xff\xff\xff\x0f" + b"a" * 50: "not one Avro record",
        encoded(UNKNOWN, OURS, event(0)): "schema id unknown",
    }


@pytest.fixture(scope="module")
def special(ids: dict[int, dict]) -> dict[bytes, str]:
    """The reasons for all messages that are neither JSON nor Avro, as far as a test sends them."""
    (schema_id,) = ids
    # JSON behind a byte 0 is among the hostile messages: its first bytes would be an id.
    return broken(schema_id)


@pytest.fixture(scope="module")
def in_postgres(stack: Stack, ids: dict[int, dict], special: dict[bytes, str]) -> Run:
    """All hostile messages in both formats, and the injector's events, into PostgreSQL."""
    ((schema_id, _),) = ids.items()
    stack.run("jobs", "--sink", "postgres")
    messages = list(hostile.messages(int(time.time() * 1000)))
    again = [found for each in messages if (found := in_avro(schema_id, each))]
    assert len(again) > 50
    send(stack, *messages, *again, *special)
    play(stack, EVENTS, seed=7)
    return await_boards(stack, "postgres", ids, special)


def play(stack: Stack, events: int, seed: int) -> None:
    options = ["--seed", str(seed), "--rate", str(RATE_PER_SECOND), "--count", str(events)]
    injector = stack.begin("generator", *options, *FAULTS)
    assert injector.wait(timeout=DEADLINE_SECONDS) == 0


def await_boards(stack: Stack, sink: str, ids: dict[int, dict], special: dict[bytes, str]) -> Run:
    """What the topic holds, once the boards in a sink are what the oracle makes of it."""
    records, reasons = as_json(stack.records(), ids, special)
    totals = oracle.totals(oracle.accepted(records))
    own = sink_of(sink, stack.settings)
    eventually(lambda: expect_boards(own.read(GAME), totals))
    return Run(records, oracle.rejected(records) | reasons, totals)


def as_json(
    records: list[Record], ids: dict[int, dict], special: dict[bytes, str]
) -> tuple[list[Record], dict[tuple[int, int], str]]:
    """The records with what Avro says as JSON, and the reasons for those that are neither."""
    read, reasons = [], {}
    for each in records:
        value = each.value
        if value and value[0] == 0:
            schema = ids.get(int.from_bytes(value[1:5], "big"))
            if value in special or not schema:
                place = each.partition, each.offset
                reasons[place] = special.get(value, "schema id unknown")
            else:
                found = fastavro.schemaless_reader(BytesIO(value[5:]), schema, None)
                value = json.dumps(found).encode()
        read.append(replace(each, value=value))
    return read, reasons


def expect_rejected(stack: Stack, run: Run) -> None:
    with postgres.connect(postgres.reader_dsn(stack.settings)) as db, db.cursor() as cursor:
        cursor.execute('SELECT partition, "offset", reason FROM leaderboard.rejected_events')
        assert {(partition, offset): reason for partition, offset, reason in cursor} == run.reasons


def test_events_in_both_formats_make_the_boards_of_the_oracle(stack, in_postgres):
    in_one, in_other = (
        [each for each in stack.records() if each.value and each.value[:1] == first]
        for first in (b"\0", b"{")
    )
    assert len(in_one) > EVENTS * 0.9
    assert len(in_other) > 300
    eventually(lambda: expect_rejected(stack, in_postgres))
    assert {"not one Avro record", "schema id unknown"} < {*in_postgres.reasons.values()}


def test_what_a_player_did_last_is_read_from_avro(stack, in_postgres):
    # The key of hostile records is not their player.
    players = oracle.top_players(in_postgres.totals)
    best = next(each for each in players if "hostile" not in each["user_id"])
    recent = last_events.recent(best["user_id"], stack.settings)
    newest = [each for each in in_postgres.totals.events if each.user_id == best["user_id"]]
    newest.sort(key=lambda each: each.time, reverse=True)
    assert recent.events[0]["event_at"].timestamp() * 1000 == newest[0].time
    assert {each["team_id"] for each in recent.events} <= {each.team_id for each in newest}


def test_schemas_that_change_while_it_runs(stack, in_postgres, ids, special):
    subject = registry.subject(stack.settings.topic)
    sent = []
    more = {"level": "two", "tags": ["x"]}
    for number, schema in enumerate((NEWER, OLDER)):
        schema_id = registry.register(stack.settings, subject, schema)
        ids[schema_id] = schema
        sent.append(encoded(schema_id, schema, event(number) | more))
    # Another producer does not ask whether its schema is compatible.
    forgotten = registry.register(stack.settings, "elsewhere-value", WITHOUT_TEAM)
    ids[forgotten] = WITHOUT_TEAM
    sent.append(encoded(forgotten, WITHOUT_TEAM, event(3)))
    send(stack, *sent)
    run = await_boards(stack, "postgres", ids, special)
    assert run.totals.players["USR-avro"].score >= 10
    assert run.reasons.items() > in_postgres.reasons.items()
    assert [
        reason for place, reason in run.reasons.items() if place not in in_postgres.reasons
    ] == ["team_id missing"]
    eventually(lambda: expect_rejected(stack, run))
    # We start again with our own schema, which is older than the registry's latest.
    stack.run("compose", "create")


def test_an_incompatible_schema_is_refused_with_the_registrys_words(stack):
    was = OURS | {"fields": [each for each in OURS["fields"] if each["name"] == "event_id"]}
    registry.register(stack.settings, "incompatible-value", was)
    refused = stack.changed(topic="incompatible").run("compose", "create", check=False)
    assert refused.returncode == 1
    assert "Incompatible artifact: incompatible-value" in refused.stderr
    assert "Nothing was started" in refused.stderr
    assert "Traceback" not in refused.stderr
    with closing(kafka.reader(stack.settings)) as consumer:
        assert "incompatible" not in consumer.topics()


def test_a_registry_that_is_away_stops_nothing_but_a_new_schema(stack, in_postgres, ids, special):
    asked = services.rpc(stack.settings)
    new_id = registry.register(stack.settings, "more-value", WITH_MORE)
    ids[new_id] = WITH_MORE
    asked.stopProcess("registry")
    send(stack, encoded(known_id(ids), OURS, event(10)))
    before = await_boards(stack, "postgres", ids, special)
    send(stack, encoded(new_id, WITH_MORE, event(11)), encoded(known_id(ids), OURS, event(12)))

    def expect_waiting() -> None:
        log = (stack.settings.state / "logs" / "taskmanager.log").read_text()
        assert f"Waiting for the schema {new_id} of the registry" in log

    eventually(expect_waiting)
    asked.startProcess("registry")
    after = await_boards(stack, "postgres", ids, special)
    gained = [each.totals.players["USR-avro"].score for each in (before, after)]
    assert gained[1] - gained[0] == 10
    assert after.reasons == before.reasons
    expect_no_restart(stack)


def known_id(ids: dict[int, dict]) -> int:
    """The id of our own schema."""
    return next(each for each, schema in ids.items() if schema is OURS)


def await_registry(stack: Stack) -> None:
    try:
        registry.latest(stack.settings, registry.subject(stack.settings.topic))
    except registry.RegistryUnavailable as error:
        raise AssertionError(str(error)) from error


def test_boards_in_kafka_are_avro_and_the_oracles(stack, in_postgres, ids, special):
    stack.run("jobs", "--sink", "kafka", "--switch")
    run = await_boards(stack, "kafka", ids, special)
    rows = live_rows(stack.settings, "top-players")
    assert {key[:1] + value[:1] for key, value in rows.items()} == {b"\0\0"}
    best = oracle.top_players(run.totals)[0]
    read = {
        registry.decoded(stack.settings, key)["user_id"]: registry.decoded(stack.settings, value)
        for key, value in rows.items()
    }
    assert read[best["user_id"]]["total_score"] == best["total_score"]
    expect_no_restart(stack)


def test_every_game_speaks_avro(stack, in_postgres):
    """Actions and the scores that they become, spins, profiles; and all their boards in Kafka."""
    stack.cancel_jobs()
    with overfast.serving() as api:
        own = stack.changed(
            games="score,actions,spins,overwatch",
            topic="scores-of-actions",
            profile_api_url=api.url,
        )
        own.run("compose", "create")
        now = datetime.now(UTC).replace(microsecond=0)
        terms = Terms(name="all", start_at=now - HOUR, end_at=now + HOUR)
        campaigns.create(own.settings, terms, "Ada")
        jobs = "top_players", "action_counts", "action_scores", "campaigns", "profiles"
        own.run("jobs", *jobs, "--sink", "kafka")
        own.run("generator", "actions", "--count", "200", "--rate", "0")
        own.run("generator", "spins", "-t", SPINS, "--loop", "--events", "200", "--rate", "0")
        asked = Request("Nova-1111", "pc", "competitive")
        requests.send(REQUESTS.name, asked.player_id, asked.key, own.settings)
        worker = own.begin("generator", "overwatch")
        eventually(lambda: expect_profile(own, asked))
        worker.send_signal(signal.SIGINT)
        assert worker.wait(timeout=60) == 0
    eventually(lambda: expect_all_games(own))
    expect_no_restart(own)
    for game in games.chosen(own.settings):
        sent = own.records(game.topic(own.settings))
        assert {(each.value or b"")[:1] for each in sent} == {b"\0"}, game.name
        tables = sink_of("kafka", own.settings).tables(game.tables)
        rows = [live_rows(own.settings, table.topic) for table in tables]
        written = {whole[:1] for held in rows for row in held.items() for whole in row}
        assert written == {b"\0"}, game.name


def expect_profile(own: Stack, asked: Request) -> None:
    """All that the worker told of a profile is there."""
    kafka_sink = sink_of("kafka", own.settings)
    shown = kafka_sink.find(PROFILE_STATISTICS, asked.key)
    counts = [row["statistic_count"] for row in kafka_sink.find(PROFILES, asked.key)]
    assert counts == [len(shown)] > [20]
    numbers = {(row["category"], row["statistic"]): row["number"] for row in shown}
    assert numbers["general", "games_played"] == 10


def expect_all_games(own: Stack) -> None:
    """The boards of actions, of the scores that they become and of campaigns are the oracles'."""

    def read(topic: str) -> list[Record]:
        found = [(each, each.value or b"") for each in own.records(topic)]
        return [replace(each, value=registry.as_json(own.settings, it)) for each, it in found]

    kafka_sink = sink_of("kafka", own.settings)
    actions = actions_oracle.accepted(read(ACTIONS))
    boards = kafka_sink.read(games.load("actions")).rows
    assert boards["actions_by_team"] == actions_oracle.actions_by_team(actions)
    assert sum(row["recent_actions"] for row in boards["actions_by_kind"]) == len(actions) == 200
    scores = oracle.totals(oracle.accepted(read(own.settings.topic)))
    assert len(scores.events) == len(actions)
    assert kafka_sink.read(GAME).rows["top_players"] == oracle.top_players(scores)
    (standing,) = campaigns.standings(own.settings, "kafka")
    expect_standing(standing, spins_oracle.accepted(read(SPINS)))


def expect_no_restart(stack: Stack) -> None:
    for job_id in flink.running(stack.settings).values():
        found = flink.rest(stack.settings, "GET", f"/jobs/{job_id}/exceptions")
        assert found["exceptionHistory"]["entries"] == []


def test_the_registry_listens_on_this_machine_alone_and_keeps_its_schemas(stack):
    connections = services.processes(stack.settings)["registry"].net_connections("tcp")
    listening = {
        (each.laddr.ip.removeprefix("::ffff:"), each.laddr.port)
        for each in connections
        if each.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", stack.settings.schema_registry_port)}
    known = registry.register(stack.settings, "elsewhere-value", WITHOUT_TEAM)
    stack.kill("registry")
    eventually(lambda: await_registry(stack))
    assert registry.register(stack.settings, "elsewhere-value", WITHOUT_TEAM) == known
