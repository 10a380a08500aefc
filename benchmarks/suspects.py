"""How many robots their pace betrays: python -m benchmarks.suspects.

Without services: the injector's events of half an hour, judged by the rule of the board `suspects`
in plain Python, which tests/pipeline/test_suspects.py compares with the job. A suspect is who was
suspicious in so many windows in a row, at least once. Prints a table for the documents, whose first
lines are of a guess: everybody is a suspect.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from generator.score.events import records
from generator.score.league import League, LeagueOptions
from settings import settings
from tests import oracle
from tests.oracle import Event

START = 1_772_366_400_000  # 2026-03-01T12:00Z, when a window begins
MINUTES = 30
LEAGUE = LeagueOptions(teams=200, robots=5, hopping_robots=20)
EVENTS_IN_A_WINDOW = (150, 15)  # of a player on average; those with few are where 20 events matter
FACTORS, IN_A_ROW = (settings.suspect_factor, 3.0), (1, 3)
HEAD = (
    "| events of a player in a window | factor | windows in a row | suspects | precision | recall: "
    "members | recall: hopping |\n|---:|---:|---:|---:|---:|---:|---:|"
)


@dataclass(frozen=True)
class Players:
    """Ids of those who played: robots that belong to a team, robots that hop, and all."""

    members: set[str]
    hopping: set[str]
    all: set[str]


def main() -> None:
    about = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suspects", description=about)
    parser.add_argument("--seed", type=int, default=1)
    seed = parser.parse_args().seed
    print(HEAD)
    for count in EVENTS_IN_A_WINDOW:
        events = played(count, seed)
        known = players(events)
        print(line(count, "–", 0, dict.fromkeys(known.all, 0), known))
        for factor in FACTORS:
            runs = longest_runs(events, factor)
            for in_a_row in IN_A_ROW:
                print(line(count, f"{factor:g}", in_a_row, runs, known))


def played(events_in_a_window: int, seed: int) -> list[Event]:
    """Half an hour of the injector's events, in which a player has so many in each window."""
    mean_members = sum(LEAGUE.members) / 2
    rate = LEAGUE.teams * mean_members * events_in_a_window / (oracle.PLAY / oracle.SECOND)
    league = League(replace(LEAGUE, rate=rate), seed)
    sent = takewhile(lambda each: each.due < MINUTES * 60, records(league, START))
    return [event(json.loads(each.value or b"")) for each in sent]


def event(fields: dict[str, Any]) -> Event:
    """An event as the oracle reads it; quicker, because none is wrong."""
    at = fields.pop("event_time_millis")
    del fields["event_type"]
    return Event(**fields, time=at, recorded=at)


def players(events: list[Event]) -> Players:
    """Who played; a robot that plays for several teams hops."""
    teams: dict[str, set[str]] = defaultdict(set)
    for each in events:
        teams[each.user_id].add(each.team_id)
    robots = {user_id for user_id in teams if user_id.startswith("RBT-")}
    hopping = {user_id for user_id in robots if len(teams[user_id]) > 1}
    return Players(robots - hopping, hopping, set(teams))


def longest_runs(events: list[Event], factor: float) -> dict[str, int]:
    """In how many windows in a row each suspect was suspicious, at most."""
    runs: dict[str, int] = defaultdict(int)
    for row in oracle.suspicious(events, settings.suspect_events, factor):
        runs[row["user_id"]] = max(runs[row["user_id"]], row["windows_in_a_row"])
    return runs


def line(count: int, factor: str, in_a_row: int, runs: dict[str, int], known: Players) -> str:
    """A line of the table."""
    suspects = {user_id for user_id, run in runs.items() if run >= in_a_row}
    robots = suspects & (known.members | known.hopping)
    figures = (
        part(len(robots), len(suspects)),
        part(len(suspects & known.members), len(known.members)),
        part(len(suspects & known.hopping), len(known.hopping)),
    )
    told = f"{len(suspects):,} of {len(known.all):,}"
    return f"| {count} | {factor} | {in_a_row or '–'} | {told} | {' | '.join(figures)} |"


def part(some: int, whole: int) -> str:
    """Some of a whole in per cent."""
    return f"{100 * some / whole:.0f} %" if whole else "–"


if __name__ == "__main__":
    main()
