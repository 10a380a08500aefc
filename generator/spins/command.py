"""The spins injector's command line: python -m generator spins --help."""

from __future__ import annotations

import argparse
import time
from dataclasses import fields, replace
from random import Random
from typing import Any

from games.spins import GREATEST_INT, HIGHEST_WIN
from generator import options
from generator.options import interval, number, positive, whole
from generator.run import KAFKA, PRINT, Options, Status
from generator.spins.events import Spins
from generator.stop import Stop
from generator.writer import KafkaWriter
from settings import settings

RATE_HELP = (
    "spins per second on average, instead of the latencies; 0 = as fast as possible: event times "
    "then advance as at 100,000 per second from each process"
)


def main(words: list[str] | None = None) -> int:
    """Run the injector. Exit code 0: all acknowledged, 1: some failed.

    Bad usage raises SystemExit(2).
    """
    given = given_options(words)
    chosen = options_of(given)
    return options.run(chosen) if given.loop or chosen.output != KAFKA else ask(chosen)


def ask(chosen: Options) -> int:
    """Send a spin whenever somebody says yes. Exit code 0: all acknowledged, 1: some failed."""
    status, stop, source = Status("generator"), Stop(), chosen.source
    assert isinstance(source, Spins)
    random = Random(chosen.seed)
    writer = KafkaWriter(chosen.brokers, chosen.topic, time.sleep, stop.is_asked, status.say)
    try:
        writer.open()
        while _wants_one():
            number = writer.tally.sent
            record = source.record(random, time.time_ns() // 1000, 0.0, f"{chosen.seed}-{number}")
            writer.send(record)
            if source.print_every and number % source.print_every == 0:
                print((record.value or b"").decode(), flush=True)
            while writer.tally.acknowledged + writer.tally.failed <= number:
                time.sleep(0.02)
                writer.settle()
    except KeyboardInterrupt:
        print(flush=True)  # the report has a line of its own
    stop.ask()  # who is still not acknowledged has a few seconds
    if writer.tally.sent:
        writer.close(stop.is_over)
    status.conclude(writer.tally)
    return 1 if writer.tally.failed else 0


def _wants_one() -> bool:
    """What somebody answers; the end of the input is a no."""
    try:
        while True:
            answer = input("Produce an event? Y/N ").strip().casefold()
            if answer in ("y", "yes", "n", "no"):
                return answer in ("y", "yes")
            print("Y sends one spin, N ends.")
    except EOFError:
        print()
        return False


def parse(words: list[str] | None = None) -> Options:
    """Options of a command line. Raises SystemExit(2) after a message about a bad value."""
    return options_of(given_options(words))


def given_options(words: list[str] | None) -> argparse.Namespace:
    """A checked command line. Raises SystemExit(2)."""
    parser = _parser()
    given = options.checked(parser, words)
    given.latency_millis = given.min_latency, given.max_latency
    if given.min_latency > given.max_latency:
        parser.error(
            f"--min_latency {given.min_latency} is more than --max_latency {given.max_latency}"
        )
    for name in ("players", "games", "stakes"):
        if getattr(given, name)[1] > GREATEST_INT:
            parser.error(f"--{name}: at most {GREATEST_INT:,}, a 32-bit number")
    if given.wins[1] > HIGHEST_WIN:
        parser.error(f"--wins: a win of more than {HIGHEST_WIN:,} would be rejected")
    given.brokers = options.bootstrap(given)
    return given


def options_of(given: argparse.Namespace) -> Options:
    """What a run needs to know."""
    values = {field.name: getattr(given, field.name) for field in fields(Spins)}
    source = Spins(**values)
    if given.output == PRINT:
        source = replace(source, print_every=0)  # all are printed
    chosen = options.options(source, given)
    return replace(chosen, count=chosen.count or None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generator spins",
        description="Invents spins of slot machines and sends them to Kafka: one whenever you say "
        "yes, or in a loop.",
        epilog="Ctrl-C sends what is pending, reports and ends; a second one does not wait. "
        "Exit code: 0 all acknowledged, 1 some not, 2 bad usage.",
        formatter_class=options.Formatter,
        conflict_handler="resolve",  # some options of every source have a letter here, too
    )
    amount = parser.add_argument_group("how much")
    options.add_amount(amount, RATE_HELP)
    _add_amount(amount)
    _add_game(parser.add_argument_group("the game"))
    output = parser.add_argument_group("where to")
    options.add_output(output, "")
    output.add_argument("-t", "--topic", required=True, help="the Kafka topic; it is waited for")
    options.add_bootstrap(output)
    parser.set_defaults(brokers=settings.brokers.replace("127.0.0.1", "localhost"))
    output.add_argument(
        "-p",
        "--print_n_msg",
        dest="print_every",
        type=whole,
        default=100,
        metavar="N",
        help="print every Nth message, the first always; 0 = none",
    )
    return parser


def _add_amount(group: Any) -> None:
    spins = Spins()
    group.add_argument("-l", "--loop", action="store_true", help="send in a loop, and ask nobody")
    group.add_argument(
        *("-e", "--events", "--count"),
        dest="count",
        type=whole,
        default=10,
        metavar="N",
        help="end the loop after N spins; 0 = go on without end",
    )
    for letter, name, default in (
        ("-m", "min_latency", spins.latency_millis[0]),
        ("-x", "max_latency", spins.latency_millis[1]),
    ):
        group.add_argument(
            letter,
            f"--{name}",
            type=whole,
            default=default,
            metavar="MILLIS",
            help=f"the {'shortest' if letter == '-m' else 'longest'} time between two spins",
        )
    group.add_argument("--rate", type=number, default=None, metavar="PER_SECOND", help=RATE_HELP)


def _add_game(group: Any) -> None:
    for name, default, help in (
        ("players", "100-110", "ids of the players, such as 1-10000 for load"),
        ("games", "10-15", "ids of the games"),
        ("stakes", "10-300", "what a spin costs, in minor units"),
        ("wins", "100-500", "what a spin wins, if it does"),
    ):
        group.add_argument(
            f"--{name}", type=interval, default=default, metavar="LOW-HIGH", help=help
        )
    group.add_argument(
        "--one-wins-in",
        type=positive,
        default=Spins().one_wins_in,
        metavar="N",
        help="one spin in N wins; 1 = all",
    )
    group.add_argument(
        "--with-ids", action="store_true", help="give each spin a spinId, to be counted once"
    )
