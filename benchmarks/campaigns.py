"""How fast spins are added up for a hundred campaigns that overlap, and whether that is right."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from unittest.mock import patch

import numpy as np
from confluent_kafka import Producer
from kafka.admin import KafkaAdminClient
from kafka.errors import UnknownTopicOrPartitionError

import games
from benchmarks import driver, system
from benchmarks.system import Usage, Watch
from boards import campaigns
from boards.campaigns import Standing
from boards.sinks import sinks
from clients import flink, kafka
from games.campaign import Campaign, Terms
from games.spins import TOPIC
from jobs import environment as flink_environment
from settings import Settings

GAME = games.load("spins")
PLAYERS, GAMES, CAMPAIGNS = 10_000, 50, 100
HOURS = 2  # in which the spins were played
PARTITIONS = 4
DEADLINE_SECONDS = 900
LOOK_SECONDS = 1.0
CHECKED = 400  # of the best by floating point; the exact ones of 120 places are among them
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Spins:
    """Spins in the order of their time, a column each; times in epoch milliseconds."""

    times: np.ndarray
    players: np.ndarray
    slots: np.ndarray
    stakes: np.ndarray
    wins: np.ndarray


@dataclass(frozen=True)
class Result:
    """What a drain took, from its first running task to the last sum, and how many rows."""

    spins: int
    seconds: float
    usage: Usage


def drawn(count: int, start_millis: int, seed: int = 1) -> Spins:
    """Spins of HOURS from then on, of players who all play alike."""
    random = np.random.default_rng(seed)
    return Spins(
        start_millis + np.arange(count) * (HOURS * 3_600_000) // count,
        random.integers(1, PLAYERS + 1, count),
        random.integers(1, GAMES + 1, count),
        random.integers(10, 301, count),
        np.where(random.random(count) < 1 / 3, random.integers(100, 501, count), 0),
    )


def decided(settings: Settings, start_millis: int) -> list[Campaign]:
    """The campaigns: each has other bounds, games and last minutes than the others."""
    with _told_at_once(settings):
        return [
            campaigns.create(settings, _terms(number, start_millis), "benchmark")
            for number in range(CAMPAIGNS)
        ]


def _terms(number: int, start_millis: int) -> Terms:
    return Terms(
        name=f"Campaign {start_millis} {number}",
        start_at=_moment(start_millis + number * 30_000),
        end_at=_moment(start_millis + (HOURS + 24) * 3_600_000),
        games=() if number % 4 == 0 else tuple(range(1 + number % 25, 26 + number % 25)),
        last_minutes=(5, 10, 30, 60)[number % 4],
        minimum_spins=1 + number % 10,
    )


@contextmanager
def _told_at_once(settings: Settings) -> Iterator[None]:
    """Jobs hear of many decisions when the last is made: each alone would tell them all again."""
    with patch.object(campaigns, "publish"):
        yield
    campaigns.publish(settings)


def _moment(millis: int) -> datetime:
    return EPOCH + timedelta(milliseconds=millis)


def fill(settings: Settings, count: int, start_millis: int) -> Spins:
    """A topic of its own that holds these spins as if they had come live."""
    with closing(kafka.client(KafkaAdminClient, settings)) as admin:
        with suppress(UnknownTopicOrPartitionError):
            admin.delete_topics([TOPIC])
            time.sleep(2)  # until the broker has let go of its name
        configs = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
        wanted = {TOPIC: {"num_partitions": PARTITIONS, "configs": configs}}
        admin.create_topics(wanted, wait_for_metadata=True)
    with driver._pool(None) as pool:
        pool.submit(_send, settings, count, start_millis).result()
    return drawn(count, start_millis)


def _send(settings: Settings, count: int, start_millis: int) -> None:
    spins = drawn(count, start_millis)
    producer = Producer({"bootstrap.servers": settings.brokers, "linger.ms": 50} | driver.PRODUCER)
    form = b'{"playerId":%d,"gameId":%d,"stake":%d,"win":%d,"eventTime":"%b"}'
    columns = (spins.times, spins.players, spins.slots, spins.stakes, spins.wins)
    for first in range(0, count, driver.CHUNK):
        chunk = [column[first : first + driver.CHUNK].tolist() for column in columns]
        texts = np.datetime_as_string(np.array(chunk[0], "datetime64[ms]"), "us").tolist()
        for millis, player, slot, stake, win, text in zip(*chunk, texts, strict=True):
            moment = text.replace("T", " ").encode()
            value = form % (player, slot, stake, win, moment)
            while True:
                try:
                    producer.produce(TOPIC, value, b"%d" % player, timestamp=millis)
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.poll(0)
    producer.flush()


def drain(
    settings: Settings, sink_name: str, count: int, progress: Callable[[float], None]
) -> Result:
    """Read a full topic for all campaigns; raises AssertionError when a board is wrong."""
    own = dataclasses.replace(settings, games=GAME.name)
    start_millis = int((time.time() - HOURS * 3600 - 60) * 1000)
    spins = fill(own, count, start_millis)
    for sink in sinks(own):
        sink.create([GAME])
        sink.clear(sink.tables(GAME.tables))
    ids = {each.campaign_id for each in decided(own, start_millis)}
    title = f"campaigns {time.time_ns()}"
    with Watch(own) as watch:
        environment = flink_environment.table_environment(own)
        group = title.replace(" ", "-")
        flink_environment.define_tables(environment, GAME, sink_name, own, group)
        plan = flink_environment.compile_plan(environment, GAME, GAME.tables, own)
        flink_environment.execute(environment, plan, title)
        job = flink.newest(own, title)
        began = _running_since(own, job)
        standings = _await(own, sink_name, ids, spins, progress)
        seconds = time.time() - began
    flink.cancel(own, job)
    for each in standings:
        check(each, spins)
    with _told_at_once(own):
        for id_ in ids:
            campaigns.cancel(own, id_, "benchmark")
    return Result(count, seconds, watch.usage)


def _running_since(settings: Settings, job: str) -> float:
    while not (at := flink.rest(settings, "GET", f"/jobs/{job}")["timestamps"]["RUNNING"]):
        time.sleep(LOOK_SECONDS)
    return float(at) / 1000


def _await(
    settings: Settings,
    sink_name: str,
    ids: set[int],
    spins: Spins,
    progress: Callable[[float], None],
) -> list[Standing]:
    """Wait until the totals of all campaigns have every spin."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        found = [
            each
            for each in campaigns.standings(settings, sink_name)
            if each.campaign.campaign_id in ids
        ]
        counts = [each.totals["spins"] if each.totals else 0 for each in found]
        progress(max(counts, default=0))
        if len(found) == len(ids) and all(
            count == int(counting(each.campaign, spins).sum())
            for count, each in zip(counts, found, strict=True)
        ):
            return found
        time.sleep(LOOK_SECONDS)
    raise system.TooSlow(f"not all spins were added up after {DEADLINE_SECONDS} s", max(counts))


