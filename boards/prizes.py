"""Sets, shows and gives prizes: python -m boards.prizes set top_players --tier 1 "A crown".

The service `monitor` gives them when a season becomes final, once. docs/prizes.md tells more.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
from kafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

import games
from boards import finals, pool, sinks, tiers
from boards.ids import visible
from boards.moderation import login_name
from boards.postgres import rows
from boards.seasons import FINAL, NotYet, Season, address_of, named
from boards.sinks import Sink
from boards.snapshot import Row
from boards.tiers import Award, PrizeError, Rule, Tier
from clients.errors import BoardsUnavailable, SetupError, first_line
from clients.signs import printable
from games import chosen
from games.board import Board, Game
from settings import SettingError, Settings, refuse, settings

SHOWN = 100  # lines
AWARDS_QUERY = """
SELECT * FROM leaderboard.awards WHERE (game, season) = (%s, %s)
ORDER BY board, rank_number, entity_id
"""


def rules(settings: Settings) -> dict[str, Rule]:
    """The prizes that are set, by board. Raises BoardsUnavailable."""
    return pool.snapshot(settings, tiers.rules)


def preview(settings: Settings, game: Game, season: Season, sink: Sink) -> list[Row]:
    """Who would win what if a season became final now, as `given` has it; the ids, too.

    Raises BoardsUnavailable, NotYet.
    """

    def ask(cursor: Any) -> list[Row]:
        held = tiers.rules(cursor)
        standings = sink.standings(game, season, cursor) if held else {}
        return [
            _row(award)
            for name, standing in standings.items()
            if name in held and held[name].tiers
            for award in tiers.awards(standing, held[name], game.name, season.season)
        ]

    return pool.snapshot(settings, ask)


def _row(award: Award) -> Row:
    entity = award.entity
    return {
        "award_id": award.award_id,
        "board": award.board,
        "entity_id": entity.entity_id,
        "entity_name": entity.name,
        "rank_number": entity.rank_number,
        "prize": award.prize,
        "banned_at": None,
    }


def given(settings: Settings, season: Season) -> list[Row]:
    """The awards of a season, as the view `leaderboard.awards` has them. Raises BoardsUnavailable.

    Whoever was banned since keeps the award, and `banned_at` is the time of the ban.
    """

    def ask(cursor: Any) -> list[Row]:
        cursor.execute(AWARDS_QUERY, [season.game, season.season])
        return rows(cursor)

    return pool.snapshot(settings, ask)


def prize_text(prize: Any) -> str:
    """A prize as a person reads it."""
    return prize if isinstance(prize, str) else json.dumps(prize, ensure_ascii=False)


def award(settings: Settings, season: Season, board: Board) -> int | None:
    """Give the prizes of a board for a season that is final already; None when they were given.

    Returns how many awards there are. Raises PrizeError when the season is not final, NotYet when
    its final board does not show all winners, BoardsUnavailable, KafkaError or psycopg2.Error.
    """
    if season.state(datetime.now(UTC)) != FINAL:
        raise PrizeError(
            f"season {address_of(season, settings)} is not final: the service monitor gives its "
            "prizes when it is"
        )
    won = finals.award_later(settings, season, board)
    finals.publish(settings)
    return None if won is None else len(won)


# The command line


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m boards.prizes", description=(__doc__ or "").splitlines()[0]
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="the prizes that hold; or what was given in a season")
    setting = verbs.add_parser("set", help="let these be the prizes of a board from now on")
    setting.add_argument("board")
    setting.add_argument(
        "--tier",
        nargs=2,
        action="append",
        metavar=("RANKS", "PRIZE"),
        default=[],
        help='"1", "2-10" or "5%%" of all, and a text or JSON; the first tier that fits counts',
    )
    setting.add_argument("--file", type=Path, help="tiers as a list in JSON")
    setting.add_argument("--none", action="store_true", help="no prizes any more")
    setting.add_argument(
        "--by", metavar="AUTHOR", default=login_name(), help="default: %(default)s"
    )
    previewing = verbs.add_parser("preview", help="who would win what if the season ended now")
    awarding = verbs.add_parser(
        "award", help="give the prizes of a season that became final before its boards had any"
    )
    awarding.add_argument("board")
    for verb in (listing, previewing, awarding):
        verb.add_argument(
            "--season",
            required=verb is awarding,
            help="such as 2026-11-27" + ("; default: the newest" if verb is previewing else ""),
        )
    for verb in (listing, previewing):
        verb.add_argument("--game", help="default: the first with seasons of the setting games")
    options = parser.parse_args(arguments)
    if options.verb == "set":
        ways = [bool(options.tier), options.file is not None, options.none]
        if sum(ways) != 1:
            parser.error("give the tiers with --tier or --file, or --none")
        if not options.by.strip():
            parser.error("the author must not be blank")
    return options


def _board(name: str) -> tuple[Game, Board]:
    found = games.board(name, settings)
    if found is None or not found[1].is_seasonal:
        names = (board.name for game in chosen(settings) for board in game.seasonal)
        raise PrizeError(
            f"{printable(name)} is no board with seasons; there are {', '.join(names)}"
        )
    return found


def _game(name: str | None) -> Game:
    by_name = {game.name: game for game in chosen(settings) if game.seasonal}
    if not by_name:
        raise PrizeError("no board of the chosen games has seasons")
    if name and name not in by_name:
        raise PrizeError(
            f"{printable(name)} is no game with seasons; there are {', '.join(by_name)}"
        )
    return by_name[name or next(iter(by_name))]


def _season(game: Game, text: str | None) -> tuple[Season, Sink]:
    """The season that is meant, by default the newest, and the sink that the setting names."""
    sink = sinks.sink(settings.sink, settings)
    known = sink.seasons(game)
    found = named(text, known, settings) if text else next(iter(known), None)
    if found is None:
        listed = ", ".join(address_of(each, settings) for each in known[:10])
        raise PrizeError(f"there is no season {printable(text or '')}; the last are {listed}")
    return found, sink


def _set(options: argparse.Namespace) -> None:
    _, board = _board(options.board)
    said: tuple[Tier, ...] = tuple(tiers.tier_of_words(*each) for each in options.tier)
    if options.file:
        try:
            said = tiers.tiers(json.loads(options.file.read_text()))
        except ValueError as error:
            raise PrizeError(f"{options.file}: {error}") from error
    version = tiers.set_rule(settings, board, said, options.by)
    count = f"{len(said)} tiers" if said else "no prizes"
    print(f"{board.name}: version {version} of the prizes holds, with {count}")


def _list(options: argparse.Namespace) -> None:
    if options.season:
        season, _ = _season(_game(options.game), options.season)
        _show_awards(given(settings, season), "Nothing was given in this season.")
        return
    table = Table("board", "version", "tier", "prize", "set by", box=None)
    for board, rule in sorted(rules(settings).items()):
        for each in rule.tiers:
            prize = printable(prize_text(each.prize))
            table.add_row(board, str(rule.version), each.title, prize, printable(rule.author))
    Console(markup=False).print(table if table.row_count else "No prizes are set.")


def _preview(options: argparse.Namespace) -> None:
    game = _game(options.game)
    season, sink = _season(game, options.season)
    found = preview(settings, game, season, sink)
    print(f"Season {address_of(season, settings)}, if it ended now:")
    _show_awards(found, "Nobody would win anything.")


def _show_awards(rows: list[Row], empty: str) -> None:
    table = Table("board", "rank", "id", "name", "prize", "", box=None)
    for row in rows[:SHOWN]:
        who = (visible(row["entity_id"]), printable(row["entity_name"]))
        banned = "banned since" if row["banned_at"] else ""
        rank, prize = str(row["rank_number"]), printable(prize_text(row["prize"]))
        table.add_row(row["board"], rank, *who, prize, banned)
    Console(markup=False).print(table if rows else empty)
    if len(rows) > SHOWN:
        print(f"… and {len(rows) - SHOWN:,} more; the view leaderboard.awards has all.")


def _award(options: argparse.Namespace) -> None:
    game, board = _board(options.board)
    season, _ = _season(game, options.season)
    count = award(settings, season, board)
    where = f"{board.name} in season {address_of(season, settings)}"
    if count is None:
        print(f"The prizes of {where} were given before; nothing was given now.")
    else:
        print(f"{where}: {count:,} awards given")


VERBS = {"list": _list, "set": _set, "preview": _preview, "award": _award}


def main(arguments: list[str] | None = None) -> int:
    """0 when it is done, 1 with a message when it could not be, 2 for wrong usage."""
    options = _parse(arguments)
    try:
        VERBS[options.verb](options)
    except SettingError as error:
        refuse(error)
    except (PrizeError, NotYet, BoardsUnavailable, SetupError, OSError) as error:
        print(f"Could not {options.verb}: {error}", file=sys.stderr)
        return 1
    except KafkaError as error:
        print(
            "The awards hold in PostgreSQL, but Kafka did not take them "
            f"({first_line(error)}): the service monitor tells it again.",
            file=sys.stderr,
        )
        return 1
    except psycopg2.Error as error:
        print(
            f"Could not {options.verb}: prizes are in PostgreSQL, whatever the sink "
            f"({first_line(error)}).",
            file=sys.stderr,
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
