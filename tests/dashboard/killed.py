"""Makes seasons final, and dies in between: python -m tests.dashboard.killed START…

For each start of a season (epoch milliseconds) a child begins to make that day final. The first one
is killed, by kill -9, before its first step, the second before its second, and so on. A step is a
statement to PostgreSQL, the beginning or end of a commit, or a record to Kafka. Prints which steps
they were, and ends with 1 when one of them lived to its end: the starts were too many.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import psycopg2.extensions
from kafka import KafkaProducer

from boards import finals, sinks
from boards.seasons import held_season
from clients import postgres
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


def main() -> int:
    global left
    postgres.connect = connect
    KafkaProducer.send = send
    sink = sinks.sink("postgres", settings)
    for number, start in enumerate(map(int, sys.argv[1:]), 1):
        child = os.fork()
        if child == 0:
            left = number
            finals.finish(settings, GAME, held_season(GAME, lengths.SEASONS["day"], start), sink)
            finals.publish(settings)
            os._exit(LIVED)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            print(f"the child {number} ended with {os.waitstatus_to_exitcode(status)}")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
