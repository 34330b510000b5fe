"""The windows of Swin's first stage on an image, and the part of it on which a position depends, with and without shifts."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import plotnine as p9

from scaling.report.figures import ClaimFigure
from scaling.report.figures.image_grid import image_grid
from scaling.report.figures.patches_and_windows import COARSE, SWIN_PATCH, WINDOW, borders, lines, padded

DIM: Final = 0.25
"""Brightness that is left to pixels on which the position does not depend."""


def windows_of(patches: int, shift: int) -> np.ndarray:
    """Number of the window of each patch [patches, patches], where windows begin ``shift`` patches into the image.

    What lies before the first window, or behind the last one, is a smaller window of its own (Liu et al. 2021, figure 4:
    their cyclic shift is masked so).
    """
    line = (np.arange(patches) + (WINDOW - shift if shift else 0)) // WINDOW
    return line[:, None] * (patches + 1) + line


def reached(patches: int, shifts: tuple[int, ...]) -> np.ndarray:
    """Of which patches [patches, patches] the central position depends after blocks with these shifts, from first to last."""
    found = np.zeros((patches, patches), bool)
    found[patches // 2, patches // 2] = True
    for shift in reversed(shifts):
        windows = windows_of(patches, shift)
        found = np.isin(windows, windows[found])
    return found


def window_reach(rows: list[dict[str, Any]], images: np.ndarray | None) -> p9.ggplot | None:
    """The windows of both blocks, and what the central position depends on, on the first of ``images``; None without any."""
    if images is None:
        return None
    whole = padded(images[0], SWIN_PATCH * WINDOW)
    side, half = whole.shape[-1], WINDOW // 2
    patches, step = side // SWIN_PATCH, SWIN_PATCH * WINDOW

    def seen(shifts: tuple[int, ...]) -> np.ndarray:
        bright = np.kron(np.where(reached(patches, shifts), 1.0, DIM), np.ones((SWIN_PATCH, SWIN_PATCH)))
        # Black on black would not show what is dimmed: the ground is raised.
        return (bright * (70 + whole * (185 / 255))).astype(np.uint8)

    still, moved = list(range(0, side + 1, step)), [0, *range(half * SWIN_PATCH, side, step), side]
    heads = ["first block", "second, shifted", "depends on: shifted", "depends on: fixed"]
    return (
        image_grid({"": [whole, whole, seen((0, half)), seen((0, 0))]}, heads)
        + lines(borders(0, side, still, side), COARSE, 1.1)
        + lines(borders(1, side, moved, side), COARSE, 1.1)
        + p9.theme(figure_size=(8.6, 2.5))
    )


claim_figure = ClaimFigure(
    claim="shifted-windows",
    title="Windows, and what a position sees",
    caption=(
        "A test image with the windows of the two blocks of Swin's first stage (thick lines), and, in full brightness, the "
        "part on which the central position depends after both: with shifted windows, and with windows that stay where they "
        "are. It follows from where the windows lie; the part called reach has it measured, on trained nets. How much each "
        "pixel matters is not drawn: the study keeps no weights of these nets."
    ),
    draw=window_reach,
)
