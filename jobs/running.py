"""Which of our jobs run, what they compute, and which ones the settings ask for."""

from __future__ import annotations

from collections.abc import Iterable

from boards.sinks import sink
from clients import flink
from games import chosen, is_fed
from games.board import Feed, Table
from jobs.names import ALL_BOARDS, JobName, board_jobs, by_title, game_of
from settings import Settings


def running(settings: Settings) -> dict[JobName, str]:
    """Job id by name of each of our jobs that has not ended. Raises JobError."""
    names = by_title(settings)
    by_id = flink.running(settings).items()
    return {names[title]: job_id for title, job_id in by_id if title in names}


def computing(names: Iterable[JobName], settings: Settings) -> dict[str, JobName]:
    """Who does each job among these: one of its own name, or one for all boards."""
    return {job: name for name in sorted(names) for job in name.computes(game_of(name, settings))}


def sink_of(names: Iterable[JobName], settings: Settings) -> str | None:
    """The sink that jobs of these names write boards to, None when none of them does."""
    writing = (
        name.sink
        for name in names
        if set(name.computes(game_of(name, settings))) & set(board_jobs(game_of(name, settings)))
    )
    return max(writing, default=None)


def unfed(settings: Settings) -> list[Feed]:
    """The feeds of the chosen games that go nowhere, because their games are not among these."""
    feeds = (feed for game in chosen(settings) for feed in game.feeds)
    return [feed for feed in feeds if not is_fed(feed, settings)]


def planned(
    jobs: Iterable[tuple[str, str]],
    sink_name: str,
    settings: Settings,
    existing: Iterable[JobName] = (),
) -> dict[JobName, list[Table]]:
    """The tables that each Flink job writes, for these jobs, each a game's name and a job's.

    All boards of a game are one job when the settings say so, or when that job exists already.
    """
    known = set(existing)
    tables: dict[JobName, list[Table]] = {}
    for game_name, job in jobs:
        name, whole = JobName(game_name, job, sink_name), JobName(game_name, ALL_BOARDS, sink_name)
        game = game_of(name, settings)
        is_one_job = settings.one_job == "yes" or whole in known
        if is_one_job and job in board_jobs(game):
            name = whole
        computed = [
            table
            for each in name.computes(game)
            for table in game.jobs[each]
            if not isinstance(table, Feed) or is_fed(table, settings)
        ]
        tables[name] = sink(sink_name, settings).tables(computed)
    return {name: of for name, of in tables.items() if of}
