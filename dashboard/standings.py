"""The campaigns once a second for all who look together, as another process has read them.

Python runs one thread at a time, and thousands of rows take long to read and to encode. So the
process `dashboard.reading` does both, and hands over texts; who asks is answered meanwhile. It
begins with its first viewer, and ends when nobody has looked for a while.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, cached_property
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from boards.campaigns import Standing
from boards.snapshot import Row
from dashboard.health import Watch
from settings import PROJECT, Settings

REFRESH_SECONDS = 1
FIRST_SECONDS = 35  # the first fold of Kafka's topics may take so long
SILENT_SECONDS = 60  # the same on a machine that is overloaded; a process that is silent hangs
IN_PLAY = ("running", "closing")  # the phases in which spins still count

log = logging.getLogger(__name__)

COLUMNS = ("rank_number", "place", "player_id", "ratio", "win", "stake", "spins")  # of a row

# They are numbers, which Python writes as JSON does: a quarter of the time that `json` would take.
AS_JSON = "{{" + ", ".join(f'"{name}": {{{name}}}' for name in COLUMNS) + "}}"


@dataclass(frozen=True)
class Rows(Sequence[Row]):
    """The rows of a board in their order, by player: texts of JSON, read when asked for."""

    by_player: dict[int, str]

    @cached_property
    def texts(self) -> list[str]:
        """The texts in their order."""
        return list(self.by_player.values())

    def __len__(self) -> int:
        return len(self.by_player)

    def __getitem__(self, place: Any) -> Any:
        found = self.texts[place]
        return json.loads(found) if isinstance(found, str) else [json.loads(each) for each in found]


@dataclass(frozen=True)
class Encoded(Standing):
    """A campaign whose boards are encoded."""

    boards: Mapping[str, Rows]


def encoded(standing: Standing) -> Encoded:
    """The same campaign with its boards as texts."""
    boards = {
        board: Rows({row["player_id"]: AS_JSON.format_map(row) for row in rows})
        for board, rows in standing.boards.items()
    }
    return Encoded(**vars(standing) | {"boards": boards})


@dataclass(frozen=True)
class Latest:
    """The campaigns last read, at `read_at`, and why there are no newer ones."""

    standings: tuple[Encoded, ...] = ()
    trouble: str | None = None
    read_at: datetime | None = None
    # What is made of it once for all who see it: a page's HTML, and the API's answers.
    drawn: dict[Hashable, str] = field(default_factory=dict, compare=False)
    encoded: dict[Hashable, Any] = field(default_factory=dict, compare=False)

    @cached_property
    def by_id(self) -> dict[int, Encoded]:
        """The campaigns by their ids."""
        return {each.campaign.campaign_id: each for each in self.standings}

    @cached_property
    def in_play(self) -> list[Encoded]:
        """Those in which spins still counted at that moment."""
        assert self.read_at
        return [each for each in self.standings if each.campaign.phase(self.read_at) in IN_PLAY]

    def listing(self, player_id: int) -> Sequence[Encoded]:
        """Those in play that list a player."""
        return self._by_player.get(player_id, ())

    @cached_property
    def _by_player(self) -> dict[int, list[Encoded]]:
        found = defaultdict[int, list[Encoded]](list)
        for each in self.in_play:
            for player_id in set().union(*(rows.by_player for rows in each.boards.values())):
                found[player_id].append(each)
        return found

    def in_trouble(self, why: str) -> Latest:
        """The same campaigns when newer ones cannot be read."""
        return replace(self, trouble=why, drawn={}, encoded={})


def latest_of(standings: Iterable[Standing], read_at: datetime) -> Latest:
    """What is made of campaigns that were read at this moment."""
    return Latest(tuple(map(encoded, standings)), None, read_at)


class Reader:
    """Asks the process that reads the campaigns of one sink, and starts it when there is none."""

    def __init__(self, sink_name: str, settings: Settings) -> None:
        self._of = sink_name, settings
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection[Any, Any] | None = None
        self._last = Latest()

    def read(self) -> Latest:
        """The campaigns now; those last read when there is nothing new.

        Raises nothing: the answer says why they could not be read.
        """
        try:
            self._last = self._ask()
        except (EOFError, OSError) as error:
            status = self._stop()
            is_silent = isinstance(error, TimeoutError) or status is None
            reason = str(error) if is_silent else f"exit status {status}"
            why = f"The process that reads the campaigns has ended: {reason}. Another is started."
            log.error(why)
            self._last = self._last.in_trouble(f"{why} The log tells more.")
        return self._last

    def close(self) -> None:
        """End the process, and forget what it has read."""
        self._stop()
        self._last = Latest()

    def _ask(self) -> Latest:
        connection = self._connection or self._start()
        connection.send(None)
        known, found = self._last.by_id, []
        while isinstance(part := self._receive(connection), Encoded | int):
            found.append(known[part] if isinstance(part, int) else part)
        return replace(part, standings=tuple(found)) if part else self._last

    def _receive(self, connection: Connection[Any, Any]) -> Any:
        """The next part of an answer; `dashboard.reading.answer` says what there is."""
        if not connection.poll(SILENT_SECONDS):
            raise TimeoutError(f"it did not answer for {SILENT_SECONDS} s")
        return connection.recv()

    def _start(self) -> Connection[Any, Any]:
        self._connection, theirs = Pipe()
        with theirs:
            number = theirs.fileno()
            command = [sys.executable, "-m", "dashboard.reading", str(number)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, pass_fds=[number], cwd=PROJECT
            )
        self._connection.send(self._of)
        return self._connection

    def _stop(self) -> int | None:
        """End the process, and wait until it has; its exit status, None when there was none."""
        connection, process = self._connection, self._process
        self._connection = self._process = None
        if connection:
            connection.close()
        if process is None:
            return None
        with process:
            process.kill()
        return process.returncode


def phase(standing: Standing, latest: Latest) -> str:
    """The phase of a campaign as of this reading; "final" when its table is frozen."""
    assert latest.read_at
    return "final" if standing.frozen_at else standing.campaign.phase(latest.read_at)


@cache
def watch(sink_name: str, settings: Settings) -> Watch[Latest]:
    """The one watch over the campaigns in a sink."""
    reader = Reader(sink_name, settings)
    return Watch("campaigns", reader.read, REFRESH_SECONDS, reader.close)


def latest(sink_name: str, settings: Settings) -> Latest:
    """The campaigns as last read, a second or so ago; the first who asks waits for them."""
    first = Latest(trouble="The campaigns are being read for the first time.")
    return watch(sink_name, settings).latest(FIRST_SECONDS) or first


def is_read(sink_name: str, settings: Settings) -> bool:
    """Whether they are in memory, so that nobody would wait."""
    return watch(sink_name, settings).has_asked


def trouble(sink_name: str, settings: Settings) -> str | None:
    """Why they cannot be read now; None when they can, or when nobody looks at them."""
    known = watch(sink_name, settings).known
    return known.trouble if known else None
