"""Loss against training images, one panel per family, coloured by N."""

from __future__ import annotations

import plotnine as p9
import polars as pl

from scaling.report.figures import Figure
from scaling.report.figures.loss_by_size import loss_by_size


def loss_by_images(runs: pl.DataFrame, fits: dict) -> p9.ggplot:
    """L against D: every finished run of ``runs``, and each family's law in ``fits`` with its 95 % band."""
    return loss_by_size(runs, fits, along="images")


figure = Figure(
    order=30,
    title="More images",
    caption=(
        "Test loss against the number of unique training images D, one panel per family; the legend says which shade is "
        "which N. Points: every trained model, every seed. Lines: the family's one law for all its sizes, with its 95 % "
        "band (often no wider than the line). Lines that flatten towards the right approach the floor that the model size "
        "sets."
    ),
    draw=lambda run: loss_by_images(run.runs, run.fits),
)
