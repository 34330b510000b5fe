"""From cells to packs, the jobs that train them: sized by what the study names, or by the minutes that a job is to take.

With ``jobs.minutes`` the cells of a family are split like a tree: the family; then ranges of N; then, at one N, ranges of
seeds; then, at one N and seed, ranges of D; then cells. A range is halved at fixed places, multiples of powers of two, never at
places that depend on the grid. A part that fits into the minutes is a pack.

So packs depend on the study and its calibration alone, never on what is done already. A number that is added to a grid changes
little: a pack keeps its name and its cells unless a new cell falls into its own part of the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from scaling.jobs.calibration import usable_calibration
from scaling.jobs.estimates import Estimates, Load
from scaling.models.ladder import Ladders
from scaling.runs.grid import Cell, Pack, cells, packs
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_images import image_spec

Seconds = Callable[[str, int, int], float]
"""(family, target N, D) -> seconds to train the cell."""

AXES: Final[tuple[tuple[str, Callable[[Cell], int]], ...]] = (
    ("n", lambda cell: cell.target),
    ("s", lambda cell: cell.seed),
    ("d", lambda cell: cell.images),
)
"""The axes along which cells are split, in this order: letter in a pack's name, and value of a cell."""


def packs_of(study: Study, layout: Layout) -> dict[str, Pack]:
    """The jobs of ``study`` by name; their cells depend on the study and its calibration alone.

    Raises:
        CalibrationError: the study sizes its jobs in minutes, and the calibration does not say how long its cells take.
    """
    if study.jobs.minutes is None:
        return packs(study)
    image = image_spec(study)
    estimates = Estimates(study, usable_calibration(study, image), Ladders(layout.ladders), image)
    return packs_by_minutes(study, estimates.known_seconds)


def packs_by_minutes(study: Study, seconds: Seconds) -> dict[str, Pack]:
    """The jobs of ``study`` by name, none longer than ``study.jobs.minutes`` unless it is a single cell.

    Args:
        study: its settings; its jobs are sized in minutes.
        seconds: (family, target N, D) -> seconds of that run on one core.
    """
    assert study.jobs.minutes is not None
    limit, cores = 60.0 * study.jobs.minutes, study.jobs.at_a_time

    def fits(members: Sequence[Cell]) -> bool:
        return Load.of(seconds(cell.family, cell.target, cell.images) for cell in members).seconds(cores) <= limit

    found = {}
    for family in study.families:
        for name, members in _parts(family, cells(study, family), 0, fits):
            found[name] = Pack(name, family, tuple(members))
    return found


Fits = Callable[[Sequence[Cell]], bool]


def _parts(name: str, members: list[Cell], axis: int, fits: Fits) -> Iterator[tuple[str, list[Cell]]]:
    """``members``, all cells of ``name``, in packs: in one if they fit, else split along the axis and those after it."""
    if fits(members):
        yield name, members
    elif axis == len(AXES):
        cell = members[0]
        yield f"{cell.family}-n{cell.target}-d{cell.images}-s{cell.seed}", members
    else:
        letter, value = AXES[axis]
        for part in _ranges(members, value, fits):
            first, last = min(map(value, part)), max(map(value, part))
            if first < last:
                yield f"{name}-{letter}{first}-{last}", part
            else:
                yield from _parts(f"{name}-{letter}{first}", part, axis + 1, fits)


def _ranges(members: list[Cell], value: Callable[[Cell], int], fits: Fits) -> Iterator[list[Cell]]:
    """``members``, which do not fit, in ranges of ``value`` that fit, or that hold one value only.

    They are halved at the highest binary digit in which the values differ: at a multiple of a power of two.
    """
    first, last = min(map(value, members)), max(map(value, members))
    if first == last:
        yield members
        return
    digit = (first ^ last).bit_length() - 1
    middle = last >> digit << digit
    for half in ([cell for cell in members if value(cell) < middle], [cell for cell in members if value(cell) >= middle]):
        if fits(half):
            yield half
        else:
            yield from _ranges(half, value, fits)
