"""When to send: each record when it is due, and at once while behind."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

from generator.record import Record

SLEEP_SECONDS = (0.002, 0.1)  # shorter is not worth waking up for; longer would make Ctrl-C wait


class Pacer:
    """Yields records in real time.

    `now` gives seconds of a monotonic clock, `wait` waits for so many seconds
    or less, and `is_stopped` ends the stream.
    """

    def __init__(
        self,
        now: Callable[[], float],
        wait: Callable[[float], None],
        is_stopped: Callable[[], bool],
    ) -> None:
        self._now, self._wait, self._is_stopped = now, wait, is_stopped
        self.behind_seconds = 0.0  # how long the latest record was overdue

    def pace(
        self, records: Iterable[Record], duration_seconds: float = math.inf, is_paced: bool = True
    ) -> Iterator[Record]:
        """Yield each record when it is due, or at once if not `is_paced`.

        The stream ends after `duration_seconds` by the clock.
        """
        start = self._now()
        for record in records:
            due = min(record.due, duration_seconds) if is_paced else 0.0
            while (ahead := start + due - self._now()) > 0 and not self._is_stopped():
                self._wait(min(max(ahead, SLEEP_SECONDS[0]), SLEEP_SECONDS[1]))
            if self._is_stopped() or self._now() - start >= duration_seconds:
                return
            self.behind_seconds = -ahead if is_paced else 0.0
            yield record
