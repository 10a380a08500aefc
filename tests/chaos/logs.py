"""What the services' logs say in quiet times."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

# A line that begins with a time and carries a level that means trouble. PostgreSQL's time has no
# comma, and names its zone.
TROUBLE = re.compile(
    r"^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)[.,]\d+ .*?\b(ERROR|FATAL|PANIC)\b:?\s*(.*)$"
)


def unexplained(folder: Path, loud: Iterable[tuple[float, float]]) -> list[str]:
    """The errors in the logs of a folder outside the loud times: (begin, end) in epoch seconds."""
    loud = list(loud)
    found: Counter[str] = Counter()
    for file in sorted(folder.glob("*.log*")):
        for line in file.read_text(errors="replace").splitlines():
            match = TROUBLE.match(line)
            if match and not any(began <= _seconds(match) <= ended for began, ended in loud):
                found[f"{file.name}: {match[3]} {match[4][:200]}"] += 1
    return [f"no fault explains: {line} ({times} times)" for line, times in found.items()]


def _seconds(match: re.Match[str]) -> float:
    return datetime.fromisoformat(f"{match[1]}T{match[2]}").replace(tzinfo=UTC).timestamp()
