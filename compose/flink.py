"""The Flink side: where the wheel's programs lie, and how much memory they get."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import psutil
from ruamel.yaml import YAML

from compose.java import java_home
from jobs import sql
from settings import Settings

# A job takes as many slots as it is parallel; one more lets a new one start
# while the old one still ends.
SPARE_SLOTS = 1


def flink_home() -> Path:
    """The installed pyflink folder, which is a Flink distribution."""
    return Path(find_spec("pyflink").origin).parent


def library(settings: Settings) -> Path:
    """The folder of Flink's own jars and the connectors, as Flink's class path."""
    return settings.state / "jars" / "flink"


def link_own_jars(settings: Settings) -> None:
    """Put the wheel's jars beside the connectors."""
    folder = library(settings)
    folder.mkdir(parents=True, exist_ok=True)
    for jar in (flink_home() / "lib").glob("*.jar"):
        link = folder / jar.name
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(jar)


def environment(settings: Settings) -> dict[str, str]:
    """What Flink's programs, and PyFlink as a client of them, read from the environment."""
    return {
        "FLINK_HOME": str(flink_home()),
        "FLINK_LIB_DIR": str(library(settings)),
        "FLINK_CONF_DIR": str(settings.state / "conf" / "flink"),
        "FLINK_LOG_DIR": str(settings.state / "logs"),
        "FLINK_PID_DIR": str(settings.state),
        "JAVA_HOME": str(java_home()),
        "TZ": "UTC",
    }


def java_options() -> str:
    """The wheel's own options for the JVM: without them Flink does not start on Java 17 or 21."""
    config = YAML(typ="safe").load((flink_home() / "conf" / "config.yaml").read_text())
    return config["env"]["java"]["opts"]["all"] + " -Duser.timezone=UTC"


def taskmanager_memory_mb(settings: Settings) -> int:
    """Memory of the TaskManager process in MB: as set, else a third of the machine's, 2048 to 6144."""
    if settings.flink_taskmanager_memory_mb:
        return settings.flink_taskmanager_memory_mb
    third = psutil.virtual_memory().total // 3 // 2**20
    return int(min(6144, max(2048, third)))


def state_memory_mb(settings: Settings) -> int:
    """How much of the TaskManager's memory RocksDB has, in MB: a quarter."""
    return taskmanager_memory_mb(settings) // 4


def task_slots(settings: Settings) -> int:
    """Slots of the TaskManager."""
    return (len(sql.JOBS) + SPARE_SLOTS) * settings.parallelism


def is_own(settings: Settings) -> bool:
    """Whether this project starts the cluster, rather than submit to somebody else's."""
    return not settings.flink_rest_address
