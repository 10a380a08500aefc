"""The page's connections to PostgreSQL: few, checked, bounded in time, and closed when nobody uses them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from threading import BoundedSemaphore, Lock, Thread
from time import monotonic
from typing import Any, TypeVar

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ, connection
from psycopg2.pool import PoolError, ThreadedConnectionPool

from compose import postgres
from dashboard.background import close_when_idle, is_recent
from settings import Settings

Found = TypeVar("Found")

POOL_SIZE = 4
KEPT_OPEN = 2  # the boards' refresh, and somebody who looks a player up
ANSWER_SECONDS = 8  # more than the reader's statement time-out and connect time-out of 5 s


class BoardsUnavailable(Exception):
    """The boards cannot be read; the message says what happened and what to do."""


def snapshot(settings: Settings, ask: Callable[[Any], Found]) -> Found:
    """What `ask` finds with a cursor in one read-only transaction, all of it of one moment.

    Raises BoardsUnavailable when the database does not answer or refuses.
    """
    # In a thread of its own, because nothing else bounds the wait for a server that is up but frozen.
    answer: Future[Found] = Future()
    Thread(target=_answer, args=(answer, _door(postgres.reader_dsn(settings)), ask), daemon=True).start()
    try:
        return answer.result(ANSWER_SECONDS)
    except (TimeoutError, PoolError, psycopg2.errors.QueryCanceled):
        what = "PostgreSQL does not answer in time. Its machine may be overloaded: look at its log."
        raise BoardsUnavailable(what) from None
    except psycopg2.OperationalError as error:
        what = f"PostgreSQL cannot be reached: {first_line(error)}. Start it with scripts/run_all.sh."
        raise BoardsUnavailable(what) from error
    except psycopg2.Error as error:
        what = f"PostgreSQL refused to show the boards: {first_line(error)}."
        raise BoardsUnavailable(f"{what} scripts/run_all.sh creates what is missing.") from error


def first_line(error: Exception) -> str:
    """An error's text without its second line and full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")


def _answer(answer: Future[Found], door: Door, ask: Callable[[Any], Found]) -> None:
    try:
        answer.set_result(door.ask(ask))
    except Exception as error:
        answer.set_exception(error)


class Door:
    """The way to one database: a pool that is opened when somebody asks and closed when nobody has for a while."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._places = BoundedSemaphore(POOL_SIZE)
        self._changing = Lock()
        self._pool: ThreadedConnectionPool | None = None
        self._asking = 0
        self._asked_at = 0.0

    def ask(self, ask: Callable[[Any], Found]) -> Found:
        """What is found over the first connection that still works: all may have died with the database."""
        if not self._places.acquire(timeout=ANSWER_SECONDS):
            raise PoolError("all connections are busy")
        pool = None
        try:
            pool = self._opened()
            for _ in range(POOL_SIZE + 1):
                db = pool.getconn()
                try:
                    return _transaction(db, ask)
                except psycopg2.errors.QueryCanceled:
                    raise
                except (psycopg2.OperationalError, psycopg2.InterfaceError):
                    db.close()
                finally:
                    pool.putconn(db, close=db.closed)
            raise psycopg2.OperationalError("every connection broke")
        finally:
            self._left(pool is not None)
            self._places.release()

    def _opened(self) -> ThreadedConnectionPool:
        with self._changing:
            if self._pool is None:
                self._pool = ThreadedConnectionPool(
                    KEPT_OPEN, POOL_SIZE, self._dsn, keepalives_idle=5, tcp_user_timeout=ANSWER_SECONDS * 1000
                )
                close_when_idle(self._is_in_use)
            self._asking += 1
            return self._pool

    def _left(self, was_in: bool) -> None:
        with self._changing:
            self._asking -= was_in
            self._asked_at = monotonic()

    def _is_in_use(self) -> bool:
        with self._changing:
            if self._asking or is_recent(self._asked_at):
                return True
            self._pool.closeall()
            self._pool = None
            return False


@cache
def _door(dsn: str) -> Door:
    return Door(dsn)


def _transaction(db: connection, ask: Callable[[Any], Found]) -> Found:
    db.set_session(ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
    with db, db.cursor() as cursor:
        return ask(cursor)
