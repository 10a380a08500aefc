"""The services as supervised processes: configured, started, awaited and stopped."""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import xmlrpc.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from string import Template
from typing import Any

import psutil
import psycopg2
import requests
from kafka import KafkaAdminClient
from kafka.errors import KafkaError
from supervisor.xmlrpc import Faults
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from clients import flink, kafka, postgres
from clients.errors import SetupError
from clients.files import write_whole
from clients.java import NEWER, java_home
from clients.passwords import passwords
from compose import flink as flink_cluster
from compose import layout, registry
from compose import postgres as postgres_server
from games import chosen
from jobs import savepoints
from settings import KEPT, PREFIX, PROJECT, STARTED, Settings, started_with

NATIVE = Path(__file__).parent / "native"
STOP_SECONDS = 120
STOP_WAIT_SECONDS = 20  # of one service, as the supervisor's own stopwaitsecs
STATE_FOLDER = f"{PREFIX}STATE_FOLDER"  # by it a service tells whose it is
# Settings that may be another while the services run: each command takes them as they are, or says
# by itself that they have no effect yet.
FREE = {"state_folder", "sink", *savepoints.OF_A_JOB} - {*KEPT}


@dataclass(frozen=True)
class Service:
    """A supervised program: how it is started, and how to tell that it answers.

    `ports` are those on which it listens, by the settings that name them. `is_ready` raises one
    of NOT_READY as long as it does not answer. One with its data in the state folder runs there.
    """

    name: str
    command: list[str]
    ports: dict[str, int]
    is_ready: Callable[[], object]
    runs_in_state: bool = False
    stop_signal: str = "TERM"
    stop_as_group: bool = True


NOT_READY = (OSError, requests.RequestException, psycopg2.OperationalError, KafkaError, SetupError)


def services(settings: Settings) -> list[Service]:
    """Every service that this project starts under these settings, in the order of starting."""
    return list(_services(settings))


def _services(settings: Settings) -> Iterator[Service]:
    has_flink = flink_cluster.is_own(settings)
    if not settings.postgres_url:
        yield _postgres(settings)
    if has_flink:
        yield _zookeeper(settings)
    if not settings.kafka_brokers:
        yield _kafka(settings)
    if registry.is_own(settings):
        yield _registry(settings)
    if has_flink:
        yield _jobmanager(settings)
        yield _taskmanager(settings)
    yield from _injectors(settings)
    yield _dashboard(settings)
    yield _api(settings)
    yield _monitor(settings)
    yield Service("announcer", ["python", "-m", "compose.announcer"], {}, lambda: None)


def _postgres(settings: Settings) -> Service:
    folder = postgres_server.data_folder(settings).relative_to(settings.state)
    files = {
        "config_file": "conf/postgresql.conf",
        "hba_file": folder / "pg_hba.conf",
        "ident_file": folder / "pg_ident.conf",
    }
    options = ["-D", str(folder)]
    for option, file in files.items():
        options += ["-c", f"{option}={file}"]
    return Service(
        "postgres",
        [*postgres_server.as_unprivileged(), "postgres", *options],
        {"postgres_port": settings.postgres_port},
        lambda: postgres.connect(postgres.admin_dsn(settings)).close(),
        runs_in_state=True,
        stop_signal="INT",  # fast shutdown: disconnects clients
        stop_as_group=False,
    )


