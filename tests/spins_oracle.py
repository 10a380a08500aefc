"""The boards of campaigns in plain Python: what they must show for the records of a topic.

Written from docs/spins.md alone; nothing that is deployed imports it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from tests import oracle
from tests.oracle import HOUR, SECOND, Record, Rejected, fields_of, require, whole_number

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SLIDE = 10 * SECOND
LAG = 5 * SECOND  # of the watermark behind a spin on time
NAMES = ("spinId", "playerId", "gameId", "stake", "win", "eventTime")
TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    r"(?:(Z)|([+-])(\d\d)(?::?(\d\d))?)?",
    re.ASCII,
)
INT = 2**31


@dataclass(frozen=True)
class Spin:
    """An accepted spin; its effective and its record's time are in epoch milliseconds."""

    spin_id: str | None
    player_id: int
    game_id: int
    stake: int
    win: int
    time: int
    recorded: int


@dataclass(frozen=True)
class Terms:
    """A campaign; times in epoch milliseconds, and no games are all."""

    start: int
    end: int
    closes: int
    games: frozenset[int] = frozenset()
    last_minutes: int = 10
    minimum_spins: int = 1
    places: int = 100


def read(record: Record, max_late_hours: int = 24) -> Spin:
    """The spin that a record holds. Raises Rejected with the first reason that applies."""
    fields = fields_of(record.value, NAMES)
    spin_id = fields["spinId"] if type(fields["spinId"]) is str else ""
    require(len(spin_id) <= 128, "spinId too long")
    require("\0" not in spin_id, "U+0000 in a text")
    limits = {"playerId": -INT, "gameId": -INT, "stake": 0, "win": 0}
    numbers = {}
    for name, least in limits.items():
        most = 10**15 if name == "win" else INT - 1
        number = whole_number(fields[name], name)
        require(number >= least, f"{name} below {least}")
        require(number <= most, f"{name} above {most}")
        numbers[name] = int(number)
    time = _millis(fields["eventTime"])
    require(time <= record.timestamp + 60 * SECOND, "eventTime in the future")
    require(time >= record.timestamp - max_late_hours * HOUR, "eventTime too old")
    return Spin(
        spin_id or None,
        numbers["playerId"],
        numbers["gameId"],
        numbers["stake"],
        numbers["win"],
        min(time, record.timestamp),
        record.timestamp,
    )


def _millis(value: object) -> int:
    require(value is not None, "eventTime missing")
    found = TIME.fullmatch(value) if type(value) is str else None
    require(found is not None, "eventTime not a time")
    assert found
    year, month, day, hour, minute, second, fraction, _, sign, hours, minutes = found.groups()
    try:
        moment = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second or 0), tzinfo=UTC
        )
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        require(offset <= timedelta(hours=18) and int(minutes or 0) < 60, "eventTime not a time")
        micros = moment + (offset if sign == "-" else -offset) - EPOCH
    except (ValueError, OverflowError):
        raise Rejected("eventTime not a time") from None
    return micros // timedelta(milliseconds=1) + int((fraction or "").ljust(9, "0")[:3] or 0)


def accepted(records: Iterable[Record], minutes: int = 10) -> list[Spin]:
    """The spins that count: of a player's spins with one spinId, the first of so many minutes."""
    return oracle.first_arrivals(
        records, read, lambda spin: (spin.player_id, spin.spin_id), minutes
    )


def rejected(records: Iterable[Record]) -> dict[tuple[int, int], str]:
    """The reason of every rejected record, by its partition and offset."""
    return oracle.reasons_of(records, read)


def counting(terms: Terms, spins: Iterable[Spin]) -> list[Spin]:
    """The spins that count in a campaign."""
    return [
        spin
        for spin in spins
        if terms.start <= spin.time < terms.end
        and spin.recorded < terms.closes
        and (not terms.games or spin.game_id in terms.games)
    ]


def campaign(terms: Terms, spins: Iterable[Spin]) -> list[dict]:
    """Players by what they have won for each unit staked, over all of a campaign."""
    sums: dict[int, list[int]] = {}
    for spin in counting(terms, spins):
        total = sums.setdefault(spin.player_id, [0, 0, 0])
        total[0] += spin.win
        total[1] += spin.stake
        total[2] += 1
    listed = sorted(
        (-Fraction(win, stake), -stake, player_id, win, count)
        for player_id, (win, stake, count) in sums.items()
        if stake > 0 and count >= terms.minimum_spins
    )
    ratios = [ratio for ratio, *_ in listed]
    return [
        {
            "place": place,
            "rank_number": 1 + ratios.index(ratio),
            "player_id": player_id,
            "ratio": win / -stake,
            "win": win,
            "stake": -stake,
            "spins": count,
        }
        for place, (ratio, stake, player_id, win, count) in enumerate(listed, start=1)
    ][: terms.places]


def recent(terms: Terms, spins: Iterable[Spin], window_end: int) -> list[dict]:
    """The same over the last minutes before a time."""
    first = window_end - terms.last_minutes * 60 * SECOND
    return campaign(terms, [spin for spin in spins if first <= spin.time < window_end])


def window_end(spins: Iterable[Spin]) -> int:
    """Where the windows end when all of these spins were read, each on time, and nothing more."""
    return (max(spin.time for spin in spins) - LAG) // SLIDE * SLIDE
