"""Tells what changes on the boards, once each: python -m compose.announcer.

It looks at the boards every other second. docs/announcements.md says what it tells.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import psycopg2

from boards import announced, announcements, deliveries, webhooks
from boards.announced import KafkaCopy, Remembered
from boards.announcements import Look, Memory, just_over
from boards.deliveries import Receiver
from boards.postgres import PostgresSink
from boards.seasons import moment, past_boards
from boards.sinks import Sink, sink
from clients import postgres
from clients.errors import BoardsUnavailable, JobError, SetupError, first_line
from compose.status import Status
from games import chosen
from games import season as lengths
from games.board import Game
from jobs import savepoints
from settings import SettingError, Settings, refuse, settings

LOOK_SECONDS = 2
ASK_SECONDS = 10  # how often Flink is asked where the boards go
LOCK = "announcements"  # one at a time tells

log = logging.getLogger(__name__)


class Announcer:
    """Looks at the boards of one game, and tells what has changed since the look before."""

    def __init__(self, settings: Settings, game: Game) -> None:
        self._settings, self._game = settings, game
        self._known: Remembered | None = None
        self._asked_at = -float("inf")
        self._sink: Sink = sink(settings.sink, settings)
        self._length = lengths.of(settings)

    def look(self) -> int:
        """Look once. Returns how much was told.

        Raises BoardsUnavailable or psycopg2.Error: then it is unknown whether something was told,
        and the next look finds out.
        """
        settings, game = self._settings, self._game
        if self._known is None:
            self._known = announced.remembered(settings, game)
        version, before = self._known
        found = self._see(before)
        told, memory = announcements.decide(found, before, settings)
        if told or memory != before:
            self._known = None  # until it is written, it is unknown what is remembered
            if not announced.keep(settings, game, version, memory, told):
                return 0
            version += 1
        self._known = Remembered(version, memory)
        for each in told:
            log.info("%s", each.sentence)
        return len(told)

    def _see(self, memory: Memory | None) -> Look:
        self._find_sink()
        game, used, at = self._game, self._sink, int(time.time() * 1000)
        boards = [board for board in game.announced if {*board.announced} - {"winner"}]
        rows = used.rows(game, boards)
        held = {board.name: each for board, each in zip(boards, rows, strict=True)}
        known = memory or Memory(since=at)
        over = just_over(game, self._length, known, at)
        until = known.final_until or moment(known.since).isoformat()
        return Look(
            at,
            self._length,
            past_boards(game, held),
            (over, used.past(game, over)) if over else None,
            tuple(announced.final_since(self._settings, game, until)),
        )

    def _find_sink(self) -> None:
        """Where the jobs write, and how long their seasons are, as far as Flink says it."""
        if time.monotonic() - self._asked_at < ASK_SECONDS:
            return
        self._asked_at = time.monotonic()
        with suppress(JobError):  # while Flink is away, the boards are where they were
            name = savepoints.sink_in_use(self._settings) or self._settings.sink
            length = savepoints.season_in_use(self._settings, self._game.name, name)
            self._sink = sink(name, self._settings)
            self._length = lengths.SEASONS[length or self._settings.season]


class Deliveries:
    """The duty to notice who takes no announcements; the announcer does the work."""

    name = "deliveries"
    every_seconds = 20

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def look(self, found: Status) -> str | None:
        """Who has failed for the longest time, and why."""
        if not PostgresSink(self._settings).is_needed:
            return None
        rows = [row for row in deliveries.listed(self._settings) if row["failing_since"]]
        row = min(rows, key=lambda each: each["failing_since"], default=None)
        return f"{row['receiver']} takes no announcements: {row['last_error']}" if row else None


@contextmanager
def alone(settings: Settings) -> Iterator[Callable[[], None]]:
    """Wait until nobody else tells. Gives what raises psycopg2.Error when that is unknown."""
    with closing(postgres.connect(postgres.keeper_dsn(settings))) as db, db.cursor() as cursor:

        def is_mine() -> bool:
            cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [LOCK])
            ((locked,),) = cursor.fetchall()
            return bool(locked)

        def check() -> None:
            cursor.execute("SELECT 1")

        if not is_mine():
            log.info("Another announcer is at work: this one waits until that ends.")
            while not is_mine():
                time.sleep(LOOK_SECONDS)
        yield check


def tell(settings: Settings) -> None:
    """Look at the boards of all games again and again, until a file of webhooks changes.

    Raises psycopg2.Error when the database goes away. In both cases all begins anew.
    """
    announcers = [Announcer(settings, game) for game in chosen(settings) if game.announced]
    receivers: list[Receiver] = [KafkaCopy(settings)]
    trouble, files, are_all = None, webhooks.stamp(settings), True
    try:
        receivers += webhooks.read(settings)
    except SetupError as error:
        log.error("No webhook is told: %s", error)
        are_all = False
    with alone(settings) as check, deliveries.sending(settings, receivers, are_all=are_all):
        while webhooks.stamp(settings) == files:
            began = time.monotonic()
            check()
            try:
                for each in announcers:
                    each.look()
                trouble = None
            except BoardsUnavailable as error:
                if trouble != str(error):
                    log.warning("Nothing is told: %s", error)
                trouble = str(error)
            time.sleep(max(0, began + LOOK_SECONDS - time.monotonic()))


def main() -> None:
    """Tell until stopped. Raises SettingError for a game that there is not."""
    chosen(settings)
    if not PostgresSink(settings).is_needed:
        log.error("%s", announced.NEEDED)
    trouble = None
    while True:
        if PostgresSink(settings).is_needed:
            try:
                tell(settings)
            except psycopg2.Error as error:
                if trouble != first_line(error):
                    log.warning("Nothing is told, because PostgreSQL is away: %s", error)
                trouble = first_line(error)
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.WARNING)  # a client for each announcement
    try:
        main()
    except SettingError as error:
        refuse(error)
