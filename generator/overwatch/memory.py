"""What the API has said, until it may be asked again: a request may not be repeated before.

It is kept in a compacted topic, so that a worker that comes back, on whatever machine, knows it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

Write = Callable[[str, bytes | None], None]  # a record's key, and its value


@dataclass(frozen=True)
class Entry:
    """What was said, and until when it holds, in seconds since 1970."""

    until: float
    body: dict[str, Any] = field(default_factory=dict)


class Memory:
    """Entries by key, each until its time is over.

    `write` keeps a record, `now` gives seconds since 1970, and `kept` are records of before.
    """

    def __init__(
        self,
        write: Write,
        now: Callable[[], float],
        kept: Iterable[tuple[str, bytes | None]] = (),
    ) -> None:
        self._write, self._now = write, now
        # As texts: an answer as Python's objects takes ten times as much.
        self._texts: dict[str, tuple[float, bytes]] = {}
        for key, value in kept:
            with suppress(ValueError, TypeError, KeyError):
                self._texts.pop(key, None)
                if value:
                    self._texts[key] = float(json.loads(value)["until"]), value
        self._forget()

    def get(self, key: str) -> Entry | None:
        """What was said under this key; None when nothing was that still holds."""
        until, value = self._texts.get(key, (0.0, b""))
        if until <= self._now():
            return None
        return Entry(until, json.loads(value)["body"])

    def put(self, key: str, entry: Entry) -> None:
        """Keep an entry, here and beyond this process."""
        self._forget()
        value = json.dumps({"until": entry.until, "body": entry.body}).encode()
        self._texts[key] = entry.until, value
        self._write(key, value)

    def _forget(self) -> None:
        now = self._now()
        self._texts = {key: held for key, held in self._texts.items() if held[0] > now}
