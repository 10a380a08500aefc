"""The whole system, started once as a person starts it, for all tests of this folder."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from settings import PROJECT
from tests.conftest import environment_for

SCRIPT_SECONDS = 240


def script(
    name: str, *options: str, environment: dict[str, str], answer: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run one of scripts/ and answer what it asks."""
    return subprocess.run(
        [PROJECT / "scripts" / name, *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SCRIPT_SECONDS,
        input=answer,
    )


@pytest.fixture(scope="package")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a system that a test or `started` starts; it is stopped in the end."""
    environment = environment_for(tmp_path_factory.mktemp("run_all"))
    yield environment
    script("stop.sh", environment=environment)


@pytest.fixture(scope="package")
def started(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What the command said that started everything."""
    return script("run_all.sh", "--detach", environment=environment)
