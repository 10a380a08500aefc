"""The system that is measured: its services as run_all.sh starts them, its jobs, what they take."""

from __future__ import annotations

import gc
import math
import os
import re
import struct
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import fmean
from threading import Event, Thread
from unittest.mock import patch

import psutil
from tenacity import RetryError

from benchmarks.measured import Tables
from clients import flink, offsets, postgres
from clients.errors import JobError
from clients.java import java_home
from compose import services
from compose.flink import taskmanager_memory_mb
from compose.postgres import programs
from games import sql
from settings import Settings
from tests import bounded
from tests.chaos.system import STARTED
from tests.conftest import Stack


class BenchmarkError(Exception):
    """What was to be measured did not work; the message says what, and where to look."""


class TooSlow(BenchmarkError):
    """A job did not read its topic to the end in time; it was cancelled after so many records."""

    def __init__(self, message: str, records: int) -> None:
        super().__init__(message)
        self.records = records


Metric = Callable[..., str]  # gives the SELECT of a table, as games.sql.metric does
SAMPLE_SECONDS = 0.5  # a thread that ends takes the CPU since its last sample with it
SAMPLES_PER_QUESTION = 10  # to Flink, which gathers its metrics every ten seconds
LOOK_SECONDS = 0.5  # from one look at a job that is awaited to the next
LOOKS_PER_COUNT = 10  # of its records, for which Flink has to ask the TaskManager
MEGABYTE = 2**20
STATISTICS = "FROM pg_stat_user_tables WHERE schemaname = 'flink'"
ROWS = f"SELECT relname, n_tup_ins + n_tup_upd + n_tup_del {STATISTICS}"
SIZES = f"SELECT relname, pg_total_relation_size(relid) {STATISTICS}"


@contextmanager
def started(stack: Stack) -> Iterator[None]:
    """The services, empty; gone with all their data in the end. Raises AssertionError."""
    stack.run("compose", "check")
    stack.run("compose", "reset", "--yes")  # jobs that somebody left there would run beside ours
    stack.run("compose", "fetch", "flink", "kafka")
    try:
        stack.run("compose", "start", *STARTED, "registry")  # where one is needed
        stack.run("compose", "create")
        yield
    finally:
        stack.run("compose", "stop")
        stack.run("compose", "reset", "--yes")


def machine(settings: Settings) -> str:
    """What the figures were measured on, in one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next(line for line in lines if line.startswith("model name")).split(": ")[1]
    memory = psutil.virtual_memory().total / 2**30
    java = (java_home() / "release").read_text().split('JAVA_VERSION="')[1].split('"')[0]
    return (
        f"{psutil.cpu_count()} × {cpu}, {memory:.0f} GB; "
        f"Python {sys.version.split()[0]}, Java {java}, "
        f"Flink {_version(settings, 'flink', 'flink-dist-')}, "
        f"Kafka {_version(settings, 'kafka', 'kafka_2.13-')}, PostgreSQL {programs().version}; "
        f"TaskManager {taskmanager_memory_mb(settings)} MB, parallelism {settings.parallelism}; "
        f"load average {os.getloadavg()[0]:.0f} when it began"
    )


def _version(settings: Settings, library: str, start: str) -> str:
    jar = next((settings.state / "jars" / library).glob(f"{start}*.jar"))
    return jar.stem.removeprefix(start)


@dataclass
class Usage:
    """What the system took from the beginning to the end of something; empty before the end.

    `thread_seconds` is CPU in the TaskManager, by names of 15 characters; `peak_mb` is resident
    memory; `busy_percent` is of the time, by operators' chain.
    """

    cpu_seconds: dict[str, float] = field(default_factory=dict)
    thread_seconds: dict[str, float] = field(default_factory=dict)
    peak_mb: dict[str, float] = field(default_factory=dict)
    heap_peak_mb: float = 0.0
    gc_seconds: float = 0.0
    rows_written: dict[str, int] = field(default_factory=dict)
    table_mb: dict[str, float] = field(default_factory=dict)
    busy_percent: dict[str, float] = field(default_factory=dict)


class Watch:
    """Measures from entering to leaving: `usage` is complete then."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.usage = Usage()
        self._busy: dict[str, list[float]] = defaultdict(list)
        self._threads: dict[int, tuple[str, float]] = {}
        self._is_over = Event()
        self._thread = Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Watch:
        self._rows = counts(self._settings, ROWS)
        self._gc = _gc_seconds(self._settings)
        self._processes = services.processes(self._settings)
        self._cpu = cpu_seconds(self._settings)
        self._threads_before = _threads(self._processes["taskmanager"])
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        usage = self.usage
        self._is_over.set()
        self._thread.join()
        usage.cpu_seconds = cpu_seconds_since(self._cpu, self._settings)
        for thread, (name, seconds) in self._threads.items():
            before = self._threads_before.get(thread, ("", 0.0))[1]
            usage.thread_seconds[name] = usage.thread_seconds.get(name, 0.0) + seconds - before
        usage.gc_seconds = _gc_seconds(self._settings) - self._gc
        rows = counts(self._settings, ROWS)
        usage.rows_written = {name: rows[name] - self._rows.get(name, 0) for name in rows}
        sizes = counts(self._settings, SIZES)
        usage.table_mb = {name: size / MEGABYTE for name, size in sizes.items()}
        usage.busy_percent = {name: fmean(values) for name, values in self._busy.items()}

    def _sample(self) -> None:
        usage = self.usage
        for number in count(1):
            is_over = self._is_over.wait(SAMPLE_SECONDS)
            self._threads |= _threads(self._processes["taskmanager"])
            if is_over:
                return
            if number % SAMPLES_PER_QUESTION:
                continue
            for name, process in self._processes.items():
                resident = process.memory_info().rss / MEGABYTE
                usage.peak_mb[name] = max(usage.peak_mb.get(name, 0), resident)
            heap = _taskmanager(self._settings, "Status.JVM.Memory.Heap.Used") / MEGABYTE
            usage.heap_peak_mb = max(usage.heap_peak_mb, heap)
            for name, share in _busy(self._settings).items():
                self._busy[name].append(share)


def cpu_seconds(settings: Settings) -> dict[str, float]:
    """CPU seconds of each service so far, with its children; a parent counts those that ended."""
    seconds = {}
    for name, process in services.processes(settings).items():
        family = [process, *process.children(recursive=True)]
        seconds[name] = sum(sum(each.cpu_times()[:4]) for each in family)
    return seconds


def cpu_seconds_since(before: dict[str, float], settings: Settings) -> dict[str, float]:
    """CPU seconds of each service since `cpu_seconds` was asked."""
    return {name: now - before[name] for name, now in cpu_seconds(settings).items()}


def _threads(process: psutil.Process) -> dict[int, tuple[str, float]]:
    """Name and CPU seconds so far of each thread of a process, as proc(5) tells."""
    found = {}
    for stat in Path(f"/proc/{process.pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            matched = re.fullmatch(r"(\d+) \((.*)\) (.*)\n", stat.read_text(), re.DOTALL)
            assert matched, f"{stat} has another form than proc(5) tells"
            thread, name, numbers = matched.groups()
            ticks = sum(map(int, numbers.split()[11:13]))
            found[int(thread)] = name, ticks / os.sysconf("SC_CLK_TCK")
    return found


def counts(settings: Settings, query: str) -> dict[str, int]:
    """The rows of a query, each a name and a number."""
    with postgres.connect(postgres.owner_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute(query)
        return {name: int(number) for name, number in cursor}


def _gc_seconds(settings: Settings) -> float:
    """How long the TaskManager's collectors have worked, as its JVM keeps count in a file."""
    pid = services.processes(settings)["taskmanager"].pid
    counters = dict(_counters(next(Path("/tmp").glob(f"hsperfdata_*/{pid}")).read_bytes()))
    times = re.compile(r"sun\.gc\.collector\.\d+\.time")
    ticks = sum(number for name, number in counters.items() if times.fullmatch(name))
    return ticks / counters["sun.os.hrt.frequency"]


def _counters(held: bytes) -> Iterator[tuple[str, int]]:
    """The whole numbers in a JVM's file of counters.

    Their format stands in the JDK's PerfDataBuffer.java (2.0).
    """
    place, entries = struct.unpack_from("<ii", held, 24)
    for _ in range(entries):
        length, name_at, items, kind, value_at = struct.unpack_from("<iiic3xi", held, place)
        if kind == b"J" and not items:
            name = held[place + name_at : held.index(0, place + name_at)].decode()
            yield name, struct.unpack_from("<q", held, place + value_at)[0]
        place += length


def _taskmanager(settings: Settings, metric: str) -> float:
    """A metric of the TaskManager, summed up over all of them."""
    answer = flink.rest(settings, "GET", f"/taskmanagers/metrics?get={metric}&agg=sum")
    return float(answer[0]["sum"]) if answer else 0.0


def _busy(settings: Settings) -> dict[str, float]:
    """How busy the busiest subtask of each chain of operators is, in percent of the time."""
    shares = {}
    for job_id in flink.running(settings).values():
        for name, path in _vertices(settings, job_id):
            question = f"{path}?get=busyTimeMsPerSecond&agg=max"
            for answer in flink.rest(settings, "GET", question):
                if math.isfinite(busy := float(answer["max"])):  # one that begins does not know
                    shares[name] = busy / 10
    return shares


def _vertices(settings: Settings, job_id: str) -> Iterator[tuple[str, str]]:
    """The name of each chain of operators, and the path of its metrics."""
    for vertex in flink.rest(settings, "GET", f"/jobs/{job_id}")["vertices"]:
        yield vertex["name"], f"/jobs/{job_id}/vertices/{vertex['id']}/subtasks/metrics"


def bytes_on_disk(settings: Settings) -> int:
    """What the records of the topic take in our own broker's folder, as they were compressed."""
    folder = settings.state / "data" / "kafka"
    return sum(file.stat().st_size for file in folder.glob(f"{settings.topic}-*/*.log"))


def delete_topic(settings: Settings) -> None:
    """Delete the topic of the score events."""
    with offsets.admin(settings) as admin:
        admin.delete_topics([settings.topic])


# Jobs


@contextmanager
def one_java_thread() -> Iterator[None]:
    """No garbage is collected meanwhile.

    Whichever thread did that would tell Java so, and may leave its connection to this one, whose
    calls would go on in another Java thread. Flink's planner needs them all in one.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def submit(
    settings: Settings,
    tables: Tables,
    title: str,
    metric: Metric = sql.metric,
    is_bounded: bool = False,
) -> str:
    """Start a job that writes these tables; its id. A bounded one ends where the topic ends now."""
    with one_java_thread(), patch.object(sql, "metric", metric):
        bounded.submit(settings, tables, title, is_bounded=is_bounded)
    return flink.newest(settings, title)


def cancel_all(settings: Settings) -> None:
    """End what a failed case left."""
    for job_id in flink.running(settings).values():
        flink.cancel(settings, job_id)


def restart_taskmanager(settings: Settings) -> None:
    """Start Flink's TaskManager anew.

    Busy with a job that was given up, it does not hear that the job is cancelled, and would end
    itself minutes later, in the middle of something else.
    """
    services.rpc(settings).stopProcess("taskmanager")
    services.start(settings, ["taskmanager"])


def await_end(
    settings: Settings, title: str, deadline_seconds: float, progress: Callable[[int], None]
) -> None:
    """Wait until a job has read a topic to its end; `progress` is told how many records it read.

    Raises BenchmarkError when it fails, TooSlow when it is.
    """
    job_id, deadline = flink.newest(settings, title), time.monotonic() + deadline_seconds
    for look in count(1):
        try:
            return bounded.await_end(settings, title, LOOK_SECONDS)
        except AssertionError:
            logs = ".leaderboard/benchmark/logs"
            raise BenchmarkError(f"'{title}' did not finish; {logs} tells why") from None
        except RetryError:
            if look % LOOKS_PER_COUNT == 0:
                progress(records_read(settings, job_id))
        if time.monotonic() > deadline:
            records = records_read(settings, job_id)
            with suppress(JobError):  # it cannot be cancelled when it has just ended
                flink.cancel(settings, job_id)
                waited = f"after {deadline_seconds:.0f} s"
                raise TooSlow(f"'{title}' had not read its topic {waited}", records)


def records_read(settings: Settings, job_id: str) -> int:
    """How many records a job's source has read so far."""
    read = 0
    for name, path in _vertices(settings, job_id):
        if not name.startswith("Source"):
            continue
        names = [each["id"] for each in flink.rest(settings, "GET", path)]
        wanted = [each for each in names if re.fullmatch("Source__.*numRecordsIn", each)]
        if wanted:
            answer = flink.rest(settings, "GET", f"{path}?get={','.join(wanted)}&agg=sum")
            read += sum(int(each["sum"]) for each in answer)
    return read
