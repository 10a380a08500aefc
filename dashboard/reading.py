"""Reads and encodes the campaigns of one sink for another process, which `dashboard.standings` is.

It is asked over a connection that both share, and ends when the one who asks is gone.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from threading import Thread
from time import monotonic, process_time

from boards import campaigns
from boards.campaigns import Standing
from clients.errors import BoardsUnavailable, first_line
from dashboard.standings import Encoded, Latest, encoded
from settings import Settings

# Of a core at most, because jobs need it too: very many campaigns are read less often, and so are
# those on a busy machine, but at least every so many seconds.
READING_PART, LONGEST_REST_SECONDS = 0.15, 5

log = logging.getLogger(__name__)


class Refresh:
    """Reads the campaigns of one sink; after trouble the last ones that were read remain."""

    def __init__(self, sink_name: str, settings: Settings) -> None:
        self._sink_name, self._settings = sink_name, settings
        self._last = Latest()
        self._rests_until = 0.0

    def read(self) -> Latest:
        """Read them again, unless reading them takes too much of the time.

        Raises nothing: the answer says why they could not be read.
        """
        began, worked = monotonic(), process_time()
        if began >= self._rests_until:
            self._last = self._read()
            took = process_time() - worked
            self._rests_until = began + min(took / READING_PART, LONGEST_REST_SECONDS)
        return self._last

    def _read(self) -> Latest:
        try:
            found = campaigns.standings(self._settings, self._sink_name)
            return Latest(tuple(map(self._encoded, found)), None, datetime.now(UTC))
        except BoardsUnavailable as error:
            return self._last.in_trouble(str(error))
        except Exception as error:  # the viewers are told, and the next second may be better
            log.exception("The campaigns cannot be read")
            why = f"The campaigns cannot be read: {first_line(error)}. The log tells more."
            return self._last.in_trouble(why)

    def _encoded(self, standing: Standing) -> Encoded:
        """A final table is encoded once, because it never changes."""
        known = self._last.by_id.get(standing.campaign.campaign_id)
        is_same = known and known.frozen_at and known.frozen_at == standing.frozen_at
        return known if known and is_same else encoded(standing)


def answer(latest: Latest, told: Latest) -> Iterator[Encoded | int | Latest | None]:
    """What is sent to somebody who was told so much before, in small parts.

    Each campaign, of one that is the same only its id; then the rest. None when all is the same.
    """
    if latest is told:
        yield None
        return
    for each in latest.standings:
        campaign_id = each.campaign.campaign_id
        yield campaign_id if told.by_id.get(campaign_id) == each else each
    yield Latest(trouble=latest.trouble, read_at=latest.read_at)


def main() -> None:
    """Answer until nobody asks any more; the connection's number is the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the one who asks, and that is enough
    Thread(target=_end_with_parent, daemon=True).start()
    with Connection(int(sys.argv[1])) as asker, suppress(EOFError, OSError):
        sink_name, settings = asker.recv()
        refresh, told = Refresh(sink_name, settings), Latest()
        while True:
            asker.recv()
            latest = refresh.read()
            for part in answer(latest, told):
                asker.send(part)
            told = latest


def _end_with_parent() -> None:
    """End when the parent does, which holds standard input open, though a database be silent."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
