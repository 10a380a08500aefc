"""Tells the schema registry what events and boards look like, before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from boards.kafka import KafkaSink
from clients import registry
from clients.errors import SetupError
from games import avro
from games.board import Game
from settings import AVRO, Settings


def subjects(games: Iterable[Game], settings: Settings) -> Iterator[tuple[str, registry.Schema]]:
    """Every subject with its schema. Raises SettingError when a game has none of its events."""
    for game in games:
        if settings.event_format == AVRO:
            yield registry.subject(game.topic(settings)), avro.event(game)
        if settings.board_format == AVRO:
            for table in KafkaSink(settings).tables(game.tables):
                yield registry.subject(table.topic, "key"), avro.key(table)
                yield registry.subject(table.topic, "value"), avro.value(table)


def check(games: Iterable[Game], settings: Settings) -> None:
    """Raise SettingError when a game has no schema that it needs."""
    for _ in subjects(games, settings):
        pass


def register(games: Iterable[Game], settings: Settings) -> None:
    """Register every schema that is not there yet.

    Raises SetupError, with the registry's words, when it takes one for incompatible with what it
    has, and when it does not answer.
    """
    for subject, schema in subjects(games, settings):
        try:
            registry.register(settings, subject, schema)
        except registry.RefusedSchema as error:
            raise SetupError(
                f"{error}. Nothing was started. Make the change one that {registry.COMPATIBILITY} "
                "compatibility allows, such as a field with a default (docs/avro.md)."
            ) from error
        except registry.RegistryUnavailable as error:
            raise SetupError(f"{error}. Its log tells more.") from error
