"""The system that is measured: its services as run_all.sh starts them, and what they take while something runs."""

from __future__ import annotations

import dataclasses
import gc
import math
import os
import re
import struct
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from statistics import fmean
from threading import Event, Thread
from unittest.mock import patch

import psutil
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient

from compose import broker, flink, postgres, services
from compose.java import java_home
from jobs import job, sql
from settings import PREFIX, PROJECT, Settings
from tests import bounded


class BenchmarkError(Exception):
    """What was to be measured did not work; the message says what, and where to look."""


class TooSlow(BenchmarkError):
    """A job did not read its topic to the end in time; it was cancelled after so many records."""

    def __init__(self, message: str, records: int) -> None:
        super().__init__(message)
        self.records = records


SERVICES = ("taskmanager", "jobmanager", "zookeeper", "kafka", "postgres")
SAMPLE_SECONDS = 0.5  # a thread that ends takes the CPU since its last sample with it
SAMPLES_PER_QUESTION = 10  # to Flink, which gathers its metrics every ten seconds
MEGABYTE = 2**20
ROWS = "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'flink'"
SIZES = "SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables WHERE schemaname = 'flink'"


@contextmanager
def started(settings: Settings) -> Iterator[None]:
    """The services under these settings, empty; gone with all their data in the end."""
    chosen = {item.name: str(getattr(settings, item.name)) for item in dataclasses.fields(settings)}
    environment = os.environ | {PREFIX + name.upper(): value for name, value in chosen.items()}

    def run(*words: str) -> None:
        if subprocess.run([sys.executable, "-m", "compose", *words], env=environment, cwd=PROJECT).returncode:
            raise BenchmarkError("the services could not be started or stopped")

    run("check")
    try:
        run("start", *reversed(SERVICES))
        run("create")
        yield
    finally:
        run("stop")
        run("reset", "--yes")


