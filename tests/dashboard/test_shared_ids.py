"""One id of two players is counted and listed, by whoever reads along at the end of the topic."""

from __future__ import annotations

import json
import time
from contextlib import closing
from dataclasses import replace

import pytest
from kafka import KafkaProducer

from boards import shared_ids
from boards.shared_ids import SharedIds, Uses
from settings import Settings
from tests import bounded
from tests.conftest import Stack

MINUTE = 60_000


@pytest.fixture
def own(stores: Stack, tmp_path, request) -> Settings:
    (tmp_path / "data").mkdir()
    settings = replace(stores.settings, topic=request.node.name, state_folder=str(tmp_path))
    bounded.create_topic(settings, keeps_times=False)
    return settings


def send(settings: Settings, *events: tuple[int, str, str | None], **changed) -> None:
    """Events, each by its partition, its player and its id."""
    now = int(time.time() * 1000)
    with closing(KafkaProducer(bootstrap_servers=settings.brokers)) as producer:
        for partition, user_id, event_id in events:
            event = {"event_id": event_id, "user_id": user_id, "team_id": "T", "team_name": "T"}
            value = json.dumps(event | {"score": 1, "event_time_millis": now} | changed).encode()
            producer.send(settings.topic, value, partition=partition).get(timeout=20)


def test_an_id_of_two_players_is_counted_and_listed_with_both(own):
    seen = SharedIds(own)
    send(own, (0, "early", "x"))  # before anybody looked
    seen.look()
    send(own, (0, "ada", "x"), (0, "ada", "x"), (1, "ada", "y"), (0, "eve", None), (1, "eve", None))
    seen.look()
    assert (seen.count, shared_ids.listed(own)) == (0, [])
    send(own, (2, "bob", "x"))
    send(own, (2, "eve", "y"), score=-1)  # is rejected, and uses no id up
    seen.look()
    (found,) = shared_ids.listed(own)
    assert (found.event_id, found.user_id, found.other_user_id) == ("x", "bob", "ada")
    assert (found.topic, found.partition, found.offset, seen.count) == (own.topic, 2, 0, 1)


def test_a_message_that_python_cannot_read_and_an_endless_id_do_no_harm(own):
    deep = f"{'[' * 100_000}{']' * 100_000}"
    seen = SharedIds(own)
    seen.look()
    with closing(KafkaProducer(bootstrap_servers=own.brokers)) as producer:
        producer.send(own.topic, f'{{"event_id": "x", "user_id": {deep}}}'.encode(), partition=0)
    send(own, (0, "ada", "x" * 500_000), (0, "bob", "x" * 500_000))
    seen.look()
    (found,) = shared_ids.listed(own)
    assert (found.event_id, found.user_id, seen.count) == ("x" * 200, "bob", 1)


def test_with_more_records_than_may_be_looked_at_the_newest_are(own, monkeypatch):
    monkeypatch.setattr(shared_ids, "LOOKED_AT_RECORDS", 2)
    seen = SharedIds(own)
    seen.look()
    send(own, (0, "ada", "x"), (0, "ada", "y"), (0, "ada", "z"))
    send(own, (1, "bob", "x"), (1, "bob", "y"))
    seen.look()
    assert [each.event_id for each in shared_ids.listed(own)] == ["y"]


def test_without_de_duplication_ids_say_nothing(own):
    seen = SharedIds(replace(own, deduplicate_minutes=0))
    seen.look()
    send(own, (0, "ada", "x"), (0, "bob", "x"))
    seen.look()
    assert seen.count == 0


def test_the_list_keeps_the_last(tmp_path, monkeypatch):
    monkeypatch.setattr(shared_ids, "LISTED", 2)
    (tmp_path / "data").mkdir()
    settings = Settings(state_folder=str(tmp_path))
    for number in range(3):
        found = shared_ids.SharedId(str(number), "bob", "ada", "t", 0, number, "2026-03-01")
        shared_ids.note(settings, [found])
    assert [each.event_id for each in shared_ids.listed(settings)] == ["2", "1"]
    with (tmp_path / "data" / "shared_ids.jsonl").open("a") as file:
        file.write('{"event_id": "cut by a full di')
    assert [each.event_id for each in shared_ids.listed(settings)] == ["2", "1"]


@pytest.mark.parametrize(("minutes_later", "expected"), [(0, "ada"), (10, "ada"), (20, None)])
def test_ids_are_remembered_for_the_minutes_and_forgotten_after_twice_as_many(
    minutes_later, expected
):
    uses = Uses(10)
    uses.other_user("w", "ada", 0)  # begins the first ten minutes
    uses.other_user("x", "ada", 9 * MINUTE)
    assert uses.other_user("x", "bob", (9 + minutes_later) * MINUTE) == expected


def test_no_more_ids_are_remembered_than_memory_is_for(monkeypatch):
    monkeypatch.setattr(shared_ids, "REMEMBERED_IDS", 2)
    uses = Uses(10)
    for each in "abcde":
        uses.other_user(each, "ada", 0)
    assert [uses.other_user(each, "bob", 0) for each in "cab"] == ["ada", None, None]
