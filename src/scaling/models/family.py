"""What a family of models is: its name, its paper, its range of widths, its rule of depth, its builder."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaling.models.architecture import unusual_options
from scaling.models.registry import Facts, Option

if TYPE_CHECKING:
    from torch import nn

SMALLEST_SIDE = 28
"""Least side of an image in pixels: the stride patterns of the families leave one pixel at the end of it."""


@dataclass(frozen=True)
class ImageSpec:
    """Shape of the images a model takes (square, ``side`` pixels) and the number of classes it tells apart."""

    side: int
    channels: int
    classes: int

    def __post_init__(self):
        if self.side < SMALLEST_SIDE:
            raise ValueError(f"side is {self.side} pixels; the families need at least {SMALLEST_SIDE}")
        if self.channels < 1:
            raise ValueError(f"channels is {self.channels}; an image has at least 1")
        if self.classes < 2:
            raise ValueError(f"classes is {self.classes}; a classifier needs at least 2")

    def __str__(self) -> str:
        return f"{self.side}x{self.side}x{self.channels} images of {self.classes} classes"


@dataclass(frozen=True)
class Regularisation:
    """Rates of dropout and of stochastic depth (Huang et al. 2016, arXiv:1603.09382) while training."""

    dropout: float = 0.0
    stochastic_depth: float = 0.0

    def __post_init__(self):
        for name in ("dropout", "stochastic_depth"):
            rate = getattr(self, name)
            if not 0 <= rate < 1:
                raise ValueError(f"{name} is {rate}; allowed are rates from 0 up to, not including, 1")


SEARCHED_WIDTHS = (1.0, 65_536.0, 1.0)
"""Least and largest width, and step, where a family's range is found by building it: whole numbers, up to out of reach."""

Build = Callable[..., "nn.Module"]
"""(width, depth, image, regularisation, *, options) -> model: (batch, channels, side, side) -> (batch, classes)."""


@dataclass(frozen=True)
class Family:
    """One architecture that can be made in any size.

    The width is real-valued: each layer has the nearest whole number of channels to width x its multiplier,
    so that layers grow one after another and N rises in small steps.
    """

    facts: Facts
    widths: tuple[float, float, float]
    """Smallest width, largest width, step."""
    depths: tuple[tuple[float, int], ...]
    """(width from which on, depth), ascending in both."""
    depth_unit: str
    """What the depth counts."""
    builder: Build
    residual: bool
    """Whether there are residual branches, without which stochastic depth has nothing to drop."""
    channels_last_from: float | None
    """Least width from which training on a CPU is faster in the channels_last memory format; None where never."""
    auxiliary_heads: int = 0
    """Classifiers beside the last one, whose losses are added while training."""
    searched: bool = False
    """Whether the ladder looks for the part of ``widths`` that can be built, and deepens by N."""

    @property
    def name(self) -> str:
        """As a study names it."""
        return self.facts.name

    def depth(self, width: float) -> int:
        """Depth that goes with a width by the family's own rule."""
        return max((depth for start, depth in self.depths if start <= width), default=self.depths[0][1])

    def build(
        self,
        width: float,
        depth: int,
        image: ImageSpec,
        regularisation: Regularisation,
        options: Iterable[tuple[str, Option]] = (),
    ) -> nn.Module:
        """The model, initialised from torch's global random stream, in training mode.

        Raises:
            ValueError: width or depth is not a size that can be built, stochastic depth is asked of a family
                without residual branches, or the family has no such option.
        """
        if not (math.isfinite(width) and width > 0):
            raise ValueError(f"width of {self.name} is {width}; it must be positive and finite")
        if depth < 1:
            raise ValueError(f"depth of {self.name} is {depth}; it must be at least 1")
        if regularisation.stochastic_depth and not self.residual:
            rate = regularisation.stochastic_depth
            raise ValueError(f"stochastic_depth of {self.name} is {rate}; without residual branches it must be 0")
        unusual = dict(unusual_options(self.name, dict(options)))
        return self.builder(width, depth, image, regularisation, **unusual)


def channels(width: float, multiplier: float = 1.0) -> int:
    """Whole number of channels nearest to width x multiplier, at least 1 (halves go up)."""
    return max(1, math.floor(width * multiplier + 0.5))
