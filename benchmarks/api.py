"""How fast the API answers: python -m benchmarks.api [campaigns], beside scripts/run_all.sh.

Questions about boards are sent on a schedule that waits for no answer (open loop), and an answer's
time counts from the moment at which its question was due: whoever answers late is not asked less.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import requests
import uvloop

from benchmarks import campaign_questions, system
from benchmarks.figures import latencies
from boards.sinks import sink
from clients import postgres
from games.score import GAME, PLAYER_TOTALS
from settings import Settings, settings

RATE, SECONDS = 2_000, 60
CONNECTIONS = 200  # kept alive; 2,000/s need 40 of them when an answer takes 20 ms
TICK_SECONDS = 0.001  # from one look at the schedule to the next; uvloop's clock knows no less
WARM_UP_SECONDS = 5
GRACE_SECONDS = 10  # an answer that comes so late after the last question is none
LIMITS = (10, 100)
Row = dict[str, Any]
GOAL_MS = {"p95": 20, "p99.9": 100}
SHARES = ("board of 10", "board of 100", "player")
PLAYERS_QUERY = f"""
SELECT user_id FROM flink.{PLAYER_TOTALS.name}
WHERE season_start = (SELECT MAX(season_start) FROM flink.{PLAYER_TOTALS.name})
"""


@dataclass
class Answers:
    """What was answered: seconds from the due time, by kind of question, and what was not.

    behind  how late the sender came to each question, in seconds
    held    questions that found no free connection, because all were waiting for answers
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in SHARES})
    behind: list[float] = field(default_factory=list)
    errors: dict[str, int] = field(default_factory=dict)
    held: int = 0
    cpu_seconds: float = 0.0

    def failed(self, why: str, count: int = 1) -> None:
        self.errors[why] = self.errors.get(why, 0) + count


Question = tuple[float, str, bytes]  # when it is due, its kind, and its bytes


