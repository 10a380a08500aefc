"""Clears away what a JobManager that died left of unfinished checkpoints: Flink itself never does."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from jobs import job
from settings import Settings


def clear(settings: Settings) -> None:
    """Delete, of each running job, checkpoints older than its latest completed one: it never goes back to those.

    Raises JobError when Flink does not answer.
    """
    for job_id in job.running(settings).values():
        completed = job.latest_checkpoint(settings, job_id)
        for folder in (job.checkpoint_folder(settings) / job_id).glob("chk-*"):
            is_older = completed and int(folder.name.removeprefix("chk-")) < completed["id"]
            if is_older and _age_seconds(folder) > job.CHECKPOINT_SECONDS:  # nobody writes there any more
                shutil.rmtree(folder, ignore_errors=True)  # Flink may be deleting it too


def _age_seconds(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except FileNotFoundError:  # just deleted by Flink
        return 0
