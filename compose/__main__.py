"""The verbs that the scripts are made of: python -m compose <verb>."""

from __future__ import annotations

import argparse
import sys

from compose import flink, jars, postgres, services, topics
from compose.errors import SetupError
from settings import settings


def check() -> None:
    """nothing runs yet, ports are free, there is room on the disk"""
    services.check(settings)


def fetch() -> None:
    """download jars that are not there yet and check them"""
    jars.fetch(settings.state / "jars")
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


def stop() -> None:
    """stop everything that runs"""
    print("Stopped." if services.stop(settings) else "Nothing was running.")


VERBS = {verb.__name__: verb for verb in (check, fetch, start, create, stop)}


def main() -> int:
    """0 when the verb did its work, 1 with a message when it could not."""
    parser = argparse.ArgumentParser(
        prog="python -m compose",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="\n".join(f"  {name:8} {verb.__doc__}" for name, verb in VERBS.items()),
    )
    parser.add_argument("verb", choices=VERBS)
    parser.add_argument("names", nargs="*", help="services, for start")
    options = parser.parse_args()
    try:
        VERBS[options.verb](*options.names)
    except SetupError as error:
        print(f"{options.verb}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
