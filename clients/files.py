"""Files that one process writes while others read them."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from threading import get_ident
from typing import Any


def write_whole(path: Path, text: str, mode: int = 0o666) -> None:
    """Write a file so that whoever reads meanwhile sees the old or the new one, whole.

    Several may write it at once: one of theirs stays. The file has this mode, less what the umask
    forbids. Raises OSError where nothing may be written.
    """
    own = path.with_suffix(f".{os.getpid()}-{get_ident()}")
    own.unlink(missing_ok=True)  # of a process that died: it may have another mode
    with open(
        own, "w", encoding="utf-8", opener=lambda name, how: os.open(name, how, mode)
    ) as file:
        file.write(text)
    own.replace(path)


def json_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a file that has one in each line; nothing when there is no such file.

    A line that a full disk or an editor has cut is left out: it must not hide all others.
    """
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    found = []
    for line in lines:
        with suppress(ValueError):
            found.append(json.loads(line))
    return [each for each in found if isinstance(each, dict)]
