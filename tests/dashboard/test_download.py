"""Tables as CSV: what a spreadsheet makes of them, and that nothing is lost."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest

from dashboard import download
from dashboard.refresh import Refreshed, sample
from games.score import GAME
from settings import Settings
from tests.dashboard.test_app import HOSTILE, some_boards

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("sign", list("=+-@＝＋－＠﹣"))
@pytest.mark.parametrize("before", ["", " ", "\t", "\r\n", "\ufeff", "\u200b", "\u00a0", "\0"])
def test_no_text_is_a_formula(sign, before):
    text = f"{before}{sign}cmd|'/C calc'!A1"
    assert download._cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["'=1", "'tis", *HOSTILE, "a=b", "王-小明", "1-2", "=", "-5"])
def test_a_text_comes_back_whole(text):
    read = cells(download._text(["name", "next"], [{"name": text, "next": "x"}]))[1]
    assert read == [read[0], "x"]
    assert (read[0][1:] if read[0].startswith("'") else read[0]) == text


def test_values_are_written_so_that_programs_read_them():
    row = {"rank": -5, "share": 0.25, "at": AT, "is_banned": True, "movement": None}
    assert cells(download._text(list(row), [row])) == [
        ["rank", "share", "at", "is_banned", "movement"],
        ["-5", "0.25", "2026-01-02T03:04:05.678Z", "true", ""],
    ]


@pytest.mark.parametrize(
    ("season", "words"),
    [("hour", "hour-2026-01-02T03"), ("day", "day-2026-01-02"), ("week", "week-2026-01-02")],
)
def test_a_files_name_says_board_season_and_time(season, words):
    assert download._season(Settings(season=season), AT) == words
    assert download._name("top_teams", words, AT) == f"top_teams_{words}_2026-01-02T030405Z.csv"
    assert download._season(Settings(season="all"), AT) == "all-time"


@pytest.mark.parametrize("board", GAME.boards, ids=lambda board: board.name)
def test_a_board_without_rows_has_its_columns(board):
    boards = some_boards([])
    latest = Refreshed(boards, None, AT, now=sample(boards))
    file = download.board_file(latest, board, [], Settings())
    (names,) = cells(file.text)
    assert {board.value, board.entity.id_column, "rank_number", "movement"} <= set(names)
    assert file.name.startswith(f"{board.name}_day-")


def test_what_cannot_be_encoded_is_replaced():
    assert download.File("x.csv", "\ud800").content == b"?"
