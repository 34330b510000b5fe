"""The patches of a ViT and the windows of a Swin on an image: between which parts of it attention costs anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotnine as p9

from scaling.report.figures import ClaimFigure
from scaling.report.figures.image_grid import GAP, image_grid

VIT_PATCH, SWIN_PATCH, WINDOW = 7, 4, 4
"""Side of a patch in pixels, of a window in patches: as in models/vit.py and models/swin.py, which a test compares."""
FINE, COARSE = "#459afa", "#f08a1d"
"""Borders of patches and of windows: both stand out on black, on white and on the greys between."""


def padded(image: np.ndarray, multiple: int) -> np.ndarray:
    """An image [c, side, side] with black on all sides, up to a side that is a multiple of ``multiple``, as for the nets."""
    missing = -image.shape[-1] % multiple
    before, after = missing // 2, missing - missing // 2
    return np.pad(image, ((0, 0), (before, after), (before, after)))


def borders(place: int, side: int, at: list[int], shown: int) -> pd.DataFrame:
    """Lines x, y to xend, yend across and down the image at ``place`` of the first line of an ``image_grid``.

    Args:
        place: number of the image in its line.
        side: of the images of the grid, in pixels.
        at: pixels before which a line stands.
        shown: how many pixels of the image the lines cross.
    """
    left, end = place * (side + GAP) - 0.5, shown
    across = [(left, 0.5 - pixel, left + end, 0.5 - pixel) for pixel in at]
    down = [(left + pixel, 0.5, left + pixel, 0.5 - end) for pixel in at]
    return pd.DataFrame(across + down, columns=["x", "y", "xend", "yend"])


def lines(table: pd.DataFrame, colour: str, size: float) -> p9.geom_segment:
    """The lines of ``borders``."""
    return p9.geom_segment(p9.aes("x", "y", xend="xend", yend="yend"), data=table, color=colour, size=size)


def patches_and_windows(rows: list[dict[str, Any]], images: np.ndarray | None) -> p9.ggplot | None:
    """The first of ``images`` (uint8 [n, c, side, side]) in a ViT's patches and in a Swin's; None without images."""
    if images is None:
        return None
    first = images[0]
    for_vit, for_swin = padded(first, VIT_PATCH), padded(first, SWIN_PATCH * WINDOW)
    side = max(for_vit.shape[-1], for_swin.shape[-1])
    own = for_vit.shape[-1]
    for_vit = np.pad(for_vit, ((0, 0), (0, side - own), (0, side - own)), constant_values=255)
    return (
        image_grid({"": [for_vit, for_swin]}, ["ViT", "Swin"])
        + lines(borders(0, side, list(range(0, own + 1, VIT_PATCH)), own), FINE, 0.5)
        + lines(borders(1, side, list(range(0, side + 1, SWIN_PATCH)), side), FINE, 0.5)
        + lines(borders(1, side, list(range(0, side + 1, SWIN_PATCH * WINDOW)), side), COARSE, 1.1)
        + p9.theme(figure_size=(5.4, 2.9))
    )


claim_figure = ClaimFigure(
    claim="cost-of-windows",
    title="What attends to what",
    caption=(
        f"A test image in the patches of the two nets (thin lines). In ViT each patch of {VIT_PATCH} pixels attends to all "
        f"patches, whose number grows with the number of pixels. In Swin each patch of {SWIN_PATCH} pixels attends to those of "
        f"its window alone, {WINDOW} x {WINDOW} patches at every size of the image (thick lines). Black is added on all sides "
        "until the windows are whole."
    ),
    draw=patches_and_windows,
)
