"""The error that a person reads."""


class SetupError(Exception):
    """Something around the pipeline is not as it must be: what happened, and what to do."""
