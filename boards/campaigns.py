"""Campaigns: python -m boards.campaigns create "Autumn" --start "2026-11-28 10:00" --end ….

They are kept like bans: the database has every decision, and the topic `campaigns` tells the jobs
and the readers of boards in Kafka. So a change needs no restart. A final table is a row of the
database too, which no job can write.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import psycopg2
from kafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from boards.ids import says_something
from boards.kafka import replace
from boards.moderation import login_name
from boards.sinks import sink
from boards.snapshot import Row
from clients import postgres
from clients.errors import first_line
from clients.signs import printable
from games import chosen
from games.board import Game
from games.campaign import (
    CAMPAIGN_FINALS,
    CAMPAIGNS,
    DECIDED,
    FARTHEST_DAYS,
    GREATEST_GAME,
    LEAST_GAME,
    MOST_DAYS,
    MOST_GAMES,
    MOST_MINUTES,
    MOST_OPEN,
    MOST_PLACES,
    MOST_SPINS,
    NAME_LENGTH,
    Campaign,
    Terms,
)
from settings import Settings, settings

BOARDS = ("campaign", "recent")
DECISION_LOCK = 4_242_001  # of PostgreSQL: one decision at a time
COLUMNS = (
    *("campaign_id", "name", "start_at", "end_at", "closes_at", "games"),
    *("last_minutes", "minimum_spins", "places"),
)
ROW = ("place", "rank_number", "player_id", "ratio", "win", "stake", "spins")
SUMS = {"players": "player_id", "spins": "spins", "stake": "stake", "win": "win"}  # at place 0
FinalKey = tuple[int, datetime]
Final = tuple[Row | None, list[Row]]  # totals and board
WIDTH = 200  # of a list that goes to a file or another program
NUMBER = re.compile(r"[+-]?\d{1,10}", re.ASCII)


class CampaignError(Exception):
    """The decision cannot be made or told; the message says why and what to do."""


# Reading


@dataclass(frozen=True)
class Standing:
    """A campaign with its boards at one moment.

    frozen_at  since when it is final, for ever; None while it is not
    totals     what everybody has played, the row of the game's totals; None before the first spin
    boards     rows by `campaign` and `recent`, in the order of their places: place, rank_number,
               player_id, ratio, win, stake, spins. A final one has no recent rows
    """

    campaign: Campaign
    frozen_at: datetime | None
    totals: Row | None
    boards: Mapping[str, Sequence[Row]]


def game_of(settings: Settings) -> Game | None:
    """The first of the chosen games that has campaigns; None when none has."""
    return next((game for game in chosen(settings) if game.campaigns), None)


def standings(settings: Settings, sink_name: str) -> list[Standing]:
    """All campaigns that are not cancelled with their boards, the latest start first.

    Raises BoardsUnavailable.
    """
    game = game_of(settings)
    if game is None:
        return []
    own = sink(sink_name, settings)
    leaders, decided = own.rows(game, (*game.of_campaigns, CAMPAIGNS))
    live = _by_campaign(leaders)
    finals = _finals_of(settings)
    if any(row["frozen_at"] and _key(row) not in finals for row in decided):
        (rows,) = own.rows(game, (CAMPAIGN_FINALS,))
        finals.update((_key(row), _parsed(row)) for row in rows)
    found = []
    for row in decided:
        campaign = _campaign(row)
        if campaign.is_cancelled:
            continue
        if _key(row) in finals:
            total, final = finals[_key(row)]
            final_boards = {"campaign": final, "recent": []}
            found.append(Standing(campaign, row["frozen_at"], total, final_boards))
        else:
            found.append(_live(campaign, live.get(campaign.campaign_id, [])))
    return found


def _by_campaign(rows: Iterable[Row]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["campaign_id"], []).append(row)
    return found


def _live(campaign: Campaign, rows: list[Row]) -> Standing:
    """A campaign with what the job has told of it; place 0 has the sums of everybody."""
    boards = {
        board: [
            {column: row[column] for column in ROW}
            for row in rows
            if row["board"] == board and row["place"] > 0
        ]
        for board in BOARDS
    }
    sums = {row["board"]: row for row in rows if row["place"] == 0}
    if "campaign" not in sums:
        return Standing(campaign, None, None, boards)
    totals = {name: sums["campaign"][column] for name, column in SUMS.items()}
    recent = sums.get("recent")
    for name, column in SUMS.items():
        totals[f"recent_{name}"] = recent[column] if recent else None
    totals["window_end"] = recent["window_end"] if recent else None
    return Standing(campaign, None, totals, boards)


@cache
def _finals_of(settings: Settings) -> dict[FinalKey, Final]:
    """The final tables that were read before: they never change."""
    return {}


def _key(row: Row) -> FinalKey:
    return row["campaign_id"], row["frozen_at"]


def _parsed(row: Row) -> Final:
    return json.loads(row["totals"]), json.loads(row["leaders"])


def _campaign(row: Row) -> Campaign:
    return Campaign(
        campaign_id=row["campaign_id"],
        name=row["name"],
        start_at=row["start_at"],
        end_at=row["end_at"],
        closes_at=row["closes_at"],
        games=parse_games(row["games"]),
        last_minutes=row["last_minutes"],
        minimum_spins=row["minimum_spins"],
        places=row["places"],
        is_cancelled=bool(row["is_cancelled"]),
    )


def find(standings: Iterable[Standing], campaign_id: int) -> Standing | None:
    """The standing of a campaign; None when there is none."""
    return next((each for each in standings if each.campaign.campaign_id == campaign_id), None)


def page(standing: Standing, board: str, limit: int, offset: int) -> Sequence[Row]:
    """Some rows of one of its boards. Raises KeyError for a board that is neither."""
    return standing.boards[board][offset : offset + limit]


def shown(win: int, stake: int) -> str:
    """The ratio with two decimals, rounded half up, exactly: 299 of 300 is 1.00."""
    hundredths = (200 * win + stake) // (2 * stake)
    return f"{hundredths // 100:,}.{hundredths % 100:02}"


# Deciding


def create(settings: Settings, terms: Terms, author: str, now: datetime | None = None) -> Campaign:
    """Make a campaign. Raises CampaignError, psycopg2.Error."""
    now = now or _now()
    _check(terms, author, now)
    with _deciding(settings) as cursor:
        open_campaigns = [each for each in _listed(cursor) if each.phase(now) in _OPEN]
        if len(open_campaigns) >= MOST_OPEN:
            raise CampaignError(f"{MOST_OPEN} campaigns are not over yet: cancel or end some")
        _check_name(terms, open_campaigns)
        cursor.execute("SELECT nextval('moderation.campaign_ids')")
        (campaign_id,) = cursor.fetchone()
        campaign = _decided(settings, campaign_id, terms)
        _record(cursor, "create", campaign, author)
    _tell(settings, "create")
    return campaign


def change(
    settings: Settings,
    campaign_id: int,
    author: str,
    now: datetime | None = None,
    **changes: Any,
) -> Campaign:
    """Change some of a campaign's terms; its boards are computed anew from the spins there are.

    Raises CampaignError when nothing changes, or it is over; psycopg2.Error.
    """
    now = now or _now()
    with _deciding(settings) as cursor:
        known = _listed(cursor)
        before = _open_one(known, campaign_id, now)
        terms = dataclasses.replace(_terms(before), **changes)
        if terms == _terms(before):
            raise CampaignError(f"campaign {campaign_id} has these terms already")
        _check(terms, author, now)
        others = [each for each in known if each.campaign_id != campaign_id]
        _check_name(terms, [each for each in others if each.phase(now) in _OPEN])
        campaign = _decided(settings, campaign_id, terms)
        _record(cursor, "change", campaign, author)
    _tell(settings, "change")
    return campaign


def end(settings: Settings, campaign_id: int, author: str, now: datetime | None = None) -> Campaign:
    """End a running campaign now. Raises CampaignError, psycopg2.Error."""
    now = now or _now()
    _check_author(author)
    with _deciding(settings) as cursor:
        before = _open_one(_listed(cursor), campaign_id, now)
        if before.phase(now) != "running":
            raise CampaignError(
                f"campaign {campaign_id} has not begun: cancel it instead"
                if before.phase(now) == "planned"
                else f"campaign {campaign_id} ended at {_time(before.end_at)} UTC"
            )
        ended = now.replace(microsecond=now.microsecond // 1000 * 1000)
        terms = dataclasses.replace(
            _terms(before), end_at=max(ended, before.start_at + timedelta(milliseconds=1))
        )
        campaign = _decided(settings, campaign_id, terms)
        _record(cursor, "end", campaign, author)
    _tell(settings, "end")
    return campaign


def cancel(
    settings: Settings, campaign_id: int, author: str, now: datetime | None = None
) -> Campaign:
    """Cancel a campaign that is not over: its boards go away. Raises CampaignError."""
    now = now or _now()
    _check_author(author)
    with _deciding(settings) as cursor:
        before = _open_one(_listed(cursor), campaign_id, now)
        campaign = dataclasses.replace(before, is_cancelled=True)
        _record(cursor, "cancel", campaign, author)
    _tell(settings, "cancellation")
    return campaign


_OPEN = ("planned", "running", "closing")


def _now() -> datetime:
    return datetime.now(UTC)


def _terms(campaign: Campaign) -> Terms:
    names = [field.name for field in dataclasses.fields(Terms)]
    return Terms(**{name: getattr(campaign, name) for name in names})


def _decided(settings: Settings, campaign_id: int, terms: Terms) -> Campaign:
    grace = timedelta(minutes=settings.campaign_grace_minutes)
    games = tuple(sorted(set(terms.games)))
    values = vars(terms) | {"name": terms.name.strip(), "games": games}
    return Campaign(campaign_id=campaign_id, closes_at=terms.end_at + grace, **values)


def _open_one(known: Iterable[Campaign], campaign_id: int, now: datetime) -> Campaign:
    found = next((each for each in known if each.campaign_id == campaign_id), None)
    if found is None:
        raise CampaignError(f"there is no campaign {campaign_id}; list shows all")
    if found.phase(now) not in _OPEN:
        raise CampaignError(f"campaign {campaign_id} is {found.phase(now)}: it changes no more")
    return found


def _check(terms: Terms, author: str, now: datetime) -> None:
    """Raise CampaignError for terms that no campaign can have."""
    _check_author(author)
    name = terms.name.strip()
    if not says_something(name):
        raise CampaignError("a campaign needs a name that can be seen")
    if printable(name) != name:
        raise CampaignError("the name has characters that cannot be seen: leave them out")
    if len(name) > NAME_LENGTH:
        raise CampaignError(f"the name has {len(name)} characters; {NAME_LENGTH} are allowed")
    for word, moment in (("start", terms.start_at), ("end", terms.end_at)):
        if abs(moment - now) > timedelta(days=FARTHEST_DAYS):
            raise CampaignError(f"the {word} is more than {FARTHEST_DAYS} days from now")
        if moment.microsecond % 1000:
            raise CampaignError(f"the {word} must be a whole millisecond")
    if terms.end_at <= terms.start_at:
        raise CampaignError("the end must be after the start")
    if terms.end_at - terms.start_at > timedelta(days=MOST_DAYS):
        raise CampaignError(f"a campaign lasts at most {MOST_DAYS} days")
    if len(terms.games) > MOST_GAMES:
        raise CampaignError(f"{len(terms.games)} games are too many; {MOST_GAMES} are allowed")
    for game in terms.games:
        if not LEAST_GAME <= game <= GREATEST_GAME:
            raise CampaignError(f"{game} is no game: ids are 32-bit numbers")
    _check_number("last minutes", terms.last_minutes, MOST_MINUTES)
    _check_number("minimum spins", terms.minimum_spins, MOST_SPINS)
    _check_number("places", terms.places, MOST_PLACES)


def _check_number(name: str, number: int, most: int) -> None:
    if not 1 <= number <= most:
        raise CampaignError(f"{name} must be from 1 to {most:,}, not {number:,}")


def _check_author(author: str) -> None:
    if not says_something(author) or "\0" in author:
        raise CampaignError("the author is empty: say who decides")


def _check_name(terms: Terms, others: Iterable[Campaign]) -> None:
    for other in others:
        if other.name.casefold() == terms.name.strip().casefold():
            raise CampaignError(
                f"campaign {other.campaign_id} has this name and is not over: choose another"
            )


@contextmanager
def _deciding(settings: Settings) -> Iterator[Any]:
    """A transaction of the moderator's, in which nobody else decides, as a cursor."""
    with postgres.connect(postgres.moderator_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [DECISION_LOCK])
        yield cursor


