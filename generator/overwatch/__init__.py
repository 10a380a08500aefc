"""The event source of the Overwatch game: a worker that fetches profiles when somebody asks."""

from generator.overwatch.command import main

__all__ = ["main"]
