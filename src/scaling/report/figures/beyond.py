"""What loss beyond the trained D and beyond the trained N share: held-out predictions, and the law carried on three times."""

from __future__ import annotations

from typing import Literal

import numpy as np
import plotnine as p9
import polars as pl

from scaling.report.figures.curves import finished, law_line, with_laws
from scaling.report.figures.held_out import holdout_cells
from scaling.report.figures.theme import (
    INK,
    QUIET,
    empty,
    facet_size,
    family_order,
    family_scales,
    log_x_counts,
    log_y_plain,
    look,
)
from scaling.report.figures.told import tell, told_points

REACH = 3.0
"""How far beyond the largest trained size the law is drawn."""
CURVE_POINTS = 40
"""Sizes at which a law is evaluated (assumption)."""
AXIS = {"images": "D: unique training images", "params": "N: trainable parameters"}


def beyond(runs: pl.DataFrame, fits: dict, along: Literal["images", "params"]) -> p9.ggplot:
    """Loss along D at the largest N (``"images"``) or N at the largest D (``"params"``), to REACH times beyond the data."""
    cells = finished(runs)
    curves = beyond_table(cells, fits, along)
    if curves.is_empty():
        return empty("No law has been fitted yet.")
    families = family_order(curves["family"])
    levels = pl.Enum(families)
    other = "params" if along == "images" else "images"
    at_top = pl.col(other) == pl.max(other).over("family")
    measured = cells.filter(pl.col("family").is_in(families) & at_top).with_columns(pl.col(along).cast(pl.Float64).alias("x"))
    held = (
        holdout_cells(fits, "loss")
        .filter((pl.col("origin") == along) & pl.col("family").is_in(families))
        .join(measured.group_by("family").agg(pl.max(other).cast(pl.Float64).alias("top")), on="family", maintain_order="left")
        .filter(pl.col(other) == pl.col("top"))
        .with_columns(pl.col(along).alias("x"))
    )
    columns, width, height = facet_size(len(families))

    def drawn(table: pl.DataFrame):
        return table.with_columns(pl.col("family").cast(levels)).to_pandas()

    floor = min(*measured["loss"], *curves["loss"], *curves["low"].drop_nans())
    edge = measured.group_by("family", maintain_order=True).agg(pl.max("x"))
    figure = p9.ggplot(
        drawn(tell(measured, loss="loss").select("family", "x", "loss", "told")), p9.aes("x", "loss", color="family")
    )
    figure += p9.geom_rect(
        p9.aes(xmin="x", xmax="end", ymin="floor", ymax=float("inf")),
        data=drawn(edge.with_columns((REACH * pl.col("x")).alias("end"), pl.lit(floor).alias("floor"))),
        inherit_aes=False,
        fill=QUIET,
        alpha=0.12,
    )
    bands = curves.filter(pl.col("low").is_finite() & pl.col("high").is_finite())
    if not bands.is_empty():
        figure += p9.geom_ribbon(
            p9.aes("x", ymin="low", ymax="high", fill="family"), data=drawn(bands), inherit_aes=False, alpha=0.22
        )
    inside, outside = curves.filter(pl.col("inside")), curves.filter(pl.col("x") >= pl.col("edge") * (1 - 1e-9))
    figure = (
        figure
        + p9.geom_line(data=drawn(inside), size=0.8)
        + p9.geom_line(data=drawn(outside), size=0.8, linetype="dashed")
        + told_points(p9.aes(label="told"), size=1.8, stroke=0)
    )
    if not held.is_empty():
        figure += p9.geom_point(
            p9.aes("x", "predicted"), data=drawn(held), shape="D", fill="none", color=INK, size=2.0, stroke=0.5
        )
    return (
        figure
        + p9.facet_wrap("family", ncol=columns)
        + log_x_counts(AXIS[along], [*measured["x"], float(f"{REACH * max(measured['x']):.2g}")])
        + log_y_plain("L: test loss (nats)")
        + family_scales(families, dict(cells.select("family", "kind").iter_rows()))
        + look(width, height)
        + p9.theme(legend_position="none")
    )


def beyond_table(cells: pl.DataFrame, fits: dict, along: Literal["images", "params"]) -> pl.DataFrame:
    """family, x, loss, low, high (nats), edge (the largest trained x), inside: each law at the largest other size."""
    other = "params" if along == "images" else "images"
    frames = []
    for family, own, fit in with_laws(cells, fits):
        edge = float(max(own[along]))
        x = np.unique(np.append(np.geomspace(float(min(own[along])), REACH * edge, CURVE_POINTS), edge))
        line = law_line(fit, along, x, float(max(own[other])))
        frames.append(
            line.select(
                pl.lit(family).alias("family"), pl.all(), pl.lit(edge).alias("edge"), (pl.col("x") <= edge).alias("inside")
            )
        )
    schema = {"family": pl.String, **dict.fromkeys(("x", "loss", "low", "high", "edge"), pl.Float64), "inside": pl.Boolean}
    return pl.concat(frames).cast(schema) if frames else pl.DataFrame(schema=schema)
