"""The boards in plain Python: what they must show for the records of a topic.

Written from docs/contract.md alone; nothing that is deployed imports it. A board of totals is a
function of its own name, which takes the `Totals` of one of its periods.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Decimal, localcontext
from statistics import mean, median
from typing import Any

from games.board import Board

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SECOND = 1_000
PERIODS = {"season_start": "day", "hour_start": "hour"}  # how long what starts then lasts
MONDAY = 4 * DAY  # the first one after 1970-01-01


@dataclass(frozen=True)
class Record:
    """A message of the topic as the broker holds it; timestamp in epoch milliseconds."""

    partition: int
    offset: int
    timestamp: int
    value: bytes | None


@dataclass(frozen=True)
class Event:
    """An accepted score event; its effective and its record's time are in epoch milliseconds."""

    event_id: str | None
    user_id: str
    user_name: str | None
    team_id: str
    team_name: str
    score: int
    time: int
    recorded: int


FIELDS = ("event_id", "user_id", "user_name", "team_id", "team_name", "score", "event_time_millis")


class Rejected(Exception):
    """The message is no event that counts; the text is the reason."""


class Number(str):
    """A number of a message, as it is written there."""


NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
WHITE_SPACE = " \t\n\r"


def read(record: Record, max_late_hours: int = 24) -> Event:
    """The event that a record holds. Raises Rejected with the first reason that applies."""
    fields = _fields(record.value)
    user_id = id_of(fields["user_id"], "user_id")
    user_name = fields["user_name"] if type(fields["user_name"]) is str else ""
    require_storable(user_name, "user_name", 200)
    team_id = id_of(fields["team_id"], "team_id")
    team_name = text_of(fields["team_name"], "team_name")
    require_storable(team_name, "team_name", 200)
    score = whole_number(fields["score"], "score")
    require(score >= 0, "score below 0")
    require(score <= 1_000_000, "score above 1000000")
    time = whole_number(fields["event_time_millis"], "event_time_millis")
    require(time <= record.timestamp + 60 * SECOND, "event_time_millis in the future")
    require(time >= record.timestamp - max_late_hours * HOUR, "event_time_millis too old")
    event_id = fields["event_id"] if type(fields["event_id"]) is str else ""
    return Event(
        event_id or None,
        user_id,
        user_name or None,
        team_id,
        team_name or team_id,
        int(score),
        min(int(time), record.timestamp),
        record.timestamp,
    )


def require(holds: bool, reason: str) -> None:
    if not holds:
        raise Rejected(reason)


def id_of(value: object, name: str) -> str:
    """The text of an id. Raises Rejected."""
    text = text_of(value, name)
    require(text.strip(WHITE_SPACE) != "", f"{name} blank")
    require_storable(text, name, 128)
    return text


def text_of(value: object, name: str) -> str:
    """A field as a text. Raises Rejected."""
    require(value is not None, f"{name} missing")
    require(not isinstance(value, dict | list), f"{name} not a text")
    return value if isinstance(value, str) else json.dumps(value)


def require_storable(text: str, name: str, length: int) -> None:
    """Raise Rejected for a text that is too long or that PostgreSQL cannot store."""
    require(len(text) <= length, f"{name} too long")
    require("\0" not in text, "U+0000 in a text")


def _fields(value: bytes | None) -> dict:
    return fields_of(value, FIELDS)


def fields_of(value: bytes | None, names: Iterable[str]) -> dict:
    """These fields of a message, numbers as they are written. Raises Rejected."""
    require(bool(value), "empty message")
    try:
        text = (value or b"").decode(errors="replace")
        fields = json.loads(text, parse_constant=_refuse, parse_int=Number, parse_float=Number)
    except ValueError:
        raise Rejected("not one JSON object") from None
    require(isinstance(fields, dict), "not one JSON object")
    return {name: _without_surrogates(fields.get(name)) for name in names}


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def _without_surrogates(value: object) -> object:
    return re.sub("[\ud800-\udfff]", "?", value) if type(value) is str else value


