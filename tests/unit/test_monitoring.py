"""What Prometheus is told, and that alerts, dashboard and README speak of nothing else."""

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
from generator.__main__ import parse
from generator.pacing import Pacer
from generator.writer import Tally
from settings import PROJECT, Settings
from tests.conftest import free_ports

FOLDER = PROJECT / "compose" / "monitoring"
TEAMS, PLAYERS, STREAKS = (f"{board} to postgres" for board in ("top_teams", "top_players", "hot_streaks"))
GAPS = [Gap(TEAMS, "user-score", partition, 100, 104, "2026-03-01T12:00:00+00:00") for partition in (0, 1)]
LOOK = Status(
    sink="postgres",
    services={"kafka": "RUNNING", "generator": "BACKOFF"},
    jobs={
        TEAMS: Job("RUNNING", 3.0, 1, 12, Lag(40, 0)),
        PLAYERS: Job("RUNNING", 3.0, 0, 0, Lag(9_000, 8_000)),
        STREAKS: Job("RESTARTING", None, 5, 0),
    },
    ends={0: 1_000, 1: 500},
    gaps=GAPS,
    board_rows={"top_teams": 10, "team_mvps": 0},
    board_age_seconds={"top_teams": 1.5, "team_mvps": None},
    late_events=3,
    problems=["generator is BACKOFF"],
)
HEAP = {"used": 1e9, "max": 2e9}


def samples(found: Iterable[Metric]) -> dict[tuple[str, str], float]:
    """Values by name and label; no metric here has two labels."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value for each in found for sample in each.samples
    }


@pytest.fixture(scope="module")
def told() -> dict[tuple[str, str], float]:
    return samples(monitor.metrics(LOOK, {"score missing": 7.0}, HEAP, Settings()))


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
        ("service_running", "generator", 0),
        ("board_rows", "team_mvps", 0),
        ("board_age_seconds", "top_teams", 1.5),
        ("job_checkpoint_age_seconds", TEAMS, 3),
        ("job_restarts", STREAKS, 5),
        ("job_repeated_events", TEAMS, 12),
        ("job_lag_records", TEAMS, 40),
        ("job_overdue_records", PLAYERS, 8_000),
        ("missing_records", TEAMS, 10),
        ("records_total", "", 1_500),
        ("rejected_events_total", "score missing", 7),
        ("late_events", "", 3),
        ("taskmanager_heap_bytes", "max", 2e9),
    ],
)
def test_a_look_is_told(told, name, label, value):
    assert told[f"leaderboard_{name}", label] == value


@pytest.mark.parametrize(
    ("board", "is_healthy"), [("top_teams", 1), ("top_players", 0), ("hot_streaks", 0), ("team_mvps", 0)]
)
def test_a_board_is_computed_when_its_job_runs_and_keeps_up(told, board, is_healthy):
    assert told["leaderboard_job_healthy", board] == is_healthy


def test_what_is_not_known_is_not_told(told):
    absent = {("board_age_seconds", "team_mvps"), ("job_lag_records", STREAKS), ("job_checkpoint_age_seconds", STREAKS)}
    assert not {(f"leaderboard_{name}", label) for name, label in absent} & set(told)


def test_nothing_answers_is_told_as_not_healthy():
    told = samples(monitor.metrics(Status(problems=["Flink does not answer"]), {}, {}, Settings()))
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


def test_the_readme_lists_every_metric_and_alert(names):
    section = (PROJECT / "README.md").read_text().split("\n## Seeing\n")[1].split("\n## ")[0]
    assert set(re.findall(r"leaderboard_\w+", section)) == names
    alerts = YAML(typ="safe").load(FOLDER / "alerts.yml")["groups"][0]["rules"]
    assert [name for name in re.findall(r"^\| `([A-Z]\w+)`", section, re.MULTILINE)] == [
        each["alert"] for each in alerts
    ]


def test_alerts_fire_when_they_must():
    promtool = shutil.which("promtool")
    assert promtool, (
        "Alerts are tested by promtool, a part of Prometheus: install that with the system's package manager."
    )
    check = subprocess.run([promtool, "check", "config", FOLDER / "prometheus.yml"], capture_output=True, text=True)
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