def _millis(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _values(campaign: Campaign) -> dict[str, Any]:
    return {
        "campaign_id": campaign.campaign_id,
        "name": campaign.name,
        "start_at": _millis(campaign.start_at),
        "end_at": _millis(campaign.end_at),
        "closes_at": _millis(campaign.closes_at),
        "games": ",".join(map(str, campaign.games)),
        "last_minutes": campaign.last_minutes,
        "minimum_spins": campaign.minimum_spins,
        "places": campaign.places,
    }


def _record(cursor: Any, decision: str, campaign: Campaign, author: str) -> None:
    values = _values(campaign)
    places = ", ".join(["%s"] * (len(COLUMNS) + 2))
    cursor.execute(
        f"INSERT INTO moderation.campaign_decisions (decision, author, {', '.join(COLUMNS)}) "
        f"VALUES ({places})",
        [decision, author, *(values[column] for column in COLUMNS)],
    )


def _tell(settings: Settings, decision: str) -> None:
    try:
        publish(settings)
    except KafkaError as error:
        raise CampaignError(
            f"the {decision} is in PostgreSQL, but Kafka did not take it ({first_line(error)}), so "
            "the boards do not know it yet. The next decision and scripts/run_all.sh send it again"
        ) from error


def publish(settings: Settings) -> None:
    """Make the topics of campaigns what the database says. Raises KafkaError."""
    for table in reversed(DECIDED):  # a final table is there before a campaign says that it has one
        names, rows = _table(settings, table.name)
        values = [dict(zip(names, row, strict=True)) for row in rows]
        by_key = {
            json.dumps({"campaign_id": value["campaign_id"]}).encode(): json.dumps(value).encode()
            for value in values
        }
        replace(settings, table.topic, by_key)


def _table(settings: Settings, name: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    with postgres.connect(postgres.moderator_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute(f"SELECT * FROM moderation.{name}")
        return [column[0] for column in cursor.description or ()], cursor.fetchall()


def _listed(cursor: Any) -> list[Campaign]:
    cursor.execute(
        f"SELECT {', '.join(COLUMNS)}, is_cancelled FROM moderation.campaigns "
        "ORDER BY start_at DESC, campaign_id DESC"
    )
    names = [column[0] for column in cursor.description]
    return [_campaign(_with_times(dict(zip(names, row, strict=True)))) for row in cursor]


def _with_times(row: Row) -> Row:
    return {name: _moment(value) if name.endswith("_at") else value for name, value in row.items()}


def _moment(millis: int) -> datetime:
    return datetime.fromtimestamp(millis // 1000, UTC) + timedelta(milliseconds=millis % 1000)


def listed(settings: Settings) -> list[Campaign]:
    """All campaigns, also cancelled ones, the latest start first. Raises psycopg2.Error."""
    with postgres.connect(postgres.moderator_dsn(settings)) as db, db.cursor() as cursor:
        return _listed(cursor)


def history(settings: Settings) -> list[tuple[Any, ...]]:
    """Every decision: (decided_at, decision, campaign_id, name, start_at, end_at, games, author).

    The latest first; start and end are aware, games a text.
    """
    statement = (
        "SELECT decided_at, decision, campaign_id, name, to_timestamp(start_at / 1000.0), "
        "to_timestamp(end_at / 1000.0), games, author FROM moderation.campaign_decisions "
        "ORDER BY decision_number DESC"
    )
    with postgres.connect(postgres.moderator_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


# Freezing


def frozen_ids(settings: Settings) -> set[int]:
    """The campaigns that have a final table. Raises psycopg2.Error."""
    with postgres.connect(postgres.moderator_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute("SELECT campaign_id FROM moderation.campaign_finals")
        return {campaign_id for (campaign_id,) in cursor}


def freeze(settings: Settings, standing: Standing, now: datetime | None = None) -> bool:
    """Keep the board of a campaign as its final table, unless it has one.

    Returns whether it had none. Raises psycopg2.Error, KafkaError.
    """
    totals = standing.totals and {
        name: _plain(value)
        for name, value in standing.totals.items()
        if not name.startswith(("recent_", "window_"))
    }
    values = [
        standing.campaign.campaign_id,
        _millis(now or _now()),
        json.dumps(standing.boards["campaign"]),
        json.dumps(totals),
    ]
    with postgres.connect(postgres.moderator_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute(
            "INSERT INTO moderation.campaign_finals (campaign_id, frozen_at, leaders, totals) "
            "VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            values,
        )
        is_new = cursor.rowcount > 0
    publish(settings)
    return is_new


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


# The command


def parse_moment(text: str) -> datetime:
    """A time in UTC, unless it names an offset: 2026-11-28 10:15, or ISO 8601.

    Raises CampaignError.
    """
    try:
        moment = datetime.fromisoformat(text.strip())
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CampaignError(
            f"{printable(text)} is no time; write it like 2026-11-28 10:15, in UTC"
        ) from None


def parse_games(text: str) -> tuple[int, ...]:
    """The games of a text like "10, 12"; none, which means all, of "all" and of nothing.

    Raises CampaignError.
    """
    if text.strip().casefold() in ("", "all"):
        return ()
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if not NUMBER.fullmatch(word):
            raise CampaignError(
                f"{printable(word) or 'an empty word'} is no game; write ids like 10,12, or all"
            )
    return tuple(sorted({int(word) for word in words}))


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m boards.campaigns",
        description="Creates, changes, ends, cancels and lists campaigns. Times are in UTC.",
        epilog="Exit code: 0 done, 1 not done, and the message says why, 2 bad usage.",
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    created = verbs.add_parser("create", help="make a campaign; it may have begun already")
    created.add_argument("name", help=f"up to {NAME_LENGTH} characters")
    _add_terms(created, is_new=True)
    changed = verbs.add_parser("change", help="change what is given; boards are computed anew")
    changed.add_argument("--name", help=f"up to {NAME_LENGTH} characters")
    _add_terms(changed, is_new=False)
    ended = verbs.add_parser("end", help="end a running campaign now")
    cancelled = verbs.add_parser("cancel", help="take away a campaign that is not closed yet")
    for parser_of_one in (changed, ended, cancelled):
        parser_of_one.add_argument("id", type=_number, help="as list shows it")
    for verb in verbs.choices.values():
        verb.add_argument(
            "--by", metavar="AUTHOR", default=login_name(), help="default: %(default)s"
        )
    listing = verbs.add_parser("list", help="all campaigns, the latest start first")
    listing.add_argument("--history", action="store_true", help="every decision that was made")
    options = parser.parse_args(arguments)
    terms = ("name", "start", "end", "games", "last_minutes", "minimum_spins", "places")
    if options.verb == "change" and all(getattr(options, name) is None for name in terms):
        changed.error("nothing to change: give at least one of the options, such as --end")
    return options


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{printable(text)!r} is no number of a campaign; list shows them"
        ) from None


def _add_terms(parser: argparse.ArgumentParser, is_new: bool) -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(Terms)}

    def add(name: str, help: str, kind: type = str) -> None:
        field = name.replace("-", "_")
        default = defaults.get(field) if is_new and kind is int else None
        of_default = f"; default: {default}" if default is not None else ""
        is_required = is_new and name in ("start", "end")
        parser.add_argument(
            f"--{name}", type=kind, default=default, required=is_required, help=help + of_default
        )

    add("start", "in UTC, like 2026-11-28 10:15")
    add("end", "likewise; spins of this very moment count no more")
    add("games", "ids of the games that count, like 10,12; all for all")
    add("last-minutes", "how many minutes the second board looks back", int)
    add("minimum-spins", "who has fewer is not listed", int)
    add("places", "how many are listed", int)


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """The terms that somebody has written. Raises CampaignError."""
    found: dict[str, Any] = {
        name: value
        for name in ("name", "last_minutes", "minimum_spins", "places")
        if (value := getattr(options, name)) is not None
    }
    for name in ("start", "end"):
        if getattr(options, name) is not None:
            found[f"{name}_at"] = parse_moment(getattr(options, name))
    if options.games is not None:
        found["games"] = parse_games(options.games)
    return found


def _decide(settings: Settings, options: argparse.Namespace) -> Campaign:
    if options.verb == "create":
        return create(settings, Terms(**_given(options)), options.by)
    if options.verb == "change":
        return change(settings, options.id, options.by, **_given(options))
    decide = {"end": end, "cancel": cancel}[options.verb]
    return decide(settings, options.id, options.by)


def _print(titles: Sequence[str], rows: list[list[str]], empty: str) -> None:
    table = Table(*titles, box=None)
    for row in rows:
        table.add_row(*map(printable, row))
    console = Console(markup=False)
    if not console.is_terminal:
        console = Console(markup=False, width=WIDTH)
    console.print(table if rows else empty)


def _print_campaigns(settings: Settings) -> None:
    now, finals = _now(), frozen_ids(settings)
    rows = [
        [
            str(each.campaign_id),
            "final" if each.campaign_id in finals else each.phase(now),
            _time(each.start_at),
            _time(each.end_at),
            ",".join(map(str, each.games)) or "all",
            *map(str, (each.last_minutes, each.minimum_spins, each.places)),
            each.name,
        ]
        for each in listed(settings)
    ]
    titles = "id", "phase", "start", "end", "games", "last minutes", "minimum", "places", "name"
    _print(titles, rows, "There is no campaign yet.")


def _print_history(settings: Settings) -> None:
    rows = [
        [_time(at), decision, str(id_), _time(start), _time(until), games or "all", author, name]
        for at, decision, id_, name, start, until, games, author in history(settings)
    ]
    titles = "when", "what", "id", "start", "end", "games", "author", "name"
    _print(titles, rows, "No decision was made yet.")


def _time(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%d %H:%M:%S}" + (f".{utc:%f}"[:4] if utc.microsecond else "")


def main(arguments: list[str] | None = None) -> int:
    """0 when it is done, 1 with a message when it could not be, 2 for wrong usage."""
    options = _parse(arguments)
    try:
        if options.verb != "list":
            campaign = _decide(settings, options)
            done = {"create": "created", "change": "changed", "end": "ended", "cancel": "cancelled"}
            print(
                f"campaign {campaign.campaign_id} {done[options.verb]}: {campaign.name}, "
                f"{_time(campaign.start_at)} to {_time(campaign.end_at)} UTC, "
                f"{campaign.phase(_now())}"
            )
        elif options.history:
            _print_history(settings)
        else:
            _print_campaigns(settings)
    except psycopg2.errors.UndefinedTable:
        print(
            f"Could not {options.verb}: this system has never run a game with campaigns. Start one "
            "with scripts/run_all.sh --games …, and then create campaigns.",
            file=sys.stderr,
        )
        return 1
    except psycopg2.OperationalError as error:
        print(
            f"Could not {options.verb}: campaigns are in PostgreSQL, whatever the sink, and it "
            f"does not answer ({first_line(error)}). scripts/run_all.sh starts it.",
            file=sys.stderr,
        )
        return 1
    except (CampaignError, psycopg2.Error) as error:
        print(f"Could not {options.verb}: {str(error).strip()}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
