"""Figures: tables in, plotnine figures out. Each file that defines ``figure`` is on the page; files are found by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import plotnine as p9

if TYPE_CHECKING:
    from scaling.report.inputs import ReportInputs


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure of the report's page.

    Attributes:
        order: its place among the figures of the page, ascending.
        title: what is asked, or shown.
        caption: what to see, and how it was made.
        draw: draws it from the report's inputs.
    """

    order: int
    title: str
    caption: str
    draw: Callable[[ReportInputs], p9.ggplot]


@dataclass(frozen=True, kw_only=True)
class ClaimFigure:
    """A picture of one claim.

    ``draw`` receives the claim's rows that hold pixels, and the first test images (uint8 [n, channels, side, side], None where
    they are not prepared); it returns None where there is nothing to draw.
    """

    claim: str
    title: str
    caption: str
    draw: Callable[[list[dict[str, Any]], np.ndarray | None], p9.ggplot | None]