def _light_java(library: str, main: str, *arguments: str) -> list[str]:
    """For light work: up in less time."""
    java, *options = _java(library, 128, main, *arguments)
    return [java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", *options]


def _java(library: str, heap_mb: int, main: str, *arguments: str) -> list[str]:
    log = "-Dlog4j2.configurationFile=conf/log4j2.properties"
    # A heap that grows, or is touched bit by bit, does so for hours of load, and looks like a leak.
    heap = [f"-Xms{heap_mb}m", f"-Xmx{heap_mb}m", "-XX:+AlwaysPreTouch"]
    return ["java", *heap, log, "-cp", f"jars/{library}/*", main, *arguments]


def _zookeeper(settings: Settings) -> Service:
    main = "org.apache.flink.shaded.zookeeper3.org.apache.zookeeper.server.ZooKeeperServerMain"
    return Service(
        "zookeeper",
        _light_java("flink", main, "conf/zoo.cfg"),
        {"zookeeper_port": settings.zookeeper_port},
        lambda: _connect(settings, settings.zookeeper_port),
        runs_in_state=True,
    )


def _kafka(settings: Settings) -> Service:
    java, *options = _java("kafka", settings.kafka_heap_mb, "kafka.Kafka", "conf/kafka.properties")
    return Service(
        "kafka",
        [java, *shlex.split(settings.kafka_java_options), *options],
        {
            "kafka_port": settings.kafka_port,
            "kafka_controller_port": settings.kafka_controller_port,
        },
        lambda: kafka.client(KafkaAdminClient, settings, bootstrap_timeout_ms=2000).close(),
        runs_in_state=True,
    )


def _registry(settings: Settings) -> Service:
    return Service(
        "registry",
        registry.command(settings),
        {"schema_registry_port": settings.schema_registry_port},
        _answers(f"{settings.schema_registry}/subjects"),
        runs_in_state=True,
    )


def _flink_program(name: str) -> list[str]:
    """Its command line, which first empties its temporary folder: one that died has left files."""
    folder = f"{flink.STATE_IN_FLINK}/data/flink/{name}"
    start = 'rm -rf "$0" && mkdir "$0" && exec "$FLINK_HOME/bin/$1.sh" "${@:2}"'
    options = ["start-foreground", "-D", f"io.tmp.dirs={folder}"]
    return ["bash", "-c", start, folder, name, *options]


def _jobmanager(settings: Settings) -> Service:
    return Service(
        "jobmanager",
        _flink_program("jobmanager"),
        {
            "flink_rest_port": settings.flink_rest_port,
            "flink_rpc_port": settings.flink_rpc_port,
            "flink_blob_port": settings.flink_blob_port,
        },
        _answers(f"http://{settings.flink_rest}/jobs/overview"),
        runs_in_state=True,
    )


def _taskmanager(settings: Settings) -> Service:
    return Service(
        "taskmanager",
        _flink_program("taskmanager"),
        {
            "flink_taskmanager_port": settings.flink_taskmanager_port,
            "flink_data_port": settings.flink_data_port,
        },
        lambda: _has_slots(settings),
        runs_in_state=True,
    )


def _injectors(settings: Settings) -> Iterator[Service]:
    for game in chosen(settings):
        if game.injector:
            words = game.injector.words(settings)
            yield Service(
                game.service,
                ["python", "-m", "generator", game.name, *words],
                game.injector.ports(settings),
                lambda: None,
                stop_signal="INT",
            )


def _dashboard(settings: Settings) -> Service:
    return Service(
        "dashboard",
        ["python", "-m", "dashboard"],
        {"dashboard_port": settings.dashboard_port},
        _answers(f"http://{settings.page_host}:{settings.dashboard_port}/_stcore/health"),
    )


def _api(settings: Settings) -> Service:
    return Service(
        "api",
        ["python", "-m", "dashboard.api"],
        {"api_port": settings.api_port},
        _answers(f"http://{settings.page_host}:{settings.api_port}/healthz"),
    )


def _monitor(settings: Settings) -> Service:
    return Service(
        "monitor",
        ["python", "-m", "compose.monitor"],
        {"monitor_port": settings.monitor_port},
        _answers(f"http://{settings.bind_address}:{settings.monitor_port}/metrics"),
    )


def _answers(url: str) -> Callable[[], None]:
    return lambda: requests.get(url, timeout=2).raise_for_status()


def _connect(settings: Settings, port: int) -> None:
    socket.create_connection((settings.bind_address, port), timeout=2).close()


def _has_slots(settings: Settings) -> None:
    overview = requests.get(f"http://{settings.flink_rest}/overview", timeout=2).json()
    if not overview.get("taskmanagers"):
        raise SetupError("no TaskManager has registered with the JobManager")


def check_data(settings: Settings) -> None:
    """Raise SetupError when the folders of our own services are an earlier version's."""
    kept = []
    if flink_cluster.is_own(settings):
        kept += ["flink", "zookeeper"]
    if not settings.kafka_brokers:
        kept.append("kafka")
    if not settings.postgres_url:
        kept.append("postgres-*")
    layout.check(settings.state / "data", kept)


def start_supervisor(settings: Settings) -> None:
    """Write all configuration files and start the supervisor, which starts nothing yet.

    Raises SetupError when the data is an earlier version's, or when the supervisor refuses.
    """
    check_data(settings)
    layout.mark(settings.state / "data")
    _write_configuration(settings)
    command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(_config(settings))]
    own = os.environ | _environment(settings)
    done = subprocess.run(command, capture_output=True, text=True, cwd=settings.state, env=own)
    if done.returncode:
        raise SetupError(f"the supervisor does not start: {done.stderr.strip()}")
    log = settings.state / "logs" / "supervisord.log"
    _await("supervisord", lambda: rpc(settings).getState(), settings, log)


def _config(settings: Settings) -> Path:
    return settings.state / "conf" / "supervisord.conf"


