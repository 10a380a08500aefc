"""The verbs that the scripts are made of: python -m compose <verb>."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections.abc import Callable

import psycopg2
from kafka.errors import KafkaError
from rich.console import Console
from rich.live import Live
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from compose import flink, jars, postgres, services, status, topics
from compose.errors import SetupError
from dashboard.boards import BoardsUnavailable
from jobs import moderation
from jobs.job import JobError
from settings import settings

FIRST_ROWS_SECONDS = 120
WATCH_SECONDS = 2


def check() -> None:
    """nothing runs yet, ports are free, there is room on the disk"""
    services.check(settings)


def fetch(*libraries: str) -> None:
    """download the jars of these libraries, or all, that are not there yet and check them"""
    jars.fetch(settings.state / "jars", *libraries)
    flink.link_own_jars(settings)


def start(*names: str) -> None:
    """start these services, or all, and await each"""
    if not services.is_up(settings):
        services.start_supervisor(settings)
    wanted = list(names) or [service.name for service in services.services(settings)]
    services.start(settings, wanted)


def create() -> None:
    """create topics, tables, views and roles that are not there yet"""
    topics.create(settings)
    if settings.sink == "postgres" or not settings.postgres_url:
        postgres.create(settings)
        moderation.publish(settings)


def running() -> int:
    """exit code 0 when it runs already"""
    return 0 if services.is_up(settings) else 1


def await_boards() -> None:
    """wait until all four boards have rows"""
    console = Console()
    with console.status("Waiting for the first rows") as line:
        waiting = Retrying(
            retry=retry_if_result(bool),
            wait=wait_fixed(0.5),
            stop=stop_after_delay(FIRST_ROWS_SECONDS),
            before_sleep=lambda state: line.update(f"Waiting for rows of {', '.join(state.outcome.result())}"),
        )
        try:
            waiting(status.first_rows, settings)
        except RetryError as error:
            raise SetupError(
                f"no rows after {FIRST_ROWS_SECONDS} s on {', '.join(error.last_attempt.result())}. Is anything "
                f"sending events? scripts/status.sh says more; the logs are in {settings.state / 'logs'}"
            ) from None
    console.print("All four boards have rows.")


def describe() -> None:
    """say where everything is"""
    print(
        f"""
The leaderboard runs.
  Dashboard       http://{settings.page_address}:{settings.dashboard_port}
  Flink's page    http://{settings.flink_rest}
  Kafka           {settings.brokers}, events in topic {settings.topic}
  Metrics         http://{settings.bind_address}:{settings.monitor_port}/metrics
  Logs            {settings.state / "logs"}
  How it is       scripts/status.sh
  Other sink      scripts/run_all.sh --sink postgres|kafka
  Stop            scripts/stop.sh

Totals move with every event; hot streaks come every {settings.streak_slide_seconds} s, about 6 s after they happened.
"""
    )


def watch() -> None:
    """show a live status until Ctrl-C"""
    print("Ctrl-C stops everything.")
    with Live(status.table(status.status(settings)), auto_refresh=False) as live:
        while True:
            time.sleep(WATCH_SECONDS)
            live.update(status.table(status.status(settings)), refresh=True)


def stop() -> None:
    """stop everything that runs"""
    print("Stopped." if services.stop(settings) else "Nothing was running.")


def show_status(*options: str) -> int:
    """say how everything is; --json for programs; exit code 0 only when it is healthy"""
    shown = status.status(settings)
    if "--json" in options:
        print(json.dumps(shown.as_dict(), indent=2))
    else:
        Console().print(status.table(shown))
    return 0 if shown.is_healthy else 1


def reset(*options: str) -> None:
    """wipe all data after asking; --yes does not ask"""
    if services.is_up(settings):
        raise SetupError("it is running; scripts/stop.sh first")
    folder = settings.state / "data"
    if "--yes" not in options and input(f"Wipe all boards, events and job state in {folder}? [y/N] ") != "y":
        print("Nothing was wiped.")
        return
    shutil.rmtree(folder, ignore_errors=not folder.exists())
    print("Wiped.")


VERBS: dict[str, Callable[..., int | None]] = {
    "check": check,
    "fetch": fetch,
    "start": start,
    "create": create,
    "running": running,
    "await": await_boards,
    "describe": describe,
    "watch": watch,
    "status": show_status,
    "stop": stop,
    "reset": reset,
}


def main() -> int:
    """0 when the verb did its work, 1 with a message when it could not."""
    parser = argparse.ArgumentParser(
        prog="python -m compose",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:8} {verb.__doc__}" for name, verb in VERBS.items()),
    )
    parser.add_argument("verb", choices=VERBS)
    options, rest = parser.parse_known_args()
    try:
        return VERBS[options.verb](*rest) or 0
    except (SetupError, JobError, BoardsUnavailable, psycopg2.Error, KafkaError) as error:
        print(f"{options.verb}: {str(error).strip()}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
