"""How Flink is reached: its programs in the wheel, and the JobManager's REST interface."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import requests

from clients.errors import JobError
from clients.java import java_home
from settings import Settings

# The state folder as our Flink sees it, which runs there. What Flink writes down about its state
# names this path, and so stays true when the folder is moved or copied.
STATE_IN_FLINK = Path("/proc/self/cwd")
ENDED = ("FINISHED", "CANCELED", "FAILED")


def home() -> Path:
    """The installed pyflink folder, which is a Flink distribution."""
    spec = find_spec("pyflink")
    assert spec and spec.origin, "apache-flink is one of the project's requirements"
    return Path(spec.origin).parent


def library(settings: Settings) -> Path:
    """The folder of Flink's own jars and the connectors, as Flink's class path."""
    return settings.state / "jars" / "flink"


def place(settings: Settings, path: Path) -> Path:
    """A path in the state folder as Flink sees it; one of your own sees it as we do."""
    if settings.flink_rest_address:
        return path
    return STATE_IN_FLINK / path.relative_to(settings.state)


def environment(state: Path) -> dict[str, str]:
    """What Flink's programs, and PyFlink as a client of them, read from the environment.

    `state` is the state folder as they see it.
    """
    return {
        "FLINK_HOME": str(home()),
        "FLINK_LIB_DIR": str(state / "jars" / "flink"),
        "FLINK_CONF_DIR": str(state / "conf" / "flink"),
        "FLINK_LOG_DIR": str(state / "logs"),
        "FLINK_PID_DIR": str(state),
        "JAVA_HOME": str(java_home()),
        "TZ": "UTC",
    }


def running(settings: Settings) -> dict[str, str]:
    """Job id by title of every job that has not ended. Raises JobError when Flink is away."""
    jobs = rest(settings, "GET", "/jobs/overview")["jobs"]
    return {job["name"]: job["jid"] for job in jobs if job["state"] not in ENDED}


def newest(settings: Settings, title: str) -> str:
    """Job id of the latest job of this title, whatever its state.

    Raises JobError when there is none.
    """
    overview = rest(settings, "GET", "/jobs/overview")["jobs"]
    jobs = [job for job in overview if job["name"] == title]
    if not jobs:
        raise JobError(f"Flink knows no job '{title}'")
    job_id: str = max(jobs, key=lambda job: job["start-time"])["jid"]
    return job_id


def latest_checkpoint(settings: Settings, job_id: str) -> dict[str, Any] | None:
    """What Flink tells of a job's latest completed checkpoint. Raises JobError."""
    latest = rest(settings, "GET", f"/jobs/{job_id}/checkpoints").get("latest") or {}
    completed: dict[str, Any] | None = latest.get("completed")
    return completed


def cancel(settings: Settings, job_id: str) -> None:
    """Ask Flink to cancel a job."""
    rest(settings, "PATCH", f"/jobs/{job_id}?mode=cancel")


def rest(settings: Settings, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """What Flink's REST interface answers, as JSON values. Raises JobError when it does not."""
    url = f"http://{settings.flink_rest}{path}"
    try:
        answer = requests.request(method, url, json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()
    except requests.HTTPError as error:
        raise JobError(
            f"Flink's JobManager at {settings.flink_rest} refuses {method} {path}: {error}"
        ) from error
    except requests.RequestException as error:
        raise JobError(
            f"Flink's JobManager does not answer at {settings.flink_rest} "
            f"({type(error).__name__}). Start it with scripts/run_all.sh, or name another: "
            "LEADERBOARD_FLINK_REST_ADDRESS=host:port."
        ) from error


def readable(error: Exception) -> str:
    """Flink's own error as one sentence: the innermost cause, without the stack trace."""
    causes = re.findall(
        r"^(?:Caused by: |: )(?:[\w.$]+\.)?(\w+): (.+)$", str(error), flags=re.MULTILINE
    )
    if not causes:
        return str(error).strip().splitlines()[0]
    kind, text = causes[-1]
    return f"{text.strip()} ({kind})"
