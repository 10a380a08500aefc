"""Who plays: teams that come and go, their players, and who is in form just now."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, replace
from itertools import accumulate, count, product
from random import Random

from faker import Faker

from generator.run import part

ROUND_SECONDS = 5  # teams, form and robots change between rounds, never within one
LIFETIME_ROUNDS = (20 * 60 // ROUND_SECONDS, 40 * 60 // ROUND_SECONDS)
FORM_ROUNDS = (30 // ROUND_SECONDS, 120 // ROUND_SECONDS)
FORM_CHANCE = 0.007  # per player and round: about one in ten is in form at any time
FORM_ACTIVITY = 3.0  # a player in form plays that much more often
HOP_CHANCE = 0.1  # per round: a hopping robot changes team about once in 50 s
ROBOT_MEAN, ROBOT_ACTIVITY = 0.5, 4.0  # a robot scores evenly and never rests
MAX_ACTIVITY = 15.0  # cuts the tail, so that no player fills a board alone

COLORS = (
    "Amber Amethyst Aqua Azure Beige Black Blue Bronze Brown Cherry Cobalt Copper Coral Crimson "
    "Cyan Ebony Emerald Fuchsia Gold Gray Green Indigo Ivory Jade Khaki Lavender Lemon Lilac "
    "Lime Magenta Maroon Mint Navy Ochre Olive Orange Pearl Pink Plum Purple Red Rose Ruby Rust "
    "Saffron Sapphire Scarlet Silver Teal Turquoise Violet White"
)
ANIMALS = (
    "Alligator Alpaca Antelope Badger Bat Bear Beaver Bison Bobcat Buffalo Camel Cheetah Cobra "
    "Condor Cougar Coyote Crane Crow Dingo Dolphin Eagle Elk Falcon Ferret Fox Gazelle Gecko "
    "Gorilla Hawk Heron Hornet Horse Hyena Ibex Jackal Jaguar Kangaroo Koala Lemur Leopard Lion "
    "Lizard Llama Lynx Marmot Moose Octopus Orca Otter Owl Panda Panther Parrot Pelican Penguin "
    "Puma Python Quokka Raccoon Raven Rhino Salmon Scorpion Shark Sparrow Spider Stork Swan "
    "Tiger Toucan Turtle Viper Walrus Whale Wolf Wombat Yak Zebra"
)


@dataclass(frozen=True)
class LeagueOptions:
    """What the events are like; "one in N" is N, and 0 means none."""

    rate: float = 50.0  # events per second of event time; 0: as fast as possible
    teams: int = 10  # live at any time
    members: tuple[int, int] = (5, 15)  # of a team, both limits included
    scores: tuple[int, int] = (0, 20)  # of an event, both limits included
    robots: int = 5  # one in N teams has a robot among its members
    hopping_robots: int = 1  # robots that play as guests, now of one team, now of another
    late: int = 0
    duplicates: int = 0
    corrupt: int = 0
    minimal: int = 0

    def share(self, process: int, processes: int) -> LeagueOptions:
        """This process's part of the rate, the teams and the hopping robots."""
        return replace(
            self,
            rate=self.rate / processes,
            teams=part(self.teams, process, processes),
            hopping_robots=part(self.hopping_robots, process, processes),
        )


@dataclass(eq=False, slots=True)
class Player:
    """A player or robot.

    `mean` is the expected share of the highest score, and `activity` the relative frequency.
    """

    user_id: str
    name: str
    mean: float
    activity: float
    fragment: str = ""  # the fields of an event that are the same every time, as JSON
    stays_until: int = 0  # round in which the team ends
    form_until: int = 0  # round
    exponent: float = 1.0  # of a uniform draw: u ** exponent has the player's mean
    weight: float = 0.0

    def join(self, team: Team) -> None:
        """From now on this player's events carry `team`."""
        fields = {
            "user_id": self.user_id,
            "user_name": self.name,
            "team_id": team.team_id,
            "team_name": team.name,
        }
        self.fragment = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))[1:-1]
        self.stays_until = team.ends

    def warm_up(self, now: int) -> None:
        """Set frequency and scoring for round `now`."""
        in_form = now < self.form_until
        mean = 1 - (1 - self.mean) ** 2.5 if in_form else self.mean
        self.exponent = 1 / mean - 1  # the mean of u ** k is 1 / (k + 1)
        self.weight = self.activity * (FORM_ACTIVITY if in_form else 1)


