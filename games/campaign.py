"""A campaign as a value: who ranks by what, from when to when, and what it may be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from games.board import Table

NAME_LENGTH = 80  # characters at most
MOST_DAYS = 366  # from start to end
FARTHEST_DAYS = 3_660  # of start and end from now
MOST_GAMES = 1_000
LEAST_GAME, GREATEST_GAME = -(2**31), 2**31 - 1
MOST_MINUTES = 10_080  # of the second board: a week
MOST_SPINS = 1_000_000  # that somebody can be asked for
MOST_PLACES = 1_000
MOST_OPEN = 1_000  # campaigns that are not over, at once

# What people decide, and what is kept for ever, copied from the database for jobs and for readers
# of the boards in Kafka.
CAMPAIGNS = Table(name="campaigns", key=("campaign_id",), game="moderation", schema="moderation")
CAMPAIGN_FINALS = Table(
    name="campaign_finals", key=("campaign_id",), game="moderation", schema="moderation"
)
DECIDED = (CAMPAIGNS, CAMPAIGN_FINALS)


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What is decided about a campaign. Times are aware, in UTC, and whole milliseconds.

    games         those that count; none is all
    last_minutes  how far the second board looks back
    minimum_spins who has fewer is not listed
    places        how many are listed
    """

    name: str
    start_at: datetime
    end_at: datetime
    games: tuple[int, ...] = ()
    last_minutes: int = 10
    minimum_spins: int = 1
    places: int = 100


@dataclass(frozen=True, kw_only=True)
class Campaign(Terms):
    """A campaign as it holds. Spins whose record is of `closes_at` or later count no more."""

    campaign_id: int
    closes_at: datetime
    is_cancelled: bool = False

    def phase(self, now: datetime) -> str:
        """`planned`, `running`, `closing` (late spins still count), `closed` or `cancelled`."""
        if self.is_cancelled:
            return "cancelled"
        if now < self.start_at:
            return "planned"
        if now < self.end_at:
            return "running"
        return "closing" if now < self.closes_at else "closed"
