"""What holds back no window, and what comes too late for one."""

from __future__ import annotations

import json
from itertools import count

from tests import bounded
from tests.bounded import Message
from tests.conftest import Stack, eventually

START = 1_772_366_400_000  # 2026-03-01T12:00Z
SECOND = 1_000
LENGTH_SECONDS = 300
PROMPT, BEHIND, GARBAGE = 0, 1, 2  # partitions; the last of the four is silent
ALL = range(bounded.PARTITIONS)  # where none is silent, the watermark waits for no time-out
NUMBERS = count()
CLOCK_ERROR_SECONDS, WATERMARK_SECONDS, SLIDE_SECONDS = 60, 5, 2


def scored(user: str, at: int, clock_behind_seconds: int = 0) -> bytes:
    time = START + (at - clock_behind_seconds) * SECOND
    event = {
        "event_id": f"event-{next(NUMBERS)}",
        "user_id": user,
        "team_id": "red",
        "team_name": "Red Fox",
        "score": 5,
        "event_time_millis": time,
    }
    return json.dumps(event).encode()


def messages() -> list[Message]:
    """For five minutes, each second: a score on time, one of a slow clock, and garbage."""
    sent = []
    for at in range(LENGTH_SECONDS):
        sent.append(Message(PROMPT, START + at * SECOND, scored("ada", at)))
        sent.append(
            Message(BEHIND, START + at * SECOND, scored("bob", at, clock_behind_seconds=600))
        )
        sent.append(Message(GARBAGE, START + at * SECOND, b"score!"))
    return sent


def test_the_newest_window_is_a_clock_error_behind_the_newest_event(stack: Stack):
    allowed = CLOCK_ERROR_SECONDS + WATERMARK_SECONDS + SLIDE_SECONDS

    def check() -> None:
        # These come again and again. They count nowhere, but their partitions do not fall silent,
        # as the one without any does: a topic that is silent as a whole ends no window.
        bounded.send(settings, sent[-3:])
        windows = {row["window_end"]: row for row in bounded.rows(settings)["hot_streaks"]}
        assert windows
        newest = windows[max(windows)]
        assert newest["window_end"] > START + (LENGTH_SECONDS - 1 - allowed) * SECOND
        assert (newest["user_id"], newest["short_term_events"], newest["long_term_events"]) == (
            "ada",
            10,
            60,
        )

    sent = messages()
    with bounded.running(stack, sent, silent_partition_seconds=20) as settings:
        eventually(check)


def test_a_clock_far_ahead_makes_nobody_late(stack: Stack):
    """Events half a minute late, in partitions with events of a clock ten minutes ahead."""
    sent = []
    for at in range(60):
        for each in ALL:
            ahead = scored(f"bob-{each}", at, clock_behind_seconds=-600)
            late = scored(f"ada-{each}", at, clock_behind_seconds=30)
            sent += [Message(each, START + at * SECOND, value) for value in (ahead, late)]

    def check() -> None:
        rows = bounded.rows(settings)
        assert rows["late_events"] == []
        assert len(rows["rejected_events"]) == 60 * len(ALL)
        window = [row for row in rows["hot_streaks"] if row["window_end"] == START + 20 * SECOND]
        assert sorted((row["user_id"], row["long_term_events"]) for row in window) == [
            (f"ada-{each}", 50) for each in ALL
        ]

    with bounded.running(stack, sent) as settings:
        eventually(check)


def test_events_behind_the_watermark_are_counted_and_still_score(stack: Stack):
    prompt = [
        Message(each, START + at * SECOND, scored(f"ada-{each}", at))
        for at in range(60)
        for each in ALL
    ]
    late = [
        Message(PROMPT, START + 60 * SECOND, scored("bob", 60, clock_behind_seconds=50))
        for _ in range(10)
    ]

    def check_windows() -> None:
        assert any(
            row["window_end"] >= START + 50 * SECOND
            for row in bounded.rows(settings)["hot_streaks"]
        )

    def check_count() -> None:
        rows = bounded.rows(settings)
        assert [row["events"] for row in rows["late_events"]] == [10]
        assert {row["user_id"]: row["total_score"] for row in rows["top_players"]} == {
            "bob": 50
        } | {f"ada-{each}": 300 for each in ALL}
        assert "bob" not in {row["user_id"] for row in rows["hot_streaks"]}

    with bounded.running(stack, prompt) as settings:
        eventually(check_windows)
        bounded.send(settings, late)
        eventually(check_count)
