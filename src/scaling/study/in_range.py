"""Sizes that a family cannot have for the images at hand, moved into its range.

What a family can be made of depends on the images: on 32-pixel colour images the least mlp has 50,000 parameters, on 28-pixel
grey ones 13,000, and with a thousand classes the least AlexNet has 57,000. One rule moves the anchors of the learning rate,
always, and the sizes of the grid where a study asks for it (`grid.out_of_range: move`). It is the same for every family:

1. Where all sizes lie in the family's range, taken 5 % wider at both ends as the ladder takes it, nothing changes.
2. Where the smallest is too small, all are multiplied by the one factor that brings it to the least size of the family, so
   that their ratios stay, and with them how well a grid can tell an exponent. Where the largest is too large, likewise.
3. Where they then do not fit at the other end, they are spread from the least to the largest size, each with its share of the
   way in log N.

Moved sizes are rounded to three significant digits, at the ends inwards. docs/studies.md has examples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, Literal

from scaling.models.architecture import Architecture
from scaling.models.family import ImageSpec
from scaling.models.ladder import TOLERANCE, Ladders, SizeError
from scaling.study.schema import Move, Study
from scaling.study.spaced import rounded

DIGITS: Final = 3
"""Significant digits of a moved size: a tenth of the ladder's tolerance (assumption: finer ones would only be hard to read)."""


def into_range(sizes: Sequence[int], least: int, largest: int) -> list[int]:
    """``sizes``, made ascending, moved into the range ``least`` to ``largest`` by the rule above: as many as there were."""
    found = sorted(sizes)
    low, high = found[0], found[-1]
    if low >= least * (1 - TOLERANCE) and high <= largest * (1 + TOLERANCE):
        return found
    bottom, top = _up(least), _down(largest)
    if low < least:
        start, end = bottom, min(top, high * bottom / low)
    else:
        start, end = max(bottom, low * top / high), top
    # 1 where the ratios stay
    power = math.log(end / start) / math.log(high / low) if high > low else 1.0
    moved = [rounded(start * (size / low) ** power, DIGITS) for size in found]
    return [min(max(size, bottom), top) for size in moved]


def moved_into_range(study: Study, ladders: Ladders, image: ImageSpec) -> Study:
    """``study`` with its learning rates' anchors, and where it asks for it its sizes, moved into the ranges of its families.

    Entries whose depth cannot be built are left as they are: checking them says why.

    Args:
        study: its settings.
        ladders, image: the sizes of its models, and the shape of its images.
    """
    moves = {}
    for entry in study.families:
        try:
            least, largest = size_range(study.architecture(entry), ladders, image)
        except SizeError:
            continue
        own = []
        for what, said in _movable(study, entry):
            used = into_range(said, least, largest)
            if used != sorted(said):
                own.append(Move(what, tuple(sorted(said)), tuple(used), least, largest))
        if own:
            moves[entry] = tuple(own)
    return study.moved(moves) if moves else study


def size_range(made: Architecture, ladders: Ladders, image: ImageSpec) -> tuple[int, int]:
    """Least and largest target N of an architecture; of one that matches FLOP, those of its family.

    Args:
        made: the architecture.
        ladders, image: the sizes of its models, and the shape of its images.

    Raises:
        SizeError: it cannot be built.
    """
    return ladders.range(made.usual if made.match == "flop" else made, image)


def _movable(study: Study, entry: str) -> list[tuple[Literal["sizes", "anchors"], list[int]]]:
    found: list[tuple[Literal["sizes", "anchors"], list[int]]] = []
    if study.grid.out_of_range == "move":
        found.append(("sizes", study.sizes(entry)))
    recipe = study.family_recipe(entry)
    if recipe.is_tuned:
        found.append(("anchors", recipe.anchors.params))
    return found


def _up(value: int) -> int:
    nearest = rounded(value, DIGITS)
    return nearest if nearest >= value else nearest + _unit(value)


def _down(value: int) -> int:
    nearest = rounded(value, DIGITS)
    return nearest if nearest <= value else nearest - _unit(value)


def _unit(value: int) -> int:
    return 10 ** max(0, len(str(value)) - DIGITS)
