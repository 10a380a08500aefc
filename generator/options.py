"""The options that every event source has: how much, and where to."""

from __future__ import annotations

import argparse
import math
import os
import re
import secrets
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from typing import Any

from clients.errors import SetupError
from generator.record import Source
from generator.run import FILE, KAFKA, OUTPUTS, Options, run_all
from generator.stop import Stop
from settings import BROKERS, settings

BOOTSTRAP = "BOOTSTRAP_SERVERS"


class Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, apart from "none", "no" and "without end"."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        if action.default is False or action.default in (None, math.inf):
            return action.help
        return super()._get_help_string(action)


def add_amount(group: Any, rate_help: str) -> None:
    """Add the options that say how much is sent, when, and with which seed."""
    group.add_argument(
        "--rate",
        type=number,
        default=settings.rate_per_second,
        metavar="PER_SECOND",
        help=rate_help,
    )
    group.add_argument(
        "--count",
        type=whole,
        metavar="N",
        help="end after N records, duplicates and faults included",
    )
    group.add_argument(
        "--duration", type=number, default=math.inf, metavar="SECONDS", help="end after this time"
    )
    group.add_argument(
        "--processes",
        type=positive,
        default=1,
        metavar="N",
        help="share the work among N processes",
    )
    seed_help = (
        "same seed, options and count: same bytes, apart from the times; a topic that had them "
        "before takes them for duplicates, so it is random unless given"
    )
    group.add_argument("--seed", type=whole, metavar="N", help=seed_help)
    group.add_argument(
        "--start",
        type=positive,
        metavar="MILLIS",
        help="time of the first event, epoch ms; else now",
    )


def add_output(group: Any, topic: str | None) -> None:
    """Add the options that say where records go, by default to this topic if there is one."""
    outputs = (
        "kafka; print: JSON lines on stdout; file: JSON lines (an empty line is an empty message "
        "or a tombstone)"
    )
    group.add_argument("--output", choices=OUTPUTS, default=KAFKA, help=outputs)
    group.add_argument("--path", metavar="FILE", help="the file to write")
    group.add_argument(
        "--metrics-port",
        type=port,
        default=0,
        metavar="PORT",
        help="where Prometheus may ask how far it is; 0 = nowhere",
    )
    group.add_argument(
        "--topic", default=topic, help="the Kafka topic; it must exist, and is waited for"
    )
    group.add_argument(
        "--brokers",
        type=brokers,
        default=settings.brokers,
        metavar="HOST:PORT[,…]",
        help="the Kafka brokers",
    )


def add_bootstrap(group: Any) -> None:
    """Add the option that says where the brokers are, as `bootstrap` reads it."""
    group.add_argument(
        "-b",
        "--bootstrap",
        dest="brokers",
        type=brokers,
        default=settings.brokers.replace("127.0.0.1", "localhost"),
        metavar="HOST:PORT[,…]",
        help=f"the Kafka brokers; the environment variable {BOOTSTRAP} wins",
    )


def bootstrap(given: argparse.Namespace) -> str:
    """The brokers that the environment names, or else this command line.

    Raises SystemExit(2) after a message when the environment names none.
    """
    named = os.environ.get(BOOTSTRAP)
    if not named:
        return str(given.brokers)
    try:
        return str(brokers(named))
    except argparse.ArgumentTypeError as error:
        print(f"generator: {BOOTSTRAP}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def checked(parser: argparse.ArgumentParser, words: list[str] | None) -> argparse.Namespace:
    """The options of a command line.

    Raises SystemExit(2) after a message about options that do not go together.
    """
    given = parser.parse_args(words)
    if given.output == FILE and not given.path:
        parser.error("--output file needs --path FILE")
    if given.path and given.output != FILE:
        parser.error("--path needs --output file")
    if given.processes > 1 and given.output != KAFKA:
        parser.error("--processes needs --output kafka")
    if given.processes > 1 and given.metrics_port:
        parser.error("--metrics-port needs --processes 1")
    if given.seed is None:
        given.seed = secrets.randbits(32)
    return given


def options(source: Source, given: argparse.Namespace) -> Options:
    """What a run of this source needs to know."""
    names = (each.name for each in fields(Options) if each.name != "source")
    return Options(source, **{name: getattr(given, name) for name in names})


def run(options: Options) -> int:
    """Run an event source. Exit code 0: all acknowledged, 1: some failed."""
    try:
        return 1 if run_all(options, Stop()).failed else 0
    except BrokenPipeError:  # the reader of --output print has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, SetupError) as error:
        print(f"generator: {error}", file=sys.stderr)
        return 1


def _checked(
    kind: Callable[[str], Any], is_good: Callable[[Any], bool], wanted: str
) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        with suppress(ValueError):
            if is_good(value := kind(text)):
                return value
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")

    return convert


def _pair(text: str) -> tuple[int, int]:
    low, high = text.split("-")
    return int(low), int(high)


def _are_brokers(text: str) -> bool:
    return re.fullmatch(BROKERS[0], text, re.ASCII) is not None


number = _checked(float, lambda value: 0 <= value < math.inf, "a number of 0 or more")
factor = _checked(float, lambda value: 0 < value < math.inf, "a number above 0")
whole = _checked(int, lambda value: value >= 0, "a whole number of 0 or more")
positive = _checked(int, lambda value: value >= 1, "a whole number of 1 or more")
port = _checked(int, lambda value: 0 <= value <= 65535, "a port, 0 to 65535")
interval = _checked(_pair, lambda pair: 0 <= pair[0] <= pair[1], "LOW-HIGH, such as 5-15")
brokers = _checked(str, _are_brokers, "host:port[,host:port…]")
