"""Sends recorded events as if they happened now: python -m generator replay --help."""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from clients.errors import SetupError
from generator import options
from generator.form import (
    MILLI_MICROS,
    YEAR_9999_MICROS,
    Event,
    Form,
    event_of,
    form_of,
    forms,
    to_json,
)
from generator.record import Record

MICROS = 1_000_000  # in a second
# Recordings hold events that came late, and such as say a wrong time. One that is so much ahead of
# most of the next ones says nothing about when it was sent.
AHEAD_MICROS, NEXT = 60 * MICROS, 5
LOOKED_AT = 1_000  # lines, to find out whose events they are


class Line(NamedTuple):
    """A line of a recording: the message, and the event that it is, if it is one."""

    value: bytes
    event: Event | None


def main(words: list[str] | None = None) -> int:
    """Replay a file. Exit code 0: all acknowledged, 1: some failed, or the file cannot be read.

    Bad usage raises SystemExit(2).
    """
    parser = _parser()
    given = options.checked(parser, words)
    try:
        game = given.game or _game_of(given.file)
    except OSError as error:
        print(f"replay: cannot read {given.file}: {error.strerror}", file=sys.stderr)
        return 1
    except SetupError as error:
        print(f"replay: {error}", file=sys.stderr)
        return 1
    if game is None:
        parser.error(
            f"{given.file} has events of no game that is known ({', '.join(forms())}); "
            "--game says whose they are"
        )
    given.topic = given.topic or forms()[game].topic
    source = Replay(given.file, game, given.speed, given.shift_to_now)
    return options.run(options.options(source, given))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m generator replay",
        description="Sends the events of a file as if they happened now: in the order of the file, "
        "with the pauses that their times say.",
        epilog="Ctrl-C sends what is pending, reports and ends. Exit code: 0 all acknowledged, 1 "
        "some not, or a file that cannot be read, 2 bad usage.",
        formatter_class=options.Formatter,
    )
    parser.add_argument(
        "file",
        metavar="FILE",
        help="one event a line: .csv, with the names of the fields in its first line, or else JSON",
    )
    parser.add_argument(
        "--game", choices=forms(), help="whose events they are; by default their fields tell"
    )
    parser.add_argument(
        "--shift-to-now",
        action="store_true",
        help="move all times so that the first event is now; else they stay as they are",
    )
    parser.add_argument(
        "--speed",
        type=options.factor,
        default=1.0,
        metavar="N",
        help="N times as fast; times that are moved come as much closer together",
    )
    options.add_output(parser.add_argument_group("where to"), topic=None)
    parser.set_defaults(seed=0, start=None, count=None, duration=math.inf, processes=1)
    return parser


def _game_of(path: str) -> str | None:
    """Whose events a file holds; None when they are of no game that is known."""
    events = (line.event for line in islice(lines(path), LOOKED_AT) if line.event)
    return next((game for event in events if (game := form_of(event))), None)


@dataclass(frozen=True)
class Replay:
    """The source of what was recorded in a file, of one game's events.

    A line that is no event, or has no time that can be read, is sent as it is, together with the
    one before it. Times are moved only when they are to be shifted to now.
    """

    path: str
    game: str
    speed: float = 1.0
    is_shifted: bool = False

    @property
    def is_paced(self) -> bool:
        """Whether records come at a rate, rather than as fast as possible."""
        return True

    def records(
        self, seed: int, process: int, processes: int, start_millis: int
    ) -> Iterator[Record]:
        """The records of the file in its order. Raises OSError, and SetupError for a bad file."""
        form = forms()[self.game]
        first, due = None, 0.0
        for line, micros, following in _with_times(lines(self.path, form), form):
            if micros is not None:
                first = micros if first is None else first
                since = int((micros - first) / self.speed)
                if not _is_ahead(micros, following):
                    due = max(due, since / MICROS)
                if self.is_shifted:
                    line = _at(line, form, start_millis * MILLI_MICROS + since)
            yield Record(form.key_of(line.event or {}), line.value, due)


def _with_times(
    all_lines: Iterator[Line], form: Form
) -> Iterator[tuple[Line, int | None, list[int]]]:
    """Each line with its time and those of the next ones, in epoch microseconds."""

    def timed(line: Line) -> tuple[Line, int | None]:
        return line, form.micros_of(line.event) if line.event else None

    known = deque(map(timed, islice(all_lines, NEXT)))
    while known:
        known.extend(map(timed, islice(all_lines, 1)))
        line, micros = known.popleft()
        yield line, micros, [time for _, time in known if time is not None]


def _is_ahead(micros: int, following: Sequence[int]) -> bool:
    """Whether most of the next ones say that this time is wrong; near the end nothing says so."""
    earlier = sum(micros > time + AHEAD_MICROS for time in following)
    return len(following) > NEXT // 2 and earlier > len(following) / 2


def _at(line: Line, form: Form, micros: int) -> Line:
    """The same event at another time; as it is when there is no such time."""
    if not 0 <= micros < YEAR_9999_MICROS:
        return line
    event = (line.event or {}) | {form.time: form.write_time(micros)}
    return Line(to_json(event), event)


def lines(path: str, form: Form | None = None) -> Iterator[Line]:
    """The lines of a recording. Raises OSError, and SetupError for a CSV file that is none.

    Without a form, the fields of a CSV file stay texts.
    """
    is_csv = Path(path).suffix.lower() == ".csv"
    return _csv_lines(path, form) if is_csv else _json_lines(path)


def _json_lines(path: str) -> Iterator[Line]:
    with open(path, "rb") as file:
        for raw in file:
            value = raw.rstrip(b"\r\n")
            yield Line(value, event_of(value))


def _csv_lines(path: str, form: Form | None) -> Iterator[Line]:
    numbers = form.numbers if form else ()
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = csv.DictReader(file, strict=True)
        try:
            for row in rows:
                if None in row or None in row.values():
                    raise csv.Error("it has not as many fields as the first line")
                cells = {name: _cell(cell, name in numbers) for name, cell in row.items()}
                event = {name: cell for name, cell in cells.items() if cell is not None}
                yield Line(to_json(event), event)
        except csv.Error as error:
            raise SetupError(f"{path}, line {rows.line_num}: {error}") from error


def _cell(text: str, is_number: bool) -> Any:
    """The value of a cell: a number where one is asked for and written; None for no number."""
    if not is_number:
        return text
    try:
        return int(text)
    except ValueError:
        return text or None
