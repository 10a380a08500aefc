"""Campaigns that are over: their boards become final tables.

A board has all that was recorded before its campaign closed when that is in a checkpoint of the
job, and the board has not changed for a while since.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

from boards import campaigns
from boards.campaigns import Standing
from clients import offsets
from compose.status import Status
from games.board import Game
from jobs.names import JobName
from jobs.running import computing, sink_of
from settings import Settings

# A job tells what it has read within 5 s, and a sink may hold it back.
TELL_SECONDS = 15

log = logging.getLogger(__name__)


class Campaigns:
    """Freezes the boards of campaigns that are over, once they are complete."""

    name = "campaigns"
    every_seconds = 5

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Campaigns whose every spin has been read: what their board was when it was seen first.
        self._complete: dict[int, tuple[float, Standing]] = {}

    def look(self, found: Status) -> str | None:
        """Freeze what can be frozen; what is over, and has no final table yet, is overdue."""
        game = campaigns.game_of(self._settings)
        if game is None:
            return None
        closed = self._closed()
        left = self._freeze(game, closed, found) if closed else []
        return f"campaign {left[0]} is over, and its board is not complete yet" if left else None

    def _closed(self) -> list[int]:
        frozen, now = campaigns.frozen_ids(self._settings), datetime.now(UTC)
        return [
            each.campaign_id
            for each in campaigns.listed(self._settings)
            if each.phase(now) == "closed" and each.campaign_id not in frozen
        ]

    def _freeze(self, game: Game, closed: list[int], found: Status) -> list[int]:
        """Freeze those whose boards are complete. Returns the others."""
        names = [name for name in found.jobs if name.game == game.name]
        sink = sink_of(names, self._settings)
        (table,) = game.of_campaigns
        name = computing(names, self._settings).get(table.job)
        if sink is None or name is None:
            return closed
        standings, left = campaigns.standings(self._settings, sink), []
        for campaign_id in closed:
            standing = campaigns.find(standings, campaign_id)
            if standing and self._is_told(standing, game, name):
                campaigns.freeze(self._settings, standing)
                log.info("Campaign %s is final.", campaign_id)
            else:
                left.append(campaign_id)
        return left

    def _is_told(self, standing: Standing, game: Game, name: JobName) -> bool:
        """Whether a board has all that was recorded before its campaign closed."""
        id_, closes_at = standing.campaign.campaign_id, standing.campaign.closes_at
        since, before = self._complete.get(id_, (0.0, None))
        if before is None or before.boards["campaign"] != standing.boards["campaign"]:
            if not has_read(self._settings, game.topic(self._settings), name.group, closes_at):
                return False
            self._complete[id_] = time.monotonic(), standing
            return False
        return time.monotonic() - since > TELL_SECONDS


def has_read(settings: Settings, topic: str, group: str, until: datetime) -> bool:
    """Whether a group has committed all records of a topic before a time, which has passed.

    Raises KafkaError.
    """
    millis = int(until.timestamp() * 1000)
    with offsets.admin(settings) as client:
        of = offsets.partitions(client, topic)
        starts, ends = offsets.starts(client, of), offsets.ends(client, of)
        later = offsets.since(client, of, millis)
        committed = offsets.committed(client, topic, group)
    wanted = {number: ends[number] if at < 0 else at for number, at in later.items()}
    reached = {number: max(start, committed.get(number, start)) for number, start in starts.items()}
    doubtful = {number: at for number, at in reached.items() if at < wanted[number]}
    if doubtful:  # behind what it has read there may be nothing but markers of transactions
        reached |= offsets.first_unread(settings, topic, doubtful)
    return all(reached[number] >= at for number, at in wanted.items())
