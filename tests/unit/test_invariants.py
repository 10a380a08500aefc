"""Every check of the boards can fail: right queries trip none, each wrong one its check."""

from __future__ import annotations

import pytest

import games
from boards.kafka import folded_tables
from boards.snapshot import Boards, named_rows
from games import sql
from settings import Settings
from tests.invariants import History, violations
from tests.oracle import Event

SEASON = 1_772_323_200_000
WINDOW = SEASON + 60_000

TABLES = {
    "top_teams": [
        {
            "season_start": SEASON,
            "team_id": team,
            "team_name": team,
            "total_score": total,
            "reached_at": SEASON + total,
        }
        for team, total in (("red", 9), ("blue", 7), ("green", 7), ("white", 5))
    ],
    "team_mvps": [
        {
            "season_start": SEASON,
            "team_id": "red",
            "team_name": "red",
            "user_id": "ada",
            "user_name": "Ada",
        }
        | {"player_total": 6, "team_total": 9, "contribution_ratio": 6 / 9},
        {
            "season_start": SEASON,
            "team_id": "blue",
            "team_name": "blue",
            "user_id": "bob",
            "user_name": "Bob",
        }
        | {"player_total": 7, "team_total": 7, "contribution_ratio": 1.0},
    ],
    # A whole window of two streaks, and a later one of two of which one is written.
    "hot_streaks": [
        {
            "window_end": window,
            "user_id": user,
            "user_name": user,
            "team_name": "red",
            "short_term_average": hotness,
        }
        | {
            "long_term_average": 1,
            "short_term_events": 3,
            "long_term_events": 9,
            "hotness": hotness,
            "window_rows": 2,
        }
        for window, user, hotness in (
            (WINDOW, "ada", 2),
            (WINDOW, "bob", 3),
            (WINDOW + 2_000, "ada", 4),
        )
    ],
}

# What is changed in the text of a view, and the check that sees it.
WRONG_QUERIES = [
    (
        "top_teams",
        "FROM flink.top_teams",
        "FROM flink.top_teams JOIN (SELECT 1 UNION SELECT 2)",
        "somebody twice",
    ),
    ("top_teams", "    RANK()", "    DENSE_RANK()", "ranks are not 1, 2, 2, 4"),
    ("top_teams", "    RANK()", "    ROW_NUMBER()", "ranks are not 1, 2, 2, 4"),
    ("top_teams", "DESC, place", "DESC, place DESC", "values rise down the board"),
    ("team_mvps", "    team_total,", "    team_total - 5 AS team_total,", "a share outside 0 to 1"),
    (
        "team_mvps",
        "    contribution_ratio,",
        "    contribution_ratio + 1 AS contribution_ratio,",
        "a share outside 0 to 1",
    ),
    ("hot_streaks", "WHERE window_end = (", "WHERE window_end >= (", "several windows"),
]


GAME = games.load("score")


def look(changed: str = "", old: str = "", new: str = "", also: tuple = ()) -> Boards:
    """The boards of the tables above and these further rows, one of the queries changed."""
    db = folded_tables(GAME.listed)
    for name, row in [*((name, row) for name, rows in TABLES.items() for row in rows), *also]:
        db.execute(
            f"INSERT INTO flink.{name} VALUES ({', '.join('?' * len(row))})", list(row.values())
        )
    rows = {}
    for table in GAME.listed:
        text = sql.rank(table, Settings())
        if table.name == changed:
            assert old in text
            text = text.replace(old, new, 1)
        cursor = db.execute(text)
        rows[table.name] = named_rows([column[0] for column in cursor.description], cursor)
    return Boards(GAME, rows)


def test_the_views_trip_no_check():
    assert violations(look()) == set()


@pytest.mark.parametrize(("board", "old", "new", "check"), WRONG_QUERIES)
def test_a_wrong_query_trips_its_check(board, old, new, check):
    assert f"{board}: {check}" in violations(look(board, old, new))


def test_a_total_that_goes_back_is_seen():
    history = History()
    history.look(look(), at=1)
    history.look(look("top_teams", "    total_score,", "    total_score - 1 AS total_score,"), at=2)
    assert history.found["top_teams: a total went back"]


def test_a_window_that_changes_is_seen():
    # Without waiting for the last row of a window, its half is read first, then the whole.
    hasty = ("hot_streaks", "HAVING COUNT(NULLIF(user_id, '')) = MAX(window_rows)", "HAVING 1 = 1")
    history = History()
    history.look(look(*hasty), at=1)
    history.look(
        look(*hasty, also=[("hot_streaks", TABLES["hot_streaks"][-1] | {"user_id": "bob"})]), at=2
    )
    assert history.found["hot_streaks: a window with two contents"]


@pytest.mark.parametrize(
    ("recorded", "score", "is_seen"),
    [(10_000, 9, False), (10_000, 8, True), (20_000, 9, True)],
    ids=["right", "less", "later"],
)
def test_a_total_above_what_was_scored_by_then_is_seen(recorded, score, is_seen):
    history = History()
    history.look(look(), at=15)
    others = [("blue", 7), ("green", 7), ("white", 5)]
    events = [Event(None, "ada", None, "red", "red", score, SEASON, recorded)]
    events += [
        Event(None, "bob", None, team, team, total, SEASON, 10_000) for team, total in others
    ]
    history.compare(events)
    assert bool(history.found["top_teams: a total above what was scored"]) is is_seen
