"""The verbs that the scripts are made of: python -m compose <verb> [then <verb> …]."""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import psycopg2
from kafka.errors import KafkaError
from rich.console import Console
from rich.live import Live
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from boards import campaigns, moderation, schemas, sinks
from boards.postgres import PostgresSink
from clients.errors import BoardsUnavailable, JobError, SetupError
from compose import checks, flink, jars, registry, services, status
from games import chosen
from jobs import savepoints
from jobs.running import running as running_jobs
from settings import SettingError, settings

WATCH_SECONDS = 2


def check() -> None:
    """nothing runs yet, ports are free, the data is of this version, the disk has room"""
    checks.check(settings)


def fetch(*libraries: str) -> None:
    """download the jars of these libraries, or all, check them, and compile the functions"""
    folder = settings.state / "jars"
    needed = [registry.LIBRARY] if libraries and registry.is_own(settings) else []
    jars.fetch(folder, *libraries, *needed)
    registry.unpack(folder)
    flink.complete_library(settings)


def launch(*names: str) -> None:
    """start these services, or all, and await none"""
    if not services.is_up(settings):
        services.start_supervisor(settings)
    services.launch(settings, _or_all(names))


def start(*names: str) -> None:
    """start these services, or all, and await each"""
    if not services.is_up(settings):
        services.start_supervisor(settings)
    services.start(settings, _or_all(names))


def _or_all(names: Sequence[str]) -> list[str]:
    return list(names) or [service.name for service in services.services(settings)]


def create() -> None:
    """create schemas, topics, tables, views and roles that are not there yet"""
    schemas.register(chosen(settings), settings)
    for sink in sinks.sinks(settings):
        if sink.is_needed:
            sink.create(chosen(settings))
    if PostgresSink(settings).is_needed:  # it knows who is banned
        moderation.publish(settings)
        if campaigns.game_of(settings):
            campaigns.publish(settings)


def running() -> int:
    """exit code 0 when it runs already"""
    return 0 if services.is_up(settings) else 1


def unchanged() -> None:
    """what runs was started with the settings that are asked for now"""
    services.check_unchanged(settings, os.environ)
    with suppress(JobError):  # nobody can tell then what runs
        for name in sorted(running_jobs(settings)):
            unused = savepoints.without_effect(settings, name)
            if unused:
                print(f"{name}: {unused}")


def await_boards() -> None:
    """wait until the boards have rows"""
    console = Console()
    limit = 2 * settings.start_seconds
    with console.status("Waiting for the first rows") as line:

        def empty_boards() -> list[str]:
            empty = status.first_rows(settings)
            line.update(f"Waiting for rows of {', '.join(empty)}")
            return empty

        waiting = Retrying(
            retry=retry_if_result(bool),
            wait=wait_fixed(0.5),
            stop=stop_after_delay(limit),
        )
        try:
            waiting(empty_boards)
        except RetryError as error:
            empty = ", ".join(error.last_attempt.result())
            raise SetupError(
                f"no rows after {limit} s on {empty}. Is anything sending events? "
                f"scripts/status.sh says more; the logs are in {settings.state / 'logs'}. "
                f"If it only needs longer, as on a slow machine, {settings.give_more_time}."
            ) from None
    console.print("The boards have rows.")


def describe() -> None:
    """say where everything is"""
    topics = ", ".join(game.topic(settings) for game in chosen(settings))
    print(
        f"""
The leaderboard runs.
  Dashboard       http://{settings.page_host}:{settings.dashboard_port}
  API             http://{settings.page_host}:{settings.api_port}/api/boards
  Flink's page    http://{settings.flink_rest}
  Boards in       {_boards_in()}
  Kafka           {settings.brokers}, events in topic {topics}{_registry()}
  Metrics         http://{settings.bind_address}:{settings.monitor_port}/metrics
  Logs            {settings.state / "logs"}
  How it is       scripts/status.sh
  Other sink      scripts/run_all.sh --sink {"|".join(sinks.NAMES)}, kept until you choose again
  Stop            scripts/stop.sh

Totals move with every event; boards of time windows follow about 6 s later.
"""
    )


def _registry() -> str:
    return f"\n  Schemas         {settings.schema_registry}" if settings.has_avro else ""


def _boards_in() -> str:
    """The title of the sink that the jobs write to."""
    try:
        name = status.sink_in_use(settings)
    except JobError:
        name = None
    return sinks.sink(name, settings).title if name else "unknown: Flink does not say"


