"""The event source of the spins game: players of a casino who spin slots."""

from generator.spins.command import main
from generator.spins.events import FORM

__all__ = ["FORM", "main"]
