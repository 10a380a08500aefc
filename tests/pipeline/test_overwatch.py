"""Profiles from a request to the rows of both sinks: real worker, Kafka, Flink and PostgreSQL.

The API is a small server of ours, and so is everybody in it.
"""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from boards import requests, sinks
from boards.snapshot import Row
from clients import kafka
from games.overwatch import (
    GAME,
    OK,
    PRIVATE,
    PROFILE_DAYS,
    PROFILE_STATISTICS,
    PROFILES,
    REQUESTS,
    UNKNOWN,
    Request,
)
from generator.overwatch import statistics
from tests import bounded, overfast
from tests.conftest import Stack, eventually
from tests.overfast import Overfast, not_found, reply

NOVA = Request("Nova-1111", "pc", "competitive")
UMIT = Request("Ümit-2222", "pc", "quickplay")
HIDDEN = Request("Hidden-3333", "console", "quickplay")
GHOST = Request("Ghost-5555", "pc", "quickplay")
DAY = timedelta(days=1)
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
def api() -> Iterator[Overfast]:
    with overfast.serving() as server:
        yield server


@pytest.fixture(scope="module")
def own(stack: Stack, api: Overfast) -> Iterator[Stack]:
    """The stack's services with this game alone; its topic keeps the times of records."""
    stack.cancel_jobs()  # so that Flink has slots
    own = stack.changed(
        games="overwatch",
        profile_api_url=api.url,
        postgres_url=bounded.database(stack, "overwatch"),
    )
    with kafka.client(KafkaAdminClient, own.settings) as admin:
        configs = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
        topic = GAME.topic(own.settings)
        admin.create_topics({topic: {"num_partitions": 4, "configs": configs}})
    own.run("compose", "create")
    yield own
    stack.cancel_jobs()


@contextmanager
def working(own: Stack) -> Iterator[subprocess.Popen]:
    """The worker, which ends well."""
    worker = own.begin("generator", "overwatch")
    try:
        yield worker
    finally:
        worker.send_signal(signal.SIGINT)
        assert worker.wait(timeout=60) in (0, -signal.SIGKILL)


def ask(own: Stack, *wanted: Request) -> None:
    for request in wanted:
        requests.send(REQUESTS.name, request.player_id, request.key, own.settings)


def answer_of(own: Stack, day: datetime, games: int, **changed: object) -> None:
    """An answer of Nova's that the worker gave on an earlier day."""
    found = statistics.of_profile(
        overfast.summary("Nova-1111", overfast.PUBLIC), overfast.stats(games), {}, "pc"
    )
    answer = NOVA.key | {"status": OK, "detail": "", "statistics": found} | changed
    producer = KafkaProducer(bootstrap_servers=own.settings.brokers)
    at = int((day + timedelta(hours=12)).timestamp() * 1000)
    value = json.dumps(answer).encode()
    producer.send(GAME.topic(own.settings), value, NOVA.player_id.encode(), timestamp_ms=at)
    producer.close()


def found(own: Stack, sink: str, table, request: Request, **key: str) -> list[Row]:
    return sinks.sink(sink, own.settings).find(table, request.key | key)


def profile(own: Stack, sink: str, request: Request) -> Row | None:
    return next(iter(found(own, sink, PROFILES, request)), None)


def numbers(own: Stack, sink: str, request: Request) -> dict[tuple[str, str, str], object]:
    """What is shown of a profile, by category, hero and statistic."""
    rows = found(own, sink, PROFILE_STATISTICS, request)
    return {
        (row["category"], row["hero"], row["statistic"]): row["words"] or row["number"]
        if row["statistic"] != "rank"
        else (row["words"], row["number"])
        for row in rows
    }


