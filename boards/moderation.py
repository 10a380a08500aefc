"""Bans and unbans players and teams: python -m boards.moderation ban player USR-42 --reason "…".

Bans belong to the views, not to the jobs: totals stay true underneath, and nothing restarts.
The database keeps every decision; the topic `bans` tells readers of the boards in Kafka.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import sys
from typing import Any

import psycopg2
from kafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from boards import lookups
from boards.ids import visible
from boards.kafka import BANS, replace
from clients import postgres
from clients.errors import first_line
from clients.signs import printable
from settings import Settings, settings

KINDS = ("player", "team")


# How each kind is looked up and found, and the column of its id.
LOOKUPS = {
    "player": ("leaderboard.player", "leaderboard.find_players", "user_id"),
    "team": ("leaderboard.team", "leaderboard.find_teams", "team_id"),
}
LIKE_IDS = 3  # that are named when nobody has the very id


class ModerationError(Exception):
    """The decision cannot be made or told; the message says why and what to do."""


class UnknownId(ModerationError):
    """Nobody has the id that is to be banned; nothing was decided."""


def decide(
    settings: Settings,
    decision: str,
    kind: str,
    banned_id: str,
    reason: str,
    author: str,
    *,
    anyway: bool = False,
) -> list[str]:
    """Record a "ban" or "unban" of a "player" or "team" and show it on the boards of both sinks.

    Returns what may surprise whoever decides, each as a sentence: the decision holds all the same.
    Raises UnknownId when this season has nobody of the id, unless they are to be banned anyway;
    ModerationError when there is nothing to unban, or when the decision is recorded but Kafka did
    not take it.
    """
    banned_id, reason, author = map(lookups.sendable, (banned_id, reason, author))
    if "\0" in banned_id + reason + author:
        raise ModerationError("no id, reason or author contains U+0000")
    with postgres.connect(postgres.moderator_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute(
            "SELECT FROM moderation.bans WHERE (kind, banned_id) = (%s, %s)", [kind, banned_id]
        )
        was_banned = cursor.rowcount > 0
        if decision == "unban" and not was_banned:
            raise ModerationError(f"{kind} {visible(banned_id)} is not banned; list shows who is")
        if decision == "ban" and not was_banned and not anyway:
            _check_known(cursor, kind, banned_id)
        cursor.execute(
            "INSERT INTO moderation.decisions (decision, kind, banned_id, reason, author) "
            "VALUES (%s, %s, %s, %s, %s)",
            [decision, kind, banned_id, reason, author],
        )
    try:
        publish(settings)
    except KafkaError as error:
        raise ModerationError(
            f"the {decision} holds in PostgreSQL, but Kafka did not take it ({error}): "
            "scripts/run_all.sh tells it again, and so does the next decision"
        ) from error
    if decision == "ban" and was_banned:
        return [f"The {kind} was banned already; only the reason and the author are new."]
    return []


def _check_known(cursor: Any, kind: str, banned_id: str) -> None:
    """Raise UnknownId when the newest season in PostgreSQL has no player or team of this id."""
    look_up, find, column = LOOKUPS[kind]
    try:
        cursor.execute(f"SELECT FROM {look_up}(%s)", [banned_id])
        if cursor.rowcount:
            return
        cursor.execute(f"SELECT {column} FROM {find}(%s) LIMIT {LIKE_IDS}", [banned_id])
    except psycopg2.Error:
        return  # it cannot be told, for example without the game's tables
    like = " or ".join(visible(found) for (found,) in cursor)
    raise UnknownId(
        f"PostgreSQL knows no {kind} with the id {visible(banned_id)} in this season"
        + (f"; did you mean {like}?" if like else ": is it spelled right?")
    )


def publish(settings: Settings) -> None:
    """Make the topic `bans` what the database says. Raises KafkaError when it is not taken."""
    rows = {}
    for kind, banned_id, reason, author, banned_at in _query(
        settings, "SELECT * FROM moderation.bans"
    ):
        key = {"kind": kind, "banned_id": banned_id}
        value = key | {
            "reason": reason,
            "author": author,
            "banned_at": int(banned_at.timestamp() * 1000),
        }
        rows[json.dumps(key).encode()] = json.dumps(value).encode()
    replace(settings, BANS.topic, rows)


def history(settings: Settings) -> list[tuple[Any, ...]]:
    """Every decision: (decided_at, decision, kind, banned_id, reason, author), the latest first."""
    columns = "decided_at, decision, kind, banned_id, reason, author"
    return _query(
        settings, f"SELECT {columns} FROM moderation.decisions ORDER BY decision_number DESC"
    )


def bans(settings: Settings) -> list[tuple[Any, ...]]:
    """What holds now: (banned_at, kind, banned_id, reason, author), the latest first."""
    columns = "banned_at, kind, banned_id, reason, author"
    return _query(settings, f"SELECT {columns} FROM moderation.bans ORDER BY banned_at DESC")


def _query(settings: Settings, statement: str) -> list[tuple[Any, ...]]:
    with postgres.connect(postgres.moderator_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def login_name() -> str:
    """Who runs this; the number of the user where the machine knows no name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m boards.moderation", description=__doc__.splitlines()[0]
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, help in (("ban", "take off the boards"), ("unban", "bring back, with all points")):
        decision = verbs.add_parser(verb, help=help)
        decision.add_argument("kind", choices=KINDS)
        decision.add_argument("id", help="user_id or team_id, up to 128 characters")
        decision.add_argument("--reason", required=True)
        decision.add_argument(
            "--by", metavar="AUTHOR", default=login_name(), help="default: %(default)s"
        )
        if verb == "ban":
            decision.add_argument(
                "--anyway", action="store_true", help="also an id that nobody has in this season"
            )
    listing = verbs.add_parser("list", help="who is banned, since when, why and by whom")
    listing.add_argument("--history", action="store_true", help="every decision that was made")
    options = parser.parse_args(arguments)
    if options.verb != "list" and not (
        options.id and options.reason.strip() and options.by.strip()
    ):
        parser.error("the id must not be empty, and the reason and the author not blank")
    return options


