"""Seasons that are over: they become final when no job can change them any more.

A season is due `max_late_hours` after its end: no event that comes later counts in it. It is final
when every job that writes its boards has read all that came until then, and has written it.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from boards import finals
from boards.postgres import PostgresSink
from boards.seasons import NotYet, Season, held_season
from boards.sinks import Sink, sink
from clients.errors import first_line
from compose import lag
from compose.status import Status
from games import chosen
from games import season as lengths
from games.board import Game
from jobs import savepoints
from jobs.names import JobName
from jobs.running import computing
from settings import Settings

log = logging.getLogger(__name__)

# A job tells of a total up to 5 s after it has read the event, and writes it up to
# totals_flush_seconds later.
SETTLED_SECONDS = 30
AT_ONCE = 5  # seasons in one look: after an upgrade a year of them may be due


class Seasons:
    """Makes seasons final, with their awards."""

    name = "seasons"
    every_seconds = 20

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # By game, what must stay as it is, and since when it does.
        self._settling: dict[str, tuple[object, float]] = {}

    def look(self, found: Status) -> str | None:
        """Make final what is due; what is due, and cannot be yet, is overdue."""
        if found.sink is None or not PostgresSink(self._settings).is_needed:
            return None  # nobody writes; or there is no PostgreSQL to keep what is final
        games = [game for game in chosen(self._settings) if game.seasonal]
        overdue = [each for game in games for each in self._finish_due(game, found)]
        finals.publish(self._settings)
        return overdue[0] if overdue else None

    def _finish_due(self, game: Game, found: Status) -> list[str]:
        """Make a game's seasons final that are due. Returns why others cannot be yet."""
        assert found.sink
        used = sink(found.sink, self._settings)
        needed = self._needed(game, found)
        length = savepoints.season_in_use(self._settings, game.name, found.sink)
        hours = max([self._settings.max_late_hours, *map(self._late_hours, needed or ())])
        untils = (
            (each.final_from(hours), each) for each in self._seasons(game, found.sink, length)
        )
        now = datetime.now(UTC)
        due = [(until, each) for until, each in untils if until and until <= now][:AT_ONCE]
        if not due:
            return []
        if needed is None or not self._have_settled(game, needed, found, due[-1][0]):
            return [
                f"season {due[0][1].season} of {game.name} waits for its jobs to write it whole"
            ]
        reasons = (self._finish(game, each, used) for _, each in due)
        return [why for why in reasons if why]

    def _finish(self, game: Game, season: Season, used: Sink) -> str | None:
        try:
            won = finals.finish(self._settings, game, season, used)
        except NotYet as error:  # others may be final meanwhile
            return f"season {season.season} of {game.name} is not final yet: {first_line(error)}"
        if won is not None:
            log.info("Season %s of %s is final: %d awards", season.season, game.name, len(won))
        return None

    def _seasons(self, game: Game, sink_name: str, length: str | None) -> list[Season]:
        """The seasons of the jobs' length that are not final, the oldest first."""
        of = lengths.SEASONS[length or self._settings.season]
        known = sink(sink_name, self._settings).seasons(game)
        return [
            held_season(game, of, each.start_millis)
            for each in reversed(known)
            if each.final_at is None and of.start_of(each.start_millis) == each.start_millis
        ]

    def _needed(self, game: Game, found: Status) -> set[JobName] | None:
        """The jobs that write what belongs to a season; None when one of them is not there."""
        assert found.sink
        name_by_job = computing(found.jobs, self._settings)
        seasonal = [table for table in game.tables if table.is_seasonal]
        jobs = {table.job for table in sink(found.sink, self._settings).tables(seasonal)}
        return {name_by_job[each] for each in jobs} if jobs <= set(name_by_job) else None

    def _late_hours(self, name: JobName) -> int:
        """How late an event may be for a job: it keeps the settings that it began with."""
        changed = savepoints.changed_settings(self._settings, name)
        was, _ = changed.get("max_late_hours", (0, 0))
        return int(was)

    def _have_settled(
        self, game: Game, needed: set[JobName], found: Status, until: datetime
    ) -> bool:
        """Whether these jobs have written, for a while, all that came until then."""
        jobs = {name: found.jobs[name] for name in sorted(needed)}
        is_well = all(
            job.state == "RUNNING" and not (job.is_catching_up or job.is_of_old_topic)
            for job in jobs.values()
        )
        if not is_well or not self._have_read(needed, until):
            self._settling.pop(game.name, None)
            return False
        now, state = time.monotonic(), (until, [(name, job.restarts) for name, job in jobs.items()])
        before, since = self._settling.get(game.name, (None, now))
        if before != state:
            since = now
        self._settling[game.name] = state, since
        return now - since >= SETTLED_SECONDS

    def _have_read(self, needed: set[JobName], until: datetime) -> bool:
        reading = lag.look(self._settings, needed, time.time() - until.timestamp())
        return all(name in reading.lags and not reading.lags[name].overdue for name in needed)
