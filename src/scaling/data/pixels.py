"""One encoded image to pixels.

An image becomes 8-bit RGB, or grey where one channel is asked for (grey is repeated on three channels, transparency is
dropped, of an animation the first frame is taken, orientation tags are not applied), is scaled bicubically until its shorter
side is ``side`` pixels, and the centre square of that is kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from PIL import Image

MOST_PIXELS: Final = 100_000_000
"""Pixels that are decoded of one image: 300 MB of RGB in each process. Assumption: a larger one is a mistake."""

_EIGHT_BIT_MODES: Final = frozenset(
    {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "LAB", "HSV"}
)
Image.MAX_IMAGE_PIXELS = None  # MOST_PIXELS takes its place: Pillow's own limit warns at one size and fails at another


def image_endings() -> tuple[str, ...]:
    """The endings of file names, such as ``.png``, of all formats that can be read."""
    return tuple(ending for ending, name in Image.registered_extensions().items() if name in Image.OPEN)


def decode(file: Path | BinaryIO, side: int, channels: int = 3) -> np.ndarray:
    """Decode one image into uint8 [channels, side, side], as the head of this file says.

    Raises ValueError for deep or huge images, and whatever Pillow raises.
    """
    with Image.open(file) as image:
        if image.mode not in _EIGHT_BIT_MODES:
            raise ValueError(f"pixels of mode {image.mode}, allowed: 8 bits a channel")
        whole = image.size
        # JPEG decodes at a half, quarter or eighth of its size for free; twice the target keeps scaling good.
        image.draft(None, (2 * side, 2 * side))
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(
                f"{whole[0]} x {whole[1]} pixels, at most {MOST_PIXELS // 10**6} million are decoded: make it smaller"
            )
        # Scaling a box is scaling the whole and cropping, without the parts that would be cropped.
        square = min(image.size)
        left, top = (image.width - square) / 2, (image.height - square) / 2
        box = (left, top, left + square, top + square)
        mode = "L" if channels == 1 else "RGB"
        small = image.convert(mode).resize((side, side), Image.Resampling.BICUBIC, box)
    return np.asarray(small).reshape(side, side, channels).transpose(2, 0, 1)
