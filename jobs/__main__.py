"""Submits the jobs of the boards to a JobManager: python -m jobs [job …] [--sink …]."""

from __future__ import annotations

import argparse
import shlex
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from boards import sinks
from boards.sinks import sink
from clients import flink, offsets
from clients.errors import JobError
from games import chosen, season
from games.board import Game, Table
from jobs import environment, savepoints
from jobs.names import ALL_BOARDS, JobName, game_of, is_feeding
from jobs.running import computing, planned, running, unfed
from settings import SettingError, settings

if TYPE_CHECKING:
    from pyflink.table import CompiledPlan, TableEnvironment

T = TypeVar("T")

CANCEL_SECONDS = 60
SCRIPTS = ("suspend", "resume", "rebuild")  # scripts/<name>.sh calls this module with --<name>
AT_ONCE = 4  # jobs; more have no use on few cores
SEASON = "season_start"  # the period of tables whose totals are of a season


def main(arguments: list[str] | None = None) -> int:
    """0 when all asked-for jobs run, 1 when Flink refused one, 2 for wrong usage."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        options = _parse(arguments)
    except SettingError as error:
        print(error, file=sys.stderr)
        return 2
    try:
        asks_flink = not (options.explain or options.application)
        options.sink = (
            options.sink or (asks_flink and savepoints.sink_in_use(settings)) or settings.sink
        )
        _check_names(options)
        if options.explain:
            _explain(options)
        elif options.application:
            _start(options)
        elif options.suspend:
            _suspend(options)
        else:
            _submit(options)
    except Exception as error:  # Flink's come as many types; a person reads one sentence
        if options.verbose:
            raise
        what, again = _asked_for(options, arguments)
        print(f"Could not {what}: {flink.readable(error)}", file=sys.stderr)
        print(f"For the whole stack trace: {again} --verbose", file=sys.stderr)
        return 1
    return 0


def _asked_for(options: argparse.Namespace, arguments: list[str]) -> tuple[str, str]:
    """What a command was to do, and the command itself, as a person knows both."""
    script = _script(arguments)
    if script:
        rest = [word for word in arguments if word != f"--{script}"]
        return script, shlex.join([f"scripts/{script}.sh", *rest])
    what = "explain" if options.explain else "move the boards" if options.switch else "start"
    return what, shlex.join([".venv/bin/python", "-m", "jobs", *arguments])


def _script(arguments: list[str]) -> str | None:
    """The script that calls this module with these words, None when a person does."""
    return next((verb for verb in SCRIPTS if f"--{verb}" in arguments), None)


def _all_jobs() -> list[tuple[str, str]]:
    """Every job of the chosen games, as (game, job)."""
    return [(game.name, job) for game in chosen(settings) for job in game.jobs]


def _parse(arguments: list[str]) -> argparse.Namespace:
    names = [job for _, job in _all_jobs()]
    script = _script(arguments)
    parser = argparse.ArgumentParser(
        prog=f"scripts/{script}.sh" if script else "python -m jobs",
        usage="%(prog)s [job …] [--verbose]" if script else None,
        description=__doc__,
    )
    parser.add_argument(
        "jobs", nargs="*", metavar="job", help=f"which: {', '.join(names)}; all by default"
    )
    parser.add_argument(
        "--sink",
        choices=sinks.NAMES,
        help=f"where the boards go; by default where they go now, else {settings.sink}",
    )
    parser.add_argument(
        "--application",
        action="store_true",
        help="run by a JobManager in application mode: start its one job, with all boards",
    )
    work = parser.add_mutually_exclusive_group()
    work.add_argument(
        "--rebuild",
        action="store_true",
        help="end what runs, empty the boards in the sink and compute them again from the topic",
    )
    work.add_argument(
        "--switch",
        action="store_true",
        help="the same for jobs that write to another sink, and only for those",
    )
    work.add_argument(
        "--suspend",
        action="store_true",
        help="stop what runs with a savepoint, from which the next submission goes on",
    )
    work.add_argument(
        "--resume",
        action="store_true",
        help="start what does not run, from its savepoint if it has one, as without any option",
    )
    parser.add_argument(
        "--drop-seasons",
        action="store_true",
        help="with --rebuild or --switch: remove older seasons of another length",
    )
    work.add_argument("--explain", action="store_true", help="print the plans and submit nothing")
    parser.add_argument("--verbose", action="store_true", help="show Flink's stack traces")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.jobs if name not in names]
    if unknown:
        parser.error(f"no job is called {', '.join(unknown)}; there are {', '.join(names)}")
    if options.application and (options.rebuild or options.switch):
        parser.error(
            "--application starts its job each time that its JobManager starts: it can end or "
            "empty nothing"
        )
    if options.application and options.jobs:
        parser.error("--application computes all boards")
    if options.application and len(chosen(settings)) > 1:
        parser.error("--application has one job, and so one game: choose it by LEADERBOARD_GAMES")
    options.named = options.jobs
    options.jobs = [each for each in _all_jobs() if not options.jobs or each[1] in options.jobs]
    return options


def _check_names(options: argparse.Namespace) -> None:
    """Raise JobError when a job was named that has nothing to write to the sink.

    With --switch it may have: such a job of the other sink ends. So may one to be suspended.
    """
    if options.switch or options.suspend:
        return
    idle = [
        job
        for game, job in options.jobs
        if job in options.named and not planned([(game, job)], options.sink, settings)
    ]
    if idle:
        raise JobError(
            f"{', '.join(idle)}: there is nothing of that name in the sink {options.sink}. "
            "Nothing was done; leave it out."
        )


def _explain(options: argparse.Namespace) -> None:
    for name, tables in planned(options.jobs, options.sink, settings).items():
        print(_compiled(name, tables)[1].explain())


def _start(options: argparse.Namespace) -> None:
    """Submit without asking what runs: a JobManager that comes back goes on with its job."""
    (game,) = chosen(settings)
    name = JobName(game.name, ALL_BOARDS, options.sink)
    own = environment.environment_for(name, settings, is_application=True)
    tables = sink(options.sink, settings).tables(game.tables)
    plan = environment.compile_plan(own, game, tables, settings)
    environment.execute(own, plan, name.title)


def _suspend(options: argparse.Namespace) -> None:
    jobs = running(settings)
    wanted = _doing(options, jobs)
    if not wanted:
        raise JobError("no job runs that could be suspended")

    def suspend(name: JobName) -> None:
        _say(f"{name}: takes a savepoint")
        savepoints.suspend(settings, name, jobs[name])
        _say(f"{name}: suspended")

    _beside_each_other(suspend, sorted(wanted))


def _say(step: str) -> None:
    """Tell whoever waits that a step begins or is done, also when the output is no terminal."""
    print(step, flush=True)


def _doing(options: argparse.Namespace, names: Iterable[JobName]) -> set[JobName]:
    """Who does the asked-for jobs, among these."""
    wanted = {job for _, job in options.jobs}
    return {name for job, name in computing(names, settings).items() if job in wanted}


def _submit(options: argparse.Namespace) -> None:
    jobs, suspended = running(settings), savepoints.suspended(settings)
    ending = _to_end(options, [*jobs, *suspended])
    going_on = {name: path for name, path in suspended.items() if name not in ending}
    for feed in unfed(settings):
        _say(
            f"{feed.game}: {feed.name} is left out. It makes events for the game {feed.to}, which "
            "LEADERBOARD_GAMES does not name."
        )
    plans = _plans(options, jobs, ending, going_on)
    # What was sent to another game stays there.
    feeding = {name for name in plans if is_feeding(name, settings)}
    fresh = plans.keys() - going_on.keys() - feeding
    _check_seasons(options, fresh, (jobs.keys() | going_on.keys()) - ending)
    _check_slots(len(plans), len(ending & jobs.keys()))
    # Only now that the new plans are known to be sound.
    for each in {name.sink for name in ending | fresh}:
        sink(each, settings).restore()
    _end({name: jobs[name] for name in ending & jobs.keys()})
    savepoints.forget(settings, ending)
    _clear(fresh)
    if plans:
        _say("Starting the jobs")

    def start(name: JobName) -> None:
        own, plan = plans[name]
        if name in going_on:
            environment.execute(own, plan, name.title, going_on[name])
            savepoints.await_start(settings, name)
            _say(f"{name}: goes on from its savepoint")
        else:
            savepoints.remember(settings, name, plan)
            environment.execute(own, plan, name.title)
            _say(f"{name}: submitted")

    _beside_each_other(start, plans)


def _plans(
    options: argparse.Namespace,
    jobs: Mapping[JobName, str],
    ending: set[JobName],
    going_on: Mapping[JobName, str],
) -> dict[JobName, tuple[TableEnvironment, CompiledPlan]]:
    """The compiled plan of every job to be submitted.

    Raises JobError when a job that stays does the same, or cannot go on from its savepoint.
    """
    # A job ends as a whole: whoever wants one board of it anew gets all of them.
    ended = computing(ending, settings)
    wanted = [each for each in _all_jobs() if each in options.jobs or each[1] in ended]
    staying = {
        job: name
        for job, name in computing([*jobs, *going_on], settings).items()
        if name not in ending
    }
    to_compile = {}
    for name, tables in planned(wanted, options.sink, settings, staying.values()).items():
        clash = {staying[job] for job in computing([name], settings) if job in staying}
        if clash - {name}:
            other = min(clash)
            raise JobError(f"'{other}' writes this already; --switch ends it and starts '{name}'")
        if clash & jobs.keys():
            _say(f"{name}: runs already, not submitted again")
            unused = savepoints.without_effect(settings, name)
            if unused:
                _say(f"{name}: {unused}")
            continue
        to_compile[name] = tables
    if to_compile:
        _say(f"Compiling the plans of {', '.join(map(str, to_compile))}")
    compiled = _beside_each_other(lambda name: _compiled(name, to_compile[name]), to_compile)
    plans = dict(zip(to_compile, compiled, strict=True))
    for name in plans.keys() & going_on.keys():
        savepoints.check(settings, name, plans[name][1])
    return plans


def _beside_each_other(work: Callable[[JobName], T], names: Iterable[JobName]) -> list[T]:
    """What comes of work on each job. Raises the first error, when all have ended."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, names))


