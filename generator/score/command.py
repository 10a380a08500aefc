"""The score injector's command line: python -m generator score --help."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any

from games.score import HIGHEST_SCORE
from generator import options
from generator.options import interval, positive, whole
from generator.run import Options
from generator.score.events import ScoreEvents
from generator.score.league import LeagueOptions
from settings import settings

RATE_HELP = (
    "events per second on average, with exponential gaps; 0 = as fast as possible: event times "
    "then advance as at 100,000 per second from each process, which none reaches, so that none is "
    "in the future"
)


def main(words: list[str] | None = None) -> int:
    """Run the injector. Exit code 0: all acknowledged, 1: some failed.

    Bad usage raises SystemExit(2).
    """
    return options.run(parse(words))


def parse(words: list[str] | None = None) -> Options:
    """Options of a command line. Raises SystemExit(2) after a message about a bad value."""
    parser = _parser()
    given = options.checked(parser, words)
    if given.processes > given.teams:
        parser.error(
            f"--processes {given.processes} needs at least as many --teams, not {given.teams}"
        )
    if given.members[0] < 1:
        parser.error("--members: a team has at least one member")
    if given.scores[1] > HIGHEST_SCORE:
        parser.error(f"--score-range: the contract allows scores up to {HIGHEST_SCORE:,}")
    values = {field.name: getattr(given, field.name) for field in fields(LeagueOptions)}
    return options.options(ScoreEvents(LeagueOptions(**values)), given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generator",
        description="Invents the score events of a game and sends them to Kafka as they happen.",
        epilog="Ctrl-C sends what is pending, reports and ends; a second one does not wait. "
        "Exit code: 0 all acknowledged, 1 some not, 2 bad usage.",
        formatter_class=options.Formatter,
    )
    options.add_amount(parser.add_argument_group("how much"), RATE_HELP)
    _add_game(parser.add_argument_group("the game"))
    _add_faults(parser.add_argument_group("faults: one in N events, 0 = none"))
    options.add_output(parser.add_argument_group("where to"), settings.topic)
    return parser


def _add_game(group: Any) -> None:
    league = LeagueOptions()
    group.add_argument(
        "--teams",
        type=positive,
        default=league.teams,
        metavar="N",
        help="teams that live at a time",
    )
    group.add_argument(
        "--members",
        type=interval,
        default="5-15",
        metavar="LOW-HIGH",
        help="players of a team, robots included",
    )
    group.add_argument(
        "--score-range",
        dest="scores",
        type=interval,
        default="0-20",
        metavar="LOW-HIGH",
        help="points of one event",
    )
    group.add_argument(
        "--robots",
        type=whole,
        default=league.robots,
        metavar="N",
        help="one in N teams has a robot; 0 = none",
    )
    group.add_argument(
        "--hopping-robots",
        type=whole,
        default=league.hopping_robots,
        metavar="N",
        help="robots that change team about once a minute, as guests beyond the members",
    )


def _add_faults(group: Any) -> None:
    for name, help_text in (
        ("late", "happened 5 to 10 minutes before they are sent, event_type late"),
        ("duplicates", "are sent again, with the same event_id, within 5 seconds"),
        ("corrupt", "are no valid event: every kind of fault that the contract names, mixed"),
        ("minimal", "carry the required fields only: no event_id, user_name, event_type"),
    ):
        group.add_argument(f"--{name}", type=whole, default=0, metavar="N", help=help_text)
