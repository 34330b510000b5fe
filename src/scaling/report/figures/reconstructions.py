"""Images that a masked autoencoder reconstructed, next to what it saw of them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
import plotnine as p9

from scaling.report.figures import ClaimFigure
from scaling.report.figures.theme import empty, look

KINDS: Final = {"original": "image", "visible": "what it sees", "painted": "what it paints"}
GAP: Final = 2
"""Pixels between images."""


def reconstructions(rows: list[dict[str, Any]]) -> p9.ggplot:
    """Rows of series (original, visible, painted), x (number of the image), pixels (grey, hex, row by row) and side."""
    if not rows:
        return empty("no image was painted")
    side = rows[0]["side"] + GAP
    columns = int(max(row["x"] for row in rows)) + 1
    canvas = np.full((len(KINDS) * side - GAP, columns * side - GAP), np.nan)  # a raster has no holes: gaps are clear pixels
    for row in rows:
        image = np.frombuffer(bytes.fromhex(row["pixels"]), np.uint8).reshape(row["side"], row["side"])
        top, left = list(KINDS).index(row["series"]) * side, int(row["x"]) * side
        canvas[top : top + row["side"], left : left + row["side"]] = image / 255.0
    down, right = np.indices(canvas.shape)
    table = pd.DataFrame({"x": right.ravel(), "y": -down.ravel(), "grey": canvas.ravel()})
    return (
        p9.ggplot(table, p9.aes("x", "y", fill="grey"))
        + p9.geom_raster()
        + p9.scale_fill_gradient(low="#000000", high="#ffffff", limits=(0, 1), na_value="none", guide=None)
        + p9.scale_y_continuous(
            name="", breaks=[-(line * side + side / 2) for line in range(len(KINDS))], labels=list(KINDS.values())
        )
        + p9.scale_x_continuous(name="", breaks=[])
        + p9.coord_fixed()
        + look(1.0 * columns + 1.2, 1.0 * len(KINDS) + 0.2)
        + p9.theme(panel_grid=p9.element_blank())
    )


claim_figure = ClaimFigure(
    claim="masked-autoencoder",
    title="Painted patches",
    caption=(
        "Test images, the quarter of their patches that the encoder saw, and what the decoder painted in the hidden ones. The "
        "objective leaves the brightness and contrast of a hidden patch open; the picture takes the true ones."
    ),
    draw=reconstructions,
)
