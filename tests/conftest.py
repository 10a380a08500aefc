"""A whole stack of real services on free ports, with its data in a folder that goes away."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import IO, Any

import pytest
import requests
from kafka import KafkaConsumer, TopicPartition
from playwright.sync_api import Browser, sync_playwright
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

import settings as settings_module
from clients import flink, kafka
from clients.errors import BoardsUnavailable
from compose import services
from settings import PREFIX, PROJECT, Settings
from tests.oracle import Record

DEADLINE_SECONDS = 300  # on two busy cores
# Players have machines of their own: an injector that waits for this one's CPU sends everything too
# late. Only root may say so; for others `nice` warns, and starts it all the same.
FIRST = ("nice", "-n", "-10")
# Of what Linux gives to no outgoing connection. Who is given one holds its number in UDP, too: a
# service that starts late still finds it free.
OWN_PORTS = range(20_000, 32_768)
HOLDERS: list[socket.socket] = []
WARM_JAVA = "PYFLINK_GATEWAY_PORT"  # by which PyFlink finds it
PIPELINE = ("postgres", "zookeeper", "kafka", "jobmanager", "taskmanager")
PORTS = [name for name, default, _ in settings_module.SETTINGS if name.endswith("_port")]


@dataclass(frozen=True)
class Stack:
    """A running stack: its settings, and how to run the project's commands against it."""

    settings: Settings
    environment: dict[str, str]
    project: Path = PROJECT

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `python -m <words>`; a failure shows what it printed."""
        command = [sys.executable, "-m", *words]
        done = subprocess.run(
            command,
            env=self.environment,
            cwd=self.project,
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        assert not check or done.returncode == 0, (
            f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
        )
        return done

    def changed(self, **settings: Any) -> Stack:
        """The same services, with other settings for the commands."""
        own = {PREFIX + name.upper(): str(value) for name, value in settings.items()}
        return replace(
            self,
            settings=replace(self.settings, **settings),
            environment=self.environment | own,
        )

    def begin(self, *words: str, stderr: IO | int = DEVNULL) -> subprocess.Popen:
        """Start `python -m <words>` in the background, before all others.

        Its output is lost; its errors go to `stderr`, by default lost too.
        """
        command = [*FIRST, sys.executable, "-m", *words]
        return subprocess.Popen(
            command, env=self.environment, cwd=self.project, stdout=DEVNULL, stderr=stderr
        )

    def kill(self, service: str) -> None:
        """Let a service die as by kill -9; the supervisor starts it again."""
        services.rpc(self.settings).signalProcess(service, "KILL")

    def cancel_jobs(self) -> None:
        """End all jobs of Flink, and wait until none runs."""
        for job_id in flink.running(self.settings).values():
            flink.cancel(self.settings, job_id)

        def check() -> None:
            assert flink.running(self.settings) == {}

        eventually(check)

    def records(self, topic: str = "") -> list[Record]:
        """Everything that a topic of events holds, by default that of the score events."""
        with closing(self._consumer(topic)) as consumer:
            partitions = consumer.assignment()
            ends = consumer.end_offsets(partitions)
            records = []
            while any(consumer.position(each) < ends[each] for each in partitions):
                for polled in consumer.poll(timeout_ms=1000).values():
                    records += [
                        Record(each.partition, each.offset, each.timestamp, each.value)
                        for each in polled
                    ]
        return records

    def records_sent(self) -> int:
        """How many records that topic holds."""
        with closing(self._consumer()) as consumer:
            return sum(consumer.end_offsets(consumer.assignment()).values())

    def _consumer(self, topic: str = "") -> KafkaConsumer:
        consumer = kafka.client(KafkaConsumer, self.settings, enable_auto_commit=False)
        numbers = range(self.settings.topic_partitions)
        consumer.assign(
            [TopicPartition(topic or self.settings.topic, number) for number in numbers]
        )
        consumer.seek_to_beginning()
        return consumer


def eventually(check: Callable[[], None]) -> None:
    """Repeat the check until it holds; the last failure is raised when it does not in time."""
    for attempt in Retrying(
        retry=retry_if_exception_type(
            (AssertionError, BoardsUnavailable, requests.RequestException)
        ),
        wait=wait_fixed(0.5),
        stop=stop_after_delay(DEADLINE_SECONDS),
        reraise=True,
    ):
        with attempt:
            check()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, and that nobody else is given while these tests run."""
    return list(islice(_free_ports(), count))


