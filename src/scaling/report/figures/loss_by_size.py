"""What loss by images and loss by parameters share: small panels of points, laws and bands."""

from __future__ import annotations

from typing import Literal

import plotnine as p9
import polars as pl

from scaling.report.figures.curves import finished, law_curves, panel_titles
from scaling.report.figures.theme import (
    empty,
    facet_size,
    family_order,
    level_scales,
    log_x_counts,
    log_y_plain,
    look,
)
from scaling.report.figures.told import tell, told_points

AXES = {"images": "D: unique training images", "params": "N: trainable parameters"}
LEVELS = {"images": "N", "params": "D"}


def loss_by_size(runs: pl.DataFrame, fits: dict, along: Literal["images", "params"]) -> p9.ggplot:
    """Test loss along D (``"images"``) or N (``"params"``), log axes; the other size is the colour."""
    cells = finished(runs)
    if cells.is_empty():
        return empty("No run has finished yet.")
    other = "params" if along == "images" else "images"
    families = family_order(cells["family"])
    titles = panel_titles(fits, families)
    panels = pl.Enum([titles[family] for family in families])
    columns, width, height = facet_size(len(families))

    points = tell(cells, loss="loss").select(
        pl.col("family").replace_strict(titles, return_dtype=pl.String).cast(panels).alias("panel"),
        pl.col(along).cast(pl.Float64).alias("x"),
        pl.col(other).cast(pl.Float64).alias("level"),
        "loss",
        "told",
    )
    curves = law_curves(fits, cells, along).with_columns(
        pl.col("family").replace_strict(titles, return_dtype=pl.String).cast(panels).alias("panel")
    )
    figure = p9.ggplot(points.to_pandas(), p9.aes("x", "loss", color="level"))
    bands = curves.drop_nulls(["low", "high"]).filter(pl.col("low").is_finite() & pl.col("high").is_finite())
    if not bands.is_empty():
        figure += p9.geom_ribbon(
            p9.aes("x", ymin="low", ymax="high", fill="level", group="level"),
            data=bands.to_pandas(),
            inherit_aes=False,
            alpha=0.13,
        )
    if not curves.is_empty():
        figure += p9.geom_line(p9.aes(group="level"), data=curves.to_pandas(), size=0.6)
    return (
        figure
        + told_points(p9.aes(label="told"), size=1.7, stroke=0)
        + p9.facet_wrap("panel", ncol=columns)
        + log_x_counts(AXES[along], points["x"])
        + log_y_plain("L: test loss (nats)")
        + level_scales(LEVELS[along], points["level"])
        + look(width, height)
    )
