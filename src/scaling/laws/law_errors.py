"""What a user can get wrong when asking for a law."""

from __future__ import annotations


class InputError(ValueError):
    """A question that cannot be answered as it was asked; its message is one line for the person who asked."""


def require_positive(name: str, value: float) -> None:
    """Check a setting called ``name``.

    Raises:
        InputError: unless its value is positive and finite.
    """
    if not 0 < value < float("inf"):
        raise InputError(f"{name} is {value:g}; it must be positive and finite")


def require_count(name: str, value: int, least: int = 0) -> None:
    """Check a whole number called ``name``.

    Raises:
        InputError: if its value is below ``least``.
    """
    if value < least:
        raise InputError(f"{name} is {value}; it must be {least} or more")