def _free_ports() -> Iterator[int]:
    for port in random.SystemRandom().sample(OWN_PORTS, len(OWN_PORTS)):
        holder = socket.socket(type=socket.SOCK_DGRAM)
        with socket.socket() as listener:
            try:
                holder.bind(("127.0.0.1", port))
                listener.bind(("127.0.0.1", port))
            except OSError:  # somebody has it
                holder.close()
                continue
        HOLDERS.append(holder)
        yield port


@contextmanager
def page_server(
    module: str,
    *arguments: str,
    environment: dict[str, str],
    project: Path = PROJECT,
    page_url: str = "",
) -> Iterator[str]:
    """The address of a Python module that serves the page, or the API.

    Browsers see it there, unless a proxy has a `page_url`.
    """
    (port,) = free_ports(1)
    address = f"http://127.0.0.1:{port}"
    own = {
        f"{PREFIX}{'API' if module.endswith('.api') else 'DASHBOARD'}_PORT": str(port),
        f"{PREFIX}PAGE_URL": page_url or address,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], env=environment | own, cwd=project
    )
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type(requests.RequestException),
            wait=wait_fixed(0.2),
            stop=stop_after_delay(60),
        ):
            with attempt:
                requests.get(f"{address}/healthz", timeout=5).raise_for_status()
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def environment_for(state: Path) -> dict[str, str]:
    """The environment of a stack of its own: free ports, and the jars that are at hand already."""
    (state / "jars").symlink_to(Settings().state / "jars")
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    chosen = {
        "state_folder": state,
        "flink_taskmanager_memory_mb": 4096,  # ten minutes of event ids at the tests' rates
        # They live for minutes: compiling their code once, and quickly, costs least.
        "flink_taskmanager_java_options": "-XX:TieredStopAtLevel=1",
        "kafka_java_options": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "checkpoint_seconds": 5,
        "start_seconds": DEADLINE_SECONDS // 2,
        **ports,
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return clean | {PREFIX + name.upper(): str(value) for name, value in chosen.items()}


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka and PostgreSQL, empty, with topics, tables and roles."""
    with running(tmp_path_factory.mktemp("stores"), "postgres", "kafka") as stack:
        yield stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Kafka, PostgreSQL and Flink, empty, with topics, tables and roles."""
    with running(tmp_path_factory.mktemp("stack"), *PIPELINE) as stack:
        yield stack


@pytest.fixture(scope="session")
def java_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of a Flink inside the tests' own Java, with its configuration."""
    state = tmp_path_factory.mktemp("state")
    (state / "jars").symlink_to(Settings().state / "jars")
    shutil.copytree(flink.home() / "conf", state / "conf" / "flink")
    return state


@contextmanager
def running(state: Path, *services: str, **settings: Any) -> Iterator[Stack]:
    """A stack with these services, empty, with topics, tables and roles."""
    environment = environment_for(state)
    stack = Stack(settings_module.read(environment), environment).changed(**settings)
    try:
        stack.run("compose", "start", *services)
        stack.run("compose", "create")
        with warm_java(stack) if "jobmanager" in services else nullcontext(stack) as warm:
            yield warm
    finally:
        stack.run("compose", "stop")


@contextmanager
def warm_java(stack: Stack) -> Iterator[Stack]:
    """The same with one Java for all commands that submit jobs."""
    command = [sys.executable, "-m", "tests.warm_java"]
    with subprocess.Popen(
        command, env=stack.environment, cwd=PROJECT, stdin=PIPE, stdout=PIPE, text=True
    ) as java:
        assert java.stdout
        port = java.stdout.readline().strip()
        yield replace(stack, environment=stack.environment | {WARM_JAVA: port})


@contextmanager
def chromium() -> Iterator[Browser]:
    """The real browser that the page is tested in."""
    program = (
        shutil.which("chromium")
        or shutil.which("chromium-browser")
        or shutil.which("google-chrome")
    )
    assert program, "The page is tested in Chromium: install it with the system's package manager."
    with sync_playwright() as playwright:
        # No sandbox, because root has none; no background networking, which is not tested.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser
