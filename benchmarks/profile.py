"""What the TaskManager's threads are at: samples of their stacks, taken by async-profiler."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.system import BenchmarkError
from clients.java import java_home
from compose import services
from settings import Settings

SAMPLE_MILLIS = 5  # of CPU, from one sample of a thread to its next
# What a stack is at is told by the innermost of its frames that is any of these.
KINDS = {
    "RocksDB": re.compile("rocksdb"),
    "JSON": re.compile("jackson|jayway|minidev|SqlJsonUtils"),
    "patterns": re.compile("java/util/regex"),
    "bytes to text and back": re.compile("BinaryStringData|StringUtf8Utils"),
    "serializing": re.compile("[sS]erializer|BinaryRowWriter|runtime/io/network"),
    "Kafka": re.compile("org/apache/kafka|connector/kafka"),
    "JDBC": re.compile("org/postgresql|connector/jdbc"),
}
ELSE = "all else"
# async-profiler's names for what it runs on.
LIBRARIES = {
    ("linux", "x86_64"): "linux-x64",
    ("linux", "aarch64"): "linux-arm64",
    ("darwin", "arm64"): "macos",
}


@contextmanager
def sampled(settings: Settings) -> Iterator[dict[str, dict[str, float]]]:
    """Samples the TaskManager from entering to leaving.

    What it gives is empty until then, and has CPU seconds by kind, then by thread. Raises
    BenchmarkError without a JDK's jcmd, which loads the profiler, or where that does not run.
    """
    file, library = settings.state / "profile.txt", _library(settings)
    file.unlink(missing_ok=True)
    _tell(settings, library, f"start,event=ctimer,interval={SAMPLE_MILLIS}ms,threads")
    found: dict[str, dict[str, float]] = {}
    try:
        yield found
    finally:
        _tell(settings, library, f"stop,threads,collapsed,file={file}")
    found |= seconds(file.read_text())


def seconds(collapsed: str) -> dict[str, dict[str, float]]:
    """CPU seconds by kind and thread of stacks as async-profiler writes them.

    A line is `thread;outermost;…;innermost samples`.
    """
    found: dict[str, dict[str, float]] = {kind: defaultdict(float) for kind in (*KINDS, ELSE)}
    for line in collapsed.splitlines():
        stack, _, samples = line.rpartition(" ")
        thread, *frames = stack.split(";")
        name = re.sub(r"^\[|( tid=\d+)?\]$", "", thread)
        innermost_first = ((kind, frame) for frame in reversed(frames) for kind in KINDS)
        kinds = (kind for kind, frame in innermost_first if KINDS[kind].search(frame))
        found[next(kinds, ELSE)][name] += int(samples) * SAMPLE_MILLIS / 1000
    return found


def _library(settings: Settings) -> Path:
    """The profiler's library for this machine, taken out of its jar."""
    try:
        name = f"{LIBRARIES[sys.platform, platform.machine()]}/libasyncProfiler.so"
    except KeyError:
        here = f"{sys.platform} {platform.machine()}"
        raise BenchmarkError(f"async-profiler does not run on {here}") from None
    (jar,) = (settings.state / "jars" / "profiler").glob("*.jar")
    with zipfile.ZipFile(jar) as packed:
        return Path(packed.extract(name, settings.state)).resolve()


def _tell(settings: Settings, library: Path, options: str) -> None:
    jcmd = java_home() / "bin" / "jcmd"
    if not jcmd.exists():
        raise BenchmarkError(
            f"a profile takes a JDK: there is no {jcmd}. Install one and name it in JAVA_HOME"
        )
    pid = services.processes(settings)["taskmanager"].pid
    # Without the quotes, jcmd would take the options for its own.
    command = [str(jcmd), str(pid), "JVMTI.agent_load", str(library), f'"{options}"']
    told = subprocess.run(command, capture_output=True, text=True)
    if told.returncode or "return code: 0" not in told.stdout:
        answer = f"{told.stdout.strip()} {told.stderr.strip()}"
        raise BenchmarkError(f"async-profiler could not be loaded: {answer}")