def _environment(settings: Settings) -> dict[str, str]:
    """Where the services find their programs and folders, which no command line names.

    So no file has to quote what is in a path, and all of it may be moved while nothing runs.
    """
    folders = [Path(sys.executable).parent, java_home() / "bin"]
    if not settings.postgres_url:
        folders.append(postgres_server.programs().folder)
    path = ":".join([*map(str, folders), os.environ["PATH"]])
    own = {"PATH": path, "PROJECT_FOLDER": str(PROJECT), STATE_FOLDER: str(settings.state)}
    if registry.is_own(settings):
        own[registry.JAVA] = str(java_home(NEWER))
    return flink.environment(flink.STATE_IN_FLINK) | own


def note_started(settings: Settings) -> None:
    """Note the settings with which the services start, for the owner only: a URL may be secret."""
    write_whole(settings.state / STARTED, json.dumps(asdict(settings)), mode=0o600)


def check_unchanged(settings: Settings, environment: Mapping[str, str]) -> None:
    """Raise SetupError when the environment asks for another value than the services run with.

    Raises SettingError for a game that there is not.
    """
    chosen(settings)  # else a misspelled game would be found out only after scripts/stop.sh
    for name, was in started_with(settings).items():
        variable = f"{PREFIX}{name.upper()}"
        if name not in FREE and variable in environment and getattr(settings, name, was) != was:
            raise SetupError(
                f"It is running already, with another {variable}. To change that, run "
                "scripts/stop.sh first, then this command again."
            )


def _write_configuration(settings: Settings) -> None:
    conf, logs = settings.state / "conf", settings.state / "logs"
    for folder in (conf / "flink", logs, settings.state / "data" / "flink"):
        folder.mkdir(parents=True, exist_ok=True)
    note_started(settings)
    values = _values(settings)
    for name in ("kafka.properties", "zoo.cfg", "postgresql.conf", "log4j2.properties"):
        _render(name, conf / name, values)
    _render("flink.yaml", conf / "flink" / "config.yaml", values)
    _render("log4j2.properties", conf / "flink" / "log4j-console.properties", values)
    supervisord = _config(settings)
    supervisord.touch(mode=0o600)
    _render("supervisord.conf", supervisord, values)
    with supervisord.open("a") as file:
        for priority, service in enumerate(services(settings)):
            file.write(_program(service, priority))
    if not settings.kafka_brokers:
        _format_kafka(settings)
    if not settings.postgres_url:
        postgres_server.make_cluster(settings, passwords(settings.state)["postgres_admin"])


def _values(settings: Settings) -> dict[str, object]:
    return asdict(settings) | {
        "supervisor_password": passwords(settings.state)["supervisor"],
        "state_in_flink": flink.STATE_IN_FLINK,
        "java_options": flink_cluster.java_options(),
        "taskmanager_memory_mb": flink_cluster.taskmanager_memory_mb(settings),
        "rocksdb_memory_mb": flink_cluster.rocksdb_memory_mb(settings),
        "task_slots": flink_cluster.task_slots(settings),
    }


def _render(name: str, target: Path, values: dict[str, object]) -> None:
    target.write_text(Template((NATIVE / name).read_text()).substitute(values))


def _program(service: Service, priority: int) -> str:
    return Template((NATIVE / "program.conf").read_text()).substitute(
        name=service.name,
        command=shlex.join(service.command).replace("%", "%%"),
        # The supervisor's own folder is the state folder.
        folder="." if service.runs_in_state else "%(ENV_PROJECT_FOLDER)s",
        priority=priority,
        stop_signal=service.stop_signal,
        stop_as_group=str(service.stop_as_group).lower(),
    )


def _format_kafka(settings: Settings) -> None:
    if (settings.state / "data" / "kafka" / "meta.properties").exists():
        return
    arguments = ["--config", "conf/kafka.properties", "--cluster-id", "bGVhZGVyYm9hcmRzLTAwMQ"]
    command = _light_java("kafka", "kafka.tools.StorageTool", "format", *arguments)
    own = os.environ | _environment(settings)
    done = subprocess.run(command, capture_output=True, text=True, cwd=settings.state, env=own)
    if done.returncode:
        said = f"{done.stdout.strip()} {done.stderr.strip()}"
        raise SetupError(f"Kafka could not format its folder: {said}")


def launch(settings: Settings, names: list[str]) -> None:
    """Start those of these services that do not run, and await none.

    Raises SetupError when somebody stops the supervisor.
    """
    with _supervisor(settings) as asked:
        for service in (each for each in services(settings) if each.name in names):
            if asked.getProcessInfo(service.name)["statename"] not in ("RUNNING", "STARTING"):
                asked.startProcess(service.name, False)


def start(settings: Settings, names: list[str]) -> None:
    """Start these services and await each.

    Raises SetupError naming the log when one is not ready in time, or when somebody stops them.
    """
    launch(settings, names)
    for service in (each for each in services(settings) if each.name in names):
        log = settings.state / "logs" / f"{service.name}.log"
        _await(service.name, service.is_ready, settings, log)


