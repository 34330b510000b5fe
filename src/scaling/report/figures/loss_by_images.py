"""Loss against training images, a panel a family, coloured by N."""

from __future__ import annotations

import plotnine as p9
import polars as pl

from scaling.report.figures.loss_by_size import loss_by_size


def loss_by_images(runs: pl.DataFrame, fits: dict) -> p9.ggplot:
    """L against D: every finished cell of ``runs``, and each family's law in ``fits`` with its 95 % band."""
    return loss_by_size(runs, fits, along="images")
