"""The scripts as a person runs them: everything up, healthy, moved to the other sink, and down."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections import defaultdict
from contextlib import closing
from pathlib import Path

import psutil
import pytest
import requests
from kafka import KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, OffsetSpec
from prometheus_client.parser import text_string_to_metric_families

import games
from boards.sinks import sink
from clients import flink
from compose import services
from jobs.running import planned
from settings import PREFIX, PROJECT, Settings, read
from tests.conftest import PORTS, environment_for, eventually
from tests.scripts.conftest import script

GAME = games.load("score")
PLANNED = planned([(GAME.name, job) for job in GAME.jobs], "postgres", Settings())
TITLES = {name.job: name.title for name in PLANNED}
# Boards that must have rows soon after a start.
FILLING = [board.name for board in GAME.boards if not board.may_be_empty]


@pytest.fixture
def fresh(tmp_path: Path) -> dict[str, str]:
    """The environment of a system that was never started."""
    return environment_for(tmp_path)


def listening(environment: dict[str, str]) -> list[str]:
    names = []
    for name in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(environment[PREFIX + name.upper()]))) == 0:
                names.append(name)
    return names


def processes(environment: dict[str, str]) -> list[str]:
    name = PREFIX + "STATE_FOLDER"
    return [
        " ".join(process.info["cmdline"])[:200]
        for process in psutil.process_iter(["cmdline", "environ"])
        if (process.info["environ"] or {}).get(name) == environment[name]
    ]


def test_status_before_the_first_start_is_not_healthy(fresh):
    done = script("status.sh", "--json", environment=fresh)
    assert done.returncode == 1
    assert not json.loads(done.stdout)["is_healthy"]


def test_verbs_end_at_the_first_that_fails(fresh):
    verbs = ["describe", "then", "running", "then", "describe"]
    done = subprocess.run(
        [sys.executable, "-m", "compose", *verbs],
        env=fresh,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stdout.count("The leaderboard runs.") == 1


def test_a_taken_port_is_named_with_the_setting_that_changes_it(fresh):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        own = fresh | {"LEADERBOARD_KAFKA_PORT": port}
        done = script("run_all.sh", "--detach", environment=own)
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert "LEADERBOARD_KAFKA_PORT" in done.stderr
    assert "another state folder" in done.stderr


def test_a_game_that_there_is_not_starts_nothing(fresh):
    done = script("run_all.sh", "--games", "golf", "--detach", environment=fresh)
    assert done.returncode == 2
    assert "LEADERBOARD_GAMES names 'golf'" in done.stderr
    assert "Traceback" not in done.stderr
    assert listening(fresh) == []


def test_everything_starts_with_one_command_and_is_healthy(environment, started):
    assert started.returncode == 0, started.stdout + started.stderr
    status = await_healthy(environment)
    assert status["sink"] == "postgres"
    assert list(status["board_rows"]) == [board.name for board in GAME.boards]
    assert all(status["board_rows"][board] > 0 for board in FILLING)


def test_the_page_shows_live_boards_in_a_real_browser(environment, browser):
    address = f"http://127.0.0.1:{environment['LEADERBOARD_DASHBOARD_PORT']}"
    requested, messages = [], []
    page = browser.new_page()
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: messages.append(message))
    page.goto(address)
    page.get_by_text("LIVE", exact=True).wait_for(timeout=60_000)
    for board in ("Top teams", "Top players", "Hot streaks", "Team MVPs"):
        page.get_by_role("heading", name=board).wait_for()
    assert requested
    assert [url for url in requested if is_foreign(url, address)] == []
    assert [message.text for message in messages if message.type == "error"] == []


def is_foreign(url: str, address: str) -> bool:
    return not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))


def test_sql_is_at_hand(environment):
    """One answer; the client with questions that stream; psql. Nothing but reading."""
    asked = "SELECT team_id, COUNT(*) AS events FROM accepted_events GROUP BY team_id;"
    one = script("sql", "-e", asked, environment=environment)
    assert one.returncode == 0, one.stdout + one.stderr
    assert one.stdout.count("TEAM-") > 3
    statements = [
        "SET 'sql-client.execution.result-mode' = 'tableau'",
        "SET 'table.dml-sync' = 'true'",
        "SHOW TABLES",
        "SELECT rank_number, team_id FROM leaderboard.top_teams",
        "INSERT INTO topics.top_teams SELECT * FROM topics.top_teams",
        "INSERT INTO messages (user_id) VALUES ('a')",
        "INSERT INTO leaderboard.bans (kind) VALUES ('a')",
        "QUIT",
    ]
    client = script("sql", environment=environment, answer=";\n".join([*statements, ""]))
    assert client.returncode == 0, client.stdout + client.stderr
    assert "player_season_totals" in client.stdout
    assert client.stdout.count("TEAM-") > 3
    for why in ("transactional-id-prefix must be", "for identifier 'checked-json'"):
        assert why in client.stdout
    count = "SELECT COUNT(*) FROM bans WHERE kind = 'a'"
    assert script("psql", "-Atc", count, environment=environment).stdout == "0\n"
    read = script("psql", "-Atc", "SELECT COUNT(*) FROM top_teams", environment=environment)
    assert int(read.stdout) > 3
    refused = script("psql", "-c", "SELECT * FROM flink.top_teams", environment=environment)
    assert refused.returncode == 1
    assert "permission denied" in refused.stderr


def test_prometheus_is_told_how_everything_is(environment):
    topic = read(environment).topic
    producer = KafkaProducer(bootstrap_servers=read(environment).brokers)
    producer.send(topic, b"score!")
    producer.close()

    def check() -> None:
        told = scraped(environment, "MONITOR_PORT")
        assert told["leaderboard_healthy", ""] == 1
        for service in ("kafka", "score_generator", "monitor"):
            assert told["leaderboard_service_running", service] == 1
        assert told["leaderboard_rejected_events_total", "score, not one JSON object"] == 1
        records = told["leaderboard_records_total", topic]
        assert records > 0
        heap = "leaderboard_taskmanager_heap_bytes"
        assert 0 < told[heap, "used"] < told[heap, "max"]
        for board in GAME.boards:
            assert told["leaderboard_job_healthy", board.name] == 1
            assert told["leaderboard_board_rows", board.name] >= (board.name in FILLING)
            title = TITLES[board.job]
            assert told["leaderboard_job_checkpoint_age_seconds", title] < 30
            assert 0 <= told["leaderboard_job_lag_records", title] < records
            assert told["leaderboard_job_overdue_records", title] == 0
        for name in ("top_teams", "top_players", "hot_streaks"):
            assert 0 < told["leaderboard_board_age_seconds", name] < 30

    eventually(check)
    told = scraped(environment, "GENERATOR_METRICS_PORT")
    acknowledged = told["leaderboard_injector_acknowledged_total", ""]
    assert 0 < acknowledged <= told["leaderboard_injector_sent_total", ""]
    assert told["leaderboard_injector_failed_total", ""] == 0


def test_what_is_not_the_pipeline_comes_back_too_when_it_dies(environment):
    own = read(environment)
    rpc = services.rpc(own)
    names = ("score_generator", "dashboard", "api", "monitor", "announcer")
    died = {name: rpc.getProcessInfo(name)["pid"] for name in names}
    for pid in died.values():
        psutil.Process(pid).kill()

    def check() -> None:
        assert all(rpc.getProcessInfo(name)["pid"] not in (0, pid) for name, pid in died.items())
        for port in (own.dashboard_port, own.api_port):
            address = f"http://{own.page_host}:{port}"
            assert requests.get(f"{address}/readyz", timeout=10).ok
        injector = scraped(environment, "GENERATOR_METRICS_PORT")
        assert injector["leaderboard_injector_acknowledged_total", ""] > 0
        assert scraped(environment, "MONITOR_PORT")["leaderboard_healthy", ""] == 1

    eventually(check)


def test_records_that_are_deleted_unread_stay_a_problem(environment):
    chosen = read(environment)
    partition = TopicPartition(chosen.topic, 0)
    services.rpc(chosen).stopProcess("taskmanager")
    with closing(KafkaAdminClient(bootstrap_servers=chosen.brokers)) as admin:
        first = {title: committed(admin, job, partition) for job, title in TITLES.items()}
        kept = max(first.values()) + 5

        def five_more() -> None:
            latest = admin.list_partition_offsets({partition: OffsetSpec.LATEST})
            assert latest[partition].offset > kept

        eventually(five_more)
        admin.delete_records({partition: kept})

    def listed() -> dict[str, tuple[int, int, int]]:
        status = json.loads(script("status.sh", "--json", environment=environment).stdout)
        assert not status["is_healthy"]
        assert [problem for problem in status["problems"] if "deleted before" in problem]
        gaps = status["gaps"]
        places = {gap["job"]: (gap["partition"], gap["first"], gap["last"]) for gap in gaps}
        assert len(places) == len(gaps)
        return places

    expected = {title: (0, offset, kept - 1) for title, offset in first.items()}
    assert listed() == expected
    assert listed() == expected

    # A job that begins anew misses nothing of what it can know.
    file = chosen.state / "data" / "gaps.jsonl"
    assert script("rebuild.sh", "top_players", environment=environment).returncode == 0
    del expected["score: top_players to postgres"]
    file.unlink()
    assert listed() == expected

    services.rpc(chosen).startProcess("taskmanager")

    def expect_only_gaps() -> None:
        told = scraped(environment, "MONITOR_PORT")
        missing = {
            label: value
            for (name, label), value in told.items()
            if name == "leaderboard_missing_records"
        }
        assert missing == {title: kept - first[title] for title in expected}
        for board in GAME.boards:
            assert told["leaderboard_job_healthy", board.name] == 1
        assert told["leaderboard_healthy", ""] == 0

    eventually(expect_only_gaps)
    assert listed() == expected

    with closing(KafkaAdminClient(bootstrap_servers=chosen.brokers)) as admin:

        def expect_all_beyond() -> None:
            assert all(committed(admin, job, partition) >= kept for job in TITLES)

        eventually(expect_all_beyond)  # a gap before which a group stands is listed again
    file.unlink()
    await_healthy(environment)


def committed(admin: KafkaAdminClient, job: str, partition: TopicPartition) -> int:
    """Where the job's group goes on in this partition; 0 before its first checkpoint."""
    group = f"leaderboard.score.{job}"
    offsets = admin.list_group_offsets(group)[group]
    return offsets[partition].offset if partition in offsets else 0