def whole_number(value: object, name: str) -> Decimal:
    require(value is not None, f"{name} missing")
    text = value if isinstance(value, str) else ""
    if text.isascii() and text.isdigit() and len(text) <= 18:  # as nearly all are
        return Decimal(text)
    require(NUMBER.fullmatch(text) is not None, f"{name} not a whole number")
    with localcontext(Emax=MAX_EMAX, Emin=MIN_EMIN, prec=MAX_PREC):
        number = Decimal(text)
        _, digits, exponent = number.as_tuple()
        places = int(exponent)
        fraction = digits[places:] if places < 0 else ()  # all of them where it is longer
        require(not any(fraction), f"{name} not a whole number")
        return min(max(number, Decimal(-(10**18))), Decimal(10**18))


def accepted(records: Iterable[Record], minutes: int = 10) -> list[Event]:
    """The events that count, in order of arrival."""
    return first_arrivals(records, read, lambda event: (event.user_id, event.event_id), minutes)


def rejected(records: Iterable[Record]) -> dict[tuple[int, int], str]:
    """The reason of every rejected record, by its partition and offset."""
    return reasons_of(records, read)


def first_arrivals(
    records: Iterable[Record],
    read: Callable[[Record], Any],
    ids: Callable[[Any], tuple[object, str | None]],
    minutes: int,
) -> list[Any]:
    """What counts of any game's records, in order of arrival; `ids` gives the player and the id.

    Of a player's events with one id, one is a repetition when its record's minute and that of the
    last one that counted are at most so many apart; with 0 minutes, none is.
    """
    counted: dict[tuple[object, str | None], int] = {}
    events = []
    for record in sorted(records, key=lambda each: (each.timestamp, each.partition, each.offset)):
        try:
            event = read(record)
        except Rejected:
            continue
        key, minute = ids(event), event.recorded // (60 * SECOND)
        if key[1] and minutes:
            if key in counted and abs(minute - counted[key]) <= minutes:
                continue
            counted[key] = minute
        events.append(event)
    return events


def reasons_of(
    records: Iterable[Record], read: Callable[[Record], Any]
) -> dict[tuple[int, int], str]:
    """The reason of every record that `read` rejects, by its partition and offset."""
    reasons = {}
    for record in records:
        try:
            read(record)
        except Rejected as reason:
            reasons[record.partition, record.offset] = str(reason)
    return reasons


def season_start(time: int, season: str) -> int:
    """Start of the season that a time falls in, both in epoch milliseconds."""
    if season == "all":
        return 0
    length, first = {"hour": (HOUR, 0), "day": (DAY, 0), "week": (7 * DAY, MONDAY)}[season]
    return time - (time - first) % length


@dataclass
class Total:
    """What one entity has gathered in a season."""

    score: int = 0
    reached_at: int = 0
    user_name: str | None = None
    team_id: str | None = None
    team_name: str | None = None

    def add(self, event: Event) -> None:
        self.score += event.score
        self.reached_at = max(self.reached_at, event.time)
        self.user_name = event.user_name or self.user_name
        self.team_id, self.team_name = event.team_id, event.team_name


@dataclass(eq=False)
class Totals:
    """Totals of the season that starts then, by team, player, and player within a team.

    `events` are those of the season, `all_events` those of all seasons.
    """

    season: int
    all_events: list[Event] = field(default_factory=list, repr=False)
    events: list[Event] = field(default_factory=list, repr=False)
    teams: dict[str, Total] = field(default_factory=lambda: defaultdict(Total))
    players: dict[str, Total] = field(default_factory=lambda: defaultdict(Total))
    members: dict[tuple[str, str], Total] = field(default_factory=lambda: defaultdict(Total))


def totals(events: list[Event], season: str = "day", start: int | None = None) -> Totals:
    """Sum up the season that starts then (epoch milliseconds), by default the newest."""
    if start is None:
        start = max(season_start(event.time, season) for event in events)
    summed = Totals(start, events)
    known: dict[str, str] = {}
    for event in events:
        known[event.user_id] = event.user_name or known.get(event.user_id, "")
        if season_start(event.time, season) == start:
            player = summed.players[event.user_id]
            player.user_name = player.user_name or known[event.user_id] or None
            summed.events.append(event)
            summed.teams[event.team_id].add(event)
            summed.players[event.user_id].add(event)
            summed.members[event.team_id, event.user_id].add(event)
    return summed


def every_season(events: list[Event], season: str = "day") -> list[Totals]:
    """The totals of each season that has any event."""
    starts = {season_start(event.time, season) for event in events}
    return [totals(events, season, start) for start in starts]


def newest_rows(board: Board, events: list[Event]) -> list[dict]:
    """The newest period of a board of totals, best first."""
    return rows_of(board, totals(events, PERIODS[str(board.period)]))


