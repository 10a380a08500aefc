"""Submits the metrics' jobs to a Flink JobManager: python -m jobs [metric …] [--sink postgres|kafka]."""

from __future__ import annotations

import argparse
import shutil
import sys
from typing import TYPE_CHECKING

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from compose import lag, postgres, topics
from jobs import job, savepoints, sql
from jobs.job import JobError
from settings import settings

if TYPE_CHECKING:
    from pyflink.table import TableEnvironment

CANCEL_SECONDS = 60


def main(arguments: list[str] | None = None) -> int:
    """0 when all asked-for jobs run, 1 when Flink refused one, 2 for wrong usage."""
    options = _parse(arguments)
    try:
        asks = not (options.explain or options.application)
        options.sink = options.sink or (asks and _sink_in_use()) or settings.sink
        if options.explain:
            _explain(options)
        elif options.application:
            _start(options)
        elif options.suspend:
            _suspend(options)
        else:
            _submit(options)
    except Exception as error:
        if options.verbose:
            raise
        print(f"Could not {'suspend' if options.suspend else 'submit'}: {job.readable(error)}", file=sys.stderr)
        print("The whole stack trace: the same command with --verbose.", file=sys.stderr)
        return 1
    return 0


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jobs", description=__doc__)
    parser.add_argument("metrics", nargs="*", metavar="metric", help=f"which: {', '.join(sql.JOBS)}; all by default")
    parser.add_argument(
        "--sink",
        choices=job.SINKS,
        help=f"where the boards go; by default where they go now, else {settings.sink}",
    )
    parser.add_argument(
        "--application",
        action="store_true",
        help="run by a JobManager in application mode: start its one job, with all boards",
    )
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
    parser.add_argument(
        "--suspend",
        action="store_true",
        help="stop what runs with a savepoint, from which the next submission goes on",
    )
    parser.add_argument("--explain", action="store_true", help="print the plans and submit nothing")
    parser.add_argument("--verbose", action="store_true", help="show Flink's stack traces")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.metrics if name not in sql.JOBS]
    if unknown:
        parser.error(f"no metric is called {', '.join(unknown)}; there are {', '.join(sql.JOBS)}")
    if options.application and (options.rebuild or options.switch):
        parser.error("--application starts its job each time that its JobManager starts: it can end or empty nothing")
    if options.application and options.metrics:
        parser.error("--application computes all boards")
    options.metrics = options.metrics or list(sql.JOBS)
    return options


def _explain(options: argparse.Namespace) -> None:
    for title, tables in job.planned(options.metrics, options.sink, settings).items():
        print(job.compile_plan(_with_tables(options, title), tables, settings).explain())


def _start(options: argparse.Namespace) -> None:
    """Submit without asking what runs: a JobManager that comes back goes on with the job that it knows."""
    title = job.job_name(job.ONE_JOB, options.sink)
    environment = _with_tables(options, title)
    tables = sql.tables(sql.JOBS, options.sink, settings)
    job.execute(environment, job.compile_plan(environment, tables, settings), title)


def _sink_in_use() -> str | None:
    return job.sink_in_use(settings) or job.sink_of(savepoints.suspended(settings))


def _suspend(options: argparse.Namespace) -> None:
    running = job.running(settings)
    titles = {title for name, title in job.taken(running).items() if name in options.metrics}
    if not titles:
        raise JobError("no job runs that could be suspended")
    for title in sorted(titles):
        savepoints.suspend(settings, title, running[title])
        print(f"{title}: suspended", flush=True)


def _submit(options: argparse.Namespace) -> None:
    running, suspended = job.running(settings), savepoints.suspended(settings)
    ending = _to_end(options, [*running, *suspended])
    # A job ends as a whole: whoever wants one board of it anew gets all of them.
    metrics = [name for name in sql.JOBS if name in {*options.metrics, *job.taken(ending)}]
    going_on = {title: path for title, path in suspended.items() if title not in ending}
    taken = {name: title for name, title in job.taken([*running, *going_on]).items() if title not in ending}
    plans = {}
    for title, tables in job.planned(metrics, options.sink, settings, taken.values()).items():
        clash = {taken[name] for name in job.taken([title]) if name in taken}
        if clash - {title}:
            raise JobError(f"'{min(clash)}' is there already; --switch ends it and starts '{title}' instead")
        if clash & running.keys():
            print(f"{title}: runs already, not submitted again")
            continue
        environment = _with_tables(options, title)
        plans[title] = environment, job.compile_plan(environment, tables, settings)
        if title in going_on:
            savepoints.check(settings, title, plans[title][1])
    _check_slots(len(plans), len(ending & running.keys()))
    # Only now that the new plans are known to be sound.
    _end({title: running[title] for title in ending & running.keys()})
    savepoints.forget(settings, ending)
    fresh = plans.keys() - going_on.keys()
    _clear(options.sink, sql.tables(job.taken(fresh), options.sink, settings))
    lag.forget(settings, fresh)  # they start from the topic's first record
    for title, (environment, plan) in plans.items():
        if title in going_on:
            job.execute(environment, plan, title, going_on[title])
            savepoints.await_start(settings, title)
            print(f"{title}: goes on from its savepoint", flush=True)
        else:
            savepoints.remember(settings, title, plan)
            job.execute(environment, plan, title)
            print(f"{title}: submitted", flush=True)


def _clear(sink: str, tables: list[str]) -> None:
    """Empty what is computed anew; an older season, which the topic does not hold whole any more, is kept as it was."""
    (postgres if sink == "postgres" else topics).clear(settings, tables, lag.complete_since(settings))


def _check_slots(wanted: int, freed: int) -> None:
    overview = job.rest(settings, "GET", "/overview")
    needed, there = wanted * settings.parallelism, overview["slots-total"]
    free = overview["slots-available"] + freed * settings.parallelism
    if needed > free and there:
        raise JobError(
            f"{wanted} jobs of parallelism {settings.parallelism} need {needed} slots; of Flink's {there}, {free} are "
            "free. scripts/stop.sh and then scripts/run_all.sh start it with as many as the settings ask for."
        )


def _to_end(options: argparse.Namespace, titles: list[str]) -> set[str]:
    wanted = {title for name, title in job.taken(titles).items() if name in options.metrics}
    if options.rebuild:
        return wanted
    return {title for title in wanted if options.switch and not title.endswith(f" to {options.sink}")}


def _with_tables(options: argparse.Namespace, title: str) -> TableEnvironment:
    environment = job.table_environment(settings, options.application)
    job.define_tables(environment, options.sink, settings, job.group(title))
    return environment


def _end(jobs: dict[str, str]) -> None:
    if not jobs:
        return
    for title, job_id in jobs.items():
        job.cancel(settings, job_id)
        print(f"{title}: ends")
    waiting = Retrying(stop=stop_after_delay(CANCEL_SECONDS), wait=wait_fixed(0.5), retry=retry_if_result(bool))
    try:
        waiting(lambda: jobs.keys() & job.running(settings).keys())
    except RetryError:
        raise JobError(f"{', '.join(jobs)} did not end within {CANCEL_SECONDS} s") from None
    for job_id in jobs.values():  # nobody goes on from there
        shutil.rmtree(job.checkpoint_folder(settings) / job_id, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
