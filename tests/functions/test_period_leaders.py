"""period_leaders: given rows and periods, the boards that its last rows say."""

from __future__ import annotations

import json
from itertools import count

import pytest

NUMBERS = count()
ALL = 10**9  # far behind all rows


@pytest.fixture
def boards(flink, tmp_path):
    """The boards of (who, millis, kind, gained, spent[, recorded[, part]]) rows and of periods.

    By period and "all" or "recent": (rank, who, gained, spent, count) by place, and the same of
    everybody, with the number of entrants in place of one, at 0.
    """

    def table(columns: str, rows: list[dict]) -> str:
        name = f"leaders_{next(NUMBERS)}"
        file = tmp_path / f"{name}.json"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        flink.execute_sql(
            f"""CREATE TEMPORARY TABLE {name} ({columns}, part BIGINT)
            WITH ('connector' = 'filesystem', 'path' = '{file}', 'format' = 'json')"""
        )
        return name

    def run(rows: list[tuple], *periods: dict, kept: int = 0) -> dict:
        names = "who", "millis", "kind", "gained", "spent", "recorded", "part"
        given = table(
            "who BIGINT, millis BIGINT, kind BIGINT, gained BIGINT, spent BIGINT, recorded BIGINT",
            [{"part": 0, "recorded": row[1]} | dict(zip(names, row, strict=False)) for row in rows],
        )
        terms = table(
            "id BIGINT, start_millis BIGINT, end_millis BIGINT, closes BIGINT, width BIGINT, "
            "least BIGINT, places BIGINT, kinds STRING",
            [{"part": 0, "kinds": ""} | each for each in periods],
        )
        query = f"""SELECT period_id, is_recent, place, rank_number, entrant, upper_sum, lower_sum,
                row_count
            FROM period_leaders(
                input => TABLE {given} PARTITION BY part,
                periods => TABLE {terms} PARTITION BY part,
                entrant => DESCRIPTOR(who), kind => DESCRIPTOR(kind),
                ratio => DESCRIPTOR(gained, spent), times => DESCRIPTOR(millis, recorded),
                terms => DESCRIPTOR(
                    id, start_millis, end_millis, closes, width, least, places),
                kinds => DESCRIPTOR(kinds), slide_millis => 10, kept_minutes => {kept},
                uid => 'leaders')"""
        found: dict = {}
        with flink.execute_sql(query).collect() as told:
            for period, is_recent, place, *values in told:
                board = found.setdefault((period, "recent" if is_recent else "all"), {})
                board[place] = tuple(values)
        return {
            key: {place: row for place, row in sorted(board.items()) if row[1] is not None}
            for key, board in found.items()
        }

    return run


def period(id: int = 1, **changed) -> dict:
    return {
        "id": id, "start_millis": 0, "end_millis": 1000, "closes": ALL, "width": 100,
        "least": 1, "places": 3,
    } | changed  # fmt: skip


def window(end: int) -> dict:
    """A row that lets all windows end then."""
    return {"end_millis": end}


def test_members_are_ranked_by_the_ratio_of_their_sums(boards):
    rows = [(7, 10, 1, 0, 100), (7, 20, 1, 299, 200), (8, 10, 1, 500, 100), (8, 20, 1, 0, 900)]
    assert boards(rows, period())[1, "all"] == {
        0: (None, 2, 799, 1300, 4),
        1: (1, 7, 299, 300, 2),
        2: (2, 8, 500, 1000, 2),
    }


def test_each_key_has_boards_of_its_own(boards):
    rows = [(7, 10, 1, 1, 2), (7, 10, 1, 3, 4, 10, 1)]
    found = boards(rows, period(), period(id=2, part=1))
    assert found[1, "all"] == {0: (None, 1, 1, 2, 1), 1: (1, 7, 1, 2, 1)}
    assert found[2, "all"] == {0: (None, 1, 3, 4, 1), 1: (1, 7, 3, 4, 1)}


