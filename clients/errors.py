"""The errors that a person reads: what happened, and what to do."""

from __future__ import annotations


class SetupError(Exception):
    """Something around the pipeline is not as it must be."""


class JobError(Exception):
    """Flink refused or could not be reached; the message is one readable sentence."""


class BoardsUnavailable(Exception):
    """The boards cannot be read."""


def first_line(error: Exception) -> str:
    """An error's text without its second line and full stop, and without the name of its class."""
    name = type(error).__name__
    text = str(error).strip().removeprefix(f"{name}: ")  # which Kafka's client puts before it
    return (text or name).splitlines()[0].rstrip(".")