def _show(rows: list[tuple[Any, ...]], empty: str, *titles: str) -> None:
    table = Table(*titles, box=None)
    place = titles.index("id")
    for moment, *texts in rows:
        texts[place - 1] = visible(texts[place - 1])
        table.add_row(f"{moment:%Y-%m-%d %H:%M:%S %Z}", *map(printable, texts))
    Console(markup=False).print(table if rows else empty)


def main(arguments: list[str] | None = None) -> int:
    """0 when it is done, 1 with a message when it could not be, 2 for wrong usage."""
    options = _parse(arguments)
    try:
        if options.verb != "list":
            decision = (options.verb, options.kind, options.id, options.reason, options.by)
            anyway = options.verb == "ban" and options.anyway
            notes = decide(settings, *decision, anyway=anyway)
            print(f"{options.kind} {visible(options.id)}: {options.verb}ned")
            for note in notes:
                print(f"But: {note}", file=sys.stderr)
        elif options.history:
            _show(
                history(settings),
                "No decision was made yet.",
                "when",
                "what",
                "kind",
                "id",
                "reason",
                "author",
            )
        else:
            _show(bans(settings), "Nobody is banned.", "since", "kind", "id", "reason", "author")
    except psycopg2.OperationalError as error:
        print(
            f"Could not {options.verb}: decisions are in PostgreSQL, whatever the sink, and it "
            f"does not answer ({first_line(error)}).",
            file=sys.stderr,
        )
        return 1
    except UnknownId as error:
        print(f"Not banned: {error} --anyway bans the id all the same.", file=sys.stderr)
        return 1
    except (ModerationError, psycopg2.Error) as error:
        print(f"Could not {options.verb}: {str(error).strip()}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
