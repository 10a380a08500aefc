"""What event sources yield and writers take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol


class Record(NamedTuple):
    """A Kafka record: key and value as bytes, due in seconds after the start.

    Without a key, Kafka's client chooses the partition. A value of None is a tombstone.
    """

    key: bytes | None
    value: bytes | None
    due: float


class Source(Protocol):
    """Yields the records of a made-up game; it must be picklable, for several processes."""

    @property
    def is_paced(self) -> bool:
        """Whether records come at a rate, rather than as fast as possible."""

    def records(
        self, seed: int, process: int, processes: int, start_millis: int
    ) -> Iterator[Record]:
        """The records of one of so many processes in the order of `due`; epoch milliseconds."""
