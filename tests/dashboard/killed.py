"""Does something again and again, and dies in between: python -m tests.dashboard.killed WHAT…

    killed finish START…   makes the day final that starts then (epoch milliseconds)
    killed tell TOTAL…     gives the team T this total, and tells what has changed

For each number a child begins. The first one is killed, by kill -9, before its first step, the
second before its second, and so on. A step is a statement to PostgreSQL, the beginning or end of a
commit, or a record to Kafka. Prints which steps they were, and ends with 1 when one of them lived
to its end: the numbers were too many. After a child that was to tell, another does so and lives.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing
from threading import Event
from typing import Any

import psycopg2.extensions
from kafka import KafkaProducer

from boards import deliveries, finals, sinks
from boards.announced import KafkaCopy
from boards.seasons import held_season
from clients import postgres
from compose.announcer import Announcer
from games import season as lengths
from games.score import GAME
from settings import settings

LIVED = 3
left = 0


def step(what: str) -> None:
    global left
    left -= 1
    if left == 0:
        print(what, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


class Cursor(psycopg2.extensions.cursor):
    def execute(self, query: Any, *values: Any) -> None:
        text = query.decode() if isinstance(query, bytes) else query
        step(" ".join(text.split())[:60])
        super().execute(query, *values)


class Connection(psycopg2.extensions.connection):
    def cursor(self, *options: Any, **named: Any) -> Any:
        return super().cursor(*options, cursor_factory=Cursor, **named)

    def __exit__(self, *error: Any) -> None:
        step("before the commit")
        super().__exit__(*error)
        step("after the commit")


def connect(dsn: str) -> Connection:
    db = psycopg2.connect(dsn, connection_factory=Connection)
    db.autocommit = True
    return db


def send(producer: KafkaProducer, topic: str, **options: Any) -> Any:
    step(f"a record to {topic}")
    sent = unhurt_send(producer, topic, **options)
    producer.flush()  # so that it is there, and was not noted
    return sent


unhurt_send = KafkaProducer.send


def finish(start: int) -> None:
    sink = sinks.sink("postgres", settings)
    finals.finish(settings, GAME, held_season(GAME, lengths.SEASONS["day"], start), sink)
    finals.publish(settings)


def tell(total: int) -> None:
    with closing(psycopg2.connect(postgres.owner_dsn(settings))) as db, db, db.cursor() as cursor:
        cursor.execute("UPDATE flink.top_teams SET total_score = %s", [total])
    Announcer(settings, GAME).look()
    sender = deliveries.Sender(settings, KafkaCopy(settings), Event())
    while sender.deliver():
        pass


def main() -> int:
    do = {"finish": finish, "tell": tell}[sys.argv[1]]
    postgres.connect = connect
    KafkaProducer.send = send
    for number, about in enumerate(map(int, sys.argv[2:]), 1):
        status = forked(do, about, number)
        if not os.WIFSIGNALED(status):
            print(f"the child {number} ended with {os.waitstatus_to_exitcode(status)}")
            return 1
        if do == tell:
            forked(do, about, 0)
    return 0


def forked(do: Callable[[int], None], about: int, steps: int) -> int:
    """How a child ended that was killed before so many steps; before none for 0."""
    global left
    child = os.fork()
    if child == 0:
        left = steps
        do(about)
        os._exit(LIVED)
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    sys.exit(main())
