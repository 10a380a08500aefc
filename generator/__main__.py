"""Runs an event source, or a command for the events of all: python -m generator [name] [options].

Without a name it is the score game's source.
"""

from __future__ import annotations

import sys
from importlib import import_module

from generator.form import sources

DEFAULT = "score"
COMMANDS = ("consume", "replay")  # modules, each with a `main`


def main(words: list[str] | None = None) -> int:
    """Run what the first word names. Exit code 2: there is no such source or command."""
    words = sys.argv[1:] if words is None else words
    is_named = bool(words) and not words[0].startswith("-")
    name, rest = (words[0], words[1:]) if is_named else (DEFAULT, words)
    if name not in (*sources(), *COMMANDS):
        known = f"commands: {', '.join(COMMANDS)}; known games: {', '.join(sources())}"
        print(f"generator: no game is called {name!r}; {known}", file=sys.stderr)
        return 2
    exit_code: int = import_module(f"generator.{name}").main(rest)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
