"""Passwords: made at the first start, in a file for its owner only; or given, one file each."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from clients.files import write_whole

NAMES = (
    "postgres_admin",
    "postgres_flink",
    "postgres_reader",
    "postgres_moderator",
    "postgres_keeper",
    "supervisor",
    "grafana",
    "page_cookie",
)


def passwords(state: Path) -> dict[str, str]:
    """The passwords by name, generated into `state/passwords.json` (mode 0600) where missing.

    A folder `state/passwords`, as Kubernetes mounts a Secret, is taken as it is: each part of the
    system is given what it needs.
    """
    given = state / "passwords"
    if given.is_dir():
        return {
            path.name: path.read_text().strip()
            for path in map(given.joinpath, NAMES)
            if path.exists()
        }
    path = state / "passwords.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    missing = [name for name in NAMES if name not in known]
    if missing:
        known |= {name: secrets.token_urlsafe(24) for name in missing}
        write_secret(path, json.dumps(known, indent=2))
    return known


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text, mode=0o600)
