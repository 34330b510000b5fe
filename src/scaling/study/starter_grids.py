"""The grids that a first study may have, from small to large: which N and D, for so many images and so much more time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

LEAST_D: Final = 300
"""Losses below this D are off the law (docs/studies.md, "Choosing a grid")."""

SMALL: Final = (3, 8.0, 3, 4)
USUAL: Final = (4, 20.0, 4, 8)
"""Sizes, the largest N over the smallest, data sizes, the largest D over the smallest; USUAL is the default study's."""

SMALL_WIDER: Final = ((3, 8.0, 25.0),)
USUAL_WIDER: Final = ((4, 20.0, 64.0), (5, 39.0, 256.0), (6, 98.0, 1024.0))
"""Sizes, and the least and the greatest ratio of the largest N to the smallest: neighbours are 2.5 to 5 times apart."""

PRECISION: Final = 1.01
"""Ratio to which the largest grid that fits is found (assumption: sizes are rounded to two digits anyway)."""


@dataclass(frozen=True)
class Spacing:
    """So many sizes, evenly spaced in their logarithm."""

    first: int
    last: int
    count: int

    def __str__(self) -> str:
        return f"{{ from: {self.first}, to: {self.last}, count: {self.count} }}"


@dataclass(frozen=True)
class Shape:
    """The N and the D of a grid."""

    params: Spacing
    images: Spacing


@dataclass(frozen=True)
class Growth:
    """Grids of one kind, which grow with a number from ``least`` to ``most``.

    Attributes:
        least, most: the ends of that number: of D if ``ratio`` is set, else of the largest N over the smallest.
        sizes, data_sizes: how many N and D.
        ratio: the largest N over the smallest, where D grows; None where N does.
        data_ratio: the largest D over the smallest.
        images: the largest D, where N grows.
    """

    least: float
    most: float
    sizes: int
    data_sizes: int
    ratio: float | None
    data_ratio: int
    images: int

    def shape(self, number: float, least_n: int) -> Shape:
        """The grid for ``number``, whose smallest N is ``least_n``."""
        last, ratio = (self.images, number) if self.ratio is None else (down(number), self.ratio)
        return Shape(
            Spacing(least_n, down(least_n * ratio), self.sizes), Spacing(up(last / self.data_ratio), last, self.data_sizes)
        )

    def largest(self, fits: Callable[[float], bool]) -> float:
        """The largest number whose grid ``fits``; that of ``least`` does."""
        if fits(self.most):
            return self.most
        low, high = self.least, self.most
        while high / low > PRECISION:
            middle = math.sqrt(low * high)
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low


def growths(images: int, classes: int, ratio: float) -> list[Growth]:
    """The kinds of grids for so many training ``images`` and ``classes``, each larger than those before.

    First D grows, from a smallest of ``LEAST_D`` or an image of every class. Where all images
    are used, N grows, to at most ``ratio`` times the smallest.
    There are none for so few images that some class would have none.
    """
    found = []
    for (sizes, usual, data_sizes, data_ratio), wider in ((SMALL, SMALL_WIDER), (USUAL, USUAL_WIDER)):
        if images < data_ratio * classes:
            continue
        by_data = Growth(
            min(data_ratio * max(LEAST_D, classes), images), images, sizes, data_sizes, min(usual, ratio), data_ratio, images
        )
        found.append(by_data)
        for more_sizes, least, most in wider:
            if least < ratio:
                by_size = replace(by_data, least=least, most=min(most, ratio), sizes=more_sizes, ratio=None)
                found.append(by_size)
    return found


def down(value: float) -> int:
    """The largest whole number of two digits that is no larger than ``value``, at least 1."""
    unit = 10 ** max(0, len(str(int(value))) - 2)
    return max(1, int(value) // unit * unit)


def up(value: float) -> int:
    """The smallest whole number of two digits that is no smaller than ``value``."""
    unit = 10 ** max(0, len(str(math.ceil(value))) - 2)
    return math.ceil(value / unit) * unit