def machine(settings: Settings) -> str:
    """What the figures were measured on, in one line."""
    cpu = next(line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name"))
    memory = psutil.virtual_memory().total / 2**30
    java = (java_home() / "release").read_text().split('JAVA_VERSION="')[1].split('"')[0]
    return (
        f"{psutil.cpu_count()} × {cpu.split(': ')[1]}, {memory:.0f} GB; Python {sys.version.split()[0]}, Java {java}, "
        f"Flink {_version('flink-dist-', settings)}, Kafka {_version('kafka_2.13-', settings, 'kafka')}, "
        f"PostgreSQL {postgres.programs().version}; TaskManager {flink.taskmanager_memory_mb(settings)} MB, "
        f"parallelism {settings.parallelism}; load average {os.getloadavg()[0]:.0f} when it began"
    )


def _version(start: str, settings: Settings, library: str = "flink") -> str:
    jar = next((settings.state / "jars" / library).glob(f"{start}*.jar"))
    return jar.stem.removeprefix(start)


@dataclass
class Usage:
    """What the system took from the beginning to the end of something; all empty before the end."""

    cpu_seconds: dict[str, float] = field(default_factory=dict)
    thread_seconds: dict[str, float] = field(default_factory=dict)  # CPU in the TaskManager, by names of 15 characters
    peak_mb: dict[str, float] = field(default_factory=dict)  # resident memory
    heap_peak_mb: float = 0.0
    gc_seconds: float = 0.0
    rows_written: dict[str, int] = field(default_factory=dict)
    table_mb: dict[str, float] = field(default_factory=dict)
    busy_percent: dict[str, float] = field(default_factory=dict)  # of the time, by operators' chain


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
        self._processes = processes(self._settings)
        self._cpu = cpu_seconds(self._settings)
        self._threads_before = _threads(self._processes["taskmanager"])
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        usage = self.usage
        self._is_over.set()
        self._thread.join()
        after = cpu_seconds(self._settings)
        usage.cpu_seconds = {name: after[name] - self._cpu[name] for name in after}
        for thread, (name, seconds) in self._threads.items():
            before = self._threads_before.get(thread, ("", 0.0))[1]
            usage.thread_seconds[name] = usage.thread_seconds.get(name, 0.0) + seconds - before
        usage.gc_seconds = _gc_seconds(self._settings) - self._gc
        usage.rows_written = {
            name: rows - self._rows.get(name, 0) for name, rows in counts(self._settings, ROWS).items()
        }
        usage.table_mb = {name: size / MEGABYTE for name, size in counts(self._settings, SIZES).items()}
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
                usage.peak_mb[name] = max(usage.peak_mb.get(name, 0), process.memory_info().rss / MEGABYTE)
            heap = _taskmanager(self._settings, "Status.JVM.Memory.Heap.Used") / MEGABYTE
            usage.heap_peak_mb = max(usage.heap_peak_mb, heap)
            for name, share in _busy(self._settings).items():
                self._busy[name].append(share)


def processes(settings: Settings) -> dict[str, psutil.Process]:
    """The process of each service."""
    found = services.rpc(settings).getAllProcessInfo()
    return {each["name"]: psutil.Process(each["pid"]) for each in found if each["name"] in SERVICES and each["pid"]}


def cpu_seconds(settings: Settings) -> dict[str, float]:
    """CPU seconds of each service so far, with its children; those that have ended count with their parent."""
    found = {}
    for name, process in processes(settings).items():
        family = [process, *process.children(recursive=True)]
        found[name] = sum(sum(each.cpu_times()[:4]) for each in family)
    return found


def _threads(process: psutil.Process) -> dict[int, tuple[str, float]]:
    """Name and CPU seconds so far of each thread of a process, as proc(5) tells."""
    found = {}
    for stat in Path(f"/proc/{process.pid}/task").glob("*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            thread, name, numbers = re.fullmatch(r"(\d+) \((.*)\) (.*)\n", stat.read_text(), re.DOTALL).groups()
            ticks = sum(map(int, numbers.split()[11:13]))
            found[int(thread)] = name, ticks / os.sysconf("SC_CLK_TCK")
    return found


def counts(settings: Settings, query: str) -> dict[str, int]:
    with postgres.connect(postgres.owner_dsn(settings)) as db, db.cursor() as cursor:
        cursor.execute(query)
        return {name: int(number) for name, number in cursor}


def _gc_seconds(settings: Settings) -> float:
    """How long the TaskManager's collectors have worked, from the counters that a JVM keeps in a file."""
    pid = processes(settings)["taskmanager"].pid
    held = next(Path("/tmp").glob(f"hsperfdata_*/{pid}")).read_bytes()
    counters = dict(_counters(held))
    ticks = sum(count for name, count in counters.items() if re.fullmatch(r"sun\.gc\.collector\.\d+\.time", name))
    return ticks / counters["sun.os.hrt.frequency"]


def _counters(held: bytes) -> Iterator[tuple[str, int]]:
    """The whole numbers in a JVM's file of counters; the format stands in the JDK's PerfDataBuffer.java (2.0)."""
    place, entries = struct.unpack_from("<ii", held, 24)
    for _ in range(entries):
        length, name_at, items, kind, value_at = struct.unpack_from("<iiic3xi", held, place)
        if kind == b"J" and not items:
            name = held[place + name_at : held.index(0, place + name_at)].decode()
            yield name, struct.unpack_from("<q", held, place + value_at)[0]
        place += length


def _taskmanager(settings: Settings, metric: str) -> float:
    """A metric of the TaskManager, summed up over all of them."""
    found = job.rest(settings, "GET", f"/taskmanagers/metrics?get={metric}&agg=sum")
    return float(found[0]["sum"]) if found else 0.0


def _busy(settings: Settings) -> dict[str, float]:
    """How busy the busiest subtask of each chain of operators is, in percent of the time."""
    shares = {}
    for job_id in job.running(settings).values():
        for vertex in job.rest(settings, "GET", f"/jobs/{job_id}")["vertices"]:
            path = f"/jobs/{job_id}/vertices/{vertex['id']}/subtasks/metrics?get=busyTimeMsPerSecond&agg=max"
            for found in job.rest(settings, "GET", path):
                if math.isfinite(busy := float(found["max"])):  # one that begins does not know
                    shares[vertex["name"]] = busy / 10
    return shares


# Topics


def create_topic(settings: Settings, keeps_times: bool) -> None:
    """A topic for score events like the one that run_all.sh makes, kept for ever.

    In one that keeps times, a record's timestamp is the sender's: what was recorded live then is filled in at once.
    """
    admin = broker.client(KafkaAdminClient, settings)
    kind = "CreateTime" if keeps_times else "LogAppendTime"
    configs = {"message.timestamp.type": kind, "retention.ms": "-1"}
    asked = {settings.topic: {"num_partitions": settings.topic_partitions, "configs": configs}}
    admin.create_topics(asked, wait_for_metadata=True)
    admin.close()


def delete_topic(settings: Settings) -> None:
    """Delete the topic of the score events."""
    admin = broker.client(KafkaAdminClient, settings)
    admin.delete_topics([settings.topic])
    admin.close()


def ends(settings: Settings) -> dict[int, int]:
    """The end offset of each partition of the topic."""
    consumer = broker.client(KafkaConsumer, settings, enable_auto_commit=False)
    partitions = [TopicPartition(settings.topic, number) for number in range(settings.topic_partitions)]
    found = consumer.end_offsets(partitions)
    consumer.close()
    return {each.partition: end for each, end in found.items()}


# Jobs


@contextmanager
def one_java_thread() -> Iterator[None]:
    """No garbage is collected meanwhile: whichever thread did that would tell Java so, and may leave its connection to
    this one, whose calls would go on in another Java thread. Flink's planner needs them all in one.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def submit(
    settings: Settings,
    tables: Iterable[str],
    title: str,
    metric: Callable[[str, Settings], str] = sql.metric,
    is_bounded: bool = False,
) -> str:
    """Start a job that writes these tables; its id. A bounded one ends where the topic ends now."""
    with one_java_thread(), patch.object(sql, "metric", metric):
        environment = job.table_environment(settings)
        job.define_tables(environment, "postgres", settings, group=title.replace(" ", "-"))
        if is_bounded:
            bounded.end_with_the_topic(environment, settings)
        job.execute(environment, job.compile_plan(environment, tables, settings), title)
    return job.newest(settings, title)


def shape(settings: Settings) -> tuple[tuple[str, ...], ...]:
    """The tables of each of the jobs that run_all.sh submits."""
    return tuple(map(tuple, job.planned(sql.JOBS, "postgres", settings).values()))


def cancel_all(settings: Settings) -> None:
    """End what a failed case left."""
    for job_id in job.running(settings).values():
        job.cancel(settings, job_id)


def restart_taskmanager(settings: Settings) -> None:
    """Start Flink's TaskManager anew: busy with a job that was given up, it does not hear that the job is cancelled,
    and would end itself minutes later, in the middle of something else.
    """
    services.rpc(settings).stopProcess("taskmanager")
    services.start(settings, ["taskmanager"])


def await_end(settings: Settings, job_id: str, deadline_seconds: float, progress: Callable[[int], None]) -> None:
    """Wait until a job has read a topic to its end. Raises BenchmarkError when it fails, TooSlow when it is."""
    deadline = time.monotonic() + deadline_seconds
    while (found := job.rest(settings, "GET", f"/jobs/{job_id}"))["state"] not in job.ENDED:
        if time.monotonic() > deadline:
            read = records_read(settings, job_id)
            with suppress(job.JobError):  # it cannot be cancelled when it has just ended
                job.cancel(settings, job_id)
                raise TooSlow(f"'{found['name']}' had not read its topic after {deadline_seconds:.0f} s", read)
        progress(records_read(settings, job_id))
        time.sleep(0.5)
    if found["state"] != "FINISHED":
        raise BenchmarkError(f"'{found['name']}' is {found['state']}; .leaderboard/benchmark/logs tells why")


def records_read(settings: Settings, job_id: str) -> int:
    """How many records a job's source has read so far."""
    read = 0
    for vertex in job.rest(settings, "GET", f"/jobs/{job_id}")["vertices"]:
        path = f"/jobs/{job_id}/vertices/{vertex['id']}/subtasks/metrics"
        names = [each["id"] for each in job.rest(settings, "GET", path)]
        wanted = [name for name in names if name.startswith("Source__") and name.endswith("numRecordsIn")]
        for found in job.rest(settings, "GET", f"{path}?get={','.join(wanted)}&agg=sum") if wanted else []:
            read += int(found["sum"])
    return read
