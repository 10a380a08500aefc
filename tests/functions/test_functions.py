"""The general functions: given rows in the order in which they come, expected rows."""

from __future__ import annotations

import json
from itertools import count

import pytest

NUMBERS = count()
MINUTE = 60_000


@pytest.fixture
def table(flink, tmp_path):
    """Makes a table of rows (a dictionary each), which go by the time in `millis`.

    `lag` is how far its watermark stays behind, in milliseconds.
    """

    def make(columns: str, rows: list[dict], lag: int = 0) -> str:
        name = f"given_{next(NUMBERS)}"
        file = tmp_path / f"{name}.json"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        flink.execute_sql(
            f"""CREATE TEMPORARY TABLE {name} (
                {columns}, millis BIGINT, happened_at AS TO_TIMESTAMP_LTZ(millis, 3),
                WATERMARK FOR happened_at AS happened_at - INTERVAL '{lag / 1000}' SECOND
            ) WITH ('connector' = 'filesystem', 'path' = '{file}', 'format' = 'json')"""
        )
        return name

    return make


@pytest.fixture
def rows(flink):
    """What a query gives."""

    def run(query: str) -> list[tuple]:
        with flink.execute_sql(query).collect() as found:
            return [tuple(row) for row in found]

    return run


@pytest.fixture
def first(table, rows):
    """The numbers `n` of the rows that pass, of (key, id, minute)."""

    def run(*given: tuple, within: int = 10, parts: int = 1) -> list[int]:
        name = table(
            "n INT, k STRING, id STRING",
            [
                {"n": n, "k": k, "id": id, "millis": int(minute * MINUTE)}
                for n, (k, id, minute) in enumerate(given)
            ],
        )
        passed = rows(
            f"""SELECT n FROM first_arrivals(
                input => TABLE {name} PARTITION BY k, id => DESCRIPTOR(id),
                time_millis => DESCRIPTOR(millis), within_minutes => {within}, parts => {parts},
                on_time => DESCRIPTOR(happened_at), uid => 'first')"""
        )
        return sorted(n for (n,) in passed)

    return run


def test_the_first_row_of_an_id_passes(first):
    assert first(("a", "x", 1), ("a", "y", 1), ("a", "x", 2)) == [0, 1]


def test_an_id_is_of_its_key(first):
    assert first(("a", "x", 1), ("b", "x", 1)) == [0, 1]


def test_a_row_without_an_id_always_passes(first):
    assert first(("a", None, 1), ("a", None, 1)) == [0, 1]


def test_only_the_minutes_of_the_rows_decide(first):
    assert first(("a", "x", 1.9), ("a", "x", 11)) == [0]  # minutes 1 and 11
    assert first(("a", "x", 1.9), ("a", "x", 12)) == [0, 1]
    assert first(("a", "x", 1), ("b", "y", 60), ("a", "x", 11)) == [0, 1]


def test_a_repetition_does_not_prolong_the_time_of_its_id(first):
    assert first(("a", "x", 1), ("a", "x", 9), ("a", "x", 12)) == [0, 2]


def test_zero_minutes_let_all_pass(first):
    assert first(("a", "x", 1), ("a", "x", 1), within=0) == [0, 1]


