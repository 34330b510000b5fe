"""What a user can get wrong when asking for a law."""

from __future__ import annotations


class InputError(ValueError):
    """A question that cannot be answered as it was asked; its message is one line for the person who asked."""


def require_positive(name: str, value: float) -> None:
    """Raise InputError unless a setting is positive and finite."""
    if not 0 < value < float("inf"):
        raise InputError(f"{name} is {value:g}; it must be positive and finite")


def require_count(name: str, value: int, least: int = 0) -> None:
    """Raise InputError unless a setting is a whole number of at least ``least``."""
    if value < least:
        raise InputError(f"{name} is {value}; it must be {least} or more")
