"""Loss against parameters, one panel per family, coloured by D."""

from __future__ import annotations

import plotnine as p9
import polars as pl

from scaling.report.figures import Figure
from scaling.report.figures.loss_by_size import loss_by_size


def loss_by_params(runs: pl.DataFrame, fits: dict) -> p9.ggplot:
    """L against N: every finished run of ``runs``, and each family's law in ``fits`` with its 95 % band."""
    return loss_by_size(runs, fits, along="params")


figure = Figure(
    order=40,
    title="Larger models",
    caption=(
        "The same models against their number of trainable parameters N; the legend says which shade is which D. Where a "
        "line is flat, more parameters do not help at that number of images."
    ),
    draw=lambda run: loss_by_params(run.runs, run.fits),
)
