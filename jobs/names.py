"""The names of Flink jobs: a type with its parts, which nobody reads back out of a title."""

from __future__ import annotations

from dataclasses import dataclass

from boards import sinks
from games import chosen
from games.board import Feed, Game
from settings import Settings

ALL_BOARDS = "all boards"


@dataclass(frozen=True, order=True)
class JobName:
    """What a job computes, of which game, and the sink that it writes to."""

    game: str
    job: str
    sink: str

    @property
    def title(self) -> str:
        """The name that the job has in Flink."""
        return f"{self.game}: {self.job} to {self.sink}"

    def __str__(self) -> str:
        return self.title

    @property
    def group(self) -> str:
        """The consumer group to which it commits its offsets, whatever the sink."""
        return f"leaderboard.{self.game}.{self.job.replace(' ', '_')}"

    @property
    def file_name(self) -> str:
        """A name for a file about the job."""
        return f"{self.group}.{self.sink}"

    def computes(self, game: Game) -> list[str]:
        """The jobs that it does: its own, or those of all boards."""
        return board_jobs(game) if self.job == ALL_BOARDS else [self.job]


def board_jobs(game: Game) -> list[str]:
    """The jobs that compute a game's boards, but for those that settings may leave out."""
    return [
        name
        for name, tables in game.jobs.items()
        if not all(each.written_if or isinstance(each, Feed) for each in tables)
    ]


def is_feeding(name: JobName, settings: Settings) -> bool:
    """Whether a job makes events for another game."""
    return name.job in {feed.job for feed in game_of(name, settings).feeds}


def all_names(settings: Settings) -> list[JobName]:
    """Every name that a job of the chosen games can have."""
    return [
        JobName(game.name, job, sink)
        for game in chosen(settings)
        for job in (*game.jobs, ALL_BOARDS)
        for sink in sinks.NAMES
    ]


def by_title(settings: Settings) -> dict[str, JobName]:
    """The same by the titles in Flink."""
    return {name.title: name for name in all_names(settings)}


def game_of(name: JobName, settings: Settings) -> Game:
    """The game whose job this is."""
    return next(game for game in chosen(settings) if game.name == name.game)
