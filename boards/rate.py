"""How many events come in."""

from __future__ import annotations

import logging
from collections import deque
from contextlib import closing
from threading import Event, Lock
from time import monotonic

from kafka import TopicPartition

from boards.background import Background
from clients import kafka
from settings import Settings

LOOK_SECONDS = 1
RATE_SECONDS = 10  # the rate is the mean of so many

log = logging.getLogger(__name__)


class EventRate(Background):
    """How many records a topic has ever had, and how many more each second.

    Both are told from offsets, so each transaction counts as one more.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        super().__init__("events per second", LOOK_SECONDS)
        self._settings, self._topic = settings, topic
        self._forget()

    def rate(self) -> tuple[float | None, int | None]:
        """Events per second over the last 10 s, and events in all; None while Kafka is away."""
        with self._changed:
            if not self._ends or monotonic() - self._ends[-1][0] > kafka.ANSWER_SECONDS:
                return None, None
            (began, first), (now, last) = self._ends[0], self._ends[-1]
            return max(0, last - first) / (now - began) if now > began else None, last

    def _forget(self) -> None:
        self._ends: deque[tuple[float, int]] = deque(maxlen=RATE_SECONDS + 1)

    def _work(self) -> None:
        try:
            self._follow()
        except Exception as error:  # whatever a broker that is away makes of it: unknown for now
            log.info("The rate of events is unknown: %r", error)
            with self._changed:
                self._forget()

    def _follow(self) -> None:
        with closing(kafka.reader(self._settings)) as consumer:
            while self._is_wanted():
                began = monotonic()
                numbers = consumer.partitions_for_topic(self._topic) or ()
                ends = consumer.end_offsets(
                    [TopicPartition(self._topic, number) for number in numbers]
                )
                with self._changed:
                    self._ends.append((monotonic(), sum(ends.values())))
                Event().wait(max(0, began + LOOK_SECONDS - monotonic()))


_starting = Lock()
_rates: dict[tuple[Settings, str], EventRate] = {}


def event_rate(settings: Settings, topic: str) -> EventRate:
    """The one watch over a topic."""
    with _starting:
        if (settings, topic) not in _rates:
            _rates[settings, topic] = EventRate(settings, topic)
        return _rates[settings, topic]
