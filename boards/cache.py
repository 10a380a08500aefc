"""One answer for all who ask the same within a second."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from threading import Lock
from time import monotonic
from typing import ParamSpec, TypeVar

Question = ParamSpec("Question")
Answer = TypeVar("Answer")

CACHED_SECONDS = 1  # viewers of one player ask once a second together
CACHED = 500


def cached(ask: Callable[Question, Answer]) -> Callable[Question, Answer]:
    """The same function, which answers a question from memory for a second."""
    return _cached(ask, lambda: CACHED_SECONDS)


def cached_for(
    seconds: float, most: int = CACHED
) -> Callable[[Callable[Question, Answer]], Callable[Question, Answer]]:
    """A decorator that does so for so many seconds, and keeps at most so many answers."""
    return lambda ask: _cached(ask, lambda: seconds, most)


def _cached(
    ask: Callable[Question, Answer], seconds: Callable[[], float], most: int = CACHED
) -> Callable[Question, Answer]:
    answers: OrderedDict[tuple[object, ...], tuple[float, Answer]] = OrderedDict()
    changing = Lock()

    @wraps(ask)
    def answer(*question: Question.args, **named: Question.kwargs) -> Answer:
        with changing:
            if question in answers:
                at, known = answers[question]
                if monotonic() - at < seconds():
                    return known
        found = ask(*question, **named)
        with changing:
            answers[question] = monotonic(), found
            answers.move_to_end(question)
            while len(answers) > most:
                answers.popitem(last=False)
        return found

    return answer