def scraped(environment: dict[str, str], port: str) -> dict[tuple[str, str], float]:
    """What Prometheus would read there, by name and labels; -1 where there is nothing."""
    text = requests.get(f"http://127.0.0.1:{environment[PREFIX + port]}/metrics", timeout=10).text
    families = text_string_to_metric_families(text)
    samples = [sample for family in families for sample in family.samples]
    values = {(each.name, ", ".join(each.labels.values())): each.value for each in samples}
    return defaultdict(lambda: -1.0, values)


def test_running_it_again_says_so_and_starts_nothing(environment):
    before = len(processes(environment))
    again = script("run_all.sh", environment=environment)
    assert again.returncode == 0
    assert "runs" in again.stdout
    assert len(processes(environment)) == before


@pytest.mark.parametrize(
    ("options", "setting"),
    [(("--games", "score,spins"), "GAMES"), (("--rate", "77"), "RATE_PER_SECOND")],
)
def test_other_games_and_another_rate_are_not_taken_for_started(options, setting, environment):
    again = script("run_all.sh", *options, environment=environment)
    assert again.returncode == 1
    assert f"with another LEADERBOARD_{setting}" in again.stderr
    assert "scripts/stop.sh first" in again.stderr


def test_a_misspelled_game_is_said_at_once(environment):
    again = script("run_all.sh", "--games", "score,golf", environment=environment)
    assert again.returncode == 2
    assert "names 'golf', which is no game" in again.stderr
    assert "stop.sh" not in again.stderr


