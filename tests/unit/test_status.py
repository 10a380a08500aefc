"""What is said of a system that was asked, as text and as JSON."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

import games
from boards.shared_ids import SharedId
from boards.snapshot import STALE_SECONDS, Boards
from compose import status
from compose.lag import Lag
from compose.status import Job, Status
from games.board import Board, Entity, Game
from jobs import savepoints
from jobs.names import JobName, board_jobs
from settings import Settings

PLAYER = Entity("Player", "player", "player")
OF_EACH: dict[str, Any] = {
    "value": "wins",
    "label": "Wins",
    "title": "",
    "question": "",
    "entity": PLAYER,
}
MOST_WINS = Board(name="most_wins", key=("player",), newest="won_at", **OF_EACH)
COMPARED = Board(name="compared", key=("player",), may_be_empty=True, **OF_EACH)
GAME = Game(
    name="tiny",
    title="Tiny",
    topic=lambda settings: "plays",
    tables=(MOST_WINS, COMPARED),
    sources=(),
)
JOB = JobName("tiny", "most_wins", "postgres")


def boards(*ages_seconds: float) -> Boards:
    """Rows so old on the one board, none on the other."""
    now = datetime.now(UTC)
    rows = [{"won_at": now - timedelta(seconds=age)} for age in ages_seconds]
    return Boards(GAME, {"most_wins": rows, "compared": []})


def text(found: Status, width: int = 200) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(status.table(found, width))
    return file.getvalue()


@pytest.mark.parametrize(
    ("ages_seconds", "problems"),
    [
        ([5, 90], []),
        ([], ["most_wins has no rows yet"]),
        ([7_200.2], ["the newest score on the boards is 7200 s old"]),
    ],
)
def test_a_board_must_have_recent_rows_unless_it_may_be_empty(ages_seconds, problems):
    assert status.board_problems(boards(*ages_seconds), Settings()) == problems


def test_the_limit_is_the_one_that_the_page_has():
    assert status.board_problems(boards(STALE_SECONDS - 5), Settings()) == []
    (problem,) = status.board_problems(boards(STALE_SECONDS + 1), Settings())
    assert problem.startswith(status.TOO_OLD)


SEASONAL = Board(name="season", key=("player",), period="season_start", **OF_EACH)
EMPTY_AT_TIMES = replace(COMPARED, name="compared", newest="won_at")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(moment: datetime, **boards: Board) -> Boards:
    """A row of that moment on the board of wins, and one of noon on each of these."""
    game = replace(GAME, tables=(MOST_WINS, *boards.values()))
    rows = {board.name: [{"won_at": NOON, "season_start": NOON}] for board in boards.values()}
    return Boards(game, {"most_wins": [{"won_at": moment}]} | rows)


@pytest.mark.parametrize(
    ("seconds", "places", "expected"), [(120, 100, {}), (121, 100, {"second": 121}), (121, 1, {})]
)
def test_a_board_stands_still_that_is_behind_another_and_has_everybody(seconds, places, expected):
    found = at(NOON + timedelta(seconds=seconds), second=replace(MOST_WINS, name="second"))
    assert found.left_behind(places) == expected


def test_a_board_that_may_be_empty_may_be_behind():
    assert at(NOON + timedelta(hours=1), compared=EMPTY_AT_TIMES).left_behind(100) == {}


@pytest.mark.parametrize(
    ("length", "later", "is_wrong"),
    [
        ("hour", {"minutes": 59}, False),
        ("hour", {"minutes": 61}, False),  # the new season may just have begun
        ("hour", {"minutes": 63}, True),
        ("day", {"minutes": 1}, True),  # no day begins at noon
        ("all", {"minutes": 1}, True),
    ],
)
def test_a_board_shows_the_season_that_its_job_adds_up(length, later, is_wrong):
    found = at(NOON + timedelta(**later), season=SEASONAL)
    told = [each for each in status.board_problems(found, Settings(), length) if "season" in each]
    text = f"season still shows the season from 2026-03-01 12:00 UTC, with season={length} in"
    assert [each.startswith(text) for each in told] == [True] * is_wrong


def test_the_seasons_length_is_that_of_the_running_jobs(tmp_path):
    settings = Settings(state_folder=str(tmp_path), season="day")
    assert savepoints.season_in_use(settings, "score", "kafka") is None
    name = JobName("score", "top_teams", "kafka")
    savepoints._write(settings, name, savepoints.Note(settings={"season": "hour"}))
    assert savepoints.season_in_use(settings, "score", "kafka") == "hour"
    assert savepoints.season_in_use(settings, "score", "postgres") is None


def test_what_does_not_run_is_told_by_the_sink_of_the_savepoints(tmp_path):
    settings = Settings(state_folder=str(tmp_path), sink="postgres")
    assert "no job computes totals" in status._job_problems({}, settings)
    boards = [JobName("score", job, "kafka") for job in board_jobs(games.load("score"))]
    for name in boards:
        savepoints._write(settings, name, savepoints.Note(savepoint="file:///savepoint"))
    told = status._job_problems({}, settings)
    assert told == sorted(f"no job computes {name.job}" for name in boards)


def test_one_is_no_plural():
    assert status.counted(1, "restart") == "1 restart"
    assert status.counted(1_200, "restart") == "1,200 restarts"


NEW = Job("RUNNING", None, 0, 0)
BEHIND = Job("RUNNING", 3.0, 0, 0, Lag(36_759, 36_000))


@pytest.mark.parametrize(
    ("job", "age_seconds", "expected"),
    [
        (NEW, 5, True),
        (BEHIND, 12, True),  # its first checkpoint came before it had read the topic
        (Job("RUNNING", 3.0, 0, 0, Lag(120, 0)), 12, False),
        (Job("RESTARTING", None, 1, 0), 5, False),
        (NEW, 71, False),
        (BEHIND, 71, False),
    ],
)
def test_a_job_catches_up_for_as_long_as_a_checkpoint_may_take(job, age_seconds, expected):
    assert status.is_catching_up(job, age_seconds, Settings()) is expected


def test_a_job_that_catches_up_is_no_problem_and_one_that_should_have_is():
    catching_up = replace(BEHIND, is_catching_up=True)
    assert catching_up.problems(Settings()) == []
    assert "RUNNING, catching up, checkpoint 3 s ago" in text(Status(jobs={JOB: catching_up}))
    assert BEHIND.problems(Settings()) == ["has yet to read 36,000 records older than 70 s"]
    assert NEW.problems(Settings()) == ["has no completed checkpoint yet"]


def test_a_job_of_an_old_topic_is_a_problem_though_it_has_read_all():
    job = Job("RUNNING", 3.0, 0, 0, Lag(0, 0), is_of_old_topic=True)
    assert job.problems(Settings()) == [status.OLD_TOPIC]


@pytest.mark.parametrize(
    ("vertex", "counters"),
    [
        (
            "Rank[5] -> Sink: top_teams[9] -> Sink: rejected_events[12]",
            ["Sink__top_teams[9].numRecordsIn", "Sink__rejected_events[12].numRecordsIn"],
        ),
        ("Rank[5] -> Sink: Writer -> Sink: Committer", ["Sink__Writer.numRecordsIn"]),
        ("Source: messages[1] -> Calc[2]", []),
    ],
)
def test_rows_are_counted_where_they_go_into_either_sink(vertex, counters):
    assert status.written_counters(vertex) == counters


def test_json_has_the_jobs_by_their_titles():
    found = Status("postgres", jobs={JOB: Job("RUNNING", 3.0, 0, 7, Lag(12, 0))})
    told = json.loads(json.dumps(found.as_dict()))
    assert list(told["jobs"]) == ["tiny: most_wins to postgres"]
    assert told["jobs"][JOB.title]["lag"] == {"records": 12, "overdue": 0}
    assert told["is_healthy"]
    assert set(told) == {
        "sink",
        "services",
        "jobs",
        "ends",
        "gaps",
        "board_rows",
        "board_age_seconds",
        "late_events",
        "data_age_seconds",
        "shared_ids",
        "problems",
        "is_healthy",
    }


def test_text_names_jobs_boards_and_problems():
    found = Status(
        "postgres",
        {"kafka": "RUNNING"},
        {JOB: Job("RUNNING", 3.0, 1, 7, Lag(12, 0))},
        board_rows={"most_wins": 0},
        problems=["most_wins has no rows yet"],
    )
    lines = [" ".join(line.split()) for line in text(found).splitlines()]
    assert "service kafka RUNNING" in lines
    assert "board most_wins 0 rows" in lines
    assert "problem most_wins has no rows yet" in lines
    assert lines[-1] == "not healthy"
    (job,) = [line for line in lines if line.startswith("job ")]
    assert job.startswith(f"job {JOB.title} RUNNING, checkpoint 3 s ago, lag 12 records")


def test_text_tells_the_last_id_that_two_players_used_and_that_is_no_problem():
    shared = SharedId("x", "bob", "ada", "user-score", 2, 17, "2026-03-01T12:00:00+00:00")
    found = Status(shared_ids=[shared])
    lines = [" ".join(line.split()) for line in text(found).splitlines()]
    assert lines == [
        "event ids of two players the last: x of bob, and before of ada "
        "(user-score-2, offset 17, 2026-03-01T12:00:00+00:00)",
        "healthy",
    ]


def test_what_a_producer_wrote_does_not_steer_the_terminal():
    ids = ("\x1b[2Jx\a", "bob\u202e", "ada\x1b]0;hi")
    shared = SharedId(*ids, "user-score", 2, 17, "2026-03-01")
    assert (
        "the last: <U+001B>[2Jx<U+0007> of bob<U+202E>, and before of ada<U+001B>]0;hi"
        in " ".join(text(Status(shared_ids=[shared])).split())
    )


def test_a_jobs_line_breaks_between_its_figures_in_80_columns():
    name = JobName("score", "most_improved", "postgres")
    found = Status(
        "postgres", {"score_generator": "RUNNING"}, {name: Job("RUNNING", 3, 1, 12_345, Lag(67, 0))}
    )
    lines = [" ".join(line.split()) for line in text(found, width=80).splitlines()]
    assert lines[1:4] == [
        f"job {name.title} RUNNING, checkpoint 3 s ago,",
        "lag 67 records, 1 restart,",
        "12,345 repeated events dropped",
    ]