def rows_of(board: Board, summed: Totals) -> list[dict]:
    """One period of a board of totals, best first."""
    return globals()[board.name](summed)


def top_teams(summed: Totals, banned: str = "") -> list[dict]:
    """The board of teams, best first, without a banned one."""
    rows = [
        {
            "team_id": team_id,
            "team_name": total.team_name,
            "total_score": total.score,
            "reached_at": moment(total.reached_at),
            "season_start": moment(summed.season),
        }
        for team_id, total in summed.teams.items()
        if team_id != banned
    ]
    return ranked(rows, "total_score", lambda row: (row["reached_at"], row["team_id"]))[:100]


def top_players(summed: Totals, banned: str = "") -> list[dict]:
    """The board of players, best first, without a banned one."""
    rows = [
        {
            "user_id": user_id,
            "user_name": total.user_name or user_id,
            "team_id": total.team_id,
            "team_name": total.team_name,
            "total_score": total.score,
            "reached_at": moment(total.reached_at),
            "season_start": moment(summed.season),
        }
        for user_id, total in summed.players.items()
        if user_id != banned
    ]
    return ranked(rows, "total_score", lambda row: (row["reached_at"], row["user_id"]))[:100]


def player_totals(summed: Totals) -> list[dict]:
    """Everybody's total as the table has it, by id."""
    return [
        {
            "season_start": summed.season,
            "user_id": user_id,
            "user_name": total.user_name or user_id,
            "team_id": total.team_id,
            "team_name": total.team_name,
            "total_score": total.score,
            "reached_at": total.reached_at,
        }
        for user_id, total in sorted(summed.players.items())
    ]


def member_totals(summed: Totals) -> list[dict]:
    """Everybody's points for each team as the table has them, by team and player."""
    return [
        {
            "season_start": summed.season,
            "team_id": team_id,
            "user_id": user_id,
            "player_total": total.score,
        }
        for (team_id, user_id), total in sorted(summed.members.items())
    ]


def team_mvps(summed: Totals, banned_player: str = "", banned_team: str = "") -> list[dict]:
    """Every team's best player, by share of the team's total, without banned ones."""
    best: dict[str, tuple[str, Total]] = {}
    for (team_id, user_id), total in sorted(summed.members.items()):
        if team_id not in best or total.score > best[team_id][1].score:
            best[team_id] = user_id, total
    rows = [
        {
            "team_id": team_id,
            "team_name": summed.teams[team_id].team_name,
            "user_id": user_id,
            "user_name": summed.players[user_id].user_name or user_id,
            "player_total": total.score,
            "team_total": summed.teams[team_id].score,
            "contribution_ratio": total.score / summed.teams[team_id].score,
            "season_start": moment(summed.season),
        }
        for team_id, (user_id, total) in best.items()
        if summed.teams[team_id].score > 0 and user_id != banned_player and team_id != banned_team
    ]
    return ranked(rows, "contribution_ratio", lambda row: (-row["player_total"], row["team_id"]))


def most_improved(summed: Totals) -> list[dict]:
    """The board of players by points of this hour less those of the hour before, best first."""
    before = totals(summed.all_events, "hour", summed.season - HOUR).players
    rows = [
        {
            "user_id": user_id,
            "user_name": now.user_name or before[user_id].user_name or user_id,
            "team_name": now.team_name,
            "improvement": now.score - before[user_id].score,
            "points_this_hour": now.score,
            "points_hour_before": before[user_id].score,
            "reached_at": moment(now.reached_at),
            "hour_start": moment(summed.season),
        }
        for user_id, now in summed.players.items()
        if now.score > 0 and user_id in before and before[user_id].score > 0
    ]
    return ranked(rows, "improvement", lambda row: (-row["points_this_hour"], row["user_id"]))


