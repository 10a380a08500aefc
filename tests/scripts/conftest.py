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


# What people have in their environment for other programs, each of which would break a service.
OTHERS = {
    **dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"), "http://127.0.0.1:9"),
    **{"PGSSLMODE": "require", "PGCLIENTENCODING": "LATIN1", "PGHOSTADDR": "192.0.2.1"},
    **{"PGOPTIONS": "-c nonsense=1", "PGDATA": "/nowhere", "PGSERVICE": "nobody"},
    **dict.fromkeys(("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"), "-Xmx1k"),
    **dict.fromkeys(("KAFKA_OPTS", "JVM_ARGS", "FLINK_ENV_JAVA_OPTS"), "-Xmx1k"),
    **dict.fromkeys(("FLINK_HOME", "FLINK_CONF_DIR", "FLINK_BIN_DIR", "CLASSPATH"), "/nowhere"),
    **dict.fromkeys(("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "CDPATH"), "/nowhere"),
    "HOST": "192.0.2.1",  # as conda sets it, and as Flink's scripts would read it
    "STREAMLIT_SERVER_PORT": "1",
    "LC_ALL": "C",
}
FOLDER = "it's für 50% (a, b); #1 & =x"


@pytest.fixture(scope="package")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a system that a test or `started` starts; it is stopped in the end.

    It is as full of other things as a person's may be, and the folder has an unusual name.
    """
    environment = environment_for(tmp_path_factory.mktemp(FOLDER)) | OTHERS
    yield environment
    script("stop.sh", environment=environment)


@pytest.fixture(scope="package")
def started(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """What the command said that started everything."""
    return script("run_all.sh", "--detach", environment=environment)
