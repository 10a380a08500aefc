"""Which version of the project made the data folder: later ones cannot use an earlier one's data.

Names of jobs, tables and columns, and what jobs keep as state, differ from version to version.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path

from clients.errors import SetupError

VERSION = "2"  # 1 had no such file
REMEDY = (  # it names the folder: without it, scripts/reset.sh wipes the default one
    "Wipe them with LEADERBOARD_STATE_FOLDER={state} scripts/reset.sh (passwords and jars stay), "
    "name another folder (LEADERBOARD_STATE_FOLDER), or go back to the earlier version."
)


def check(data: Path, kept: Iterable[str], remedy: str = REMEDY) -> None:
    """Raise SetupError when services have kept something in the data folder of another version.

    `kept` are the names of their folders, as patterns; other folders are not looked at. `{state}`
    in the remedy stands for the state folder.
    """
    folders = [folder for pattern in kept for folder in data.glob(pattern)]
    if any(map(_holds_something, folders)) and _version(data) != VERSION:
        raise SetupError(
            f"{data} was made by an earlier version of this project: its boards, job state and "
            f"topic cannot be used. {remedy.format(state=shlex.quote(str(data.parent)))}"
        )


def mark(data: Path) -> None:
    """Make the data folder if it is not there, as one of this version."""
    data.mkdir(parents=True, exist_ok=True)
    (data / "layout").write_text(VERSION + "\n")


def _version(data: Path) -> str | None:
    file = data / "layout"
    return file.read_text().strip() if file.exists() else None


def _holds_something(folder: Path) -> bool:
    return folder.is_dir() and any(folder.iterdir())
