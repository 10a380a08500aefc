"""Where boards go: PostgreSQL or Kafka, each as one object that all others ask."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from boards.kafka import KafkaSink
from boards.postgres import PostgresSink
from boards.seasons import Season, Standing
from boards.snapshot import Boards, Row
from games.board import Game, Table
from settings import Settings


class RejectCounter(Protocol):
    """Counts a game's rejected messages by reason, as time goes by."""

    def count(self, ends: dict[int, int]) -> dict[str, float]:
        """The counts so far; `ends` are the ends of the topic's partitions."""


class Sink(Protocol):
    """Defines, creates, empties and reads the tables of games in one kind of store."""

    name: str
    title: str
    can_look_up: bool  # holds a row for everybody

    @property
    def is_needed(self) -> bool:
        """Whether it exists under these settings, whether jobs write to it now or not."""

    def tables(self, tables: Iterable[Table]) -> list[Table]:
        """Those of these tables that it holds."""

    def define(self, table: Table) -> str:
        """The statement by which a Flink job knows the table as a sink."""

    def create(self, games: Sequence[Game]) -> None:
        """Create what is not there yet, and bring the rest up to date."""

    def restore(self) -> None:
        """Make again what somebody has deleted and a job waits for, even to end."""

    def clear(self, tables: Iterable[Table], since: int = 0) -> None:
        """Remove the rows of tables, but for archived ones older than `since` (epoch millis)."""

    def read(self, game: Game) -> Boards:
        """All boards of a game at one moment. Raises BoardsUnavailable."""

    def find(self, table: Table, key: Mapping[str, str]) -> list[Row]:
        """The rows of a table (`is_found`) whose columns have these values, as its view has them.

        Raises BoardsUnavailable.
        """

    def rows(self, game: Game, tables: Sequence[Table]) -> list[list[Row]]:
        """All rows of some of a game's tables at one moment. Raises BoardsUnavailable."""

    def seasons(self, game: Game) -> list[Season]:
        """The seasons of a game that it holds, the newest first. Raises BoardsUnavailable."""

    def past(self, game: Game, season: Season) -> Boards:
        """The seasonal boards of a game in one season: as they became final, or as they are.

        Raises BoardsUnavailable.
        """

    def standings(self, game: Game, season: Season, keeper: Any) -> dict[str, Standing]:
        """Who stands where in a season, by board, with those who are banned by now left out.

        `keeper` is a cursor of the role that adds what is final: all is of its transaction's
        moment. Raises NotYet when it is not known for that moment, or BoardsUnavailable.
        """

    def count(self, table: Table) -> int | None:
        """How many rows a table's newest period has; None when that is unknown."""

    def rejects(self, game: Game, limit: int) -> list[Row]:
        """A game's last rejected messages, the newest first. Raises BoardsUnavailable."""

    def reject_counter(self, game: Game) -> RejectCounter:
        """What counts the game's rejected messages from now on."""


@cache
def sinks(settings: Settings) -> tuple[Sink, ...]:
    """All sinks."""
    return PostgresSink(settings), KafkaSink(settings)


NAMES = tuple(sink.name for sink in sinks(Settings()))


def sink(name: str, settings: Settings) -> Sink:
    """The sink of this name. Raises KeyError when there is none."""
    return {each.name: each for each in sinks(settings)}[name]
