"""Spins of slot machines: who plays what, for how much, and what it brings."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from games.spins import TOPIC
from generator.form import Form
from generator.record import Record

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)?)?", re.ASCII)
FASTEST_PER_SECOND = 100_000  # of each process, as event times say that are sent without a rate

Range = tuple[int, int]


@dataclass(frozen=True)
class Spins:
    """A source of spins; amounts are minor units.

    players, games ranges of ids
    stakes, wins   ranges of amounts
    one_wins_in    one spin in so many wins
    latency_millis range of the time between two spins, when there is no rate
    rate           spins per second instead; 0 is as fast as possible
    with_ids       whether each spin has a spinId
    print_every    every so many messages one is printed, the first always; 0 is none
    """

    players: Range = (100, 110)
    games: Range = (10, 15)
    stakes: Range = (10, 300)
    wins: Range = (100, 500)
    one_wins_in: int = 3
    latency_millis: Range = (500, 1000)
    rate: float | None = None
    with_ids: bool = False
    print_every: int = 0

    @property
    def is_paced(self) -> bool:
        """Whether spins come one by one rather than as fast as possible."""
        return self.rate != 0

    def records(
        self, seed: int, process: int, processes: int, start_millis: int
    ) -> Iterator[Record]:
        """Spins without end. Of several processes, each sends its share of the rate."""
        random = Random(f"{seed} {process}")
        number, due = 0, 0.0
        while True:
            record = self.record(random, start_millis * 1000, due, f"{seed}-{process}-{number}")
            if self.print_every and number % self.print_every == 0:
                print(f"{number + 1}: {(record.value or b'').decode()}", flush=True)
            yield record
            number += 1
            due += self._gap(random, processes)

    def _gap(self, random: Random, processes: int) -> float:
        if self.rate is None:
            return random.uniform(*self.latency_millis) / 1000 * processes
        if self.rate == 0:
            return 1 / FASTEST_PER_SECOND
        return random.expovariate(self.rate / processes)

    def record(self, random: Random, start_micros: int, due: float, spin_id: str) -> Record:
        """One spin, so many seconds after the start."""
        has_won = random.randrange(self.one_wins_in) == 0
        spin: dict[str, object] = {
            "playerId": random.randint(*self.players),
            "gameId": random.randint(*self.games),
            "stake": random.randint(*self.stakes),
            "win": random.randint(*self.wins) if has_won else 0,
            "eventTime": write_time(start_micros + math.floor(due * 1_000_000)),
        }
        if self.with_ids:
            spin["spinId"] = spin_id
        return Record(str(spin["playerId"]).encode(), json.dumps(spin).encode(), due)


def write_time(micros: int) -> str:
    """Epoch microseconds as an event says them: 2026-11-28 10:15:30.123456, in UTC."""
    return f"{EPOCH + timedelta(microseconds=micros):%Y-%m-%d %H:%M:%S.%f}"


def read_time(value: object) -> int:
    """The opposite, and ISO 8601 likewise. Raises ValueError when it is none."""
    if not isinstance(value, str) or not TIME.fullmatch(value):
        raise ValueError(f"{value!r} is no time like 2026-11-28 10:15:30.123456")
    moment = datetime.fromisoformat(value)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH) // timedelta(microseconds=1)


FORM = Form(
    topic=TOPIC,
    fields=("playerId", "gameId", "stake", "win", "eventTime"),
    key="playerId",
    time="eventTime",
    numbers=("playerId", "gameId", "stake", "win"),
    read_time=read_time,
    write_time=write_time,
)
