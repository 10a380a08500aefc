"""The scripts as a person runs them: everything up, healthy, moved to the other sink, and down."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import sync_playwright

from settings import PREFIX, PROJECT
from tests.conftest import PORTS, environment_for


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    made = environment_for(tmp_path_factory.mktemp("run_all"))
    yield made
    script("stop.sh", environment=made)


def script(name: str, *options: str, environment: dict[str, str], answer: str = "") -> subprocess.CompletedProcess:
    command = [PROJECT / "scripts" / name, *options]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, input=answer)


def listening(environment: dict[str, str]) -> list[str]:
    taken = []
    for name in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(environment[PREFIX + name.upper()]))) == 0:
                taken.append(name)
    return taken


def processes(environment: dict[str, str]) -> list[str]:
    state = environment[PREFIX + "STATE_FOLDER"]
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(state in word for word in process.info["cmdline"] or []):
            found.append(" ".join(process.info["cmdline"])[:200])
    return found


def test_status_before_the_first_start_is_not_healthy(environment):
    done = script("status.sh", "--json", environment=environment)
    assert done.returncode == 1
    assert not json.loads(done.stdout)["is_healthy"]


def test_a_taken_port_is_named_with_the_setting_that_changes_it(environment):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = script("run_all.sh", "--detach", environment=environment | {"LEADERBOARD_KAFKA_PORT": port})
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert "LEADERBOARD_KAFKA_PORT" in done.stderr


def test_everything_starts_with_one_command_and_is_healthy(environment):
    started = script("run_all.sh", "--detach", environment=environment)
    assert started.returncode == 0, started.stdout + started.stderr
    status = await_healthy(environment)
    assert status["sink"] == "postgres"
    assert all(rows > 0 for rows in status["board_rows"].values())


def test_the_page_shows_live_boards_in_a_real_browser(environment):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "The page is tested in Chromium: install it with the system's package manager."
    address = f"http://127.0.0.1:{environment['LEADERBOARD_DASHBOARD_PORT']}"
    foreign, errors = [], []
    with sync_playwright() as playwright:
        # No sandbox, because root has none; no background networking, because it is not what is tested.
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
        )
        page = browser.new_page()
        page.on("request", lambda request: foreign.append(request.url) if is_foreign(request.url, address) else None)
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(address)
        page.get_by_text("LIVE", exact=True).wait_for(timeout=60_000)
        for board in ("Top teams", "Top players", "Hot streaks", "Team MVPs"):
            page.get_by_role("heading", name=board).wait_for()
        browser.close()
    assert foreign == []
    assert errors == []


def is_foreign(url: str, address: str) -> bool:
    return not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))


def test_running_it_again_says_so_and_starts_nothing(environment):
    before = len(processes(environment))
    again = script("run_all.sh", environment=environment)
    assert again.returncode == 0
    assert "runs" in again.stdout
    assert len(processes(environment)) == before


def test_the_other_sink_is_one_flag_away(environment):
    moved = script("run_all.sh", "--sink", "kafka", environment=environment)
    assert moved.returncode == 0, moved.stdout + moved.stderr
    assert await_healthy(environment)["sink"] == "kafka"


def test_after_a_stop_nothing_is_left_and_a_new_start_continues(environment):
    before = totals(environment)
    stopped = script("stop.sh", environment=environment)
    assert stopped.returncode == 0, stopped.stderr
    assert listening(environment) == []
    assert processes(environment) == []
    again = script("run_all.sh", "--detach", environment=environment)
    assert again.returncode == 0, again.stdout + again.stderr
    assert await_healthy(environment)["sink"] == "kafka"
    after = totals(environment)
    assert all(after.get(team, 0) >= total for team, total in before.items())


def test_reset_asks_and_then_wipes_data_but_not_jars(environment):
    state = Path(environment[PREFIX + "STATE_FOLDER"])
    script("stop.sh", environment=environment)
    kept = script("reset.sh", environment=environment, answer="n\n")
    assert "Nothing was wiped" in kept.stdout
    assert (state / "data" / "kafka").exists()
    wiped = script("reset.sh", environment=environment, answer="y\n")
    assert "Wiped" in wiped.stdout
    assert not (state / "data").exists()
    assert (state / "jars" / "kafka").exists()


def await_healthy(environment: dict[str, str]) -> dict:
    for _ in range(20):  # each status takes a second or more; a checkpoint must complete first
        done = script("status.sh", "--json", environment=environment)
        if done.returncode == 0:
            break
    status = json.loads(done.stdout)
    assert status["is_healthy"], status["problems"]
    return status


def totals(environment: dict[str, str]) -> dict[str, int]:
    import settings
    from dashboard import boards

    read = boards.read("kafka", settings.read(environment))
    return {row["team_id"]: row["total_score"] for row in read.rows["top_teams"]}
