"""The files that a study names by a pattern, and what was read of them to list their images."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from scaling.data.data_errors import DataError
from scaling.data.listing import Watched


def matching(pattern: str, key: str, endings: tuple[str, ...], would_do: str) -> Watched:
    """The files that match ``pattern``, which a study names by ``key``; in a folder, those below it that end so.

    Raises DataError where no file does, or one ends otherwise; ``would_do`` is the end of that message.
    """
    sought = pattern
    if os.path.isdir(pattern):
        sought = os.path.join(glob.escape(pattern), "**", f"*{endings[0]}")
    found = sorted(path for path in glob.glob(sought, recursive=True) if os.path.isfile(path))
    if not found:
        missing = "" if os.path.isdir(_root(pattern)) else f"; there is no folder {_root(pattern)!r}"
        raise DataError(f"{key} {pattern!r}: no {endings[0]} file matches{missing}")
    other = next((path for path in found if not path.lower().endswith(endings)), None)
    if other is not None:
        raise DataError(f"{key} {pattern!r}: {other!r} does not end in {' or '.join(endings)}; {would_do}")
    return Watched(pattern, Path(), found, "file")


def _root(pattern: str) -> str:
    """The folder in which the first part of a pattern that has a wildcard is sought."""
    path = Path(pattern).parent
    while glob.has_magic(str(path)):
        path = path.parent
    return str(path)
