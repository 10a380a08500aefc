"""Announcements on their way to receivers, each in a thread of its own.

How far a receiver is stands in PostgreSQL. Each gets one announcement after another, and a slow one
or one that is away keeps nobody waiting but itself.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any, Protocol

import psycopg2
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_exponential_jitter,
    wait_fixed,
)

from boards import pool
from boards.postgres import rows
from boards.snapshot import Row
from clients import postgres
from clients.errors import BoardsUnavailable, first_line
from settings import Settings

LOOK_SECONDS = 2
STOP_SECONDS = 20  # more than anybody has to answer
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 1, 300
ERROR_LENGTH = 200
NEXT = """
SELECT announcements.*
FROM leaderboard.announcements
JOIN leaderboard.deliveries ON announcement_number > up_to
WHERE receiver = %s
ORDER BY announcement_number LIMIT 1
"""
BEGIN = """
INSERT INTO announcements.deliveries (receiver, up_to)
SELECT %s, CASE WHEN %s THEN COALESCE(MAX(announcement_number), 0) ELSE 0 END
FROM announcements.records
ON CONFLICT (receiver) DO NOTHING
"""
FORGET = "DELETE FROM announcements.deliveries WHERE receiver <> ALL (%s)"
DELIVERED = """
UPDATE announcements.deliveries
SET up_to = %s, delivered = delivered + 1, last_error = NULL, failing_since = NULL
WHERE receiver = %s
"""
FAILED = """
UPDATE announcements.deliveries
SET failures = failures + 1, last_error = %s, failing_since = COALESCE(failing_since, now())
WHERE receiver = %s
"""
DROPPED = """
UPDATE announcements.deliveries SET up_to = %s, dropped = dropped + 1 WHERE receiver = %s
"""

log = logging.getLogger(__name__)


class NotTaken(Exception):
    """A receiver has not taken an announcement, and may take it later.

    `wait_seconds` is how long it asks to be left alone.
    """

    def __init__(self, why: str, wait_seconds: float = 0) -> None:
        super().__init__(why)
        self.wait_seconds = wait_seconds


class Refused(Exception):
    """A receiver will never take an announcement."""


class Receiver(Protocol):
    """Whoever is told of announcements.

    `patience_seconds` is how old an announcement may be; None is for ever. One that `begins_now`
    gets what comes after it was named first, and others get all.
    """

    @property
    def name(self) -> str: ...

    @property
    def patience_seconds(self) -> float | None: ...

    @property
    def begins_now(self) -> bool: ...

    def send(self, announcement: Row) -> None:
        """Hand an announcement over. Raises NotTaken or Refused."""


def listed(settings: Settings) -> list[Row]:
    """The receivers: what was delivered, how often that failed, what was dropped, and since when
    nothing gets through. Raises BoardsUnavailable.
    """

    def ask(cursor: Any) -> list[Row]:
        cursor.execute("SELECT * FROM leaderboard.deliveries ORDER BY receiver")
        return rows(cursor)

    return pool.snapshot(settings, ask)


@contextmanager
def sending(
    settings: Settings, receivers: Sequence[Receiver], *, are_all: bool = True
) -> Iterator[None]:
    """Deliver what there is and what comes to these receivers.

    When they are all, others are forgotten. Raises psycopg2.Error when it cannot begin.
    """
    names = [each.name for each in receivers]
    with closing(postgres.connect(postgres.keeper_dsn(settings))) as db, db.cursor() as cursor:
        if are_all:
            cursor.execute(FORGET, [names])
        for each in receivers:
            cursor.execute(BEGIN, [each.name, each.begins_now])
    stopped = Event()
    threads = [
        Thread(target=Sender(settings, each, stopped).run, name=each.name, daemon=True)
        for each in receivers
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:  # what is on its way must not be sent anew by whoever is next
            thread.join(STOP_SECONDS)


class Sender:
    """Delivers announcements to one receiver, in their order, until it is stopped."""

    def __init__(self, settings: Settings, receiver: Receiver, stopped: Event) -> None:
        self._settings, self._receiver, self._stopped = settings, receiver, stopped
        self._trouble: str | None = None

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                if self.deliver():
                    continue
                self._trouble = None
            except (BoardsUnavailable, psycopg2.Error) as error:
                if self._trouble != first_line(error):
                    self._trouble = first_line(error)
                    log.warning("Deliveries to %s wait: %s", self._receiver.name, self._trouble)
            self._stopped.wait(LOOK_SECONDS)

    def deliver(self) -> bool:
        """Deliver the next announcement, however long that takes. Returns False without one.

        Raises BoardsUnavailable or psycopg2.Error.
        """
        announcement = self._next()
        if announcement:
            self._deliver(announcement)
        return announcement is not None

    def _next(self) -> Row | None:
        def ask(cursor: Any) -> list[Row]:
            cursor.execute(NEXT, [self._receiver.name])
            return rows(cursor)

        return next(iter(pool.snapshot(self._settings, ask)), None)

    def _deliver(self, announcement: Row) -> None:
        """Hand it over, again and again; one that is too old by now is dropped."""
        number = announcement["announcement_number"]
        attempts = Retrying(
            retry=retry_if_exception_type(NotTaken),
            wait=_wait,
            stop=lambda _: self._stopped.is_set() or self._is_too_old(announcement),
            before_sleep=self._note,
            sleep=sleep_using_event(self._stopped),
            reraise=True,
        )
        if self._is_too_old(announcement):
            self._write(DROPPED, number)
            return
        try:
            attempts(self._receiver.send, announcement)
        except (NotTaken, Refused) as error:
            if not self._stopped.is_set():
                self._fail(error)
                self._write(DROPPED, number)
            return
        self._write(DELIVERED, number)

    def _is_too_old(self, announcement: Row) -> bool:
        patience = self._receiver.patience_seconds
        age = (datetime.now(UTC) - announcement["announced_at"]).total_seconds()
        return patience is not None and age > patience

    def _note(self, state: RetryCallState) -> None:
        assert state.outcome
        self._fail(state.outcome.exception())

    def _fail(self, error: BaseException | None) -> None:
        log.warning("%s has not taken an announcement: %s", self._receiver.name, error)
        self._write(FAILED, str(error)[:ERROR_LENGTH])

    def _write(self, statement: str, value: int | str) -> None:
        """Note it, however long the database is away: else it would be told twice."""
        retrying = Retrying(
            retry=retry_if_exception_type(psycopg2.Error),
            wait=wait_fixed(LOOK_SECONDS),
            stop=stop_when_event_set(self._stopped),
            sleep=sleep_using_event(self._stopped),
            reraise=True,
        )
        retrying(self._execute, statement, [value, self._receiver.name])

    def _execute(self, statement: str, values: list[Any]) -> None:
        dsn = postgres.keeper_dsn(self._settings)
        with closing(postgres.connect(dsn)) as db, db.cursor() as cursor:
            cursor.execute(statement, values)


_growing = wait_exponential_jitter(initial=FIRST_WAIT_SECONDS, max=LONGEST_WAIT_SECONDS)


def _wait(state: RetryCallState) -> float:
    """Longer each time, and at least as long as the receiver asks for."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait_seconds if isinstance(error, NotTaken) else 0
    return max(_growing(state), min(asked, LONGEST_WAIT_SECONDS))
