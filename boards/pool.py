"""The readers' connections to PostgreSQL: few, checked, bounded in time, closed when unused."""

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

from boards.background import close_when_idle, is_recent
from clients import postgres
from clients.errors import BoardsUnavailable, first_line
from settings import Settings

Answer = TypeVar("Answer")

POOL_SIZE = 4
KEPT_OPEN = 2  # the boards' refresh, and somebody who looks a player up
ANSWER_SECONDS = 8  # more than the reader's statement time-out and connect time-out of 5 s


def snapshot(settings: Settings, ask: Callable[[Any], Answer]) -> Answer:
    """What `ask` finds with a cursor in one read-only transaction, all of it of one moment.

    Raises BoardsUnavailable when the database does not answer or refuses.
    """
    # In a thread of its own, because nothing else bounds the wait for a server that is frozen.
    answer: Future[Answer] = Future()
    pool = _pool(postgres.reader_dsn(settings))
    Thread(target=_answer, args=(answer, pool, ask), daemon=True).start()
    try:
        return answer.result(ANSWER_SECONDS)
    except (TimeoutError, PoolError, psycopg2.errors.QueryCanceled):
        raise BoardsUnavailable(
            "PostgreSQL does not answer in time. Its machine may be overloaded: look at its log."
        ) from None
    except psycopg2.OperationalError as error:
        what = f"PostgreSQL cannot be reached: {first_line(error)}."
        raise BoardsUnavailable(f"{what} Start it with scripts/run_all.sh.") from error
    except psycopg2.Error as error:
        what = f"PostgreSQL refused to show the boards: {first_line(error)}."
        raise BoardsUnavailable(f"{what} scripts/run_all.sh creates what is missing.") from error


def _answer(answer: Future[Answer], pool: Pool, ask: Callable[[Any], Answer]) -> None:
    try:
        answer.set_result(pool.ask(ask))
    except Exception as error:  # whoever waits for the answer raises it
        answer.set_exception(error)


class Pool:
    """Connections to one database, opened when somebody asks, closed when nobody does."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._places = BoundedSemaphore(POOL_SIZE)
        self._changing = Lock()
        self._connections: ThreadedConnectionPool | None = None
        self._asking = 0
        self._asked_at = 0.0

    def ask(self, ask: Callable[[Any], Answer]) -> Answer:
        """The answer over the first connection that works: all may have died with the database."""
        if not self._places.acquire(timeout=ANSWER_SECONDS):
            raise PoolError("all connections are busy")
        connections = None
        try:
            connections = self._opened()
            for _ in range(POOL_SIZE + 1):
                db = connections.getconn()
                try:
                    return _transaction(db, ask)
                except psycopg2.errors.QueryCanceled:
                    raise
                except (psycopg2.OperationalError, psycopg2.InterfaceError):
                    db.close()
                finally:
                    connections.putconn(db, close=bool(db.closed))
            raise psycopg2.OperationalError("every connection broke")
        finally:
            self._left(connections is not None)
            self._places.release()

    def _opened(self) -> ThreadedConnectionPool:
        with self._changing:
            if self._connections is None:
                self._connections = ThreadedConnectionPool(
                    KEPT_OPEN,
                    POOL_SIZE,
                    self._dsn,
                    keepalives_idle=5,
                    tcp_user_timeout=ANSWER_SECONDS * 1000,
                )
                close_when_idle(self._is_in_use)
            self._asking += 1
            return self._connections

    def _left(self, had_connections: bool) -> None:
        with self._changing:
            self._asking -= had_connections
            self._asked_at = monotonic()

    def _is_in_use(self) -> bool:
        with self._changing:
            if self._asking or is_recent(self._asked_at):
                return True
            if self._connections:
                self._connections.closeall()
            self._connections = None
            return False


@cache
def _pool(dsn: str) -> Pool:
    return Pool(dsn)


def _transaction(db: connection, ask: Callable[[Any], Answer]) -> Answer:
    db.set_session(ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
    with db, db.cursor() as cursor:
        return ask(cursor)