def _compiled(name: JobName, tables: list[Table]) -> tuple[TableEnvironment, CompiledPlan]:
    own = environment.environment_for(name, settings)
    return own, environment.compile_plan(own, game_of(name, settings), tables, settings)


def _check_seasons(
    options: argparse.Namespace, fresh: Collection[JobName], staying: Collection[JobName]
) -> None:
    """Raise JobError when seasons of two lengths would stand beside each other, or old ones go."""
    for name in sorted(staying):
        was, _ = savepoints.changed_settings(settings, name).get("season", (None, None))
        if was and any(each.game == name.game for each in fresh):
            raise JobError(
                f"'{name}' adds up seasons of one length ({was}), and the others would have "
                f"another ({settings.season}). LEADERBOARD_SEASON={was} starts them beside it; "
                "scripts/rebuild.sh, without names, changes the season of all"
            )
    losing = sorted(filter(_loses_seasons, fresh))
    if losing and not options.drop_seasons:
        was, held_by = ", ".join(sorted(_other_seasons(losing[0]))), losing[0].sink
        switch = f".venv/bin/python -m jobs --sink {held_by} --switch"
        raise JobError(
            f"{held_by} holds older seasons of another length ({was}), and the topic does not hold "
            "all of their events any more. They cannot stand beside seasons of the new length "
            f"({settings.season}). Nothing was changed. Copy them if you want to keep them "
            "(docs/operations.md), and then run "
            f"{switch if options.switch else 'scripts/rebuild.sh'} --drop-seasons"
        )


