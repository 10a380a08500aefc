"""The event source of the score game: teams that come and go, and players in and out of form."""

from generator.score.command import main

__all__ = ["main"]
