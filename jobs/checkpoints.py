"""Clears away unfinished checkpoints of a JobManager that died: Flink never does."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

from clients import flink
from jobs.environment import CHECKPOINT_SECONDS, checkpoint_folder
from jobs.running import running
from settings import Settings


def clear(settings: Settings) -> None:
    """Delete, of each running job, what is older than its latest completed checkpoint and no part
    of it: the job never goes back to that.

    Raises JobError when Flink does not answer.
    """
    for job_id in running(settings).values():
        completed = flink.latest_checkpoint(settings, job_id)
        folder = checkpoint_folder(settings) / job_id
        with suppress(FileNotFoundError):  # a newer one has completed meanwhile
            if completed:
                _clear(folder, completed["id"])


def _clear(folder: Path, latest: int) -> None:
    kept = (
        folder / f"chk-{latest}" / "_metadata"
    ).read_bytes()  # names the files that it shares with others
    for checkpoint in folder.glob("chk-*"):
        if int(checkpoint.name.removeprefix("chk-")) < latest and _is_abandoned(checkpoint):
            shutil.rmtree(checkpoint, ignore_errors=True)  # Flink may be deleting it too
    for file in folder.glob("shared/*"):
        if file.name.encode() not in kept and _is_abandoned(file):
            file.unlink(missing_ok=True)


def _is_abandoned(path: Path) -> bool:
    """Whether nobody writes there any more."""
    try:
        return time.time() - path.stat().st_mtime > CHECKPOINT_SECONDS
    except FileNotFoundError:  # just deleted by Flink
        return False
