"""Images in lines and columns, pixel by pixel: what the figures of claims about images share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import plotnine as p9

from scaling.report.figures.theme import INK, look

GAP: Final = 2
"""Pixels between images."""
INCHES: Final = 1.0
"""Height of an image."""


def image_grid(lines: Mapping[str, Sequence[np.ndarray]], heads: Sequence[str] = ()) -> p9.ggplot:
    """The images of each line next to each other, the lines below each other.

    Pixel (row r, column c) of image i of line l is drawn at x = i (side + GAP) + c, y = -(l (side + GAP) + r).

    Args:
        lines: label -> images uint8 [channels, side, side], with one channel or three, all of one side.
        heads: what stands above each column.
    """
    side = next(iter(lines.values()))[0].shape[-1] + GAP
    columns = max(len(images) for images in lines.values())
    # A raster has no holes: gaps are clear pixels.
    canvas = np.zeros((len(lines) * side - GAP, columns * side - GAP, 3), np.uint8)
    alpha = np.zeros(canvas.shape[:2])
    for line, images in enumerate(lines.values()):
        for place, image in enumerate(images):
            inside = np.s_[line * side : (line + 1) * side - GAP, place * side : (place + 1) * side - GAP]
            canvas[inside], alpha[inside] = np.moveaxis(image, 0, -1), 1.0
    down, right = np.indices(alpha.shape)
    colours = [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in canvas.reshape(-1, 3)]
    table = pd.DataFrame({"x": right.ravel(), "y": -down.ravel(), "colour": colours, "alpha": alpha.ravel()})
    middle = (side - GAP - 1) / 2
    figure = (
        p9.ggplot(table, p9.aes("x", "y"))
        + p9.geom_raster(p9.aes(fill="colour", alpha="alpha"))
        + p9.scale_fill_identity()
        + p9.scale_alpha_identity()
        + p9.scale_y_continuous(name="", breaks=[-(line * side + middle) for line in range(len(lines))], labels=list(lines))
        + p9.scale_x_continuous(name="", breaks=[])
        + p9.coord_fixed()
        + look(INCHES * columns + 1.4, INCHES * len(lines) + 0.25 * bool(heads) + 0.2)
        + p9.theme(panel_grid=p9.element_blank(), axis_text_y=p9.element_text(color=INK, size=8))
    )
    if heads:
        across = [place * side + middle for place in range(len(heads))]
        above = pd.DataFrame({"x": across, "y": float(GAP), "head": list(heads)})
        figure += p9.geom_text(p9.aes("x", "y", label="head"), data=above, size=8, color=INK, va="bottom")
    return figure
