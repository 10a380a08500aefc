"""With a season of another length, or another topic of the name, a job must begin anew.

Nothing changes by itself, whoever asks is told so, and after a rebuild the boards move.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient

from boards.sinks import sink
from clients import kafka, postgres
from tests import oracle
from tests.bounded import GAME
from tests.conftest import Stack, eventually

PLAYERS = 20


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[Stack]:
    """Jobs with seasons of an hour, over a topic of their own that has lost its first records."""
    own = stack.changed(topic="seasons", one_job="yes", season="hour")
    own.run("compose", "create")
    own.run("jobs", "--sink", "postgres", "--rebuild", "--drop-seasons")
    play(own)
    expect_boards(own)
    cut(own)
    yield own
    # Whoever comes next finds the usual length.
    stack.run("jobs", "--sink", "postgres", "--rebuild", "--drop-seasons")


def cut(stack: Stack) -> None:
    """As retention does: the topic does not hold all that the boards have counted."""
    with closing(kafka.client(KafkaAdminClient, stack.settings)) as admin:
        admin.delete_records({TopicPartition("seasons", 0): 1})


def play(stack: Stack) -> None:
    now = int(time.time() * 1000)
    with closing(KafkaProducer(bootstrap_servers=stack.settings.brokers)) as producer:
        for number in range(PLAYERS):
            names = {"user_id": f"player-{number}", "team_id": f"team-{number % 3}"}
            event = names | {"team_name": "", "score": number, "event_time_millis": now}
            value = json.dumps(event).encode()
            producer.send("seasons", value, partition=number % stack.settings.topic_partitions)


def expect_boards(stack: Stack) -> None:
    """Boards and everybody's totals are those of the newest season of this length."""
    summed = oracle.totals(oracle.accepted(stack.records()), stack.settings.season)

    def check() -> None:
        found = sink("postgres", stack.settings).read(GAME)
        assert found.rows["top_teams"] == oracle.top_teams(summed)
        assert found.rows["top_players"] == oracle.top_players(summed)
        with postgres.connect(postgres.owner_dsn(stack.settings)) as db, db.cursor() as cursor:
            cursor.execute(
                "SELECT user_id, total_score FROM flink.player_totals WHERE season_start = %s",
                [summed.season],
            )
            totals = {user: total.score for user, total in summed.players.items()}
            assert dict(cursor.fetchall()) == totals

    eventually(check)


def test_a_savepoint_of_another_length_is_not_gone_on_from(own):
    own.run("jobs", "--suspend")
    refused = own.changed(season="day").run("jobs", "--resume", check=False)
    assert refused.returncode == 1
    assert "LEADERBOARD_SEASON was hour and is day now" in refused.stderr
    assert "goes on from its savepoint" in own.run("jobs", "--resume").stdout


def test_seasons_of_two_lengths_do_not_stand_beside_each_other(own):
    apart = own.changed(season="day").run("jobs", "--rebuild", "totals", check=False)
    assert apart.returncode == 1
    assert "scripts/rebuild.sh, without names, changes the season of all" in apart.stderr


def test_a_topic_that_is_made_anew_is_counted_from_its_first_record(own):
    """Unnoticed, the jobs would leave out as many records as they had read of the old one."""
    own.run("jobs", "--suspend")
    with closing(kafka.client(KafkaAdminClient, own.settings)) as admin:
        admin.delete_topics(["seasons"])
        eventually(lambda: expect_no_topic(admin))
    own.run("compose", "create")
    for _ in range(5):
        play(own)
    refused = own.run("jobs", "--resume", check=False)
    assert refused.returncode == 1
    assert "the topic seasons was deleted and made anew since" in refused.stderr
    own.run("jobs", "--rebuild")
    expect_boards(own)
    cut(own)


def expect_no_topic(admin: KafkaAdminClient) -> None:
    assert "seasons" not in admin.list_topics()


def test_nothing_changes_by_itself_and_older_seasons_go_only_when_asked_for(own):
    other = own.changed(season="day")
    again = other.run("jobs")
    assert "LEADERBOARD_SEASON was hour and is day now: that has no effect on it" in again.stdout
    refused = other.run("jobs", "--rebuild", check=False)
    assert refused.returncode == 1
    assert "scripts/rebuild.sh --drop-seasons" in refused.stderr
    play(own)
    expect_boards(own)


def test_every_change_of_the_length_ends_with_boards_that_move(own):
    for length in ("day", "all", "hour"):
        other = own.changed(season=length)
        other.run("jobs", "--rebuild", "--drop-seasons")
        play(other)
        expect_boards(other)
