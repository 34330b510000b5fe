"""Test loss along N, to three times beyond the data, with held-out predictions."""

from __future__ import annotations

from scaling.report.figures import Figure
from scaling.report.figures.beyond import beyond

figure = Figure(
    order=42,
    title="Three times larger models",
    caption=(
        "Test loss along N at each family's largest D. Points: trained models. Line and band: the law fitted to all models, "
        "with its 95 % interval; dashed in the shaded part, up to three times beyond the data, where nothing was trained. "
        "Hollow diamonds: what laws fitted to smaller models alone predicted; how far they lie from the points is how far "
        "predictions of larger models have been off."
    ),
    draw=lambda run: beyond(run.runs, run.fits, along="params"),
)
