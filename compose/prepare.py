"""What the containers share, made as root before any of them starts: python -m compose.prepare."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from compose import flink, jars
from compose.passwords import passwords
from compose.postgres import ADMIN
from settings import Settings, settings

OURS = "leaderboard"  # the user of the project's image
FLINK_UID = 9999  # the user of the official Flink image
GRAFANA_UID = 472  # the user of the official Grafana image


def prepare(settings: Settings, owner: int, flink_owner: int, grafana_owner: int) -> None:
    """Fill the state folder with jars, passwords and Flink's folders; what is there already is kept."""
    state = settings.state
    jars.fetch(state / "jars", "flink")
    flink.link_own_jars(settings)
    # PyFlink starts Java with the options in this folder.
    shutil.copytree(flink.flink_home() / "conf", state / "conf" / "flink", dirs_exist_ok=True)
    secret = passwords(state)
    admin = secret["postgres_admin"]
    os.chown(state / "passwords.json", owner, -1)
    _write(state / "pgpass", f"*:*:*:{ADMIN}:{admin}\n", owner)
    _write(state / "postgres_admin", admin, os.getuid())  # PostgreSQL's image reads it before it gives up root
    _write(state / "grafana_admin", secret["grafana"], grafana_owner)
    for folder, user in ((state / "logs", owner), (state / "data", owner), (state / "data" / "flink", flink_owner)):
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, user, -1)


def _write(path: Path, text: str, owner: int) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
    os.chown(path, owner, -1)


if __name__ == "__main__":
    prepare(settings, pwd.getpwnam(OURS).pw_uid, FLINK_UID, GRAFANA_UID)
