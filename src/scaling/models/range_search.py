"""The range of a family from outside, found by building it: from the narrowest that can be made to a billion parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from scaling.models.architecture import Architecture
from scaling.models.family import Family, ImageSpec, Regularisation
from scaling.models.outside import own_place
from scaling.models.own_files import told

if TYPE_CHECKING:
    from torch import nn

LARGEST: Final = 1_000_000_000
"""N up to which widths are tried (assumption)."""
LARGEST_WITH_VALUES: Final = 20_000_000
"""The same of a model that has to be made with its values, which takes memory and time (assumption)."""
LAST_START: Final = 256
"""Width up to which the narrowest is looked for."""
DEEPER_FROM: Final = ((300_000, 2), (3_000_000, 3))
"""(N from which on, depth): a depth of 1 below. So a ConvNeXt of 28 million parameters is as deep as the paper's, and a ViT
from 6 million on; the families of this package deepen at such sizes too."""


@dataclass(frozen=True)
class Span:
    """Widths from ``least`` to ``largest`` by ``step``, and (width from which on, depth), ascending in both."""

    least: float
    largest: float
    step: float
    depths: tuple[tuple[float, int], ...]


def find_span(family: Family, made: Architecture, image: ImageSpec, size: Callable[[int, float], int]) -> Span:
    """The widths and depths of a family that does not say them: each width is tried that is twice the one before.

    Args:
        family: that ``made`` is one of.
        made: what is built; a depth of its own is kept.
        image: what it is built for.
        size: (depth, width) -> N; raises ValueError where that cannot be built.

    Raises:
        ValueError: nothing can be built; what the first attempt said.
    """
    depth = made.depth or 1
    least = _narrowest(family, made, image, depth, size)
    depths, width, count = [(least, depth)], least, size(depth, least)
    limit = _limit(family, made, depth, least, image)
    deeper = list(DEEPER_FROM) if made.depth is None else []
    while 4 * count <= limit and 2 * width <= family.widths[1]:  # N grows with the square of the width at most
        try:
            wider = size(depth, 2 * width)
        except ValueError:
            break
        if wider < count and width == least:  # too narrow for its own arithmetic: half a unit is none, say
            least, depths = 2 * width, [(2 * width, depth)]
        elif wider <= count:
            found = f"N = {count:,} at width {width:g} and {wider:,} at {2 * width:g}"
            raise ValueError(f"{made}: {found}; it must rise with the width")
        width, count = 2 * width, wider
        try:
            if deeper and (more := size(deeper[0][1], width)) >= deeper[0][0]:
                depth, count = deeper.pop(0)[1], more
                depths.append((width, depth))
        except ValueError:  # it has no such depth
            deeper = []
    return Span(least, width, family.widths[2], tuple(depths))


def _narrowest(family: Family, made: Architecture, image: ImageSpec, depth: int, size: Callable[[int, float], int]) -> float:
    """The first width, of powers of two, at which a model can be made and takes the images."""
    from scaling.models.counting import check_output

    place = own_place(made.family)

    def tell(error: Exception) -> str:
        return told(error, place[0]) if place else " ".join(f"{type(error).__name__}: {error}".split())

    def build(width: float) -> nn.Module:
        return family.build(width, depth, image, Regularisation(), made.options)

    first: ValueError | None = None
    width = family.widths[0]
    while width <= LAST_START:
        try:
            size(depth, width)
            check_output(partial(build, width), image, str(made), tell)
            return width
        except ValueError as error:
            first = first or error
        width *= 2
    assert first is not None
    raise first


def _limit(family: Family, made: Architecture, depth: int, width: float, image: ImageSpec) -> int:
    from scaling.models.counting import sketch

    try:
        sketch(lambda: family.build(width, depth, image, Regularisation(), made.options))
    except ValueError:
        return LARGEST_WITH_VALUES
    return LARGEST
