"""Files that one process writes while others read them."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a file so that whoever reads meanwhile sees the old or the new one, whole.

    Raises OSError where nothing may be written.
    """
    own = path.with_suffix(f".{os.getpid()}")
    own.write_text(text)
    own.replace(path)
