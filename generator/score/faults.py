"""What broken producers send: each fault makes a message out of a good event."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from games.score import HIGHEST_SCORE
from games.season import DAY_MILLIS

Event = dict[str, Any]
Fault = Callable[[Event], bytes | None]


def to_json(event: Event) -> bytes:
    """The event as compact JSON in UTF-8."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def _with(**fields: Any) -> Fault:
    return lambda event: to_json(event | fields)


def _without(name: str) -> Fault:
    return lambda event: to_json({key: value for key, value in event.items() if key != name})


def _at(change: Callable[[int], int]) -> Fault:
    return lambda event: to_json(event | {"event_time_millis": change(event["event_time_millis"])})


def _lone_surrogate(event: Event) -> bytes:
    return to_json(event | {"user_name": "?"}).replace(b'"?"', rb'"\ud800"')


def _no_utf_8(event: Event) -> bytes:
    return to_json(event | {"user_name": "?"}).replace(b'"?"', b'"\xff\xfe"')


REQUIRED = ("user_id", "team_id", "team_name", "score", "event_time_millis")

FAULTS: dict[str, Fault] = {
    "empty": lambda event: b"",
    "tombstone": lambda event: None,
    "not JSON": lambda event: b"score!",
    "truncated": lambda event: to_json(event)[:-20],
    "array": lambda event: b"[" + to_json(event) + b"]",
    "two documents": lambda event: to_json(event) + to_json(event),
    "byte order mark": lambda event: b"\xef\xbb\xbf" + to_json(event),
    "repeated key": lambda event: b'{"score":1,' + to_json(event)[1:],
    "invalid UTF-8": _no_utf_8,
    "lone surrogate": _lone_surrogate,
    **{f"{name} missing": _without(name) for name in REQUIRED},
    **{f"{name} null": _with(**{name: None}) for name in REQUIRED},
    **{f"{name} an array": _with(**{name: [1]}) for name in REQUIRED},
    "score 3.9": _with(score=3.9),
    "score true": _with(score=True),
    "score in words": _with(score="many"),
    "score negative": _with(score=-1),
    "score too high": _with(score=HIGHEST_SCORE + 1),
    "time in words": _with(event_time_millis="yesterday"),
    "time in the future": _at(lambda millis: millis + DAY_MILLIS),
    "time too old": _at(lambda millis: millis - 400 * DAY_MILLIS),
    "time in seconds": _at(lambda millis: millis // 1_000),
    "time in microseconds": _at(lambda millis: millis * 1_000),
    "U+0000 in an id": _with(team_id="TEAM-\0"),
    "U+0000 in a name": _with(user_name="A\0B"),
    "id blank": _with(user_id="  "),
    "id empty": _with(team_id=""),
    "id too long": _with(user_id="USR-" + "9" * 125),
    "name too long": _with(team_name="Red " + "Fox" * 66),
}
