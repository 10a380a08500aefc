"""A record is an event for the page and the monitor just when it is one for the boards."""

from __future__ import annotations

import gc
import json
from types import SimpleNamespace

import pytest

from boards.last_events import event_of
from settings import Settings
from tests import hostile, oracle

NOW = 1_790_000_000_000
EVENT = {
    "event_id": "e",
    "user_id": "USR-1",
    "team_id": "TEAM-1",
    "team_name": "Azure Wombat",
    "score": 5,
    "event_time_millis": NOW,
}
ONE = json.dumps(EVENT).encode()


def read(message: bytes | None) -> tuple | None:
    record = SimpleNamespace(timestamp=NOW, value=message)
    event = event_of(record, Settings())
    if event is None:
        return None
    texts = tuple(event[name] for name in ("event_id", "user_id", "team_id", "team_name"))
    return *texts, event["score"], round(event["event_at"].timestamp() * 1000)


def expected(message: bytes | None) -> tuple | None:
    try:
        event = oracle.read(oracle.Record(0, 0, NOW, message))
    except oracle.Rejected:
        return None
    texts = (event.event_id, event.user_id, event.team_id, event.team_name)
    return *texts, event.score, event.time


def test_every_hostile_message_is_read_as_the_boards_read_it():
    messages = list(hostile.messages(NOW))
    assert [read(each) for each in messages] == [expected(each) for each in messages]


SCORES = ("true", '" 5 "', '"1_2"', '"５"', "3.0000000000000000000001", "1e-999999999")


@pytest.mark.parametrize(
    "message",
    [
        ONE.decode().encode("utf-16"),
        ONE.decode().encode("utf-32-be"),
        *(ONE.replace(b": 5,", f": {score},".encode()) for score in SCORES),
        ONE[:-1] + b', "mood": NaN}',
    ],
)
def test_what_the_boards_reject_is_no_event(message):
    assert expected(message) is None
    assert read(message) is None


@pytest.mark.parametrize(
    "message",
    [
        ONE[:-1] + b', "note": "\xff"}',
        ONE[:-1] + b', "atoms": %s}' % (b"9" * 5_000),
        ONE.replace(b'"USR-1"', b"true"),
        ONE.replace(b'"USR-1"', b"1.50"),
        ONE.replace(b": 5,", b': "5e0",'),
    ],
)
def test_what_the_boards_count_is_an_event(message):
    assert read(message) == expected(message) is not None


def test_one_nested_too_deep_to_be_read_is_left_out():
    gc.collect()  # what other tests left is not to be thrown away where the stack has ended
    assert read(ONE[:-1] + b', "x": %s%s}' % (b"[" * 100_000, b"]" * 100_000)) is None


def test_a_very_long_text_that_is_no_number_is_refused_at_once():
    assert read(ONE.replace(b": 5,", b': "%sx",' % (b"1" * 900_000))) is None