@pytest.mark.parametrize("parts", [1, 16])
def test_many_ids_are_told_apart(first, parts):
    ids = [("a", f"id-{n}", 1 + n // 100) for n in range(2_000)]
    assert first(*ids, *ids[-500:], parts=parts) == list(range(2_000))


@pytest.fixture
def sums(table, rows):
    """What sliding_sums tells of (key, milliseconds, points, name), as (key, end, sums, counts,
    name) with ends in seconds; slides of 1 s, windows of 2 and 4 s.
    """

    def run(*given: tuple, kept: int = 0, lag: int = 0) -> list[tuple]:
        name = table(
            "k STRING, points BIGINT, name STRING",
            [{"k": k, "millis": millis, "points": p, "name": n} for k, millis, p, n in given],
            lag,
        )
        found = rows(
            f"""SELECT k, UNIX_TIMESTAMP(CAST(rowtime AS STRING)) + 1, sums, counts, name
            FROM sliding_sums(
                input => TABLE {name} PARTITION BY k, summed => DESCRIPTOR(points),
                slide_millis => 1000, windows_millis => '2000, 4000',
                latest => DESCRIPTOR(name), kept_minutes => {kept},
                on_time => DESCRIPTOR(happened_at), uid => 'sums')"""
        )
        return sorted(found)

    return run


def test_windows_of_one_slide_end_together(sums):
    assert sums(("a", 500, 1, "A"), ("a", 1_500, 2, "A"), ("a", 3_500, 4, "A")) == [
        ("a", 1, [1, 1], [1, 1], "A"),
        ("a", 2, [3, 3], [2, 2], "A"),
        ("a", 3, [2, 3], [1, 2], "A"),
        ("a", 4, [4, 7], [1, 3], "A"),
        ("a", 5, [4, 6], [1, 2], "A"),
    ]


def test_each_window_is_told_once_in_whatever_order_its_rows_come(sums):
    given = [("a", millis, 1, "A") for millis in (8_500, 2_500, 5_500, 3_500)]
    told = [(end, counts[0]) for _, end, _, counts, _ in sums(*given, lag=60_000)]
    assert told == [(3, 1), (4, 2), (5, 1), (6, 1), (7, 1), (9, 1), (10, 1)]


def test_a_row_behind_the_watermark_is_left_out(sums):
    given = ("a", 100, 1, "A"), ("b", 5_000, 2, "B"), ("a", 4_900, 4, "A")
    assert [row for row in sums(*given, lag=0) if row[0] == "a"] == [
        ("a", 1, [1, 1], [1, 1], "A"),
        ("a", 2, [1, 1], [1, 1], "A"),
    ]
    assert ("a", 5, [4, 4], [1, 1], "A") in sums(*given, lag=1_000)


def test_the_latest_name_is_the_one_at_the_end_of_the_window(sums):
    given = ("a", 100, 1, "old"), ("a", 1_100, 1, None), ("a", 2_100, 1, "new")
    assert [(end, name) for _, end, _, _, name in sums(*given, lag=5_000)] == [
        (1, "old"),
        (2, "old"),
        (3, "new"),
        (4, "new"),
    ]


def test_a_name_is_known_long_after_its_window(sums):
    given = ("a", 100, 1, "A"), ("a", 3_600_100, 1, None)
    assert ("a", 3601, [1, 1], [1, 1], "A") in sums(*given)
    assert ("a", 3601, [1, 1], [1, 1], "A") in sums(*given, kept=61)
    forgotten = sums(*given[:1], ("b", 3_000_000, 1, "B"), given[1], kept=1)
    assert ("a", 3601, [1, 1], [1, 1], None) in forgotten


def test_the_time_to_forget_a_key_is_the_end_of_no_window(sums):
    given = ("a", 100, 1, "A"), ("a", 60_500, 2, "A")
    assert sums(*given, kept=1) == [
        ("a", 1, [1, 1], [1, 1], "A"),
        ("a", 2, [1, 1], [1, 1], "A"),
        ("a", 61, [2, 2], [1, 1], "A"),
        ("a", 62, [2, 2], [1, 1], "A"),
    ]


@pytest.fixture
def totals(table, rows):
    """What running_totals tells of (key, millis, period, team, points, name, arrival).

    Its ticks are a second behind the rows.
    """

    def run(*given: tuple, split_by: str = "", kept: int = 0) -> list[tuple]:
        names = "k", "millis", "period", "team", "points", "name", "arrival"
        name = table(
            "k STRING, period_start BIGINT, team STRING, points BIGINT, name STRING, "
            "arrival BIGINT",
            [
                {"period_start" if key == "period" else key: value for key, value in each.items()}
                for each in (dict(zip(names, row, strict=True)) for row in given)
            ],
            lag=1_000,
        )
        by = f"split_by => DESCRIPTOR({split_by})," if split_by else ""
        columns = f"{split_by}," if split_by else ""
        of_key = ", key_total, key_row_count, key_latest_millis" if split_by else ""
        return rows(
            f"""SELECT
                k, period_start, {columns} name, total, row_count, latest_millis, arrival {of_key}
            FROM running_totals(
                input => TABLE {name} PARTITION BY k, summed => DESCRIPTOR(points),
                time_millis => DESCRIPTOR(millis), during => DESCRIPTOR(period_start), {by}
                latest => DESCRIPTOR(name), arrival => DESCRIPTOR(arrival),
                kept_minutes => {kept}, uid => 'totals')"""
        )

    return run


def test_totals_are_told_once_a_tick(totals):
    told = totals(
        ("a", 10, 0, "t", 1, "A", 1), ("a", 10, 0, "t", 2, "A", 2), ("b", 10, 0, "t", 8, "B", 3)
    )
    assert sorted(told) == [("a", 0, "A", 3, 2, 10, 2), ("b", 0, "B", 8, 1, 10, 3)]


def test_the_first_change_since_a_tick_is_told_at_once_and_others_at_the_next(totals):
    later = 70_000, 0, "t", 1, "A"
    told = totals(
        ("a", 60_000, 0, "t", 1, "A", 1),
        ("b", *later, 2),  # a tick
        *(("a", *later, arrival) for arrival in (3, 4, 5)),
    )
    assert [row_count for key, _, _, _, row_count, *_ in told if key == "a"] == [1, 2, 4]


def test_each_period_has_its_total(totals):
    told = totals(("a", 10, 0, "t", 1, "A", 1), ("a", 10, 7, "t", 2, "A", 2))
    assert sorted(told) == [("a", 0, "A", 1, 1, 10, 2), ("a", 7, "A", 2, 1, 10, 2)]


def test_totals_are_split_and_the_part_that_came_last_is_told_last(totals):
    given = ("a", 10, 0, "x", 1, "A", 1), ("a", 11, 0, "y", 2, "A", 2), ("a", 9, 0, "x", 4, "A", 3)
    assert totals(*given, split_by="team") == [
        ("a", 0, "y", "A", 2, 1, 11, 3, 7, 3, 11),
        ("a", 0, "x", "A", 5, 2, 10, 3, 7, 3, 11),
    ]


def test_a_part_that_comes_behind_a_later_one_is_not_told_last(totals):
    given = ("a", 10, 0, "x", 1, "A", 5), ("b", 20, 0, "x", 1, "B", 6), ("a", 30, 0, "y", 2, "A", 4)
    *_, before_last, last = [row for row in totals(*given, split_by="team") if row[0] == "a"]
    assert before_last == ("a", 0, "y", "A", 2, 1, 30, 5, 3, 2, 30)
    assert last == ("a", 0, "x", "A", 1, 1, 10, 5, 3, 2, 30)


def test_parts_of_another_period_do_not_count(totals):
    given = ("a", 10, 0, "x", 1, "A", 1), ("a", 10, 7, "x", 2, "A", 2)
    assert totals(*given, split_by="team") == [
        ("a", 0, "x", "A", 1, 1, 10, 2, 1, 1, 10),
        ("a", 7, "x", "A", 2, 1, 10, 2, 2, 1, 10),
    ]


def test_the_latest_name_is_by_arrival_and_reaches_all_totals_of_its_period(totals):
    given = [
        ("a", 10, 0, "x", 1, "first", 5),
        ("a", 10, 7, "x", 1, "first", 5),
        ("a", 20, 0, "y", 2, "second", 9),
        ("a", 30, 0, "y", 4, "too late", 8),
        ("a", 40, 0, "y", 8, None, 10),
    ]
    last = {row[1:3]: row[3:5] for row in totals(*given, split_by="team")}
    assert last == {(0, "x"): ("second", 1), (7, "x"): ("first", 1), (0, "y"): ("second", 14)}


def test_until_a_period_has_a_name_it_has_the_last_that_is_known(totals):
    given = [
        ("a", 10, 0, "x", 1, None, 1),
        ("a", 20, 0, "y", 1, None, 2),
        ("a", 30, 7, "x", 1, "of 7", 3),
        ("a", 40, 0, "y", 2, None, 4),
        ("a", 50, 9, "y", 2, "of 9", 6),
        ("a", 60, 9, "y", 2, None, 5),
    ]
    last = {row[1:3]: row[3:5] for row in totals(*given, split_by="team")}
    assert last == {
        (0, "x"): ("of 7", 1),
        (0, "y"): ("of 7", 3),
        (7, "x"): ("of 7", 1),
        (9, "y"): ("of 9", 4),
    }


def test_a_total_that_has_not_changed_for_long_is_forgotten(totals):
    given = [
        ("a", 10, 0, "t", 1, "A", 1),
        ("b", 5 * MINUTE, 0, "t", 1, "B", 2),
        ("b", 7 * MINUTE, 0, "t", 1, "B", 3),
        ("a", 8 * MINUTE, 0, "t", 2, None, 4),
    ]
    assert ("a", 0, "A", 3, 2, 8 * MINUTE, 4) in totals(*given)
    assert ("a", 0, None, 2, 1, 8 * MINUTE, 4) in totals(*given, kept=1)
