"""The parts of the soak's verdict that need no services."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.chaos import logs
from tests.chaos.resources import grown

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
FAULT = (NOON, NOON + 60)


def test_an_error_that_no_fault_explains_is_found_with_its_count(tmp_path):
    (tmp_path / "taskmanager.log").write_text(
        "2026-03-01T12:00:30,000 ERROR org.apache.Sink - connection lost\n"
        "2026-03-01T12:01:30,000 INFO  org.apache.Sink - all is well\n"
        "2026-03-01T12:02:00,000 ERROR org.apache.Sink - out of ideas\n"
        "\tat org.apache.Sink.write(Sink.java:1)\n"
        "2026-03-01T12:02:01,000 ERROR org.apache.Sink - out of ideas\n"
    )
    (tmp_path / "postgres.log").write_text("2026-03-01 12:03:00.123 UTC [42] FATAL:  no room\n")
    assert logs.unexplained(tmp_path, [FAULT]) == [
        "no fault explains: postgres.log: FATAL no room (1 times)",
        "no fault explains: taskmanager.log: ERROR org.apache.Sink - out of ideas (2 times)",
    ]


def test_memory_that_is_filled_once_comes_to_rest_and_a_topic_is_kept_for_days():
    rests = {
        "taskmanager, memory": [2_539, 3_410, 3_489],
        "kafka, disk": [52, 151, 250],
        "logs, disk": [None, 0, 0],
    }
    assert grown(rests) == []


def test_what_still_grows_at_the_end_is_named():
    assert grown({"flink, files": [900, 1_900, 2_900]}) == [
        "flink, files grows: 2,900 in the last third of the time, 1,900 in the middle"
    ]