def hot_streaks(events: list[Event], window_end: int, places: int = 100) -> list[dict]:
    """The streaks of the window that ends at `window_end` (epoch milliseconds), hottest first."""
    rows = []
    players = defaultdict(list)
    known: dict[str, str] = {}  # the latest name of each player
    name_at: dict[str, str] = {}  # the one that was known when the window's last event came
    for event in events:
        known[event.user_id] = event.user_name or known.get(event.user_id, event.user_id)
        if window_end - 60 * SECOND <= event.time < window_end:
            players[event.user_id].append(event)
        if window_end - 10 * SECOND <= event.time < window_end:
            name_at[event.user_id] = known[event.user_id]
    for user_id, long in players.items():
        short = [event for event in long if event.time >= window_end - 10 * SECOND]
        if len(short) < 3 or sum(event.score for event in long) == 0:
            continue
        short_average = sum(event.score for event in short) / len(short)
        long_average = sum(event.score for event in long) / len(long)
        rows.append(
            {
                "user_id": user_id,
                "user_name": name_at[user_id],
                "team_name": short[-1].team_name,
                "short_term_average": short_average,
                "long_term_average": long_average,
                "short_term_events": len(short),
                "long_term_events": len(long),
                "hotness": short_average / long_average,
                "window_end": moment(window_end),
            }
        )
    return ranked(rows, "hotness", lambda row: (-row["long_term_events"], row["user_id"]))[:places]


PLAY = 5 * 60 * SECOND  # the window of suspects, and the gap that ends a session


def suspects(events: list[Event], least_events: int = 20, factor: float = 1.6) -> list[dict]:
    """Everybody's last suspicious window, by id."""
    last = {row["user_id"]: row for row in suspicious(events, least_events, factor)}
    return [row for _, row in sorted(last.items())]


def suspicious(events: list[Event], least_events: int, factor: float) -> Iterator[dict]:
    """Who is suspicious in each window, one window after the other."""
    windows: dict[int, dict[str, list[Event]]] = defaultdict(lambda: defaultdict(list))
    known: dict[str, str] = {}  # the latest name of each player
    for event in events:
        known[event.user_id] = event.user_name or known.get(event.user_id, event.user_id)
        windows[event.time // PLAY][event.user_id].append(event)
    runs: dict[str, int] = {}  # how long they are in the window before
    for window in range(min(windows), max(windows) + 1):
        counts: dict[str, list[int]] = defaultdict(list)
        for own in windows[window].values():
            counts[own[-1].team_id].append(len(own))
        medians = {team_id: median(of_team) for team_id, of_team in counts.items()}
        fast = {
            user_id: own
            for user_id, own in windows[window].items()
            if len(own) >= least_events and len(own) > factor * medians[own[-1].team_id]
        }
        runs = {user_id: runs.get(user_id, 0) + 1 for user_id in fast}
        for user_id, own in fast.items():
            yield {
                "user_id": user_id,
                "user_name": known[user_id],
                "team_id": own[-1].team_id,
                "team_name": own[-1].team_name,
                "events": len(own),
                "team_median": medians[own[-1].team_id],
                "factor": len(own) / medians[own[-1].team_id],
                "windows_in_a_row": runs[user_id],
                "window_end": moment((window + 1) * PLAY),
            }


def active_players(events: list[Event]) -> dict[datetime, int]:
    """How many played in the five minutes before the end of each minute."""
    playing: dict[int, set[str]] = defaultdict(set)
    for event in events:
        first = event.time // MINUTE
        for minute in range(first, first + PLAY // MINUTE):
            playing[minute].add(event.user_id)
    return {moment((minute + 1) * MINUTE): len(users) for minute, users in playing.items()}


def ended_sessions(events: list[Event]) -> dict[datetime, tuple[int, float]]:
    """Sessions and their mean seconds, by the end of the minute in which they had ended."""
    times: dict[str, list[int]] = defaultdict(list)
    for event in events:
        times[event.user_id].append(event.time)
    lengths: dict[int, list[int]] = defaultdict(list)
    for own in times.values():
        own.sort()
        first = own[0]
        for time, later in zip(own, [*own[1:], None], strict=True):
            if later is None or later - time > PLAY:
                lengths[(time + PLAY - 1) // MINUTE].append((time - first) // SECOND)
                first = later or 0
    return {
        moment((minute + 1) * MINUTE): (len(all_lengths), mean(all_lengths))
        for minute, all_lengths in lengths.items()
    }


def ranked(rows: list[dict], value: str, tie_break) -> list[dict]:
    ordered = sorted(rows, key=lambda row: (-row[value], *tie_break(row)))
    falling = [-row[value] for row in ordered]
    return [{"rank_number": 1 + bisect_left(falling, -row[value]), **row} for row in ordered]


def moment(millis: int) -> datetime:
    """Epoch milliseconds as a time in UTC."""
    return datetime.fromtimestamp(millis / 1000, UTC)
