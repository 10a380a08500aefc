"""The injector's command line: python -m generator --help."""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import secrets
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.queues import SimpleQueue
from typing import Any

from generator.game import Game
from generator.run import Options, Run, Status, Stop
from generator.writer import Tally
from settings import settings

HIGHEST_SCORE = 1_000_000  # the contract's
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def main(words: list[str] | None = None) -> int:
    """Run the injector. Exit code 0: all acknowledged, 1: some failed; bad usage raises SystemExit(2)."""
    options = parse(words)
    stop = Stop()
    try:
        tally = _in_processes(options, stop) if options.processes > 1 else _in_this_process(options, stop)
    except BrokenPipeError:  # the reader of --output print has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"generator: cannot write: {error}", file=sys.stderr)
        return 1
    return 1 if tally.failed else 0


def _in_this_process(options: Options, stop: Stop) -> Tally:
    _handle_signals(stop.ask)
    return Run(options, stop).run()


def _in_processes(options: Options, stop: Stop) -> Tally:
    context = multiprocessing.get_context("spawn")
    tallies = context.SimpleQueue()
    _handle_signals(signal.SIG_IGN)  # children inherit it: Ctrl-C reaches them all, and they are told by `stop`
    children = [context.Process(target=_run_child, args=(options, stop, n, tallies)) for n in range(options.processes)]
    for child in children:
        child.start()
    _handle_signals(stop.ask)
    for child in children:
        child.join()
    total = Tally()
    while not tallies.empty():
        total += tallies.get()
    Status("generator").conclude(total)
    total.failed += sum(child.exitcode != 0 for child in children)
    return total


def _run_child(options: Options, stop: Stop, process: int, tallies: SimpleQueue[Tally]) -> None:
    tallies.put(Run(options, stop, process).run())


def _handle_signals(handler: Any) -> None:
    for number in SIGNALS:
        signal.signal(number, handler)


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
    if given.processes > given.teams:
        parser.error(f"--processes {given.processes} needs at least as many --teams, not {given.teams}")
    if given.members[0] < 1:
        parser.error("--members: a team has at least one member")
    if given.score_range[1] > HIGHEST_SCORE:
        parser.error(f"--score-range: the contract allows scores up to {HIGHEST_SCORE:,}")
    return _options(given)


def _options(given: argparse.Namespace) -> Options:
    game = Game(
        rate=given.rate,
        teams=given.teams,
        members=given.members,
        scores=given.score_range,
        robots=given.robots,
        hopping_robots=given.hopping_robots,
        late=given.late,
        duplicates=given.duplicates,
        corrupt=given.corrupt,
        minimal=given.minimal,
    )
    return Options(
        game=game,
        seed=given.seed,
        start_millis=given.start,
        count=given.count,
        duration_seconds=given.duration,
        processes=given.processes,
        output=given.output,
        path=given.path,
        topic=given.topic,
        brokers=given.brokers,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generator",
        description="Invents the score events of a game and sends them to Kafka as they happen.",
        epilog="Ctrl-C sends what is pending, reports and ends; a second one does not wait. "
        "Exit code: 0 all acknowledged, 1 some not, 2 bad usage.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    _add_amount(parser.add_argument_group("how much"))
    _add_game(parser.add_argument_group("the game"))
    _add_faults(parser.add_argument_group("faults: one in N events, 0 = none"))
    _add_output(parser.add_argument_group("where to"))
    return parser


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
    group.add_argument("--seed", type=_whole, default=secrets.randbits(32), metavar="N", help=seed_help)
    group.add_argument("--start", type=_positive, metavar="MILLIS", help="time of the first event, epoch ms; else now")


def _add_game(group: Any) -> None:
    game = Game()
    group.add_argument("--teams", type=_positive, default=game.teams, metavar="N", help="teams that live at a time")
    group.add_argument(
        "--members", type=_interval, default="5-15", metavar="LOW-HIGH", help="players of a team, robots included"
    )
    group.add_argument("--score-range", type=_interval, default="0-20", metavar="LOW-HIGH", help="points of one event")
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
