"""Campaigns over hostile and late spins, in both sinks: the boards are the oracle's.

The TaskManager is killed, campaigns are made, changed, ended and cancelled while the job runs, and
a final table stays what it was.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import psycopg2
import pytest
from kafka import KafkaProducer

import games
from boards import campaigns
from boards.campaigns import CampaignError, Standing
from clients import postgres
from compose.status import status
from compose.upkeep import Upkeep
from games.campaign import Campaign, Terms
from generator.spins.events import write_time
from tests import hostile, spins_oracle
from tests.conftest import Stack, eventually

GAME = games.load("spins")
TOPIC = "gameplay"
SPINS = 6_000
PLAYERS, SLOTS = range(100, 160), range(10, 16)
MINUTE = 60_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIELDS = ("playerId", "gameId", "stake", "win", "eventTime")


def at(millis: int) -> datetime:
    return EPOCH + timedelta(milliseconds=millis)


def millis(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(milliseconds=1)


def spin(random: Random, time_millis: int, **fields: Any) -> dict:
    """A spin of that time; many ratios are equal, and free spins win too."""
    return {
        "playerId": random.choice(PLAYERS),
        "gameId": random.choice(SLOTS),
        "stake": random.choice([0, 100, 100, 150, 200]),
        "win": random.choice([0, 0, 100, 299, 300]),
        "eventTime": write_time(time_millis * 1000 + random.randrange(1000)),
    } | fields


def hostile_messages(now: int) -> Iterator[bytes | None]:
    """Each field with every kind of value and at its limits, and what is no event at all."""
    good = spin(Random(1), now, playerId=7)
    limits: dict[str, list[Any]] = {
        "playerId": [2**31 - 1, -(2**31), 2**31, -(2**31) - 1],
        "gameId": [2**31 - 1, 2**31],
        "stake": [2**31 - 1, 2**31],
        "win": [10**15, 10**15 + 1, 10**400],
        "eventTime": [
            "2026-02-30 10:00:00",
            "soon",
            "2026-11-28",
            write_time((now - 25 * 60 * MINUTE) * 1000),
            write_time((now + 10 * MINUTE) * 1000),
            at(now).isoformat(),
            f"{at(now):%Y-%m-%dT%H:%M:%SZ}",
        ],
        "spinId": ["x" * 128, "x" * 129, "a\0b"],
    }
    for name, values in limits.items():
        for value in [*hostile.VALUES, *values]:
            yield json.dumps(good | {name: value}).encode()
    for name in FIELDS:
        yield json.dumps({each: value for each, value in good.items() if each != name}).encode()
    yield from (None, b"", b"[]", b"{", b"null", json.dumps([good]).encode())


class Casino:
    """Sends spins, and says what the boards must show."""

    def __init__(self, stack: Stack, seed: int = 7) -> None:
        self.stack, self.random = stack, Random(seed)

    def send(self, messages: Iterable[dict | bytes | None]) -> None:
        producer = KafkaProducer(bootstrap_servers=self.stack.settings.brokers)
        for message in messages:
            whole = json.dumps(message).encode() if isinstance(message, dict) else message
            key = str(message["playerId"]) if isinstance(message, dict) else "hostile"
            producer.send(TOPIC, key=key.encode(), value=whole)
        producer.close()

    def play(self, count: int, minutes: float, **fields: Any) -> None:
        """Send spins of the last minutes in any order, some of them twice."""
        now = time.time_ns() // 1_000_000
        spins = []
        for number in range(count):
            ago = self.random.randrange(int(minutes * MINUTE))
            one = spin(self.random, now - ago, **fields)
            if number % 20 == 0:
                one["spinId"] = f"{now}-{number}"
                spins.append(one)
            spins.append(one)
        self.send(spins)

    def accepted(self) -> list[spins_oracle.Spin]:
        return spins_oracle.accepted(self.stack.records(TOPIC))

    def expect(self, sink: str) -> None:
        """Both boards of every campaign are the oracle's, for all that was sent."""
        spins = self.accepted()
        for standing in campaigns.standings(self.stack.settings, sink):
            if standing.frozen_at is None:
                expect_standing(standing, spins)

    def expect_soon(self, sink: str) -> None:
        eventually(lambda: self.expect(sink))


def terms_of(campaign: Campaign) -> spins_oracle.Terms:
    return spins_oracle.Terms(
        millis(campaign.start_at),
        millis(campaign.end_at),
        millis(campaign.closes_at),
        frozenset(campaign.games),
        campaign.last_minutes,
        campaign.minimum_spins,
        campaign.places,
    )


