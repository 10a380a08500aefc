"""Work in the background for all viewers together; it ends when nobody asks for a while."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition, Event, Thread, Timer
from time import monotonic

IDLE_SECONDS = 30


class Background:
    """Work that a thread repeats every so many seconds as long as somebody asks for its results."""

    def __init__(self, title: str, seconds: float) -> None:
        self._title, self._seconds = title, seconds
        self._changed = Condition()
        self._asked_at = 0.0
        self._is_running = False

    def wanted(self) -> None:
        """Start, or go on."""
        with self._changed:
            self._asked_at = monotonic()
            if not self._is_running:
                self._is_running = True
                Thread(target=self._run, name=self._title, daemon=True).start()

    def _run(self) -> None:
        while self._goes_on():
            began = monotonic()
            self._work()
            Event().wait(max(0, began + self._seconds - monotonic()))

    def _goes_on(self) -> bool:
        with self._changed:
            self._is_running = self._is_wanted()
            if not self._is_running:
                self._forget()
            return self._is_running

    def _is_wanted(self) -> bool:
        return is_recent(self._asked_at)

    def _work(self) -> None:
        raise NotImplementedError

    def _forget(self) -> None:
        raise NotImplementedError


def is_recent(asked_at: float) -> bool:
    """Whether somebody who asked at that time (monotonic seconds) may still be there."""
    return monotonic() - asked_at < IDLE_SECONDS


def close_when_idle(is_in_use: Callable[[], bool]) -> None:
    """Ask every IDLE_SECONDS whether something is in use, until it is not: it has closed then."""

    def look() -> None:
        if is_in_use():
            close_when_idle(is_in_use)

    timer = Timer(IDLE_SECONDS, look)
    timer.daemon = True
    timer.start()