def watch() -> None:
    """show a live status until Ctrl-C, or until somebody stops what runs"""
    print("Ctrl-C stops everything.")
    with Live(auto_refresh=False) as live:
        while services.is_up(settings):
            found = status.table(status.status(settings), live.console.width)
            live.update(found, refresh=True)
            time.sleep(WATCH_SECONDS)
    print("It was stopped from elsewhere.")


def stop() -> None:
    """stop everything that runs"""
    print("Stopped." if services.stop(settings) else "Nothing was running.")


def show_status(*options: str) -> int:
    """say how everything is; --json for programs; exit code 0 only when it is healthy"""
    found = status.status(settings)
    if "--json" in options:
        print(json.dumps(found.as_dict(), indent=2))
    else:
        # A file or another program gets whole lines.
        console = Console(width=None if sys.stdout.isatty() else status.WIDE)
        console.print(status.table(found, console.width))
    return 0 if found.is_healthy else 1


def reset(*options: str) -> int:
    """wipe all data after asking; --yes does not ask; exit code 1 when nothing was wiped"""
    if services.is_up(settings) or services.orphans(settings):
        raise SetupError("it is running; scripts/stop.sh first")
    folder = settings.state / "data"
    question = f"Wipe all boards, events and job state in {folder}? [y/N] "
    if "--yes" not in options and _answer(question).lower() not in ("y", "yes"):
        print("Nothing was wiped.")
        return 1
    try:
        shutil.rmtree(folder, ignore_errors=not folder.exists())
    except OSError as error:
        raise SetupError(
            f"not all of {folder} could be wiped: {error}. Whoever started it may wipe it, "
            "and so may root."
        ) from error
    print("Wiped.")
    return 0


def _answer(question: str) -> str:
    """What a person types; nothing when nobody is there to type."""
    try:
        return input(question).strip()
    except EOFError:
        print()
        return ""


VERBS: dict[str, Callable[..., int | None]] = {
    "check": check,
    "fetch": fetch,
    "launch": launch,
    "start": start,
    "create": create,
    "running": running,
    "unchanged": unchanged,
    "await": await_boards,
    "describe": describe,
    "watch": watch,
    "status": show_status,
    "stop": stop,
    "reset": reset,
}
# What may follow a verb that people call; others are given names.
OPTIONS: dict[str, tuple[str, ...]] = {"status": ("--json",), "reset": ("--yes",), "stop": ()}
# What a person can read as one sentence.
READABLE = (
    SetupError,
    JobError,
    BoardsUnavailable,
    psycopg2.Error,
    KafkaError,
)


def _sentence(error: Exception) -> str:
    text = str(error).strip()
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return text[:1].upper() + text[1:]


def _forget_output() -> None:
    """Leave what could not be written: Python would try again when it ends, and fail for it."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def main() -> int:
    """0 when all verbs did their work, 1 with a message when one could not, 2 for a wrong setting.

    One that could not ends them.
    """
    if sys.stdout is None:  # closed, as by `scripts/status.sh >&-`: the exit code still tells
        sys.stdout = io.StringIO()
    parser = argparse.ArgumentParser(
        prog="python -m compose",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:9} {verb.__doc__}" for name, verb in VERBS.items()),
    )
    parser.add_argument("verb", choices=VERBS)
    # Several in one process: each process takes its time to import what it needs.
    for step in _split(sys.argv[1:], "then"):
        options, rest = parser.parse_known_args(step)
        unknown = [word for word in rest if word not in OPTIONS.get(options.verb, rest)]
        if unknown:
            script = f"scripts/{options.verb}.sh"
            print(f"{script} knows no {' '.join(unknown)}; see {script} --help", file=sys.stderr)
            return 2
        try:
            checks.check_state_folder(settings)
            ended = VERBS[options.verb](*rest) or 0
            sys.stdout.flush()
        except SettingError as error:
            print(error, file=sys.stderr)
            return 2
        except READABLE as error:
            print(_sentence(error), file=sys.stderr)
            return 1
        except OSError as error:  # a full disk, or a file of another user
            if not isinstance(error, BrokenPipeError):  # whoever reads has had enough
                print(_sentence(error), file=sys.stderr)
            _forget_output()
            return 1
        except KeyboardInterrupt:
            return 130
        if ended:
            return ended
    return 0


def _split(words: Iterable[str], separator: str) -> list[list[str]]:
    steps: list[list[str]] = [[]]
    for word in words:
        if word == separator:
            steps.append([])
        else:
            steps[-1].append(word)
    return steps


if __name__ == "__main__":
    sys.exit(main())
