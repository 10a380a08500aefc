"""The event source of the actions game: players who move, attack, collect items and use them."""

from generator.actions.command import main
from generator.actions.events import FORM

__all__ = ["FORM", "main"]
