"""How long a total counts: a season as a value, and the one place where its length matters.

docs/contract.md (4, 8.4) says the same for readers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from settings import Settings

MINUTE_MILLIS = 60_000
HOUR_MILLIS = 60 * MINUTE_MILLIS
DAY_MILLIS = 24 * HOUR_MILLIS
WEEK_MILLIS = 7 * DAY_MILLIS


@dataclass(frozen=True)
class Season:
    """A season's length and the start of the first one after 1970-01-01T00:00Z, in milliseconds.

    A length of None is one season that never ends; it starts in 1970.
    """

    name: str
    length_millis: int | None
    first_millis: int = 0

    def start_of(self, millis: int) -> int:
        """The start of the season that a time falls in, both in epoch milliseconds."""
        if self.length_millis is None:
            return 0
        return millis - (millis - self.first_millis) % self.length_millis

    def start_sql(self, column: str) -> str:
        """The same in Flink SQL, for a column of epoch milliseconds."""
        if self.length_millis is None:
            return "CAST(0 AS BIGINT)"
        return f"{column} - MOD({column} - {self.first_millis}, {self.length_millis})"

    def end_of(self, start: int) -> int | None:
        """When the season of this start ends; None for one that never does."""
        return None if self.length_millis is None else start + self.length_millis

    def label(self, start: int) -> str:
        """The season of this start as addresses and files name it: 2026-11-27, 2026-11-27T14."""
        if self.length_millis is None:
            return "all-time"
        form = "%Y-%m-%dT%H" if self.length_millis < DAY_MILLIS else "%Y-%m-%d"
        return f"{datetime.fromtimestamp(start / 1000, UTC):{form}}"

    def id(self, start: int) -> str:
        """The same with the length before it: no other season of any length is called so."""
        label = self.label(start)
        return label if self.length_millis is None else f"{self.name}-{label}"

    def retention_millis(self, settings: Settings) -> int | None:
        """How long events, and the state of totals, are kept; None is for ever.

        An event may be late by `max_late_hours`, and a job may be down for `max_outage_hours`:
        after the season and both of these, nobody's total of the season is touched again.
        """
        if self.length_millis is None:
            return None
        hours = settings.max_late_hours + settings.max_outage_hours
        return self.length_millis + hours * HOUR_MILLIS


# 1970 began on a Thursday, so the first week from a Monday starts four days in.
SEASONS = {
    season.name: season
    for season in (
        Season("hour", HOUR_MILLIS),
        Season("day", DAY_MILLIS),
        Season("week", WEEK_MILLIS, 4 * DAY_MILLIS),
        Season("all", None),
    )
}


def of(settings: Settings) -> Season:
    """The season that the settings name."""
    return SEASONS[settings.season]
