"""Submits the metrics' jobs to a Flink JobManager: python -m jobs [metric …] [--sink postgres|kafka]."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from compose import lag, postgres, topics
from jobs import job, sql
from jobs.job import JobError
from settings import settings

if TYPE_CHECKING:
    from pyflink.table import TableEnvironment

CANCEL_SECONDS = 60


def main(arguments: list[str] | None = None) -> int:
    """0 when all asked-for jobs run, 1 when Flink refused one, 2 for wrong usage."""
    options = _parse(arguments)
    try:
        options.sink = options.sink or (not options.explain and job.sink_in_use(settings)) or settings.sink
        if options.explain:
            _explain(options)
        else:
            _submit(options)
    except Exception as error:
        if options.verbose:
            raise
        print(f"Could not submit: {job.readable(error)}", file=sys.stderr)
        print("The whole stack trace: the same command with --verbose.", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jobs", description=__doc__)
    parser.add_argument(
        "metrics", nargs="*", metavar="metric", help=f"which boards: {', '.join(sql.METRICS)}; all by default"
    )
    parser.add_argument(
        "--sink",
        choices=job.SINKS,
        help=f"where the boards go; by default where they go now, else {settings.sink}",
    )
    parser.add_argument("--one-job", action="store_true", help="all in one job that reads the topic once")
    parser.add_argument(
        "--rebuild",
        action="store_true",
        help="end what runs, empty the boards in the sink and compute them again from the topic's start",
    )
    parser.add_argument(
        "--switch",
        action="store_true",
        help="the same for jobs that write to another sink, and only for those",
    )
    parser.add_argument("--explain", action="store_true", help="print the plans and submit nothing")
    parser.add_argument("--verbose", action="store_true", help="show Flink's stack traces")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.metrics if name not in sql.METRICS]
    if unknown:
        parser.error(f"no metric is called {', '.join(unknown)}; there are {', '.join(sql.METRICS)}")
    options.metrics = options.metrics or list(sql.METRICS)
    return options


def _explain(options: argparse.Namespace) -> None:
    for names in _groups(options):
        environment = _with_tables(options.sink, _title(names, options.sink))
        print(job.compile_plan(environment, sql.tables(names), settings).explain())


def _submit(options: argparse.Namespace) -> None:
    running = job.running(settings)
    ending = _to_end(options, running)
    staying = {name: title for name, title in job.taken(running).items() if title not in ending}
    plans = {}
    for names in _groups(options):
        title = _title(names, options.sink)
        clash = {staying[name] for name in names if name in staying}
        if clash == {title}:
            print(f"{title}: runs already, not submitted again")
        elif clash:
            raise JobError(f"'{min(clash)}' runs already; --switch ends it and starts '{title}' instead")
        else:
            environment = _with_tables(options.sink, title)
            plans[title] = environment, job.compile_plan(environment, sql.tables(names), settings)
    if ending:  # only now that the new plans are known to be sound
        _end({title: running[title] for title in ending})
        (postgres if options.sink == "postgres" else topics).clear(settings, sql.tables(options.metrics))
    lag.forget(settings, plans)  # they start from the topic's first record
    for title, (environment, plan) in plans.items():
        job.execute(environment, plan, title)
        print(f"{title}: submitted", flush=True)


def _to_end(options: argparse.Namespace, running: dict[str, str]) -> set[str]:
    wanted = {title for name, title in job.taken(running).items() if name in options.metrics}
    if options.rebuild:
        return wanted
    return {title for title in wanted if options.switch and not title.endswith(f" to {options.sink}")}


def _with_tables(sink: str, title: str) -> TableEnvironment:
    environment = job.table_environment(settings)
    job.define_tables(environment, sink, settings, job.group(title))
    return environment


def _groups(options: argparse.Namespace) -> list[list[str]]:
    return [options.metrics] if options.one_job else [[name] for name in options.metrics]


def _title(names: list[str], sink: str) -> str:
    return job.job_name(names[0] if len(names) == 1 else job.ONE_JOB, sink)


def _end(jobs: dict[str, str]) -> None:
    for title, job_id in jobs.items():
        job.cancel(settings, job_id)
        print(f"{title}: ends")
    waiting = Retrying(stop=stop_after_delay(CANCEL_SECONDS), wait=wait_fixed(0.5), retry=retry_if_result(bool))
    try:
        waiting(lambda: jobs.keys() & job.running(settings).keys())
    except RetryError:
        raise JobError(f"{', '.join(jobs)} did not end within {CANCEL_SECONDS} s") from None


if __name__ == "__main__":
    sys.exit(main())
