"""What the containers share, made as root before any of them starts: python -m compose.prepare."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from pathlib import Path

from clients import flink
from clients.errors import SetupError
from clients.passwords import passwords
from clients.postgres import ADMIN
from compose import jars, layout
from compose.flink import complete_library, slots_per_parallel
from settings import SettingError, Settings, refuse, settings

OURS = "leaderboard"  # the user of the project's image
FLINK_UID = 9999  # the user of the official Flink image
GRAFANA_UID = 472  # the user of the official Grafana image
SLOTS_FILE = "task_slots"  # of each TaskManager; docker-compose.yml reads it
REMEDY = (
    "Wipe them: docker compose --project-directory compose down --volumes. "
    "Or go back to the earlier version."
)


def prepare(settings: Settings, owner: int, flink_owner: int, grafana_owner: int) -> None:
    """Fill the state folder with jars, passwords and Flink's folders; what it has is kept.

    Raises SetupError when a jar is missing or the data is an earlier version's.
    """
    state = settings.state
    layout.check(state / "data", ["flink"], REMEDY)
    layout.mark(state / "data")
    jars.fetch(state / "jars", "flink")
    complete_library(settings)
    # PyFlink starts Java with the options in this folder.
    shutil.copytree(flink.home() / "conf", state / "conf" / "flink", dirs_exist_ok=True)
    write_slots(settings)
    secret = passwords(state)
    admin = secret["postgres_admin"]
    os.chown(state / "passwords.json", owner, -1)
    _write(state / "pgpass", f"*:*:*:{ADMIN}:{admin}\n", owner)
    # PostgreSQL's image reads it before it gives up root.
    _write(state / "postgres_admin", admin, os.getuid())
    _write(state / "grafana_admin", secret["grafana"], grafana_owner)
    owners = {
        state / "logs": owner,
        state / "data": owner,
        state / "data" / "flink": flink_owner,
    }
    for folder, user in owners.items():
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, user, -1)


def write_slots(settings: Settings) -> None:
    """Say how many slots each TaskManager has. There are as many of them as jobs are parallel."""
    (settings.state / SLOTS_FILE).write_text(f"{slots_per_parallel(settings)}\n")


def _write(path: Path, text: str, owner: int) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
    os.chown(path, owner, -1)


if __name__ == "__main__":
    try:
        prepare(settings, pwd.getpwnam(OURS).pw_uid, FLINK_UID, GRAFANA_UID)
    except SettingError as error:
        refuse(error)
    except SetupError as error:
        sys.exit(f"prepare: {error}")