class Connection(asyncio.Protocol):
    """A connection that is kept alive, and asks one question at a time."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._transport: Any = None
        self._question: Question | None = None
        self._came = b""
        self._missing = 0  # bytes of the body, once the head is there

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._sender.is_free(self)

    def ask(self, question: Question) -> None:
        self._question = question
        self._transport.write(question[2])

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._missing -= len(data)
        else:
            self._came += data
            head, separator, body = self._came.partition(b"\r\n\r\n")
            if not separator:
                return
            length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
            self._missing = int(length) - len(body)
        if self._missing <= 0:
            status, question = self._came[9:12].decode(), self._question
            self._came, self._missing, self._question = b"", 0, None
            assert question
            self._sender.answered(question, status)
            self._sender.is_free(self)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._sender.is_over:
            self._sender.answers.failed("connection lost")

    def close(self) -> None:
        self._transport.close()


class Sender:
    """Sends questions when they are due, on whatever connection is free."""

    def __init__(self, questions: Iterator[Question]) -> None:
        self.answers = Answers()
        self.is_over = False
        self._questions = questions
        self._next = next(questions)
        self._free: deque[Connection] = deque()
        self._waiting: deque[Question] = deque()
        self._asked = self._done = 0
        self._all_sent = asyncio.Event()
        self._all_done = asyncio.Event()
        self._connections: list[Connection] = []

    async def send(self, host: str, port: int) -> Answers:
        """Send all, and wait for the answers."""
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, each = await loop.create_connection(lambda: Connection(self), host, port)
            self._connections.append(each)
        cpu = time.process_time()
        self._send_due()
        await self._all_sent.wait()
        try:
            await asyncio.wait_for(self._all_done.wait(), GRACE_SECONDS)
        except TimeoutError:
            self.answers.failed("no answer", self._asked - self._done)
        self.answers.cpu_seconds = time.process_time() - cpu
        self.is_over = True
        for each in self._connections:
            each.close()
        return self.answers

    def _send_due(self) -> None:
        while self._next[0] <= (now := time.monotonic()):
            self._asked += 1
            self.answers.behind.append(now - self._next[0])
            if self._free:
                self._free.popleft().ask(self._next)
            else:
                self.answers.held += 1
                self._waiting.append(self._next)
            following = next(self._questions, None)
            if following is None:
                self._all_sent.set()
                return
            self._next = following
        asyncio.get_running_loop().call_later(TICK_SECONDS, self._send_due)

    def answered(self, question: Question, status: str) -> None:
        self._done += 1
        due, kind, _ = question
        self.answers.seconds[kind].append(time.monotonic() - due)
        if status != "200":
            self.answers.failed(f"{kind}: {status}")
        if self._all_sent.is_set() and self._done == self._asked:
            self._all_done.set()

    def is_free(self, connection: Connection) -> None:
        if self._waiting:
            connection.ask(self._waiting.popleft())
        else:
            self._free.append(connection)


def _questions(
    host: str, players: Sequence[str], rate: float, seconds: float
) -> Iterator[Question]:
    """Boards of 10, boards of 100 and players in turn; boards in turn, players at random."""
    chance = random.Random(1)
    boards = [board.name for board in GAME.boards]
    kinds: dict[str, list[bytes]] = {
        f"board of {limit}": [_get(host, f"/api/boards/{name}?limit={limit}") for name in boards]
        for limit in LIMITS
    }
    asked: dict[str, Iterator[bytes]] = {
        kind: itertools.cycle(each) for kind, each in kinds.items()
    }
    if players:
        of_players = [_get(host, f"/api/players/{quote(each, safe='')}") for each in players]
        asked["player"] = iter(lambda: chance.choice(of_players), None)
    began = time.monotonic() + 1
    in_turn = itertools.cycle(asked.items())
    for number in range(int(rate * seconds)):
        kind, texts = next(in_turn)
        yield began + number / rate, kind, next(texts)


def _get(host: str, path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n".encode()


def _players(settings: Settings) -> list[str]:
    with closing(postgres.connect(postgres.owner_dsn(settings))) as db, db.cursor() as cursor:
        cursor.execute(PLAYERS_QUERY)
        return [user_id for (user_id,) in cursor]


def measured(settings: Settings, rate: float, seconds: float, port: int) -> Row:
    """Ask at this rate for so long, after a warm-up; how long the answers took, by kind."""
    host = settings.page_address
    asked = requests.get(f"http://{host}:{port}/api/boards", timeout=20).json()
    players = _players(settings) if sink(asked["sink"], settings).can_look_up else []

    def ask(seconds: float) -> Answers:
        return uvloop.run(Sender(_questions(host, players, rate, seconds)).send(host, port))

    ask(WARM_UP_SECONDS)
    before = system.cpu_seconds(settings)
    answers = ask(seconds)
    used = system.cpu_seconds_since(before, settings)
    return {
        "what": f"{rate:,.0f} questions/s for {seconds:.0f} s, boards in {asked['sink']}",
        "players": len(players),
        "answers": sum(map(len, answers.seconds.values())),
        "errors": answers.errors,
        "latency_ms": {
            kind: latencies(values)
            for kind, values in (
                ("all", list(itertools.chain(*answers.seconds.values()))),
                *answers.seconds.items(),
            )
            if values
        },
        "sent_late_ms": latencies(answers.behind),
        "held": answers.held,
        "cores": {
            name: round(each / seconds, 2)
            for name, each in (*used.items(), ("sender", answers.cpu_seconds))
        },
    }


def main() -> int:
    """0 when all was answered and the goal reached, 1 otherwise."""
    ask = {"boards": measured, "campaigns": campaign_questions.measured}
    about = (__doc__ or "").splitlines()[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.api", description=about)
    parser.add_argument("about", nargs="?", choices=ask, default="boards")
    parser.add_argument("--rate", type=float, default=RATE, help="questions per second")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--port", type=int, default=settings.api_port)
    parser.add_argument("--make", type=int, default=0, help="campaigns for this measurement")
    options = parser.parse_args()
    with campaign_questions.made(settings, options.make):
        row = ask[options.about](settings, options.rate, options.seconds, options.port)
    print(json.dumps(row, indent=2))
    slowest = row["latency_ms"]["all"]
    is_reached = not row["errors"] and all(slowest[key] < GOAL_MS[key] for key in GOAL_MS)
    return 0 if is_reached else 1


if __name__ == "__main__":
    sys.exit(main())
