"""Who asks while others are looked up comes into the next batch, and each id into one only."""

from __future__ import annotations

import asyncio
from threading import Event

import pytest

from dashboard import batches
from dashboard.batches import MOST, Batches

WAIT_SECONDS = 10


class Slow:
    """Answers in capitals, but for "nobody"; the first batch waits until it may go on."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.has_begun, self.goes_on = Event(), Event()

    def look_up(self, ids: list[str]) -> dict[str, str]:
        self.batches.append(ids)
        self.has_begun.set()
        assert self.goes_on.wait(WAIT_SECONDS)
        if "broken" in ids:
            raise LookupError("it is broken")
        return {each: each.upper() for each in ids if each != "nobody"}


@pytest.fixture
def quick() -> Slow:
    """One that waits for nothing."""
    looked_up = Slow()
    looked_up.goes_on.set()
    return looked_up


async def asked_meanwhile(asking: Batches, slow: Slow, *ids: str) -> list:
    """The answers, or errors, for ids that are asked for while "first" is looked up."""
    first = asyncio.create_task(asking.ask("first"))
    assert await asyncio.to_thread(slow.has_begun.wait, WAIT_SECONDS)
    others = [asyncio.create_task(asking.ask(each)) for each in ids]
    await asyncio.sleep(0)  # they ask
    slow.goes_on.set()
    assert await first == "FIRST"
    return await asyncio.gather(*others, return_exceptions=True)


def test_those_who_ask_at_the_same_time_are_looked_up_together_and_once():
    slow = Slow()
    answers = asyncio.run(asked_meanwhile(Batches(slow.look_up), slow, "a", "b", "a", "nobody"))
    assert answers == ["A", "B", "A", None]
    first, others = slow.batches
    assert (first, sorted(others)) == (["first"], ["a", "b", "nobody"])


def test_a_batch_has_an_end():
    slow, ids = Slow(), [f"id {number}" for number in range(MOST + 1)]
    answers = asyncio.run(asked_meanwhile(Batches(slow.look_up), slow, *ids))
    assert answers == [each.upper() for each in ids]
    assert [len(each) for each in slow.batches] == [1, MOST, 1]


def test_what_cannot_be_looked_up_is_told_to_all_who_asked_and_asked_again():
    slow = Slow()
    asking = Batches(slow.look_up)

    async def ask() -> None:
        answers = await asked_meanwhile(asking, slow, "broken", "a")
        assert [str(each) for each in answers] == ["it is broken", "it is broken"]
        assert await asking.ask("a") == "A"

    asyncio.run(ask())


@pytest.mark.parametrize(("seconds", "times"), [(1000, 1), (0, 2)])
def test_an_answer_is_remembered_for_so_long(monkeypatch, quick, seconds, times):
    monkeypatch.setattr(batches, "CACHED_SECONDS", seconds)
    asking = Batches(quick.look_up)

    async def ask() -> None:
        assert [await asking.ask("a"), await asking.ask("a")] == ["A", "A"]

    asyncio.run(ask())
    assert quick.batches == [["a"]] * times


def test_what_is_asked_for_all_the_time_is_looked_up_again_while_nobody_waits(monkeypatch, quick):
    monkeypatch.setattr(batches, "CACHED_SECONDS", 1000)
    asking = Batches(quick.look_up)

    async def ask() -> None:
        assert await asking.ask("a") == "A"
        assert await asking.ask("b") == "B"
        quick.goes_on.clear()
        quick.has_begun.clear()
        assert [await asking.ask("a"), await asking.ask("a")] == ["A", "A"]
        assert await asyncio.to_thread(quick.has_begun.wait, WAIT_SECONDS)
        quick.goes_on.set()

    asyncio.run(ask())
    assert quick.batches == [["a"], ["b"], ["a"]]


def test_only_the_last_answers_are_remembered(monkeypatch, quick):
    monkeypatch.setattr(batches, "REMEMBERED", 2)
    asking = Batches(quick.look_up)

    async def ask() -> None:
        for each in ("a", "b", "c", "c", "b", "a"):
            assert await asking.ask(each) == each.upper()

    asyncio.run(ask())
    assert quick.batches == [["a"], ["b"], ["c"], ["a"]]
