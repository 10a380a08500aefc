"""The score events of a league as a stream of Kafka records: seeded, without clock or I/O."""

from __future__ import annotations

import json
from bisect import bisect
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import NamedTuple

from generator.faults import FAULTS, REQUIRED, to_json
from generator.game import ROUND_SECONDS, Game, League

UNPACED_RATE = 100_000.0  # events per second of event time at rate 0: more than can be sent, so none is in the future
LATE_MILLIS = (5 * 60_000, 10 * 60_000)
REPEAT_SECONDS = (0.05, 5.0)  # after the first time


class Record(NamedTuple):
    """A Kafka record: key and value as bytes (value None: a tombstone), due in seconds after the start."""

    key: bytes
    value: bytes | None
    due: float


def records(league: League, start_millis: int) -> Iterator[Record]:
    """All records of a new league in the order of `due`, without end.

    An event's time is `start_millis` (epoch, UTC) plus its `due`. Equal leagues give
    equal records; with another start, records that differ in their times alone.
    """
    originals = _originals(league, start_millis)
    if not league.game.duplicates:
        return originals
    return _with_duplicates(originals, 1 / league.game.duplicates, Random(f"duplicates {league.source}"))


def _originals(league: League, start_millis: int) -> Iterator[Record]:
    game, random = league.game, Random(f"events {league.source}")
    faults = list(FAULTS.values())
    late, corrupt, minimal = (1 / n if n else 0.0 for n in (game.late, game.corrupt, game.minimal))
    for due in _arrivals(league, random, game.rate or UNPACED_RATE):
        player = league.players[bisect(league.cumulative_weights, random.random() * league.cumulative_weights[-1])]
        millis, kind = start_millis + int(due * 1000), "normal"
        if late and random.random() < late:
            millis, kind = millis - random.randint(*LATE_MILLIS), "late"
        # Put together by hand: json.dumps of a dict takes three times as long.
        text = (
            f'{{"event_id":"{_uuid(random)}",{player.fragment},"score":{_score(game, player.exponent, random)},'
            f'"event_time_millis":{millis},"event_type":"{kind}"}}'
        )
        value: bytes | None = text.encode()
        if corrupt and random.random() < corrupt:
            value = random.choice(faults)(json.loads(text))
        elif minimal and random.random() < minimal:
            event = json.loads(text)
            value = to_json({name: event[name] for name in REQUIRED})
        yield Record(player.user_id.encode(), value, due)


def _arrivals(league: League, random: Random, rate: float) -> Iterator[float]:
    """Seconds after the start, with exponential gaps; the league's rounds begin on their way."""
    due = random.expovariate(rate)
    for next_round in count(1):
        while due < next_round * ROUND_SECONDS:
            yield due
            due += random.expovariate(rate)
        league.begin_round(next_round)


def _score(game: Game, exponent: float, random: Random) -> int:
    low, high = game.scores
    # A power of nearly 1 may round up to 1.
    return min(high, low + int(random.random() ** exponent * (high - low + 1)))


def _uuid(random: Random) -> str:
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _with_duplicates(originals: Iterator[Record], chance: float, random: Random) -> Iterator[Record]:
    waiting: list[tuple[float, int, Record]] = []  # the number settles equal times
    for number, record in enumerate(originals):
        while waiting and waiting[0][0] <= record.due:
            due, _, earlier = heappop(waiting)
            yield earlier._replace(due=due)
        yield record
        if random.random() < chance:
            heappush(waiting, (record.due + random.uniform(*REPEAT_SECONDS), number, record))
