"""Which question is asked next, and what a profile's answers together say.

Each request takes three questions, or four when there are no statistics. One that has to wait
holds up no other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from games.overwatch import (
    FAULT,
    HELD,
    NO_STATISTICS,
    OK,
    PRIVATE,
    UNKNOWN,
    WAIT,
    WRONG_TAG,
    Request,
)
from generator.overwatch import statistics
from generator.overwatch.client import Reply
from generator.overwatch.memory import Entry, Memory

TRIES = 5  # of a question that finds the API overloaded or away, after 1, 2, 4 and 8 s
HELD_SECONDS = 60  # a request waits so long at most; longer, and the person is told to ask again
MOST_REQUESTS = 300  # at work at one time: three minutes, at five questions a second
TOLD_SECONDS = 3  # a person is told of a wait that is longer
FRESH_SECONDS = 60  # of an answer that does not say how long it holds
UNKNOWN_SECONDS = 600  # of an unknown player, likewise
FAULT_SECONDS = 30  # before the same profile should be asked for again
LONGEST_SECONDS = 86_400  # whatever an answer says, it is believed for a day
BEYOND = 10.0**12  # seconds: no time
API = "api"  # the key of a wait that is for all questions

TRIED_AGAIN = (0, 503, 504)
NOT_UNDERSTOOD = (400, 422)
Answer = dict[str, Any]


@dataclass
class Task:
    """A request at work: which answers it has, when it goes on, and how often it failed."""

    request: Request
    offset: int  # of its record
    due: float
    has: dict[str, Entry] = field(default_factory=dict)
    failed: int = 0
    is_told: bool = False


class Profiles:
    """Requests, worked off one question at a time.

    `ask` asks the API for a path, `tell` takes answers, and `now` gives seconds since 1970.
    """

    def __init__(
        self,
        ask: Callable[[str], Reply],
        memory: Memory,
        tell: Callable[[Answer], None],
        now: Callable[[], float],
    ) -> None:
        self._ask, self._memory, self._tell, self._now = ask, memory, tell, now
        self._tasks: list[Task] = []

    def add(self, request: Request, offset: int) -> None:
        """Take a request, unless the same one is at work. One too many is told to come back."""
        if any(each.request == request for each in self._tasks):
            return
        if len(self._tasks) >= MOST_REQUESTS:
            self._tell(_answer(request, WAIT, retry_at=self._now() + HELD_SECONDS))
            return
        self._tasks.append(Task(request, offset, self._now()))

    @property
    def first_open(self) -> int | None:
        """The least offset of the requests that are not answered yet."""
        return min((each.offset for each in self._tasks), default=None)

    @property
    def idle_seconds(self) -> float | None:
        """How long there is nothing to do; None without a request."""
        due = min((each.due for each in self._tasks), default=None)
        return None if due is None else max(0.0, due - self._now())

    def step(self) -> None:
        """Ask one question, or answer one request, if it is time for any."""
        due = [each for each in self._tasks if each.due <= self._now()]
        if due:
            task = min(due, key=lambda each: each.due)
            task.due = self._now()  # behind those that have waited longer
            self._go_on(task)

    def _go_on(self, task: Task) -> None:
        unknown = self._memory.get(_player_key(task.request))
        if unknown:
            self._settle(task, UNKNOWN, retry_at=unknown.until)
            return
        path = self._next_path(task)
        if path is None:
            self._settle_whole(task)
            return
        known = self._memory.get(path)
        if known:
            task.has[path] = known
            return
        wait = self._memory.get(API)
        if wait:
            self._hold(task, wait.until)
            return
        self._take(task, path, self._ask(path))

    def _next_path(self, task: Task) -> str | None:
        """What is not known yet; None when all is."""
        paths = list(_paths(task.request))
        missing = next((path for path in paths if path not in task.has), None)
        if missing:
            return missing
        search = _search_path(task.request)
        is_in_doubt = not (_has_statistics(task) or _has_ranks(task))
        return search if is_in_doubt and search not in task.has else None

    def _take(self, task: Task, path: str, reply: Reply) -> None:
        now = self._now()
        if reply.status == 200 and not reply.fault:
            fresh = FRESH_SECONDS if reply.fresh_seconds is None else reply.fresh_seconds
            task.has[path] = Entry(now + min(fresh, LONGEST_SECONDS), reply.body)
            task.failed = 0
            self._memory.put(path, task.has[path])
        elif reply.status == 404 and not reply.fault:
            until = _unknown_until(reply, now)
            self._memory.put(_player_key(task.request), Entry(until))
            self._settle(task, UNKNOWN, retry_at=until)
        elif reply.status in NOT_UNDERSTOOD:
            self._settle(task, WRONG_TAG, retry_at=now + FAULT_SECONDS)
        elif reply.status == 429 or (reply.status == 503 and reply.retry_seconds is not None):
            wait = 2.0**task.failed if reply.retry_seconds is None else reply.retry_seconds
            task.failed += 1
            until = now + min(max(wait, 1), LONGEST_SECONDS)
            self._memory.put(API, Entry(until))
            self._hold(task, until)
        elif reply.status in TRIED_AGAIN and task.failed + 1 < TRIES:
            task.due = now + 2.0**task.failed
            task.failed += 1
        else:
            self._fail(task, reply)

    def _hold(self, task: Task, until: float) -> None:
        """Let a request wait, or tell the person to ask again when that is long."""
        seconds = until - self._now()
        if seconds > HELD_SECONDS or task.failed >= TRIES:
            self._settle(task, WAIT, retry_at=until)
            return
        task.due = until
        if seconds > TOLD_SECONDS and not task.is_told:
            task.is_told = True
            self._tell(_answer(task.request, HELD, retry_at=until))

    def _fail(self, task: Task, reply: Reply) -> None:
        is_refused = reply.status not in (0, 200)
        what = f"it answered with HTTP {reply.status}" if is_refused else reply.fault
        tries = f", {TRIES} times" if reply.status in TRIED_AGAIN else ""
        self._settle(task, FAULT, retry_at=self._now() + FAULT_SECONDS, detail=what + tries)

    def _settle_whole(self, task: Task) -> None:
        request = task.request
        summary, stats, career = (task.has[path].body for path in _paths(request))
        found = statistics.of_profile(summary, stats, career, request.platform)
        if len(found) > statistics.MOST:
            detail = f"it told more than {statistics.MOST:,} statistics"
            self._settle(task, FAULT, retry_at=self._now() + FAULT_SECONDS, detail=detail)
            return
        until = min(each.until for each in task.has.values())
        self._settle(task, _status(task), fresh_until=until, statistics=found)

    def _settle(self, task: Task, status: str, **said: Any) -> None:
        # First told, then forgotten: whoever dies between the two tells it once more.
        self._tell(_answer(task.request, status, **said))
        self._tasks.remove(task)


def _paths(request: Request) -> tuple[str, str, str]:
    """Of the summary, of the summary of statistics, and of the career."""
    player = f"/players/{quote(request.player_id)}"
    chosen = urlencode({"gamemode": request.gamemode, "platform": request.platform})
    return (
        f"{player}/summary",
        f"{player}/stats/summary?{chosen}",
        f"{player}/stats/career?{chosen}",
    )


def _search_path(request: Request) -> str:
    return f"/players?{urlencode({'name': request.player_id})}"


def _player_key(request: Request) -> str:
    """Of what is known of a player whatever is asked: that there is none."""
    return f"player {request.player_id}"


def _has_statistics(task: Task) -> bool:
    _, stats, career = (task.has[path].body for path in _paths(task.request))
    return any(stats.values()) or any(career.values())


def _has_ranks(task: Task) -> bool:
    return bool(task.has[_paths(task.request)[0]].body.get("competitive"))


def _status(task: Task) -> str:
    """What a whole profile says of itself.

    A private one looks like one without statistics. The search lists public ones only.
    """
    if _has_statistics(task):
        return OK
    search = task.has.get(_search_path(task.request))
    results = search.body.get("results") if search else None
    if not isinstance(results, list):
        return NO_STATISTICS
    named = [each for each in results if isinstance(each, dict)]
    own = [each for each in named if each.get("player_id") == task.request.player_id]
    is_hidden = any(each.get("is_public") is False for each in own)
    return PRIVATE if is_hidden or not named else NO_STATISTICS


def _unknown_until(reply: Reply, now: float) -> float:
    """When an unknown player may be asked for again: the later of all times that are told."""
    inner = reply.body.get("error")
    told = inner if isinstance(inner, dict) else reply.body
    after, at = (_seconds(told.get(name)) for name in ("retry_after", "next_check_at"))
    waits = [after, reply.retry_seconds]
    times = [now + wait for wait in waits if wait is not None] + ([at] if at is not None else [])
    until = max(times, default=now + UNKNOWN_SECONDS)
    return min(max(until, now + 1), now + LONGEST_SECONDS)


def _seconds(value: object) -> float | None:
    """A number that stands for a time; None for anything else, also for one beyond all time."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value < BEYOND else None


def _answer(
    request: Request,
    status: str,
    *,
    fresh_until: float | None = None,
    retry_at: float | None = None,
    detail: str = "",
    statistics: list[statistics.Statistic] | None = None,
) -> Answer:
    """A record of the topic of answers; times in epoch milliseconds."""
    return request.key | {
        "status": status,
        "detail": detail,
        "fresh_until": _millis(fresh_until),
        "retry_at": _millis(retry_at),
        "statistics": statistics or [],
    }


def _millis(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds * 1000)