def expect_standing(standing: Standing, spins: list[spins_oracle.Spin]) -> None:
    terms = terms_of(standing.campaign)
    counting = spins_oracle.counting(terms, spins)
    assert plain(standing.boards["campaign"]) == spins_oracle.campaign(terms, spins)
    if standing.totals is None:
        assert not counting
        return
    assert standing.totals["players"] == len({each.player_id for each in counting})
    for name, expected in (
        ("spins", len(counting)),
        ("stake", sum(each.stake for each in counting)),
        ("win", sum(each.win for each in counting)),
    ):
        assert standing.totals[name] == expected
    if standing.totals["window_end"]:
        end = millis(standing.totals["window_end"])
        assert end >= spins_oracle.window_end(spins)
        assert plain(standing.boards["recent"]) == spins_oracle.recent(terms, spins, end)


def plain(rows: Sequence[dict]) -> list[dict]:
    return [{name: row[name] for name in row if name != "campaign_id"} for row in rows]


@pytest.fixture(scope="module")
def casino(stack: Stack) -> Iterator[Casino]:
    """The job runs into PostgreSQL, and some campaigns are there already."""
    own = stack.changed(games="spins", campaign_grace_minutes=1)
    stack.cancel_jobs()
    own.run("compose", "create")
    own.run("jobs", "--sink", "postgres")
    yield Casino(own)
    stack.cancel_jobs()


def create(casino: Casino, name: str, start: int, end: int, **more: Any) -> int:
    """A campaign from so many milliseconds to so many from now."""
    now = time.time_ns() // 1_000_000
    terms = Terms(name=name, start_at=at(now + start), end_at=at(now + end), **more)
    return campaigns.create(casino.stack.settings, terms, "Ada").campaign_id


