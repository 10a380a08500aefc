"""What the upkeep is behind with: the process that does it notes it, and the status tells it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from clients.files import json_lines, write_whole
from settings import Settings

PATIENCE_SECONDS = 120  # what lasts no longer is no problem: a job may just have been restarted


@dataclass(frozen=True)
class Trouble:
    """A duty that is behind or fails: why, as a sentence without its full stop, and since when."""

    duty: str
    why: str
    since: str  # in ISO 8601

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.since)).total_seconds()


def lasting(settings: Settings) -> list[Trouble]:
    """The troubles that have lasted for too long."""
    return [each for each in listed(settings) if each.seconds > PATIENCE_SECONDS]


def listed(settings: Settings) -> list[Trouble]:
    """The troubles that were noted last."""
    return [Trouble(**each) for each in json_lines(_file(settings))]


def note(settings: Settings, found: Iterable[Trouble]) -> None:
    """Let these be the troubles that there are."""
    text, path = "".join(json.dumps(asdict(each)) + "\n" for each in found), _file(settings)
    with suppress(OSError):  # on Kubernetes nothing may be written, and the log tells it
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)


def _file(settings: Settings) -> Path:
    return settings.state / "data" / "troubles.jsonl"