def test_the_games_and_the_rate_that_run_may_be_asked_for(environment):
    again = script("run_all.sh", "--games", "score", "--rate", "50", environment=environment)
    assert again.returncode == 0, again.stderr
    assert "runs" in again.stdout


def test_a_setting_that_running_jobs_do_not_have_is_said_to_have_no_effect(environment):
    again = script("run_all.sh", environment=environment | {"LEADERBOARD_SEASON": "hour"})
    assert again.returncode == 0, again.stderr
    for title in TITLES.values():
        told = f"{title}: LEADERBOARD_SEASON was day and is hour now: that has no effect on it"
        assert told in again.stdout


def test_the_other_sink_is_one_flag_away(environment):
    moved = script("run_all.sh", "--sink", "kafka", environment=environment)
    assert moved.returncode == 0, moved.stdout + moved.stderr
    assert await_healthy(environment)["sink"] == "kafka"

    def check() -> None:
        jobs = await_healthy(environment)["jobs"]
        assert jobs["score: top_teams to kafka"]["rows_written"]  # none while it is unknown

    eventually(check)


def test_after_a_stop_nothing_is_left_and_a_new_start_continues_in_a_moved_folder(environment):
    before, jobs = totals(environment), flink.running(read(environment))
    stopped = script("stop.sh", environment=environment)
    assert stopped.returncode == 0, stopped.stderr
    assert listening(environment) == []
    assert processes(environment) == []
    folder = read(environment).state
    moved = folder.rename(folder.with_name("moved"))
    environment[PREFIX + "STATE_FOLDER"] = str(moved)
    again = script("run_all.sh", "--detach", environment=environment)
    assert again.returncode == 0, again.stdout + again.stderr
    assert await_healthy(environment)["sink"] == "kafka"
    assert flink.running(read(environment)) == jobs  # with their state
    after = totals(environment)
    assert all(after.get(team, 0) >= total for team, total in before.items())


def test_reset_asks_and_then_wipes_data_but_not_jars(environment):
    state = Path(environment[PREFIX + "STATE_FOLDER"])
    script("stop.sh", environment=environment)
    kept = script("reset.sh", environment=environment, answer="n\n")
    assert kept.returncode == 1
    assert "Nothing was wiped" in kept.stdout
    assert (state / "data" / "kafka").exists()
    wiped = script("reset.sh", environment=environment, answer="yes\n")
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
    rows = sink("kafka", read(environment)).read(GAME).rows["top_teams"]
    return {row["team_id"]: row["total_score"] for row in rows}
