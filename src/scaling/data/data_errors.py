"""What goes wrong with data, in one line each."""

from __future__ import annotations


class DataError(ValueError):
    """The data cannot be had as asked for; one line that quotes the value received and what is allowed."""


class DamagedData(DataError):
    """A file is not what was once written; the message names it."""


class Unfinished(DataError):
    """Preparing ended early through no fault of the images; what is done is kept, and the next attempt goes on."""


def one_line(error: Exception) -> str:
    """What another library's error says, on one line; its type when it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
