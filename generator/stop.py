"""How a run is asked to end."""

from __future__ import annotations

import math
import multiprocessing
import signal
import time

FLUSH_SECONDS = 10.0  # after a stop; supervisors kill after 20
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """The wish of the user to end, seen by all processes; a second wish ends the flush, too."""

    def __init__(self) -> None:
        # Without a lock, so that a signal handler can never wait for itself.
        self._wishes = multiprocessing.RawValue("i", 0)
        self._noticed_at = math.inf

    def ask(self, *_: object) -> None:
        """A signal handler."""
        self._wishes.value += 1

    def is_asked(self) -> bool:
        """Whether to send no more."""
        return self._wishes.value > 0

    def is_over(self) -> bool:
        """Whether to wait for acknowledgements no more."""
        if self.is_asked():
            self._noticed_at = min(self._noticed_at, time.monotonic())
        return self._wishes.value > 1 or time.monotonic() - self._noticed_at > FLUSH_SECONDS

    def listen(self) -> None:
        """Take Ctrl-C and SIGTERM as wishes."""
        for number in SIGNALS:
            signal.signal(number, self.ask)

    def ignore(self) -> None:
        """Let Ctrl-C and SIGTERM pass."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
