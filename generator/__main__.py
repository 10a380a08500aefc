"""The injector's command line: python -m generator --help."""

from __future__ import annotations

import argparse
import math
import os
import secrets
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from typing import Any

from compose.errors import SetupError
from generator.game import Game
from generator.run import Options, run_all
from generator.stop import Stop
from settings import settings

HIGHEST_SCORE = 1_000_000  # the contract's


def main(words: list[str] | None = None) -> int:
    """Run the injector. Exit code 0: all acknowledged, 1: some failed; bad usage raises SystemExit(2)."""
    try:
        return 1 if run_all(parse(words), Stop()).failed else 0
    except BrokenPipeError:  # the reader of --output print has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, SetupError) as error:
        print(f"generator: {error}", file=sys.stderr)
        return 1


def parse(words: list[str] | None = None) -> Options:
    """Options of a command line. Raises SystemExit(2) after a message about a bad value."""
    parser = _parser()
    given = parser.parse_args(words)
    if given.output == "file" and not given.path:
        parser.error("--output file needs --path FILE")
    if given.path and given.output != "file":
        parser.error("--path needs --output file")
    if given.processes > 1 and given.output != "kafka":
        parser.error("--processes needs --output kafka")
    if given.processes > 1 and given.metrics_port:
        parser.error("--metrics-port needs --processes 1")
    if given.processes > given.teams:
        parser.error(f"--processes {given.processes} needs at least as many --teams, not {given.teams}")
    if given.members[0] < 1:
        parser.error("--members: a team has at least one member")
    if given.scores[1] > HIGHEST_SCORE:
        parser.error(f"--score-range: the contract allows scores up to {HIGHEST_SCORE:,}")
    if given.seed is None:
        given.seed = secrets.randbits(32)
    values = vars(given)
    game = Game(**{field.name: values.pop(field.name) for field in fields(Game)})
    return Options(game, **values)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generator",
        description="Invents the score events of a game and sends them to Kafka as they happen.",
        epilog="Ctrl-C sends what is pending, reports and ends; a second one does not wait. "
        "Exit code: 0 all acknowledged, 1 some not, 2 bad usage.",
        formatter_class=_Formatter,
    )
    _add_amount(parser.add_argument_group("how much"))
    _add_game(parser.add_argument_group("the game"))
    _add_faults(parser.add_argument_group("faults: one in N events, 0 = none"))
    _add_output(parser.add_argument_group("where to"))
    return parser


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, apart from "none" and "without end"."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, math.inf) else super()._get_help_string(action)


def _add_amount(group: Any) -> None:
    rate_help = (
        "events per second on average, with exponential gaps; 0 = as fast as possible: event times then "
        "advance as at 100,000 per second from each process, which none reaches, so that none is in the future"
    )
    group.add_argument("--rate", type=_number, default=settings.rate_per_second, metavar="PER_SECOND", help=rate_help)
    group.add_argument("--count", type=_whole, metavar="N", help="end after N records, duplicates and faults included")
    group.add_argument("--duration", type=_number, default=math.inf, metavar="SECONDS", help="end after this time")
    group.add_argument("--processes", type=_positive, default=1, metavar="N", help="share the work among N processes")
    seed_help = (
        "same seed, options and count: same bytes, apart from the times; a topic that had them before takes them "
        "for duplicates, so it is random unless given"
    )
    group.add_argument("--seed", type=_whole, metavar="N", help=seed_help)
    group.add_argument("--start", type=_positive, metavar="MILLIS", help="time of the first event, epoch ms; else now")


def _add_game(group: Any) -> None:
    game = Game()
    group.add_argument("--teams", type=_positive, default=game.teams, metavar="N", help="teams that live at a time")
    group.add_argument(
        "--members", type=_interval, default="5-15", metavar="LOW-HIGH", help="players of a team, robots included"
    )
    group.add_argument(
        "--score-range", dest="scores", type=_interval, default="0-20", metavar="LOW-HIGH", help="points of one event"
    )
    group.add_argument(
        "--robots", type=_whole, default=game.robots, metavar="N", help="one in N teams has a robot; 0 = none"
    )
    group.add_argument(
        "--hopping-robots",
        type=_whole,
        default=game.hopping_robots,
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
        group.add_argument(f"--{name}", type=_whole, default=0, metavar="N", help=help_text)


def _add_output(group: Any) -> None:
    outputs = "kafka; print: JSON lines on stdout; file: JSON lines (an empty line is an empty message or a tombstone)"
    group.add_argument("--output", choices=("kafka", "print", "file"), default="kafka", help=outputs)
    group.add_argument("--path", metavar="FILE", help="the file to write")
    group.add_argument(
        "--metrics-port",
        type=_whole,
        default=0,
        metavar="PORT",
        help="where Prometheus may ask how far it is; 0 = nowhere",
    )
    group.add_argument("--topic", default=settings.topic, help="the Kafka topic; it must exist, and is waited for")
    group.add_argument(
        "--brokers", type=_brokers, default=settings.brokers, metavar="HOST:PORT[,…]", help="the Kafka brokers"
    )


def _checked(kind: Callable[[str], Any], is_good: Callable[[Any], bool], wanted: str) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        with suppress(ValueError):
            if is_good(value := kind(text)):
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")

    return convert


def _pair(text: str) -> tuple[int, int]:
    low, high = text.split("-")
    return int(low), int(high)


_number = _checked(float, lambda value: 0 <= value < math.inf, "a number of 0 or more")
_whole = _checked(int, lambda value: value >= 0, "a whole number of 0 or more")
_positive = _checked(int, lambda value: value >= 1, "a whole number of 1 or more")
_interval = _checked(_pair, lambda pair: 0 <= pair[0] <= pair[1], "LOW-HIGH, such as 5-15")
_brokers = _checked(
    str,
    lambda text: all(host and port.isdecimal() for host, _, port in (one.rpartition(":") for one in text.split(","))),
    "host:port[,host:port…]",
)


if __name__ == "__main__":
    sys.exit(main())
