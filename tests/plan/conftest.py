"""Plans are made by Flink inside the tests' own Java."""

from __future__ import annotations

import pytest

from jobs import environment as flink_environment
from settings import Settings


@pytest.fixture(scope="session", autouse=True)
def java(java_state):
    """Begin it with a configuration: tests that come later run jobs in it."""
    flink_environment.table_environment(Settings(state_folder=str(java_state)))
