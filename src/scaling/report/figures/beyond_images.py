"""Test loss along D, to three times beyond the data, with held-out predictions."""

from __future__ import annotations

from scaling.report.figures import Figure
from scaling.report.figures.beyond import beyond

figure = Figure(
    order=32,
    title="Three times more data",
    caption=(
        "Test loss along D at each family's largest N. Points: trained models. Line and band: the law fitted to all models, "
        "with its 95 % interval; dashed in the shaded part, up to three times beyond the data, where nothing was trained. "
        "Hollow diamonds: what laws fitted to smaller models alone predicted; how far they lie from the points is how far "
        "predictions of more images have been off."
    ),
    draw=lambda run: beyond(run.runs, run.fits, along="images"),
)
