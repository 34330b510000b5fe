"""Images that a masked autoencoder reconstructed, next to what it saw of them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import plotnine as p9

from scaling.report.figures import ClaimFigure
from scaling.report.figures.image_grid import image_grid

KINDS: Final = {"original": "image", "visible": "what it sees", "painted": "what it paints"}


def reconstructions(rows: list[dict[str, Any]], images: np.ndarray | None = None) -> p9.ggplot | None:
    """Rows of series (original, visible, painted), x (number of the image), pixels (grey, hex, row by row) and side.

    None where no image was painted. ``images`` are not looked at: the rows hold those that the probe took.
    """
    if not rows:
        return None
    lines = {
        said: [_pixels(row) for row in sorted(rows, key=lambda row: row["x"]) if row["series"] == kind]
        for kind, said in KINDS.items()
    }
    return image_grid({said: own for said, own in lines.items() if own})


def _pixels(row: dict[str, Any]) -> np.ndarray:
    return np.frombuffer(bytes.fromhex(row["pixels"]), np.uint8).reshape(1, row["side"], row["side"])


claim_figure = ClaimFigure(
    claim="masked-autoencoder",
    title="Painted patches",
    caption=(
        "Test images, the quarter of their patches that the encoder saw, and what the decoder painted in the hidden ones. The "
        "objective leaves the brightness and contrast of a hidden patch open; the picture takes the true ones."
    ),
    draw=reconstructions,
)
