"""The ceiling of a bounded response: a number, or chance among the classes that a table's column says."""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl

from scaling.laws.forms.catalogue import require_ceiling
from scaling.laws.law_errors import InputError

CLASSES: Final = "classes"
"""Ceiling that follows from a column of this name: chance among so many classes."""


def number_of(ceiling: float | str | None) -> float | None:
    """The ceiling if it is a number; None for CLASSES and if none was given.

    Raises:
        InputError: for another word, or a number that is not positive.
    """
    if ceiling == CLASSES or ceiling is None:
        return None
    if isinstance(ceiling, str):
        raise InputError(f"ceiling is {ceiling!r}; it must be a positive number, none or {CLASSES}")
    require_ceiling(ceiling)
    return ceiling


def group_ceiling(ceiling: float | str | None, rows: pl.DataFrame, response: str) -> float | None:
    """The ceiling of some rows: as given, or chance among their classes.

    Args:
        ceiling: a number, infinite for no ceiling, None if it is not known, or CLASSES.
        rows: with the column CLASSES if that is the ceiling.
        response: column of the response, whose name says whether it is an error rate or a cross-entropy.

    Raises:
        InputError: if the number of classes is not a whole number of 2 or more that is the same in all rows, or if chance is
            not known for the response.
    """
    if ceiling != CLASSES:
        return number_of(ceiling)
    counts = rows[CLASSES].unique()
    if len(counts) != 1 or counts[0] < 2 or counts[0] != round(counts[0]):
        shown = ", ".join(f"{value:g}" for value in counts.sort()[:5])
        raise InputError(f"column {CLASSES} is {shown}; --ceiling classes needs one whole number of 2 or more per group")
    if "error" in response.lower():
        return float((counts[0] - 1) / counts[0])
    if "loss" in response.lower():
        return float(np.log(counts[0]))
    raise InputError(f"--ceiling classes needs a column of errors or losses, got {response}; give chance as a number")