def expected(request: Request, games: int) -> dict[tuple[str, str, str], object]:
    """The same, written down from what the server says."""
    general = {
        "games_played": games,
        "games_won": games // 2,
        "games_lost": games // 2,
        "time_played": games * 600,
        "winrate": 50.0,
        "kda": 3.21 + games / 100,
        **{f"total_{name}": int(value * games) for name, value in overfast.AMOUNTS.items()},
        **{f"average_{name}": value for name, value in overfast.AMOUNTS.items()},
    }
    return {
        ("summary", "", "username"): request.player_id.split("-")[0],
        ("summary", "", "title"): "Bytefixer",
        ("ranks", "", "season"): 14,
        ("ranks", "tank", "rank"): ("diamond", 3),
        ("hero_specific", "ana", "enemies_slept"): 23,
        ("match_awards", "all-heroes", "cards"): games,
        ("heroes", "tracer", "games_played"): games // 2,
        **{("general", "", name): value for name, value in general.items()},
    }


def expect(own: Stack, sink: str) -> None:
    """All profiles are there, as the server told them, in a sink."""

    def check() -> None:
        for request, games in ((NOVA, 10), (UMIT, 20)):
            row = profile(own, sink, request)
            assert row and row["status"] == OK
            shown = numbers(own, sink, request)
            assert len(shown) == row["statistic_count"]
            wanted = expected(request, games)
            assert {key: shown.get(key) for key in wanted} == wanted
            assert row["fresh_end"] > row["answered_at"]
        hidden, ghost = profile(own, sink, HIDDEN), profile(own, sink, GHOST)
        assert hidden and hidden["status"] == PRIVATE
        assert ("summary", "", "username") in numbers(own, sink, HIDDEN)
        assert ghost and ghost["status"] == UNKNOWN and ghost["statistic_count"] == 0
        assert ghost["retry_at"] - ghost["answered_at"] > timedelta(minutes=25)

    eventually(check)


def expect_days(own: Stack, sink: str) -> None:
    """Nova's form: what the last answer of each day said."""

    def days(category: str, hero: str, statistic: str) -> list[tuple[datetime, float]]:
        key = {"category": category, "hero": hero, "statistic": statistic}
        rows = found(own, sink, PROFILE_DAYS, NOVA, **key)
        return sorted((row["day_start"], row["number"]) for row in rows)

    def check() -> None:
        assert [number for _, number in days("general", "", "games_played")] == [4, 8, 10]
        assert [day for day, _ in days("general", "", "kda")][:2] == [TODAY - 9 * DAY, TODAY - DAY]
        # Diamond 3: the third of five tiers in the fifth of eight divisions.
        assert {number for _, number in days("ranks", "tank", "rank")} == {23}
        assert days("roles", "damage", "kda") == []

    eventually(check)


def test_profiles_come_from_a_request_into_both_sinks(own, api):
    answer_of(own, TODAY - 9 * DAY, 4)
    answer_of(own, TODAY - DAY, 6)
    answer_of(own, TODAY - DAY, 8)
    for broken in ({"player_id": None}, {"detail": "\0"}, {"statistics": [{"hero": "\0"}, 7]}):
        answer_of(own, TODAY - DAY, 99, **broken)
    api.next["Nova-1111"].extend([reply(504)] * 2)
    api.next["Ghost-5555"].append(not_found(1_800))
    own.run("jobs", "--sink", "postgres")
    with working(own) as worker:
        ask(own, NOVA, GHOST)
        eventually(lambda: _has(own, GHOST))
        worker.kill()  # perhaps amid the waits of the other one
        worker.wait()
    with working(own):
        # Nobody is asked again for what is known.
        ask(own, UMIT, HIDDEN, GHOST)
        expect(own, "postgres")
    assert len([path for path in api.asked if "Ghost" in path]) == 1
    expect_days(own, "postgres")
    own.run("jobs", "--sink", "kafka", "--switch")
    expect(own, "kafka")
    expect_days(own, "kafka")
    status = json.loads(own.run("compose", "status", "--json", check=False).stdout)
    assert [name for name in status["jobs"] if "profiles" in name]


def _has(own: Stack, request: Request) -> None:
    assert profile(own, "postgres", request)
