"""The actions injector's command line: python -m generator actions --help."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace

from games.actions import listed
from generator import options
from generator.actions.events import FORM, Actions
from generator.options import positive
from generator.run import Options
from settings import SettingError

TEN = 10
RATE_HELP = "actions per second, equally far apart; 0 = as fast as possible"


def main(words: list[str] | None = None) -> int:
    """Run the injector. Exit code 0: all acknowledged, 1: some failed, 2: a wrong data file.

    Bad usage raises SystemExit(2).
    """
    try:
        return options.run(parse(words))
    except SettingError as error:
        print(f"generator: {error}", file=sys.stderr)
        return 2


def parse(words: list[str] | None = None) -> Options:
    """Options of a command line. Raises SystemExit(2) after a message about a bad value."""
    parser = _parser()
    given = options.checked(parser, words)
    listed()  # a wrong data file is told before anything is sent
    values = {each.name: getattr(given, each.name) for each in fields(Actions)}
    chosen = options.options(Actions(**values), given)
    return replace(chosen, count=None) if given.loop else chosen


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generator actions",
        description="Invents what players do and sends it to Kafka as it happens: ten actions, one "
        "a second, and then it stops.",
        epilog="Ctrl-C sends what is pending, reports and ends; a second one does not wait. "
        "Exit code: 0 all acknowledged, 1 some not, 2 bad usage.",
        formatter_class=options.Formatter,
    )
    amount = parser.add_argument_group("how much")
    options.add_amount(amount, RATE_HELP)
    amount.add_argument("-l", "--loop", action="store_true", help="go on without end")
    game = parser.add_argument_group("the game")
    game.add_argument("--teams", type=positive, default=5, metavar="N", help="teams")
    game.add_argument("--members", type=positive, default=10, metavar="N", help="players of each")
    game.add_argument(
        "--anonymous",
        dest="is_anonymous",
        action="store_true",
        help="the five plain fields only: nobody's action, without a key",
    )
    options.add_output(parser.add_argument_group("where to"), FORM.topic)
    parser.set_defaults(count=TEN, rate=1.0)
    return parser
