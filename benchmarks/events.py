"""Score events in the generator's format, drawn in bulk: seeded, without clock or I/O."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count, islice
from random import Random

import numpy as np

from generator.score.faults import FAULTS
from generator.score.league import ANIMALS, COLORS, Player, Team

HIGHEST_SCORE = 20
DIGITS = [place for place in range(36) if place not in (8, 13, 18, 23)]  # of a UUID, as a text
Message = tuple[bytes, bytes | None, int]  # key, value and time in epoch milliseconds


@dataclass(frozen=True)
class World:
    """Who plays: the n-th player has a share of 1/n of the events (Zipf), and one team for good.

    Where all play alike, they come one after the other, each as often as all others. Of the
    events, one in `repeated` is sent twice and one in `corrupt` is broken; 0 means none.
    """

    players: int = 100_000
    teams: int = 10_000
    seed: int = 1
    repeated: int = 1_000
    corrupt: int = 1_000
    is_even: bool = False

    def shares(self) -> np.ndarray:
        """The cumulative shares of the players, up to 1."""
        sums = np.cumsum(1 / np.arange(1, self.players + 1))
        return sums / sums[-1]

    def fragments(self) -> tuple[list[bytes], list[bytes]]:
        """By player: the key, and the fields that are the same every time, as JSON."""
        colors, animals = COLORS.split(), ANIMALS.split()
        teams = []
        for number in range(self.teams):
            name = f"{_pick(colors, number)} {_pick(animals, number // 7)} {number}"
            teams.append(Team(f"TEAM-{number:012X}", name, 0, 0, []))
        keys, fragments = [], []
        for number in range(self.players):
            # Ids whose order says nothing about the shares.
            user_id = f"USR-{number * 2_654_435_761 % 2**40:012X}"
            name = f"{_pick(animals, number)} {_pick(colors, number // 11)}"
            player = Player(user_id, name, 0.5, 1.0)
            player.join(teams[number % self.teams])
            keys.append(user_id.encode())
            fragments.append(player.fragment.encode())
        return keys, fragments


def _pick(words: list[str], number: int) -> str:
    return words[number % len(words)]


def value(event_id: bytes, fragment: bytes, score: int, millis: int) -> bytes:
    """A score event as the generator writes it."""
    form = b'{"event_id":"%b",%b,"score":%d,"event_time_millis":%d,"event_type":"normal"}'
    return form % (event_id, fragment, score, millis)


class Events:
    """The endless events of one of several processes, drawn in chunks."""

    def __init__(self, world: World, process: int, processes: int = 1) -> None:
        self._world = world
        self._turns = count(process, processes)
        self._shares, (self._keys, self._fragments) = world.shares(), world.fragments()
        self._draws = np.random.default_rng([world.seed, process])
        self._random = Random(f"{world.seed} {process}")
        self._faults = list(FAULTS.values())

    def chunk(self, millis: list[int]) -> list[Message]:
        """An event for each of these times (epoch milliseconds)."""
        players = self._players(len(millis))
        scores = self._draws.integers(0, HIGHEST_SCORE + 1, len(millis)).tolist()
        ids = _uuids(self._draws.bytes(16 * len(millis)))
        events: list[Message] = []
        for event_id, player, score, at in zip(ids, players, scores, millis, strict=True):
            whole = value(event_id, self._fragments[player], score, at)
            events.append((self._keys[player], whole, at))
        for number in self._one_in(self._world.corrupt, len(millis)):
            key, good, at = events[number]
            events[number] = key, self._random.choice(self._faults)(json.loads(good or b"")), at
        return events

    def _players(self, how_many: int) -> list[int]:
        if self._world.is_even:
            return [turn % self._world.players for turn in islice(self._turns, how_many)]
        return np.searchsorted(self._shares, self._draws.random(how_many)).tolist()

    def again(self, chunk: list[Message]) -> list[Message]:
        """Those of a chunk that are sent a second time."""
        return [chunk[number] for number in self._one_in(self._world.repeated, len(chunk))]

    def _one_in(self, so_many: int, of: int) -> list[int]:
        """Numbers below `of`, each with this chance; 0 means none."""
        return np.nonzero(self._draws.random(of) < 1 / so_many)[0].tolist() if so_many else []


def _uuids(drawn: bytes) -> list[bytes]:
    """A UUID of every 16 bytes, all at once: a live load takes its time from the system."""
    texts = np.full((len(drawn) // 16, 36), ord("-"), np.uint8)
    texts[:, DIGITS] = np.frombuffer(drawn.hex().encode(), np.uint8).reshape(-1, 32)
    texts[:, 14], texts[:, 19] = ord("4"), ord("a")  # the version, and the variant
    return texts.view("S36").ravel().tolist()
