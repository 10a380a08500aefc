"""What must hold whenever somebody reads the boards, and a reader that looks at them all the time."""

from __future__ import annotations

import bisect
import time
from collections import defaultdict
from collections.abc import Iterable
from itertools import accumulate, pairwise
from threading import Event as Flag
from threading import Thread

from dashboard import boards
from dashboard.boards import Boards, BoardsUnavailable
from settings import Settings
from tests import oracle
from tests.oracle import Event

READ_EVERY_SECONDS = 0.02
KEYS = {"top_teams": "team_id", "top_players": "user_id", "hot_streaks": "user_id", "team_mvps": "team_id"}
VALUES = {
    "top_teams": "total_score",
    "top_players": "total_score",
    "hot_streaks": "hotness",
    "team_mvps": "contribution_ratio",
}
# The board, the one that a total belongs to, and the total.
TOTALS = (
    ("top_teams", "team_id", "total_score"),
    ("top_players", "user_id", "total_score"),
    ("team_mvps", "team_id", "team_total"),
)


def violations(seen: Boards) -> set[str]:
    """What is impossible in one look at the boards."""
    found = set()
    for name, key in KEYS.items():
        rows = seen.rows[name]
        values = [row[VALUES[name]] for row in rows]
        if len({row[key] for row in rows}) < len(rows):
            found.add(f"{name}: somebody twice")
        best_first = sorted(-value for value in values)
        if [row["rank_number"] for row in rows] != [1 + bisect.bisect_left(best_first, -value) for value in values]:
            found.add(f"{name}: ranks are not 1, 2, 2, 4")
        if any(value < after for value, after in pairwise(values)):
            found.add(f"{name}: values rise down the board")
    for row in seen.rows["team_mvps"]:
        if not 0 <= row["contribution_ratio"] <= 1 or row["player_total"] > row["team_total"]:
            found.add("team_mvps: a share outside 0 to 1")
    if len({row["window_end"] for row in seen.rows["hot_streaks"]}) > 1:
        found.add("hot_streaks: several windows")
    return found


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

    def look(self, seen: Boards, at: float) -> None:
        """Take in the boards as read at this time, in epoch seconds."""
        self.looks += 1
        for finding in violations(seen):
            self.found[finding].append(f"at {at:.1f}")
        for name, key, value in TOTALS:
            for row in seen.rows[name]:
                entity = name, row["season_start"], row[key]
                if row[value] < self._totals.get(entity, 0) and not self._may_restart:
                    went = f"{row[key]} from {self._totals[entity]} to {row[value]} at {at:.1f}"
                    self.found[f"{name}: a total went back"].append(went)
                self._totals[entity] = row[value]
                self._first_seen.setdefault((*entity, row[value]), at)
        streaks = seen.rows["hot_streaks"]
        if streaks:
            window = int(streaks[0]["window_end"].timestamp() * 1000)
            first = self.windows.setdefault(window, streaks)
            if first != streaks:
                changed = [row for row in (*first, *streaks) if (row in first) != (row in streaks)]
                self.found["hot_streaks: a window with two contents"].append(f"{changed} at {at:.1f}")

    def expect_nothing(self) -> None:
        """Raises AssertionError with how often something impossible was seen, and the first of each."""
        lines = [f"{what}, {len(seen)} times, first {seen[0]}" for what, seen in self.found.items()]
        assert not lines, "\n".join(lines)

    def compare(self, events: Iterable[Event]) -> None:
        """Count totals that were shown before they were scored; `events` are all that count."""
        moments, sums = defaultdict(list), defaultdict(list)
        for event in sorted(events, key=lambda each: each.recorded):
            season = oracle.moment(oracle.season_start(event.time, "day"))
            for kind, entity in (("team_id", event.team_id), ("user_id", event.user_id)):
                moments[kind, season, entity].append(event.recorded / 1000)
                sums[kind, season, entity].append(event.score)
        sums = {each: list(accumulate(scores)) for each, scores in sums.items()}
        kinds = {name: key for name, key, _ in TOTALS}
        for (name, season, entity, total), at in self._first_seen.items():
            ledger = kinds[name], season, entity
            scored_by_then = bisect.bisect_right(moments[ledger], at)
            scored = sums[ledger][scored_by_then - 1] if scored_by_then else 0
            if total > scored:
                seen = f"{entity} at {total} of {scored} at {at:.1f}"
                self.found[f"{name}: a total above what was scored"].append(seen)


class Reader(History):
    """Reads a sink's boards all the time, every 20 ms by default, in the background until it is left."""

    def __init__(
        self, sink: str, settings: Settings, may_restart: bool = False, every_seconds: float = READ_EVERY_SECONDS
    ) -> None:
        super().__init__(may_restart)
        self.unavailable = 0
        self._sink, self._settings, self._every_seconds = sink, settings, every_seconds
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
                seen = boards.read(self._sink, self._settings)
            except BoardsUnavailable:
                self.unavailable += 1
            else:
                self.look(seen, time.time())
