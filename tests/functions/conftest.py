"""A Flink inside the test's own Java, with the functions on its class path."""

from __future__ import annotations

import shutil

import pytest

from clients.flink import home
from jobs import environment as flink_environment
from settings import Settings


@pytest.fixture(scope="session")
def flink(tmp_path_factory):
    """A TableEnvironment that runs bounded SQL where it is, with one task of everything."""
    state = tmp_path_factory.mktemp("state")
    (state / "jars").symlink_to(Settings().state / "jars")
    shutil.copytree(home() / "conf", state / "conf" / "flink")
    own = flink_environment.table_environment(Settings(state_folder=str(state)))
    own.get_config().set("execution.target", "local")
    own.get_config().set("execution.checkpointing.interval", "1 h")
    # A job that waits for a last checkpoint may wait for that hour.
    own.get_config().set("execution.checkpointing.checkpoints-after-tasks-finish", "false")
    own.get_config().set("execution.checkpointing.dir", f"file://{state}/checkpoints")
    own.get_config().set("restart-strategy.type", "none")
    flink_environment.define_functions(own)
    return own
