"""What the API tells of a profile as one list of statistics, so that SQL has to unnest it only."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any

from games.overwatch import CAREER, QUEUES

LONGEST_WORDS = 200  # characters of a name or title
MOST = 10_000  # statistics; forty heroes have about 4,000
NAME = re.compile(r"[\w.-]{1,64}")
Statistic = dict[str, Any]


def of_profile(
    summary: Mapping[str, Any], stats: Mapping[str, Any], career: Mapping[str, Any], platform: str
) -> list[Statistic]:
    """All statistics of three answers: category, hero, statistic, number and words.

    What is null or of another form than the API's is left out, and of each there is one.
    """
    found = [*_of_summary(summary, platform), *_of_stats(stats), *_of_career(career)]
    by_key = {(each["category"], each["hero"], each["statistic"]): each for each in found}
    return list(by_key.values())


def _of_summary(summary: Mapping[str, Any], platform: str) -> Iterator[Statistic]:
    for name in ("username", "title"):
        yield from _words("summary", "", name, summary.get(name))
    level = _object(summary, "endorsement").get("level")
    yield from _number("summary", "", "endorsement", level)
    yield from _number("summary", "", "last_updated_at", summary.get("last_updated_at"))
    ranks = _object(_object(summary, "competitive"), platform)
    yield from _number("ranks", "", "season", ranks.get("season"))
    for queue in QUEUES:
        rank = _object(ranks, queue)
        yield from _number("ranks", queue, "rank", rank.get("tier"), rank.get("division"))


def _of_stats(stats: Mapping[str, Any]) -> Iterator[Statistic]:
    yield from _of_block("general", "", _object(stats, "general"))
    for category in ("roles", "heroes"):
        for hero, block in _objects(stats, category):
            yield from _of_block(category, hero, block)


def _of_block(category: str, hero: str, block: Mapping[str, Any]) -> Iterator[Statistic]:
    """Single statistics, and those of total and average under one name."""
    for name, value in block.items():
        if isinstance(value, dict):
            for inner, number in value.items():
                yield from _number(category, hero, f"{name}_{inner}", number)
        else:
            yield from _number(category, hero, name, value)


def _of_career(career: Mapping[str, Any]) -> Iterator[Statistic]:
    for hero in career:
        for category, values in _objects(career, hero):
            if category in CAREER:
                for name, value in values.items():
                    yield from _number(category, hero, name, value)


def _number(
    category: str, hero: str, name: str, value: object, words: object = None
) -> Iterator[Statistic]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if (
        is_number
        and _is_finite(value)
        and NAME.fullmatch(name)
        and (not hero or NAME.fullmatch(hero))
    ):
        text = _text(words) if isinstance(words, str) else None
        yield _statistic(category, hero, name, number=value, words=text)


def _words(category: str, hero: str, name: str, value: object) -> Iterator[Statistic]:
    if isinstance(value, str) and value:
        yield _statistic(category, hero, name, number=None, words=_text(value))


def _statistic(category: str, hero: str, name: str, **value: object) -> Statistic:
    return {"category": category, "hero": hero, "statistic": name} | value


def _is_finite(value: Any) -> bool:
    try:
        return isfinite(value)
    except OverflowError:  # a whole number that no double can hold
        return False


def _text(value: str) -> str:
    """A text that a database and a page can take."""
    return value.replace("\0", "\ufffd").encode(errors="replace").decode()[:LONGEST_WORDS]


def _object(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _objects(parent: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for key, value in _object(parent, name).items():
        if isinstance(value, dict):
            yield key, value
