"""Runs an event source: python -m generator [game] [options]; the score game's by default."""

from __future__ import annotations

import sys
from importlib import import_module
from pkgutil import iter_modules

import generator

DEFAULT = "score"


def sources() -> list[str]:
    """The event sources: every package in this folder, each with a `main`."""
    return sorted(module.name for module in iter_modules(generator.__path__) if module.ispkg)


def main(words: list[str] | None = None) -> int:
    """Run the source that the first word names. Exit code 2: there is no such source."""
    words = sys.argv[1:] if words is None else words
    is_named = bool(words) and not words[0].startswith("-")
    name, rest = (words[0], words[1:]) if is_named else (DEFAULT, words)
    if name not in sources():
        known = ", ".join(sources())
        print(f"generator: no game is called {name!r}; known games: {known}", file=sys.stderr)
        return 2
    exit_code: int = import_module(f"generator.{name}").main(rest)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