@pytest.fixture(scope="module")
def played(casino: Casino) -> dict[str, int]:
    """The ids of campaigns by name, after spins with every fault and a death of the TaskManager."""
    settings = casino.stack.settings
    ids = {
        "all": create(casino, "all", -60 * MINUTE, 60 * MINUTE, minimum_spins=3),
        "some": create(casino, "some", -3 * MINUTE, 60 * MINUTE, games=(10, 12), last_minutes=1),
        "few": create(casino, "few", -4 * MINUTE, 60 * MINUTE, places=3, last_minutes=2),
        "gone": create(casino, "gone", -60 * MINUTE, 60 * MINUTE),
    }
    casino.play(SPINS, 5)
    casino.send(hostile_messages(time.time_ns() // 1_000_000))
    casino.stack.kill("taskmanager")
    casino.play(SPINS, 5)
    ids["late-made"] = create(casino, "late-made", -4 * MINUTE, 60 * MINUTE, games=(11,))
    ids["over"] = create(casino, "over", -4 * MINUTE, -30_000)  # late spins count for 30 s more
    campaigns.change(
        settings,
        ids["some"],
        "Ada",
        games=(12, 13),
        start_at=at(millis(datetime.now(UTC)) - 150_123),
    )
    campaigns.end(settings, ids["few"], "Bob")
    campaigns.cancel(settings, ids["gone"], "Bob")
    one = campaigns.find(campaigns.standings(settings, "postgres"), ids["late-made"])
    assert one
    first = millis(one.campaign.start_at)
    casino.send(
        spin(casino.random, moment, gameId=11, playerId=player, stake=100, win=100)
        for player in (200, 201)
        for moment in (first - 1, first)
    )
    casino.play(SPINS // 10, 2)
    return ids


def test_boards_in_postgres_are_exact(casino, played):
    casino.expect_soon("postgres")
    standings = campaigns.standings(casino.stack.settings, "postgres")
    assert {each.campaign.name for each in standings} == set(played) - {"gone"}
    assert len(campaigns.find(standings, played["few"]).boards["campaign"]) == 3


def test_rejected_spins_have_their_reasons(casino, played):
    expected = spins_oracle.rejected(casino.stack.records(TOPIC))
    assert len(expected) > 80
    with postgres.connect(postgres.reader_dsn(casino.stack.settings)) as db, db.cursor() as cursor:
        cursor.execute('SELECT partition, "offset", reason FROM leaderboard.rejected_spins')
        assert {(partition, offset): reason for partition, offset, reason in cursor} == expected


def test_a_banned_player_leaves_the_boards(casino, played):
    settings = casino.stack.settings
    before = campaigns.find(campaigns.standings(settings, "postgres"), played["all"])
    player = before.boards["campaign"][0]["player_id"]
    decision = "player", str(player), "--reason", "a bot", "--by", "Ada"
    casino.stack.run("boards.moderation", "ban", *decision, "--anyway")
    after = campaigns.find(campaigns.standings(settings, "postgres"), played["all"])
    assert player not in [row["player_id"] for row in after.boards["campaign"]]
    assert [row["place"] for row in after.boards["campaign"]][:3] == [1, 2, 3]
    casino.stack.run("boards.moderation", "unban", *decision)


@pytest.fixture(scope="module")
def final(casino: Casino, played: dict[str, int]) -> Standing:
    """The campaign that was over, once it is final."""
    settings = casino.stack.settings
    keeper = Upkeep(settings)

    def check() -> None:
        keeper.look(status(settings))
        standing = campaigns.find(campaigns.standings(settings, "postgres"), played["over"])
        assert standing
        assert standing.frozen_at

    eventually(check)
    standing = campaigns.find(campaigns.standings(settings, "postgres"), played["over"])
    assert standing
    return standing


def test_a_final_table_is_the_oracles(casino, final):
    spins = casino.accepted()
    terms = terms_of(final.campaign)
    assert plain(final.boards["campaign"]) == spins_oracle.campaign(terms, spins)
    assert final.totals["spins"] == len(spins_oracle.counting(terms, spins))
    assert final.boards["recent"] == []


def test_a_final_campaign_changes_no_more(casino, final):
    settings, id_ = casino.stack.settings, final.campaign.campaign_id
    for decide in (campaigns.end, campaigns.cancel):
        with pytest.raises(CampaignError, match="changes no more"):
            decide(settings, id_, "Ada")
    with (
        postgres.connect(postgres.moderator_dsn(settings)) as db,
        db.cursor() as cursor,
        pytest.raises(psycopg2.errors.InsufficientPrivilege),
    ):
        cursor.execute("DELETE FROM moderation.campaign_finals")
    assert not campaigns.freeze(settings, final)


def test_boards_in_kafka_are_exact_and_a_final_table_stays(casino, played, final):
    settings = casino.stack.settings
    late = millis(final.campaign.end_at) - 1000
    casino.send([spin(casino.random, late, playerId=100, stake=1, win=10_000)])
    casino.stack.run("jobs", "--sink", "kafka", "--switch")
    casino.play(SPINS // 10, 2)
    casino.stack.kill("taskmanager")
    create(casino, "in Kafka", -5 * MINUTE, 60 * MINUTE, last_minutes=3)
    campaigns.change(settings, played["all"], "Ada", minimum_spins=5)
    casino.play(SPINS // 10, 2)
    casino.expect_soon("kafka")
    standings = campaigns.standings(settings, "kafka")
    assert {each.campaign.name for each in standings} == {*set(played) - {"gone"}, "in Kafka"}
    for sink in ("kafka", "postgres"):
        assert (
            campaigns.find(campaigns.standings(settings, sink), final.campaign.campaign_id) == final
        )


def test_the_command_says_what_is_there_and_what_is_wrong(casino, played, final):
    listed = casino.stack.run("boards.campaigns", "list").stdout
    assert "final" in listed
    assert "cancelled" in listed
    assert "late-made" in listed
    history = casino.stack.run("boards.campaigns", "list", "--history").stdout
    assert history.count("create") == len(played) + 1
    wrong = casino.stack.run(
        *("boards.campaigns", "create", "Backwards"),
        *("--start", "2026-11-28 10:00", "--end", "2026-11-28 09:00"),
        check=False,
    )
    assert wrong.returncode == 1
    assert "the end must be after the start" in wrong.stderr
    made = casino.stack.run(
        *("boards.campaigns", "create", "Later"),
        *("--start", f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d %H:%M}"),
        *("--end", f"{datetime.now(UTC) + timedelta(days=2):%Y-%m-%d %H:%M}"),
    )
    assert made.stdout.endswith(" UTC, planned\n")
    later = made.stdout.split()[1]
    for verb, code, complaint in (
        ("end", 1, "has not begun: cancel it instead"),
        ("cancel", 0, ""),
        ("cancel", 1, "is cancelled: it changes no more"),
    ):
        done = casino.stack.run("boards.campaigns", verb, later, check=False)
        assert done.returncode == code
        assert complaint in done.stderr


def test_the_injector_sends_a_spin_when_somebody_says_yes(casino, final):
    before = len(casino.stack.records(TOPIC))
    done = subprocess.run(
        [sys.executable, "-m", "generator", "spins", "-t", TOPIC],
        env=casino.stack.environment | {"BOOTSTRAP_SERVERS": casino.stack.settings.brokers},
        input="y\nperhaps\nn\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Produce an event? Y/N") == 3
    records = casino.stack.records(TOPIC)
    assert len(records) == before + 1
    last = max(records, key=lambda record: record.timestamp)
    assert (last.value or b"").decode() in done.stdout