def _other_seasons(name: JobName) -> set[str]:
    """The lengths of seasons in a job's tables that are another than it would write."""
    return savepoints.seasons_written(settings, name) - {settings.season}


def _loses_seasons(name: JobName) -> bool:
    """Whether seasons would go that the topic cannot fill again."""
    return bool(_other_seasons(name)) and _fills_since(name) > 0


def _fills_since(name: JobName) -> int:
    """The time in epoch milliseconds since when the topic can fill a job's tables; 0 is always.

    A topic that was made anew fills the season that it began in, as far as it can.
    """
    topic = game_of(name, settings).topic(settings)
    if savepoints.is_of_old_topic(settings, name):
        return season.of(settings).start_of(offsets.first_record_at(settings, topic))
    return offsets.complete_since(settings, topic)


def _clear(fresh: Collection[JobName]) -> None:
    """Empty what is computed anew; an older season, which the topic does not hold whole any more,
    is kept as it was, unless it is of another length.
    """
    if not fresh:
        return
    if any(savepoints.has_changed(settings, name) for name in fresh):
        _say("Bringing views, triggers and topics up to date with the settings")
        for each in sinks.sinks(settings):
            if each.is_needed:
                each.create(chosen(settings))
    _say("Emptying the tables that these jobs fill from the topic")
    for name in fresh:
        game: Game = game_of(name, settings)
        target = sink(name.sink, settings)
        held = target.tables(table for job in name.computes(game) for table in game.jobs[job])
        outdated = [each for each in held if each.period == SEASON and _other_seasons(name)]
        target.clear(outdated)
        target.clear([each for each in held if each not in outdated], _fills_since(name))
    # They start from the topic's first record.
    offsets.forget(settings, [name.group for name in fresh])


def _check_slots(wanted: int, freed: int) -> None:
    overview = flink.rest(settings, "GET", "/overview")
    needed, slots = wanted * settings.parallelism, overview["slots-total"]
    free = overview["slots-available"] + freed * settings.parallelism
    if needed > free and slots:
        raise JobError(
            f"{wanted} jobs of parallelism {settings.parallelism} need {needed} slots; of Flink's "
            f"{slots}, {free} are free. scripts/stop.sh and then scripts/run_all.sh start it with "
            "as many as the settings ask for."
        )


def _to_end(options: argparse.Namespace, names: Iterable[JobName]) -> set[JobName]:
    wanted = _doing(options, names)
    if options.rebuild:
        return wanted
    return {name for name in wanted if options.switch and name.sink != options.sink}


def _end(jobs: Mapping[JobName, str]) -> None:
    if not jobs:
        return
    _say("Ending the jobs that are replaced")
    for name, job_id in jobs.items():
        flink.cancel(settings, job_id)
        _say(f"{name}: ends")
    waiting = Retrying(
        stop=stop_after_delay(CANCEL_SECONDS), wait=wait_fixed(0.5), retry=retry_if_result(bool)
    )
    try:
        waiting(lambda: jobs.keys() & running(settings).keys())
    except RetryError:
        names = ", ".join(map(str, jobs))
        raise JobError(f"{names} did not end within {CANCEL_SECONDS} s") from None
    for job_id in jobs.values():  # nobody goes on from there
        folder = environment.checkpoint_folder(settings) / job_id
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
