"""The Flink that this project starts: its jars, its memory and its slots."""

from __future__ import annotations

import os
import zipfile
from contextlib import suppress
from pathlib import Path

import psutil
from ruamel.yaml import YAML

from clients.flink import home, library
from compose import functions, jars
from games import chosen
from settings import PROJECT, SettingError, Settings

# A job takes as many slots as it is parallel. One more lets a new job start while an old one
# still ends.
SPARE_SLOTS = 1
# Hides the planner's classes in a jar within a jar, which is unpacked each time that one starts.
PLANNER_LOADER = "flink-table-planner-loader-*.jar"
PLANNER = "flink-table-planner.jar"
# Of the TaskManager: what native/flink.yaml and Flink's defaults reserve, and a heap of 300 MB.
LEAST_TASKMANAGER_MB = 1280
CHECKPOINT_THREADS = "AsyncOperations"  # in which operators write their state, as Linux knows them
LOWEST_PRIORITY = 19


def complete_library(settings: Settings) -> None:
    """Put the wheel's jars, and the functions that the SQL calls, beside the connectors.

    Raises SetupError when the compiler cannot be had.
    """
    folder = library(settings)
    folder.mkdir(parents=True, exist_ok=True)
    wheel = home() / "lib"
    (loader,) = wheel.glob(PLANNER_LOADER)
    for jar in wheel.glob("*.jar"):
        link = folder / jar.name
        # A copied folder leads to where it was copied from.
        if jar != loader and link.resolve() != jar.resolve():
            jars.point(link, jar, within=PROJECT)
    _unpack_planner(loader, folder)
    functions.compile_into(folder, settings.state / "jars")


def _unpack_planner(loader: Path, folder: Path) -> None:
    """Put the planner itself into a library, from its loader: a job is compiled in less time."""
    for link in folder.glob(PLANNER_LOADER):  # an earlier commit's
        link.unlink()
    with zipfile.ZipFile(loader) as packed:
        planner = folder / PLANNER
        size = packed.getinfo(PLANNER).file_size
        if not planner.exists() or planner.stat().st_size != size:
            packed.extract(PLANNER, folder)


def java_options() -> str:
    """The wheel's own options for the JVM: without them Flink does not start on Java 17 or 21."""
    config = YAML(typ="safe").load((home() / "conf" / "config.yaml").read_text())
    options: str = config["env"]["java"]["opts"]["all"]
    return f"{options} -Duser.timezone=UTC"


def taskmanager_memory_mb(settings: Settings) -> int:
    """Memory of the TaskManager process in MB.

    As set, else a third of the machine's, 2048 to 6144.
    """
    if settings.flink_taskmanager_memory_mb:
        return settings.flink_taskmanager_memory_mb
    third = psutil.virtual_memory().total // 3 // 2**20
    return int(min(6144, max(2048, third)))


def check_memory(settings: Settings) -> None:
    """Raise SettingError when the TaskManager has not the memory that Flink wants at least."""
    needed = LEAST_TASKMANAGER_MB + rocksdb_memory_mb(settings)
    has = taskmanager_memory_mb(settings)
    if is_own(settings) and has < needed:
        raise SettingError(
            f"LEADERBOARD_FLINK_TASKMANAGER_MEMORY_MB is {has} here; it must be {needed} or more: "
            f"{LEAST_TASKMANAGER_MB}, and what LEADERBOARD_ROCKSDB_MEMORY_MB takes of it."
        )


def rocksdb_memory_mb(settings: Settings) -> int:
    """How much of the TaskManager's memory RocksDB has, in MB; the heap has what it has not.

    As set, else a quarter where RocksDB keeps the state.
    """
    if settings.rocksdb_memory_mb or settings.state_backend != "rocksdb":
        return settings.rocksdb_memory_mb
    return taskmanager_memory_mb(settings) // 4


def slots_per_parallel(settings: Settings) -> int:
    """Slots that all jobs of the chosen games take together where each has a parallelism of 1."""
    return sum(len(game.jobs) for game in chosen(settings)) + SPARE_SLOTS


def task_slots(settings: Settings) -> int:
    """Slots of the TaskManager."""
    return slots_per_parallel(settings) * settings.parallelism


def put_events_first(taskmanager: psutil.Process) -> None:
    """Let the threads that write checkpoints give way to those that process events, on Linux.

    All operators write their state at once. With the same priority, they would take the cores from
    the events for a second or two. With `SCHED_IDLE`, a checkpoint beside a backlog would take
    most of a minute. Flink has no setting for that.
    """
    for name in Path(f"/proc/{taskmanager.pid}/task").glob("*/comm"):
        # A thread, or the TaskManager, may just have ended.
        with suppress(FileNotFoundError, ProcessLookupError):
            if name.read_text().strip() == CHECKPOINT_THREADS:
                os.setpriority(os.PRIO_PROCESS, int(name.parent.name), LOWEST_PRIORITY)


def is_own(settings: Settings) -> bool:
    """Whether this project starts the cluster, rather than submit to somebody else's."""
    return not settings.flink_rest_address
