"""A board and a game are added to a copy of the tree, as CONTRIBUTING.md says.

No other file changes.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import pytest
import requests
from kafka import KafkaProducer

from clients import flink, postgres
from settings import PROJECT
from tests import bounded
from tests.conftest import Stack, eventually, page_server

TINY_GAME = PROJECT / "tests" / "tiny_game"
# "`file`:", "Above `line` in `file`:" or "Below `line` in `file`:", and a block of code.
STEP = re.compile(
    r"^(?:(Above|Below) `([^`\n]+)` in )?`([^`\s]+)`:\n\n```\w+\n(.*?)^```$", re.M | re.S
)

WITH_A_FUNCTION = re.compile(r"^With a function, `([^`\n]+)`:\n\n```sql\n(.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Step:
    """What CONTRIBUTING.md says to write: a new file, or lines above or below one that is there."""

    where: str
    line: str
    file: str
    text: str

    def follow(self, project: Path) -> None:
        path = project / self.file
        if not self.where:
            assert not path.exists()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.text)
            return
        lines = path.read_text().splitlines(keepends=True)
        (place,) = [number for number, line in enumerate(lines) if line.strip() == self.line]
        lines.insert(place + (self.where == "Below"), self.text)
        path.write_text("".join(lines))


def steps() -> list[Step]:
    """All steps of "Add a board"."""
    text = (PROJECT / "CONTRIBUTING.md").read_text()
    return [Step(*found) for found in STEP.findall(text)]


def copied_tree(folder: Path) -> Path:
    """A copy of what git knows or would know of the project."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=PROJECT, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if (PROJECT / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, target)
    return folder


@pytest.fixture(scope="module")
def extended(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack's services, with the commands, a topic and a database of the extended copy."""
    project = copied_tree(tmp_path_factory.mktemp("copy"))
    for step in steps():
        step.follow(project)
    shutil.copytree(TINY_GAME, project, dirs_exist_ok=True)
    stack.cancel_jobs()  # so that Flink has slots
    own = stack.changed(
        games="score,tiny", topic="extending", postgres_url=bounded.database(stack, "extending")
    )
    own = replace(own, project=project)
    own.run("compose", "create")
    own.run("generator", "--count", "500", "--rate", "1000", "--seed", "9")
    yield own
    stack.cancel_jobs()


@pytest.fixture(scope="module")
def page(extended: Stack) -> Iterator[str]:
    """The address of the page that the copy serves."""
    with page_server(
        "dashboard", environment=extended.environment, project=extended.project
    ) as address:
        yield address


def copied_oracle(project: Path) -> ModuleType:
    """The copy's tests/oracle.py, with the new board's function."""
    spec = importlib.util.spec_from_file_location("copied_oracle", project / "tests" / "oracle.py")
    assert spec and spec.loader
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)  # dataclasses ask
    spec.loader.exec_module(module)
    return module


def view(own: Stack, board: str) -> list[dict]:
    """The rows of a board's view in PostgreSQL."""
    with postgres.connect(postgres.reader_dsn(own.settings)) as db, db.cursor() as cursor:
        cursor.execute(f"SELECT * FROM leaderboard.{board}")
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]


def expect_in_both_sinks(
    own: Stack, page: str, board: str, expected: list[dict], *columns: str
) -> None:
    """The board equals these rows in PostgreSQL; after a switch the API shows their columns."""
    own.run("jobs", board, "--sink", "postgres")

    def check_view() -> None:
        assert view(own, board) == expected

    eventually(check_view)
    own.run("jobs", board, "--sink", "kafka", "--switch")
    expect_from_kafka(page, board, expected, *columns)


def expect_from_kafka(page: str, board: str, expected: list[dict], *columns: str) -> None:
    """The API shows these columns of the rows, read from the board's topic."""

    def check() -> None:
        answer = requests.get(f"{page}/api/boards/{board}?sink=kafka&limit=100", timeout=30).json()
        rows = [{name: row[name] for name in columns} for row in answer.get("rows", [])]
        assert rows == [{name: row[name] for name in columns} for row in expected], answer

    eventually(check)


def busiest_players(own: Stack) -> list[dict]:
    """The new board, as the copy's oracle computes it."""
    oracle = copied_oracle(own.project)
    return oracle.busiest_players(oracle.totals(oracle.accepted(own.records())))


def test_the_steps_touch_three_new_files_the_game_and_the_oracle_only():
    assert {(step.where, step.file) for step in steps()} == {
        *(("", f"sql/score/busiest_players/{name}.sql") for name in ("metric", "columns", "rank")),
        ("Above", "games/score.py"),
        ("Below", "games/score.py"),
        ("Above", "tests/oracle.py"),
    }


def test_a_board_that_was_added_by_the_steps_is_the_oracles_in_both_sinks(extended, page):
    expected = busiest_players(extended)
    assert len(expected) == 100
    expect_in_both_sinks(extended, page, "busiest_players", expected, "user_id", "events")


def test_the_board_is_the_same_with_a_function(extended, page):
    ((file, text),) = WITH_A_FUNCTION.findall((PROJECT / "CONTRIBUTING.md").read_text())
    (extended.project / file).write_text(text)
    extended.run("jobs", "busiest_players", "--sink", "kafka", "--rebuild")
    expect_from_kafka(page, "busiest_players", busiest_players(extended), "user_id", "events")


def test_a_game_needs_files_of_its_own_only():
    files = {str(file.relative_to(TINY_GAME)) for file in TINY_GAME.rglob("*.*") if file.is_file()}
    assert not [name for name in files if (PROJECT / name).exists()]
    own = {"games/tiny.py", *(name for name in files if name.startswith("sql/tiny/"))}
    assert files == own


def test_a_game_that_was_added_runs_beside_the_score_game_in_both_sinks(extended, page):
    producer = KafkaProducer(bootstrap_servers=extended.settings.brokers)
    for player, is_win in [("ada", True), ("bob", True), ("ada", True), ("eve", False)]:
        value = json.dumps({"player": player, "is_win": is_win}).encode()
        producer.send("tiny-plays", value)
    producer.close()
    extended.run("jobs", "top_teams", "--sink", "kafka", "--switch")
    expected = [
        {"rank_number": rank, "player": player, "wins": wins}
        for rank, player, wins in ((1, "ada", 2), (2, "bob", 1), (3, "eve", 0))
    ]
    expect_in_both_sinks(extended, page, "most_wins", expected, "rank_number", "player", "wins")
    jobs = {title for title in flink.running(extended.settings)}
    assert {"score: top_teams to kafka", "tiny: most_wins to kafka"} <= jobs
    listed = requests.get(f"{page}/api/boards?game=tiny&sink=kafka", timeout=30).json()
    assert [board["board"] for board in listed["boards"]] == ["most_wins"]
    status = extended.run("compose", "status", "--json", check=False)
    assert json.loads(status.stdout)["board_rows"]["most_wins"] == 3