def test_integer_division_and_the_best_single_row_decide_nothing(boards):
    rows = [(1, 1, 1, 299, 300), (2, 1, 1, 0, 299), (2, 2, 1, 298, 1)]
    assert boards(rows, period())[1, "all"] == {
        0: (None, 2, 597, 600, 3),
        1: (1, 1, 299, 300, 1),
        2: (2, 2, 298, 300, 2),
    }


def test_equal_ratios_share_a_rank_and_the_greater_sum_and_smaller_number_come_first(boards):
    rows = [(4, 1, 1, 1, 2), (3, 1, 1, 2, 4), (2, 1, 1, 2, 4), (1, 1, 1, 1, 3)]
    board = boards(rows, period(places=4))[1, "all"]
    assert [(board[place][0], board[place][1]) for place in (1, 2, 3, 4)] == [
        (1, 2),
        (1, 3),
        (1, 4),
        (4, 1),
    ]


def test_ratios_are_compared_beyond_what_a_double_can_tell(boards):
    big = 2**61
    rows = [(1, 1, 1, big, big + 1), (2, 1, 1, big + 1, big + 2), (3, 1, 1, big, big)]
    board = boards(rows, period())[1, "all"]
    assert [board[place][1] for place in (1, 2, 3)] == [3, 2, 1]


def test_who_has_spent_nothing_or_has_too_few_rows_is_not_listed(boards):
    rows = [(1, 1, 1, 500, 0), (2, 1, 1, 1, 1), (3, 1, 1, 0, 1), (3, 2, 1, 0, 0)]
    assert boards(rows, period(least=2))[1, "all"] == {
        0: (None, 3, 501, 2, 4),
        1: (1, 3, 0, 1, 2),
    }


def test_only_the_best_places_are_told(boards):
    rows = [(who, 1, 1, who, 10) for who in range(1, 21)]
    board = boards(rows, period(places=3))[1, "all"]
    assert [board[place][1] for place in board if place] == [20, 19, 18]


def test_a_row_counts_from_the_start_to_before_the_end_and_before_it_closes(boards):
    rows = [
        (1, 99, 1, 1, 1),
        (1, 100, 1, 2, 1),
        (1, 199, 1, 4, 1, 299),
        (1, 199, 1, 8, 1, 300),
        (1, 200, 1, 16, 1),
    ]
    own = period(start_millis=100, end_millis=200, closes=300)
    assert boards(rows, own)[1, "all"][1] == (1, 1, 6, 2, 2)


def test_kinds_are_chosen_and_a_row_counts_in_many_periods(boards):
    rows = [(1, 1, 10, 1, 1), (1, 2, 12, 2, 1), (1, 3, 13, 4, 1)]
    found = boards(rows, period(1), period(2, kinds="12, 10"), period(3, kinds="99"))
    assert found[1, "all"][1] == (1, 1, 7, 3, 3)
    assert found[2, "all"][1] == (1, 1, 3, 2, 2)
    assert found[3, "all"] == {0: (None, 0, 0, 0, 0)}


def test_a_window_has_the_rows_of_its_time_and_slides(boards):
    rows = [(1, 109, 1, 1, 1), (1, 110, 1, 2, 1), (2, 209, 1, 4, 1), (2, 210, 1, 8, 1)]
    for ends in ([210], [120, 210], [150, 200, 210], [500, 210]):
        found = boards(rows, period(), *map(window, ends))[1, "recent"]
        last = max(ends)
        inside = {time: who for who, time, *_ in rows if last - 100 <= time < last}
        assert {found[place][1] for place in found if place} == set(inside.values())
        assert found[0][4] == len(inside)


def test_a_changed_period_is_added_up_anew_and_leaves_no_place_behind(boards):
    rows = [(who, 1, who, who, 10) for who in (1, 2, 3)]
    assert boards(rows, period(), period(kinds="2"))[1, "all"] == {
        0: (None, 1, 2, 10, 1),
        1: (1, 2, 2, 10, 1),
    }
    assert boards(rows, period(), period(places=0))[1, "all"].keys() == {0}
