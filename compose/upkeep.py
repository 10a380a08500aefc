"""What has to be done from time to time, by one process alone: python -m compose.upkeep.

The monitor does it natively and in containers. On Kubernetes it is a process of its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

import psycopg2
from kafka.errors import KafkaError

from clients.errors import BoardsUnavailable, JobError, first_line
from compose import troubles
from compose.announcer import Deliveries
from compose.campaigns import Campaigns
from compose.history import History
from compose.seasons import Seasons
from compose.status import Status, status
from compose.troubles import Trouble
from settings import Settings, settings

LOOK_SECONDS = 5

log = logging.getLogger(__name__)


class Duty(Protocol):
    """Something that has to be done, looked after every so many seconds.

    Whatever it does may be done twice: the process may die at any moment, and begin anew.
    """

    name: str  # in the log, in the status and in the metrics
    every_seconds: int

    def look(self, found: Status) -> str | None:
        """Do what is due. Returns what is overdue and why, as a sentence without its full stop.

        It may raise BoardsUnavailable, JobError, KafkaError or psycopg2.Error: then it is
        behind for this reason, and looks again.
        """


class Upkeep:
    """Does all duties when told to look, and remembers which of them are behind."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._duties: tuple[Duty, ...] = (
            Seasons(settings),
            Campaigns(settings),
            History(settings),
            Deliveries(settings),
        )
        self._looked_at: dict[str, float] = {}
        self._troubles = {each.duty: each for each in troubles.listed(settings)}

    def look(self, found: Status) -> None:
        """Do what is due; what is in the way is logged once, and noted for the status."""
        before = self._troubles
        self._troubles = dict(before)
        for duty in self._duties:
            now = time.monotonic()
            if now - self._looked_at.get(duty.name, -float("inf")) >= duty.every_seconds:
                self._looked_at[duty.name] = now
                self._note(duty.name, _look(duty, found))
        if self._troubles != before:
            troubles.note(self._settings, self._troubles.values())

    def _note(self, name: str, why: str | None) -> None:
        before = self._troubles.pop(name, None)
        if why is None:
            return
        if before is None or before.why != why:
            log.warning("Upkeep of %s: %s", name, why)
        since = before.since if before else datetime.now(UTC).isoformat()
        self._troubles[name] = Trouble(name, why, since)

    @property
    def behind_seconds(self) -> Mapping[str, float]:
        """For how long each duty has been behind; 0 for one that is not."""
        none = dict.fromkeys((duty.name for duty in self._duties), 0.0)
        return none | {name: each.seconds for name, each in self._troubles.items()}


def _look(duty: Duty, found: Status) -> str | None:
    try:
        return duty.look(found)
    except (BoardsUnavailable, JobError, KafkaError, psycopg2.Error) as error:
        return first_line(error)


def main() -> None:
    """Look again and again, until stopped."""
    upkeep = Upkeep(settings)
    while True:
        upkeep.look(status(settings))
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    main()
