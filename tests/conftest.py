"""A whole stack of real services on free ports, with its data in a folder that goes away."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import settings as settings_module
from settings import PREFIX, PROJECT, Settings

PORTS = [name for name, default, _ in settings_module.SETTINGS if name.endswith("_port")]


@dataclass(frozen=True)
class Stack:
    """A running stack: its settings, and how to run the project's commands against it."""

    settings: Settings
    environment: dict[str, str]

    def run(self, *words: str, timeout: int = 180, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `python -m <words>`; a failure shows what it printed."""
        command = [sys.executable, "-m", *words]
        done = subprocess.run(
            command, env=self.environment, cwd=PROJECT, capture_output=True, text=True, timeout=timeout
        )
        assert not check or done.returncode == 0, f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        return done


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def environment_for(state: Path) -> dict[str, str]:
    """The environment of a stack of its own: free ports, and the jars that are at hand already."""
    (state / "jars").symlink_to(Settings().state / "jars")
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    chosen = {
        "state_folder": state,
        "flink_taskmanager_memory_mb": 2048,
        "checkpoint_seconds": 2,
        # On a busy machine a partition may seem silent although it is only not read yet.
        "silent_partition_seconds": 60,
        **ports,
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return clean | {PREFIX + name.upper(): str(value) for name, value in chosen.items()}


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka, PostgreSQL and Flink, empty, with topics, tables and roles."""
    environment = environment_for(tmp_path_factory.mktemp("stack"))
    made = Stack(settings_module.read(environment), environment)
    try:
        made.run("compose", "start", "postgres", "zookeeper", "kafka", "jobmanager", "taskmanager")
        made.run("compose", "create")
        yield made
    finally:
        made.run("compose", "stop")
