"""The runs that might be added to a study: sizes and data sizes within its grid and one step beyond, and new seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders, SizeError
from scaling.runs.grid import Cell, cells
from scaling.study.in_range import size_range
from scaling.study.schema import Study
from scaling.study.spaced import DIGITS, rounded

MOST_STEP: Final = 3.0
"""Largest factor by which a size or a data size may exceed those of the grid (assumption): a law is sure of no more."""
LEAST_STEP: Final = 1.25
"""Factor by which the images that there are must exceed the largest D to be worth a data size of their own (assumption)."""
ONLY_STEP: Final = 2.0
"""The factor where there is one size only, whose grid has no step (assumption)."""
NEW_SEEDS: Final = 12
"""New seeds that a place may get (assumption): with 4, designs on simulated grids ran out of cheap places that tell much."""


def candidate_cells(study: Study, family: str, ladders: Ladders, image: ImageSpec, most_images: int | None) -> list[Cell]:
    """Cells of ``family`` that the study does not have, each once.

    Args:
        study: its settings.
        family: an entry of it.
        ladders, image: the sizes of its models, and the shape of its images.
        most_images: the training images that there are; None where that is not known: then D stays within the grid.
    """
    known = {(cell.target, cell.images, cell.seed) for cell in cells(study, family)}
    data = sorted({images for _, images, _ in known})
    largest = most_images or data[-1]
    data += [images for images in [min(_beyond(data)[0], largest)] if images > LEAST_STEP * data[-1]]
    return [
        Cell(family, target, images, seed)
        for target in candidate_sizes(study, family, ladders, image)
        for images in data
        for seed in _new_seeds(study, {seed for one, other, seed in known if (one, other) == (target, images)})
    ]


def candidate_sizes(study: Study, family: str, ladders: Ladders, image: ImageSpec) -> list[int]:
    """The sizes at which new runs of ``family`` may be proposed, ascending, as the family has them.

    They are the study's sizes, those halfway between them in log N, and one step beyond either end.

    Args:
        study: its settings.
        family: an entry of it.
        ladders, image: the sizes of its models, and the shape of its images.
    """
    sizes = study.all_sizes(family)
    least, largest = size_range(study.architecture(family), ladders, image)
    between = [rounded(math.sqrt(one * other), DIGITS) for one, other in pairwise(sizes)]
    below = [rounded(sizes[0] / _step(sizes), DIGITS)]
    found = {ladders.rung(study.architecture(family), size, image).params: size for size in sizes}
    for size in [*between, *below, *_beyond(sizes)]:
        if not least <= size <= largest:
            continue
        try:
            rung = ladders.rung(study.architecture(family), size, image)
        except SizeError:  # of a variant that matches FLOP
            continue
        if rung.within:
            found.setdefault(rung.params, size)
    return sorted(found.values())


def _step(values: list[int]) -> float:
    """Mean factor between neighbours, at most ``MOST_STEP``."""
    if len(values) < 2:
        return ONLY_STEP
    return min((values[-1] / values[0]) ** (1 / (len(values) - 1)), MOST_STEP)


def _beyond(values: list[int]) -> list[int]:
    """The value one step beyond the largest."""
    return [rounded(values[-1] * _step(values), DIGITS)]


def _new_seeds(study: Study, known: set[int]) -> Iterator[int]:
    """The first seeds that a place does not have yet: those of the grid, then 0, 1, 2 ..."""
    every = dict.fromkeys([*sorted(study.grid.seeds), *range(NEW_SEEDS + len(known) + len(study.grid.seeds))])
    new = [seed for seed in every if seed not in known]
    return iter(new[:NEW_SEEDS])