def _await(name: str, is_ready: Callable[[], object], settings: Settings, log: Path) -> None:
    try:
        for attempt in Retrying(
            stop=stop_after_delay(settings.start_seconds),
            wait=wait_fixed(0.25),
            retry=retry_if_exception_type((*NOT_READY, xmlrpc.client.Error)),
        ):
            with attempt:
                is_ready()
    except RetryError as error:
        cause = error.last_attempt.exception()
        raise SetupError(
            f"{name} did not become ready within {settings.start_seconds} s ({cause}). Its log: "
            f"{log}. If it only needs longer, as on a slow machine, {settings.give_more_time}."
        ) from cause


def rpc(settings: Settings) -> Any:
    """Supervisor's own interface: its methods are http://supervisord.org/api.html."""
    password = passwords(settings.state)["supervisor"]
    address = f"{settings.bind_address}:{settings.supervisor_port}"
    return xmlrpc.client.ServerProxy(f"http://supervisor:{password}@{address}/RPC2").supervisor


@contextmanager
def _supervisor(settings: Settings) -> Iterator[Any]:
    """The same. Raises SetupError when the supervisor ends meanwhile."""
    ending = (
        "The supervisor is ending: everything is being stopped. Run scripts/run_all.sh after that."
    )
    try:
        yield rpc(settings)
    except xmlrpc.client.Fault as error:
        if error.faultCode != Faults.SHUTDOWN_STATE:
            raise
        raise SetupError(ending) from error
    except (ConnectionError, http.client.HTTPException) as error:
        raise SetupError(ending) from error


def supervisor(settings: Settings) -> psutil.Process | None:
    """The supervisor's process, None when it does not run."""
    file = settings.state / "supervisord.pid"
    try:
        process = psutil.Process(int(file.read_text()))
        named = Path(process.cmdline()[-1])
        # A copied folder has the file too. When the system runs that was copied, that is another.
        is_ours = not named.exists() or named.samefile(_config(settings))
        return process if named.name == _config(settings).name and is_ours else None
    except (OSError, ValueError, IndexError, psutil.Error):
        return None


def orphans(settings: Settings) -> dict[str, list[psutil.Process]]:
    """The services that go on although their supervisor was killed, by name."""
    found: dict[str, list[psutil.Process]] = {}
    if is_up(settings):
        return found
    for process in psutil.process_iter():
        with suppress(OSError, psutil.Error):  # one that has ended, or is another user's
            environment = process.environ()
            name = environment.get("SUPERVISOR_PROCESS_NAME")
            if name and Path(environment[STATE_FOLDER]).samefile(settings.state):
                found.setdefault(name, []).append(process)
    return found


def is_up(settings: Settings) -> bool:
    """Whether the supervisor runs."""
    return supervisor(settings) is not None


def processes(settings: Settings) -> dict[str, psutil.Process]:
    """The process of each service that runs; none in containers."""
    found = {}
    if is_up(settings):
        with suppress(SetupError), _supervisor(settings) as asked:
            for info in asked.getAllProcessInfo():
                with suppress(psutil.NoSuchProcess):  # it has just ended
                    if info["pid"]:
                        found[info["name"]] = psutil.Process(info["pid"])
    return found


def states(settings: Settings) -> dict[str, str]:
    """Supervisor's state of each service (RUNNING, BACKOFF, …); all STOPPED when it is down.

    Empty in containers, or before the first start.
    """
    if not _config(settings).exists():
        return {}
    if is_up(settings):
        with suppress(SetupError), _supervisor(settings) as asked:
            return {info["name"]: info["statename"] for info in asked.getAllProcessInfo()}
    left = orphans(settings)
    return {
        service.name: "UNSUPERVISED" if service.name in left else "STOPPED"
        for service in services(settings)
    }


def stop(settings: Settings) -> bool:
    """Stop all services, last started first, and the supervisor. False when nothing ran.

    Raises SetupError when something still runs after two minutes.
    """
    process = supervisor(settings)
    if process is None:
        return _stop_orphans(settings)
    family = [process, *process.children(recursive=True)]
    process.terminate()
    _, left = psutil.wait_procs(family, timeout=STOP_SECONDS)
    if left:
        names = ", ".join(f"{each.name()} ({each.pid})" for each in left)
        raise SetupError(f"still running after {STOP_SECONDS} s: {names}")
    return True


def _stop_orphans(settings: Settings) -> bool:
    """Do the work of a supervisor that was killed. False when nothing runs without it."""
    left = orphans(settings)
    for service in reversed(services(settings)):
        processes = left.get(service.name, [])
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.Signals[f"SIG{service.stop_signal}"])
        deaf = psutil.wait_procs(processes, timeout=STOP_WAIT_SECONDS)[1]
        for process in deaf:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(deaf)
    return bool(left)
