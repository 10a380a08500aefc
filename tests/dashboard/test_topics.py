"""A board's topic that somebody has deleted: readers say what helps, a rebuild makes it again."""

from __future__ import annotations

from contextlib import closing

import pytest
from kafka.admin import KafkaAdminClient

from boards import sinks
from clients.errors import BoardsUnavailable
from games.score import GAME, TOP_TEAMS
from tests.conftest import Stack, eventually


def test_a_deleted_topic_is_told_with_what_makes_it_again(stores: Stack):
    kafka = sinks.sink("kafka", stores.settings)
    with closing(KafkaAdminClient(bootstrap_servers=stores.settings.brokers)) as admin:
        admin.delete_topics([TOP_TEAMS.topic])

        def is_gone() -> None:
            assert TOP_TEAMS.topic not in admin.list_topics()

        eventually(is_gone)
        with pytest.raises(BoardsUnavailable, match=r"no topic top-teams; scripts/rebuild\.sh"):
            kafka.read(GAME)
        kafka.restore()
        assert TOP_TEAMS.topic in admin.list_topics()

    def is_there() -> None:
        assert kafka.read(GAME).rows[TOP_TEAMS.name] == []

    eventually(is_there)
