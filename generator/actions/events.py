"""The actions of some teams' players as a stream of Kafka records: seeded, without clock or I/O."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from uuid import UUID

from faker import Faker

from games.actions import FIELD_OF, TOPIC, listed
from generator.form import Event, Form, to_json
from generator.record import Record

UNPACED_RATE = 100_000.0  # actions per second of event time at rate 0: more than can be sent
VERBS = {"move": "moved", "attack": "attacked", "collect_item": "collected", "use_item": "used"}


def sentence(action: Event) -> str | None:
    """An action in words, such as "Player attacked dragon"; None for one that is not known."""
    name = action["action"]
    if not (isinstance(name, str) and name in FIELD_OF):
        return None
    value = action[FIELD_OF[name]]
    return f"Player {VERBS[name]} {value or 'nothing'}" if isinstance(value, str) else None


FORM = Form(
    topic=TOPIC,
    fields=("action", *FIELD_OF.values()),
    key="user_id",
    time="event_time_millis",
    numbers=("event_time_millis",),
    sentence=sentence,
)


@dataclass(frozen=True)
class Actions:
    """The source: who acts, how often, and whether the events say by whom.

    `rate` is in actions per second; 0 is as fast as possible.
    """

    rate: float = 1.0
    teams: int = 5
    members: int = 10
    is_anonymous: bool = False

    @property
    def is_paced(self) -> bool:
        """Whether actions come at a rate, rather than as fast as possible."""
        return self.rate > 0

    def records(
        self, seed: int, process: int, processes: int, start_millis: int
    ) -> Iterator[Record]:
        """The records of one of so many processes, equally far apart, without end."""
        random = Random(f"actions {seed} {process}")
        players = [] if self.is_anonymous else _players(self, Random(f"players {seed}"))
        kinds = listed()
        weights = [each.weight for each in kinds]
        seconds = processes / (self.rate or UNPACED_RATE)
        for number in count():
            due = (number + process / processes) * seconds
            (kind,) = random.choices(kinds, weights)
            action: Event = {"action": kind.name} | dict.fromkeys(FIELD_OF.values(), "")
            action[FIELD_OF[kind.name]] = random.choice(kind.values)
            if players:
                action["action_id"] = str(UUID(int=random.getrandbits(128), version=4))
                action |= random.choice(players)
                action["event_time_millis"] = start_millis + math.floor(due * 1000)
            yield Record(FORM.key_of(action), to_json(action), due)


def _players(actions: Actions, random: Random) -> list[Event]:
    """The fields that say who a player is, of each; a random start keeps two runs apart."""
    faker = Faker("en_US", use_weighting=False)
    faker.seed_instance(random.getrandbits(32))
    numbers = count(random.getrandbits(40))
    teams = [
        {"team_id": f"TEAM-{next(numbers):012X}", "team_name": f"{faker.color_name()} {name}"}
        for name in (faker.last_name() for _ in range(actions.teams))
    ]
    return [
        {
            "user_id": f"USR-{next(numbers):012X}",
            "user_name": f"{faker.first_name()} {faker.last_name()}",
            **team,
        }
        for team in teams
        for _ in range(actions.members)
    ]