@dataclass(eq=False, slots=True)
class Team:
    """A team that lives from round `born` until round `ends`."""

    team_id: str
    name: str
    born: int
    ends: int
    members: list[Player]


class League:
    """The live teams of one process; equal arguments give equal leagues.

    Ids and team names are unique among all processes of a run: each process takes
    its own residue class of the numbers, and its own share of the names.
    """

    def __init__(
        self, options: LeagueOptions, seed: int, process: int = 0, processes: int = 1
    ) -> None:
        self.options = options.share(process, processes)
        self.source = f"{seed} {process}"  # of all chance in this process
        self._random = Random(f"league {self.source}")
        self._faker = Faker("en_US", use_weighting=False)
        self._faker.seed_instance(self._random.getrandbits(32))
        # A random start keeps the ids of two runs apart.
        self._numbers = count(self._random.getrandbits(40) * processes + process, processes)
        self._names = _team_names(options.teams, seed, process, processes)
        self._created = 0
        self.teams = [self._first_generation() for _ in range(self.options.teams)]
        self._hoppers = [self._robot() for _ in range(self.options.hopping_robots)]
        self.begin_round(0)

    def begin_round(self, now: int) -> None:
        """Replace teams whose time is over, let robots hop, and settle who is in form now."""
        for place, team in enumerate(self.teams):
            if now >= team.ends:
                self.teams[place] = self._team(now)
                self._names.append(team.name)
        for robot in self._hoppers:
            if now >= robot.stays_until or self._random.random() < HOP_CHANCE:
                robot.join(self._random.choice(self.teams))
        self.players = [player for team in self.teams for player in team.members] + self._hoppers
        for player in self.players:
            if self._random.random() < FORM_CHANCE:
                player.form_until = now + self._random.randint(*FORM_ROUNDS)
            player.warm_up(now)
        self.cumulative_weights = list(accumulate(player.weight for player in self.players))

    def _first_generation(self) -> Team:
        # Born at different times before the start, so that they do not all end together.
        team = self._team(0)
        age = self._random.randrange(team.ends)
        team.born, team.ends = -age, team.ends - age
        return team

    def _team(self, now: int) -> Team:
        members = [self._player() for _ in range(self._random.randint(*self.options.members))]
        if self.options.robots and self._created % self.options.robots == self.options.robots - 1:
            members[-1] = self._robot()
        self._created += 1
        ends = now + self._random.randint(*LIFETIME_ROUNDS)
        team = Team(f"TEAM-{next(self._numbers):012X}", self._names.popleft(), now, ends, members)
        for member in members:
            member.join(team)
        return team

    def _player(self) -> Player:
        name = f"{self._faker.first_name()} {self._faker.last_name()}"
        # Most are middling, a few are strong.
        mean = min(max(self._random.betavariate(2, 5), 0.05), 0.9)
        activity = min(self._random.paretovariate(1.2), MAX_ACTIVITY)
        return Player(f"USR-{next(self._numbers):012X}", name, mean, activity)

    def _robot(self) -> Player:
        name = f"Robot {self._faker.first_name()}"
        return Player(f"RBT-{next(self._numbers):012X}", name, ROBOT_MEAN, ROBOT_ACTIVITY)


def _team_names(teams: int, seed: int, process: int, processes: int) -> deque[str]:
    """Names for this process: twice what it needs, so that a name comes back late."""
    pairs = [f"{color} {animal}" for color, animal in product(COLORS.split(), ANIMALS.split())]
    Random(f"names {seed}").shuffle(pairs)
    series = 1 + 2 * (teams + processes) // len(pairs)
    names = [
        pair if number == 1 else f"{pair} {number}"
        for number in range(1, series + 1)
        for pair in pairs
    ]
    return deque(names[process::processes])
