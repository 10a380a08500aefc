"""What Prometheus is told, and that alerts, dashboard and documents speak of nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Iterable
from itertools import combinations

import pytest
import requests
from prometheus_client import Metric
from ruamel.yaml import YAML

from compose import monitor
from compose.lag import Gap, Lag
from compose.status import Job, Status
from generator import metrics
from generator.pacing import Pacer
from generator.score.command import parse
from generator.writer import Tally
from jobs.names import JobName
from settings import PROJECT, Settings
from tests.conftest import free_ports

FOLDER = PROJECT / "compose" / "monitoring"
TEAMS, PLAYERS, STREAKS = (
    JobName("score", board, "postgres") for board in ("top_teams", "top_players", "hot_streaks")
)
SEEN_AT = "2026-03-01T12:00:00+00:00"
GAPS = [Gap(TEAMS.title, "user-score", partition, 100, 104, SEEN_AT) for partition in (0, 1)]
STATUS = Status(
    sink="postgres",
    services={"kafka": "RUNNING", "score_generator": "BACKOFF"},
    jobs={
        TEAMS: Job("RUNNING", 3.0, 1, 12, Lag(40, 0)),
        PLAYERS: Job("RUNNING", 3.0, 0, 0, Lag(9_000, 8_000)),
        STREAKS: Job("RESTARTING", None, 5, 0),
    },
    ends={"user-score": {0: 1_000, 1: 500}, "spins": {0: 7}, "not yet there": {}},
    gaps=GAPS,
    board_rows={"top_teams": 10, "team_mvps": 0},
    board_age_seconds={"top_teams": 1.5, "team_mvps": None},
    late_events={"hot_streaks": 3},
    problems=["score_generator is BACKOFF"],
)
REJECTED = {"score": {"score missing": 7.0}, "spins": {"score missing": 1.0}}
HEAP = {"used": 1e9, "max": 2e9}


def samples(families: Iterable[Metric]) -> dict[tuple[str, str], float]:
    """Values by name and labels."""
    return {
        (sample.name, ", ".join(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture(scope="module")
def told() -> dict[tuple[str, str], float]:
    behind = {"seasons": 130.0}
    receivers = [{"receiver": "kafka", "delivered": 9, "failures": 4, "dropped": 1}]
    return samples(monitor.metrics(STATUS, REJECTED, HEAP, Settings(), 2, behind, receivers))


@pytest.fixture(scope="module")
def injector() -> dict[tuple[str, str], float]:
    pacer = Pacer(time.monotonic, time.sleep, lambda: False)
    return samples(metrics.Progress(Tally(sent=9, acknowledged=7, failed=2), pacer).collect())


@pytest.fixture(scope="module")
def names(told, injector) -> set[str]:
    return {name for name, _ in told | injector}


@pytest.mark.parametrize(
    ("name", "label", "value"),
    [
        ("healthy", "", 0),
        ("service_running", "kafka", 1),
        ("service_running", "score_generator", 0),
        ("board_rows", "team_mvps", 0),
        ("upkeep_behind_seconds", "seasons", 130),
        ("announcements_delivered_total", "kafka", 9),
        ("announcements_failures_total", "kafka", 4),
        ("announcements_dropped_total", "kafka", 1),
        ("board_age_seconds", "top_teams", 1.5),
        ("job_checkpoint_age_seconds", TEAMS.title, 3),
        ("job_restarts", STREAKS.title, 5),
        ("job_repeated_events", TEAMS.title, 12),
        ("job_lag_records", TEAMS.title, 40),
        ("job_overdue_records", PLAYERS.title, 8_000),
        ("missing_records", TEAMS.title, 10),
        ("records_total", "user-score", 1_500),
        ("records_total", "spins", 7),
        ("rejected_events_total", "score, score missing", 7),
        ("rejected_events_total", "spins, score missing", 1),
        ("late_events", "hot_streaks", 3),
        ("shared_ids_total", "", 2),
        ("taskmanager_heap_bytes", "max", 2e9),
    ],
)
def test_a_look_is_told(told, name, label, value):
    assert told[f"leaderboard_{name}", label] == value


@pytest.mark.parametrize(
    ("board", "is_healthy"),
    [("top_teams", 1), ("top_players", 0), ("hot_streaks", 0), ("team_mvps", 0)],
)
def test_a_board_is_computed_when_its_job_runs_and_keeps_up(told, board, is_healthy):
    assert told["leaderboard_job_healthy", board] == is_healthy


def test_what_is_not_known_is_not_told(told):
    absent = {
        ("board_age_seconds", "team_mvps"),
        ("job_lag_records", STREAKS.title),
        ("job_checkpoint_age_seconds", STREAKS.title),
        ("records_total", "not yet there"),
    }
    assert not {(f"leaderboard_{name}", label) for name, label in absent} & set(told)


def test_nothing_answers_is_told_as_not_healthy():
    nothing = Status(problems=["Flink does not answer"])
    told = samples(monitor.metrics(nothing, {}, {}, Settings()))
    assert told["leaderboard_healthy", ""] == 0
    assert {told["leaderboard_job_healthy", board] for board in ("top_teams", "hot_streaks")} == {0}


def test_the_injector_tells_what_became_of_its_records():
    (port,) = free_ports(1)
    pacer = Pacer(time.monotonic, time.sleep, lambda: False)
    metrics.serve("127.0.0.1", port, Tally(sent=9, acknowledged=7, failed=2), pacer)
    text = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    assert "leaderboard_injector_acknowledged_total 7.0" in text
    assert "leaderboard_injector_behind_seconds 0.0" in text


def test_injectors_side_by_side_do_not_fight_for_a_port(capsys):
    assert parse([]).metrics_port == 0
    with pytest.raises(SystemExit):
        parse(["--metrics-port", "9109", "--processes", "2"])
    assert "--processes 1" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["alerts.yml", "dashboard.json"])
def test_every_metric_that_is_asked_for_is_told(names, file):
    assert set(re.findall(r"leaderboard_\w+", (FOLDER / file).read_text())) <= names


def section(title: str) -> str:
    """What docs/operations.md says under a heading."""
    text = (PROJECT / "docs" / "operations.md").read_text()
    return text.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_documents_list_every_metric(names):
    assert set(re.findall(r"leaderboard_\w+", section("Metrics"))) == names


def test_the_documents_list_every_alert_and_what_to_do():
    rules = YAML(typ="safe").load(FOLDER / "alerts.yml")["groups"][0]["rules"]
    alerts = [each["alert"] for each in rules]
    assert re.findall(r"^\| `([A-Z]\w+)`", section("Alerts"), re.MULTILINE) == alerts
    assert set(alerts) <= set(re.findall(r"`([A-Z]\w+)`", section("Troubleshooting")))


def test_alerts_fire_when_they_must():
    promtool = shutil.which("promtool")
    assert promtool, (
        "Alerts are tested by promtool, a part of Prometheus: "
        "install that with the system's package manager."
    )
    command = [promtool, "check", "config", FOLDER / "prometheus.yml"]
    check = subprocess.run(command, capture_output=True, text=True)
    assert check.returncode == 0, check.stdout + check.stderr
    rules = PROJECT / "tests" / "unit" / "alerts.yml"
    test = subprocess.run([promtool, "test", "rules", rules], capture_output=True, text=True)
    assert test.returncode == 0, test.stdout + test.stderr


def test_the_dashboard_asks_the_data_source_that_is_there():
    (source,) = YAML(typ="safe").load(FOLDER / "datasource.yml")["datasources"]
    for panel in PANELS:
        for asker in (panel, *panel["targets"]):
            assert asker["datasource"] == {"type": source["type"], "uid": source["uid"]}


PANELS = json.loads((FOLDER / "dashboard.json").read_text())["panels"]


def test_no_panel_of_the_dashboard_lies_on_another():
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    for one, other in combinations((panel["gridPos"] for panel in PANELS), 2):
        is_beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        is_above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert is_beside or is_above
