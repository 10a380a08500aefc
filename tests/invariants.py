"""What must hold whenever somebody reads the boards, and a reader that looks all the time."""

from __future__ import annotations

import bisect
import time
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from itertools import accumulate, pairwise
from threading import Event as Flag
from threading import Thread

import games
from boards.sinks import sink
from boards.snapshot import Boards
from clients.errors import BoardsUnavailable
from games.board import Board, Game
from games.score import HOT_STREAKS, TEAM_MVPS
from settings import Settings
from tests import oracle
from tests.oracle import Event, Totals

READ_EVERY_SECONDS = 0.02
GAME = games.load("score")


def totals(game: Game) -> list[Board]:
    """The boards that show a total of an entity, the first of what grows."""
    return [board for board in game.boards if board.period and board.grows]


def violations(read: Boards) -> set[str]:
    """What is impossible in one look at the boards."""
    found = set()
    for board in read.game.boards:
        name, rows = board.name, read.rows[board.name]
        values = [row[board.value] for row in rows]
        if len({row[board.found_by] for row in rows}) < len(rows):
            found.add(f"{name}: somebody twice")
        best_first = sorted(-value for value in values)
        if [row["rank_number"] for row in rows] != [
            1 + bisect.bisect_left(best_first, -value) for value in values
        ]:
            found.add(f"{name}: ranks are not 1, 2, 2, 4")
        if any(value < after for value, after in pairwise(values)):
            found.add(f"{name}: values rise down the board")
    for row in read.rows[TEAM_MVPS.name]:
        if not 0 <= row["contribution_ratio"] <= 1 or row["player_total"] > row["team_total"]:
            found.add("team_mvps: a share outside 0 to 1")
    if len({row["window_end"] for row in read.rows[HOT_STREAKS.name]}) > 1:
        found.add("hot_streaks: several windows")
    return found


def expect_boards(read: Boards, summed: Totals) -> None:
    """Every board of totals shows what the oracle does for its newest period."""
    for name, rows in newest_rows(read.game, summed).items():
        assert read.rows[name] == rows, name


@cache
def newest_rows(game: Game, summed: Totals) -> dict[str, list[dict]]:
    """What each board of totals must show: worked out once, however often one looks."""
    return {
        board.name: oracle.newest_rows(board, summed.all_events)[: Settings().board_size]
        for board in totals(game)
    }


class History:
    """Looks at the boards one after the other: what is impossible in one, and from one to the next.

    `found` has what was seen each time, by what is impossible; its times are in epoch seconds.
    `may_restart`: totals may begin again, as when the boards move to the other sink.
    """

    def __init__(self, may_restart: bool = False) -> None:
        self.looks = 0
        self.found: defaultdict[str, list[str]] = defaultdict(list)
        self.windows: dict[int, list[dict]] = {}
        self._may_restart = may_restart
        self._totals: dict[tuple, int] = {}
        self._first_seen: dict[tuple, float] = {}

    def look(self, read: Boards, at: float) -> None:
        """Take in the boards as read at this time, in epoch seconds."""
        self.looks += 1
        for finding in violations(read):
            self.found[finding].append(f"at {at:.1f}")
        for board in totals(read.game):
            for row in read.rows[board.name]:
                entity, total = row[board.found_by], row[board.grows[0]]
                known_by = board.name, row[str(board.period)], entity
                if total < self._totals.get(known_by, 0) and not self._may_restart:
                    went = f"{entity} from {self._totals[known_by]} to {total} at {at:.1f}"
                    self.found[f"{board.name}: a total went back"].append(went)
                self._totals[known_by] = total
                self._first_seen.setdefault((*known_by, total), at)
        streaks = read.rows[HOT_STREAKS.name]
        if streaks:
            window = int(streaks[0]["window_end"].timestamp() * 1000)
            first = self.windows.setdefault(window, streaks)
            if first != streaks:
                changed = [row for row in (*first, *streaks) if (row in first) != (row in streaks)]
                self.found["hot_streaks: a window with two contents"].append(
                    f"{changed} at {at:.1f}"
                )

    def expect_nothing(self) -> None:
        """Raises AssertionError with how often each impossible thing was seen, and the first."""
        lines = [
            f"{what}, {len(findings)} times, first {findings[0]}"
            for what, findings in self.found.items()
        ]
        assert not lines, "\n".join(lines)

    def compare(self, events: Iterable[Event]) -> None:
        """Count totals that were shown before they were scored; `events` are all that count."""
        moments, sums = defaultdict(list), defaultdict(list)
        for event in sorted(events, key=lambda each: each.recorded):
            for period, length in oracle.PERIODS.items():
                start = oracle.moment(oracle.season_start(event.time, length))
                for kind, entity in (("team_id", event.team_id), ("user_id", event.user_id)):
                    moments[kind, period, start, entity].append(event.recorded / 1000)
                    sums[kind, period, start, entity].append(event.score)
        scored = {each: list(accumulate(scores)) for each, scores in sums.items()}
        boards = {board.name: board for board in GAME.boards}
        for (name, start, entity, total), at in self._first_seen.items():
            board = boards[name]
            ledger = board.found_by, str(board.period), start, entity
            scored_by_then = bisect.bisect_right(moments[ledger], at)
            right = scored[ledger][scored_by_then - 1] if scored_by_then else 0
            if total > right:
                finding = f"{entity} at {total} of {right} at {at:.1f}"
                self.found[f"{name}: a total above what was scored"].append(finding)


class Reader(History):
    """Reads a sink's boards in the background, every 20 ms by default, until it is left."""

    def __init__(
        self,
        sink_name: str,
        settings: Settings,
        may_restart: bool = False,
        every_seconds: float = READ_EVERY_SECONDS,
    ) -> None:
        super().__init__(may_restart)
        self.unavailable = 0
        self._sink, self._every_seconds = sink(sink_name, settings), every_seconds
        self._is_over = Flag()
        self._thread = Thread(target=self._read)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._is_over.wait(self._every_seconds):
            try:
                read = self._sink.read(GAME)
            except BoardsUnavailable:
                self.unavailable += 1
            else:
                self.look(read, time.time())
