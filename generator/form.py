"""What the events of a game are like, for those who print or replay them whatever the game.

The package of an event source says so as `FORM`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import generator

Event = dict[str, Any]

MILLI_MICROS = 1_000
YEAR_9999_MICROS = 253_370_764_800 * 1_000_000  # no clock says a later time, or one before 1970


def read_millis(value: object) -> int:
    """A time in epoch milliseconds as epoch microseconds. Raises ValueError when it is none."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{value!r} is no time in epoch milliseconds")
    return int(value) * MILLI_MICROS


def write_millis(micros: int) -> int:
    """The opposite."""
    return micros // MILLI_MICROS


@dataclass(frozen=True)
class Form:
    """The events of one game, each a JSON object.

    topic      where they are sent
    fields     what every event has: by these a file, or a message, tells whose it is
    key        the field that is the record's key; an event without it has no key
    time       the field with the event's time
    numbers    the fields that are whole numbers; in a CSV file all are texts
    read_time  the value of `time` in epoch microseconds. Raises ValueError
    write_time the value of `time` for epoch microseconds
    sentence   an event in words; None for one that no sentence tells
    """

    topic: str
    fields: tuple[str, ...]
    key: str
    time: str
    numbers: tuple[str, ...] = ()
    read_time: Callable[[Any], int] = read_millis
    write_time: Callable[[int], Any] = write_millis
    sentence: Callable[[Event], str | None] = lambda event: None

    def key_of(self, event: Event) -> bytes | None:
        """The key of an event's record."""
        key = event.get(self.key)
        is_one = isinstance(key, str | int) and not isinstance(key, bool)
        return str(key).encode(errors="replace") if is_one else None

    def micros_of(self, event: Event) -> int | None:
        """An event's time in epoch microseconds, None when it has none that a clock can say."""
        try:
            micros = self.read_time(event.get(self.time))
        except (ValueError, TypeError, OverflowError):
            return None
        return micros if 0 <= micros < YEAR_9999_MICROS else None


def sources() -> list[str]:
    """The event sources: every package in this folder, each with a `main`, and mostly a `FORM`."""
    return sorted(module.name for module in iter_modules(generator.__path__) if module.ispkg)


@cache
def forms() -> dict[str, Form]:
    """The form of the events of each source that says it, by its name."""
    modules = {name: import_module(f"generator.{name}") for name in sources()}
    return {name: module.FORM for name, module in modules.items() if hasattr(module, "FORM")}


def form_of(fields: Iterable[str]) -> str | None:
    """The source whose events have these fields; None when there is none."""
    given = set(fields)
    return next((name for name, form in forms().items() if given.issuperset(form.fields)), None)


def event_of(value: bytes | None) -> Event | None:
    """The JSON object that a record holds; None when it holds none."""
    try:
        event = json.loads((value or b"").decode(errors="replace"))
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def to_json(event: Event) -> bytes:
    """An event as compact JSON in UTF-8; a lone surrogate stays an escape."""
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(event, separators=(",", ":")).encode()
