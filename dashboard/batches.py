"""Questions that arrive while others are looked up: together they are one question."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

from starlette.concurrency import run_in_threadpool

from boards.cache import CACHED_SECONDS

Answer = TypeVar("Answer")

# A lookup of one costs PostgreSQL 5 ms, most of it for the plan; one of 20 costs 2 ms for each.
MOST = 20  # in a batch: a larger one would keep everybody waiting
# Who is asked for again is looked up again before the second is over, so nobody waits for it. There
# is time to gather several.
RENEWED_SECONDS, GATHERED_SECONDS = 0.7, 0.1
REMEMBERED = 5_000  # answers, each of about 2 kB


class Batches(Generic[Answer]):
    """Looks ids up, one batch after the other, and answers from memory for a second.

    `look_up` runs in a thread. It gives the answers by id; whoever is left out is unknown.
    """

    def __init__(self, look_up: Callable[[list[str]], dict[str, Answer]]) -> None:
        self._look_up = look_up
        self._known: dict[str, tuple[float, Answer | None]] = {}  # the oldest first
        self._used: set[str] = set()  # those whose answers were asked for again
        self._asked: dict[str, asyncio.Future[Answer | None]] = {}  # until they are answered
        self._waiting: list[str] = []  # those of them that are in no batch yet
        self._task: asyncio.Task | None = None

    async def ask(self, wanted: str) -> Answer | None:
        """The answer as it was at most a second ago, None when there is none.

        Raises what `look_up` raises.
        """
        at, known = self._known.get(wanted, (-math.inf, None))
        if monotonic() - at < CACHED_SECONDS:
            self._used.add(wanted)
            return known
        self._want(wanted, at_once=True)
        self._begin()
        # Who asks may go away; others still wait for the same.
        return await asyncio.shield(self._asked[wanted])

    def _want(self, wanted: str, at_once: bool = False) -> None:
        if wanted not in self._asked:
            self._asked[wanted] = asyncio.get_running_loop().create_future()
            self._waiting.insert(0 if at_once else len(self._waiting), wanted)

    def _renew(self, ids: list[str]) -> None:
        for each in self._used.intersection(ids):
            self._want(each)
        asyncio.get_running_loop().call_later(GATHERED_SECONDS, self._begin)

    def _begin(self) -> None:
        if self._task is None and self._waiting:
            self._task = asyncio.create_task(self._answer())

    async def _answer(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            began = monotonic()
            try:
                found = await run_in_threadpool(self._look_up, batch)
            except Exception as error:  # each of those who asked is told
                for each in batch:
                    failed = self._asked.pop(each)
                    failed.set_exception(error)
                    failed.exception()  # perhaps nobody waits, and that is no mistake
                continue
            for each in batch:
                self._remember(each, began, found.get(each))
                self._asked.pop(each).set_result(found.get(each))
            self._used.difference_update(batch)
            asyncio.get_running_loop().call_later(RENEWED_SECONDS, self._renew, batch)
        self._task = None

    def _remember(self, wanted: str, at: float, answer: Answer | None) -> None:
        self._known.pop(wanted, None)
        self._known[wanted] = at, answer
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
