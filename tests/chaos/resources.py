"""What memory and disk do while the system runs."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread

import psutil
from rich.table import Table

from compose import services
from jobs.environment import checkpoint_folder
from tests.chaos.system import SERVICES
from tests.conftest import Stack

SAMPLE_SECONDS = 15
# More than this from the middle third of the time to the last is growth. The topic and the
# rejected messages may grow for days, until retention ends that.
GROWTH, SLACK = 1.2, 32
KEPT_FOR_DAYS = ("kafka, disk", "postgres-")
Thirds = dict[str, list[float | None]]


class Resources:
    """Watches the memory of the services and the size of their folders until it is left."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._samples: list[dict[str, float]] = []
        self._is_over = Event()
        self._thread = Thread(target=self._sample)

    def __enter__(self) -> Resources:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._is_over.wait(SAMPLE_SECONDS):
            self._samples.append(self._memory() | self._disk())

    def _memory(self) -> dict[str, float]:
        try:
            states = services.rpc(self._stack.settings).getAllProcessInfo()
        except OSError:  # everything is down on purpose
            return {}
        running = {
            each["name"]: each["pid"] for each in states if each["name"] in SERVICES and each["pid"]
        }
        return {f"{name}, memory": _memory_mb(pid) for name, pid in running.items()}

    def _disk(self) -> dict[str, float]:
        data = self._stack.settings.state / "data"
        folders = [
            *data.iterdir(),
            checkpoint_folder(self._stack.settings),
            self._stack.settings.state / "logs",
        ]
        files = sum(len(files) for _, _, files in os.walk(data / "flink"))
        return {f"{folder.name}, disk": _size_mb(folder) for folder in folders} | {
            "flink, files": files
        }

    def table(self) -> Table:
        """Medians of the first, the middle and the last third of the time, in MB or files."""
        table = Table("MB, files", "first third", "middle", "last third")
        for name, medians in self.thirds().items():
            table.add_row(name, *("–" if each is None else f"{each:,.0f}" for each in medians))
        return table

    def thirds(self) -> Thirds:
        """The same by name, None where there was nothing."""
        third = len(self._samples) // 3
        parts = [self._samples[n * third : (n + 1) * third] for n in range(3)]
        names = sorted({name for sample in self._samples for name in sample})
        return {
            name: [_median([each[name] for each in part if name in each]) for part in parts]
            for name in names
        }


def grown(thirds: Thirds) -> list[str]:
    """What has not come to rest, a line each."""
    return [
        f"{name} grows: {last:,.0f} in the last third of the time, {middle:,.0f} in the middle"
        for name, (_, middle, last) in thirds.items()
        if not name.startswith(KEPT_FOR_DAYS) and (last or 0) > (middle or 0) * GROWTH + SLACK
    ]


def _memory_mb(pid: int) -> float:
    """What a process and its children hold for themselves, in MB; shared memory counts in part."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        return sum(each.memory_full_info().pss for each in family) / 2**20
    except psutil.Error:
        return 0.0


def _size_mb(folder: Path) -> float:
    blocks = 0
    for path, _, files in os.walk(folder):  # which passes over a folder that has just gone
        for file in files:
            with suppress(FileNotFoundError):
                blocks += os.lstat(os.path.join(path, file)).st_blocks
    return blocks * 512 / 2**20


def _median(values: list[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None