def counting(campaign: Campaign, spins: Spins) -> np.ndarray:
    """Which spins count in a campaign."""
    start, end = (int(each.timestamp() * 1000) for each in (campaign.start_at, campaign.end_at))
    chosen = (spins.times >= start) & (spins.times < end)
    return chosen & np.isin(spins.slots, campaign.games) if campaign.games else chosen


def check(standing: Standing, spins: Spins) -> None:
    """Raise AssertionError when a board is not what the spins add up to."""
    campaign, totals = standing.campaign, standing.totals
    assert totals, f"{campaign.name} has no totals"
    chosen = counting(campaign, spins)
    end = int(totals["window_end"].timestamp() * 1000)
    first = end - campaign.last_minutes * 60_000
    recent = chosen & (spins.times >= first) & (spins.times < end)
    for name, of in (("campaign", chosen), ("recent", recent)):
        found = [
            (row["player_id"], row["win"], row["stake"], row["spins"])
            for row in standing.boards[name]
        ]
        expected = _best(campaign, spins, of)
        assert found == expected, f"{campaign.name}, {name}: {found[:3]}, expected {expected[:3]}"


def _best(campaign: Campaign, spins: Spins, chosen: np.ndarray) -> list[tuple[int, ...]]:
    players = spins.players[chosen]
    size = PLAYERS + 1
    counts = np.bincount(players, minlength=size)
    # Sums below 2^53 are exact in floating point.
    wins = np.bincount(players, spins.wins[chosen], size).astype(np.int64)
    stakes = np.bincount(players, spins.stakes[chosen], size).astype(np.int64)
    listed = np.nonzero((stakes > 0) & (counts >= campaign.minimum_spins))[0]
    rough = wins[listed] / stakes[listed]
    listed = listed[np.argsort(-rough, kind="stable")[:CHECKED]].tolist()
    rows: list[tuple[int, ...]] = [
        (player, int(wins[player]), int(stakes[player]), int(counts[player])) for player in listed
    ]
    rows.sort(key=lambda row: (-Fraction(row[1], row[2]), -row[2], row[0]))
    return rows[: campaign.places]
