"""Messages at and past every limit of the contract, each field with every kind of value."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

VALUES = [
    None,
    True,
    False,
    0,
    42,
    -1,
    3.9,
    12.0,
    "",
    "   ",
    "\t\n",
    "12",
    "many",
    [],
    [1],
    {},
    {"a": [1]},
    "true",
]
LIMITS: dict[str, list[Any]] = {
    "user_id": [
        "x" * 128,
        "x" * 129,
        "é" * 128,
        "\U0001f600" * 128,
        "\U0001f600" * 129,
        "a\0b",
        "[1] Bob",
        "{curly}",
    ],
    "user_name": [
        "n" * 200,
        "n" * 201,
        "a\0b",
        "[1]",
        '"quoted" \\ back',
        "\u202eright",
        "<script>",
        "n" * 10_000,
    ],
    "team_id": ["x" * 128, "x" * 129, "a\0b"],
    "team_name": [
        "n" * 200,
        "n" * 201,
        "a\0b",
        "\\u0000",
        "name with } brace",
        "name with },{ braces",
        ": 5, x: 7}",
    ],
    "event_id": ["a\0b", ": 7,"],
    "score": [
        1_000_000,
        1_000_001,
        1e2,
        1e400,
        "1e2",
        "1.0",
        "12d",
        "0x10",
        "NaN",
        "1_000",
        2**63,
        10**40,
        "+5",
        "5.",
    ],
    "event_time_millis": [],
}
HOUR, DAY = 3_600_000, 86_400_000


def messages(now: int) -> Iterator[bytes | None]:
    """All of them, for records that are stamped within seconds of `now` (epoch milliseconds)."""
    events = (_event(number, now) for number in range(100_000))
    for name, values in LIMITS.items():
        yield _json({key: value for key, value in next(events).items() if key != name})
        for value in [*VALUES, *values]:
            yield _json(next(events) | {name: value})
            yield _as_the_injector_writes(next(events) | {name: value})
    for offset in (0, HOUR, -DAY + HOUR, -DAY - HOUR, 30_000, 90_000, 400 * DAY, -400 * DAY):
        yield _json(next(events) | {"event_time_millis": now + offset})
    for time in (now // 1000, now * 1000, now + 0.5, str(now), 4_102_444_800_000, 10**30):
        yield _json(next(events) | {"event_time_millis": time})
    yield from _broken(_json(next(events)), _json(next(events)))


def _broken(one: bytes, two: bytes) -> list[bytes | None]:
    rest = one[1:]
    return [
        None, b"", b" ", b"{}", b"{ }", b"[]", b"null", b"12", b'"text"', b"score!",
        b"{", b"}", b"{,}", b"[" + one + b"]", one + one, one + two, one + b"," + two,
        one + b", " + two, one + b',"x":1', one + b" x", one + b",{}", one + b',{"a":1}',
        one + b",5", one + b"]", b"[" + one, one[:-1], one[:-20], one[:-1] + b",}",
        b"\xef\xbb\xbf" + one, one + b"\0", b"\0" + one,
        b" \n" + one + b"\r\n\t ",
        b'{"score":1,' + rest, one[:-1] + b',"score":2}', one[:-1] + b',"score":-2}',
        one[:-1] + b',"extra":{"user_id":"other","score":[1,2]}}',
        one.replace(b'"Hostile', b'"\xff\xfe'), one.replace(b'"Hostile', b'"\\ud800'),
        one.replace(b'"Hostile', b'"\n'),
        one.replace(b'"score": 5', b'"score": NaN'), one.replace(b'"score": 5', b'"score": 05'),
        one.replace(b'"score": 5', b'"score": +5'), one.replace(b'"score"', b"'score'"),
        one.replace(b'"', b"'"),
        one.replace(b'"score": 5', b'"score": 5 /* five */'),
    ]  # fmt: skip


def _event(number: int, now: int) -> dict:
    return {
        "event_id": f"hostile-{number}",
        "user_id": f"USR-hostile-{number % 7}",
        "user_name": f"Hostile {number % 7}",
        "team_id": "TEAM-hostile",
        "team_name": "Hostile Takeover",
        "score": 5,
        "event_time_millis": now - 1_000,
        "event_type": "normal",
    }


def _json(event: dict) -> bytes:
    return json.dumps(event).encode()


def _as_the_injector_writes(event: dict) -> bytes:
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()
