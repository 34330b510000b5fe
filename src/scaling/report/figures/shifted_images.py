"""What is done to test images to see which nets recognise them still: shifts, a cut without a shift, crops."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import plotnine as p9
from PIL import Image

from scaling.report.figures import ClaimFigure
from scaling.report.figures.image_grid import image_grid

SHOWN: Final = 3
"""Images."""
NEAR: Final = 3
FAR: Final = 6
"""Pixels of the shifts that are drawn: the one that decides, and the farthest."""
CROPS: Final = (6 / 7, 5 / 7)
"""Sides of the central crops, as shares of the image's."""


def moved(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """An image [c, h, w] moved by whole pixels, fewer than its side, down and right; black comes in."""
    height, width = image.shape[1:]
    result = np.zeros_like(image)
    result[:, down:, right:] = image[:, : height - down, : width - right]
    return result


def cut(image: np.ndarray, down: int, right: int) -> np.ndarray:
    """An image [c, h, w] without the pixels that ``moved`` pushes out, the others where they were."""
    height, width = image.shape[1:]
    result = image.copy()
    result[:, height - down :, :] = 0
    result[:, :, width - right :] = 0
    return result


def cropped(image: np.ndarray, share: float) -> np.ndarray:
    """The central square of ``share`` of the side of a uint8 image [c, side, side], scaled to its side (bilinear)."""
    side = image.shape[-1]
    keep = round(share * side)
    start = (side - keep) // 2
    part = image[:, start : start + keep, start : start + keep]
    return np.stack([np.asarray(Image.fromarray(c).resize((side, side), Image.Resampling.BILINEAR)) for c in part])


def shifted_images(rows: list[dict[str, Any]], images: np.ndarray | None) -> p9.ggplot | None:
    """The first of ``images`` (uint8 [n, c, side, side]) as they are and after each change; None without images."""
    if images is None:
        return None
    shown = images[:SHOWN]
    side = shown.shape[-1]
    changes = {
        "as it is": shown,
        f"shift of {NEAR}": [moved(image, NEAR, NEAR) for image in shown],
        f"shift of {FAR}": [moved(image, FAR, FAR) for image in shown],
        f"cut by {FAR}": [cut(image, FAR, FAR) for image in shown],
        **{f"crop to {round(share * side)}": [cropped(image, share) for image in shown] for share in CROPS},
    }
    lines = {f"image {place + 1}": [own[place] for own in changes.values()] for place in range(len(shown))}
    return image_grid(lines, list(changes))


claim_figure = ClaimFigure(
    claim="shifts-and-crops",
    title="What was done to the images",
    caption=(
        "Test images as they are; shifted down and right, one of the eight directions (pixels); with the pixels cut off that "
        "the larger shift pushes out, the rest in its place; and central crops, scaled up to the whole side. The nets were "
        "trained on images as they are."
    ),
    draw=shifted_images,
)
