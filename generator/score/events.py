"""The score events of a league as a stream of Kafka records: seeded, without clock or I/O."""

from __future__ import annotations

import json
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from random import Random

from generator.record import Record
from generator.score.faults import FAULTS, REQUIRED, to_json
from generator.score.league import ROUND_SECONDS, League, LeagueOptions

# Events per second of event time at rate 0: more than can be sent, so none is in the future.
UNPACED_RATE = 100_000.0
LATE_MILLIS = (5 * 60_000, 10 * 60_000)
REPEAT_SECONDS = (0.05, 5.0)  # after the first time


@dataclass(frozen=True)
class ScoreEvents:
    """The source of the score events of a league."""

    options: LeagueOptions

    @property
    def is_paced(self) -> bool:
        """Whether events come at a rate, rather than as fast as possible."""
        return self.options.rate > 0

    def records(
        self, seed: int, process: int, processes: int, start_millis: int
    ) -> Iterator[Record]:
        """The records of one of so many processes, without end."""
        return records(League(self.options, seed, process, processes), start_millis)


def records(league: League, start_millis: int) -> Iterator[Record]:
    """All records of a new league in the order of `due`, without end.

    An event's time is `start_millis` (epoch, UTC) plus its `due`. Equal leagues give
    equal records; with another start, records that differ in their times alone.
    """
    originals = _originals(league, start_millis)
    if not league.options.duplicates:
        return originals
    return _with_duplicates(
        originals, 1 / league.options.duplicates, Random(f"duplicates {league.source}")
    )


def _originals(league: League, start_millis: int) -> Iterator[Record]:
    options, random = league.options, Random(f"events {league.source}")
    faults = list(FAULTS.values())
    late, corrupt, minimal = (
        1 / n if n else 0.0 for n in (options.late, options.corrupt, options.minimal)
    )
    for due in _arrivals(league, random, options.rate or UNPACED_RATE):
        player = league.players[
            bisect(league.cumulative_weights, random.random() * league.cumulative_weights[-1])
        ]
        millis, kind = start_millis + int(due * 1000), "normal"
        if late and random.random() < late:
            millis, kind = millis - random.randint(*LATE_MILLIS), "late"
        # Put together by hand: json.dumps of a dict takes three times as long.
        event_id, score = _uuid(random), _score(options, player.exponent, random)
        text = (
            f'{{"event_id":"{event_id}",{player.fragment},"score":{score},'
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


def _score(options: LeagueOptions, exponent: float, random: Random) -> int:
    low, high = options.scores
    # A power of nearly 1 may round up to 1.
    return min(high, low + int(random.random() ** exponent * (high - low + 1)))


def _uuid(random: Random) -> str:
    digits = f"{random.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def _with_duplicates(
    originals: Iterator[Record], chance: float, random: Random
) -> Iterator[Record]:
    waiting: list[tuple[float, int, Record]] = []  # the number settles equal times
    for number, record in enumerate(originals):
        while waiting and waiting[0][0] <= record.due:
            due, _, earlier = heappop(waiting)
            yield earlier._replace(due=due)
        yield record
        if random.random() < chance:
            heappush(waiting, (record.due + random.uniform(*REPEAT_SECONDS), number, record))
