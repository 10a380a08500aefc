"""The boards of every minute, which the upkeep keeps while jobs write them."""

from __future__ import annotations

from datetime import UTC, datetime

from boards import history
from boards.sinks import sink
from compose.status import Status
from settings import Settings


class History:
    """Keeps the boards of each minute, once the minute has begun."""

    name = "history"
    every_seconds = 0

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sink: str | None = None
        self._kept: datetime | None = None  # the last minute

    def look(self, found: Status) -> str | None:
        """Keep the boards as they are now, unless those of this minute are kept.

        While Flink is away the boards still are: they are read where the jobs wrote last.
        """
        self._sink = found.sink or self._sink
        games = history.kept_games(self._settings)
        read_at = datetime.now(UTC)
        if self._sink is None or not games or history.minute_of(read_at) == self._kept:
            return None
        for game in games:
            boards = sink(self._sink, self._settings).read(game)
            history.write(self._settings, boards, read_at)
        self._kept = history.minute_of(read_at)
        return None
