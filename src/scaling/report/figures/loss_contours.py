"""The law as a landscape: lines of equal loss over N and D, with the trained models on it."""

from __future__ import annotations

from typing import Any

import contourpy
import numpy as np
import plotnine as p9
import polars as pl

from scaling.laws import predict
from scaling.report.figures import Figure
from scaling.report.figures.curves import finished, with_laws
from scaling.report.figures.labels import even_breaks, plain
from scaling.report.figures.theme import (
    LARGER_IS_DARKER,
    QUIET,
    empty,
    facet_size,
    family_order,
    log_x_counts,
    log_y_counts,
    look,
)
from scaling.report.figures.told import tell, told_points

REACH = 3.0
"""How far beyond the trained N and D the lines go."""
GRID_POINTS = 40
"""Sizes along each axis at which the law is evaluated (assumption)."""
MOST_LINES = 8
"""Lines of equal loss (assumption)."""


def loss_contours(runs: pl.DataFrame, fits: dict) -> p9.ggplot:
    """One panel per family: lines of equal L(N, D), solid in the rectangle of trained sizes, and the cells by their loss."""
    cells = finished(runs)
    means = cells.group_by("family", "params", "images", maintain_order=True).agg(pl.mean("loss"))
    lines, boxes = contour_table(means, fits)
    if lines.is_empty():
        return empty("No law has been fitted yet.")
    families = family_order(lines["family"])
    levels = pl.Enum(families)

    def drawn(table: pl.DataFrame):
        return table.filter(pl.col("family").is_in(families)).with_columns(pl.col("family").cast(levels)).to_pandas()

    columns, width, height = facet_size(len(families))
    losses = [*means["loss"], *lines["level"]]
    scale: dict[str, Any] = {
        "colors": LARGER_IS_DARKER,
        "limits": (min(losses), max(losses)),
        "trans": "log10",
        "breaks": lines["level"].unique().sort().to_list(),
        "labels": plain,
        "name": "L (nats)",
    }
    means = tell(means, loss="mean loss")
    return (
        p9.ggplot(drawn(means), p9.aes("params", "images"))
        + p9.geom_rect(
            p9.aes(xmin="left", xmax="right", ymin="bottom", ymax="top"),
            data=drawn(boxes),
            inherit_aes=False,
            fill=QUIET,
            alpha=0.1,
        )
        + p9.geom_path(p9.aes(color="level", group="piece"), data=drawn(lines), size=0.8)
        + told_points(p9.aes(color="loss", label="told"), size=2.4, stroke=0)
        + p9.facet_wrap("family", ncol=columns)
        + log_x_counts("N: trainable parameters", means["params"])
        + log_y_counts("D: unique training images", means["images"])
        + p9.scale_color_gradientn(**scale)
        + p9.guides(color=p9.guide_legend(reverse=True))
        + look(width, height)
    )


def contour_table(means: pl.DataFrame, fits: dict) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Lines of equal loss (family, level, piece, params, images); trained rectangles (family, left, right, bottom, top)."""
    schema = {"family": pl.String, "level": pl.Float64, "piece": pl.String, "params": pl.Float64, "images": pl.Float64}
    frames, boxes = [], []
    known = means.filter(pl.col("loss") > 0)
    levels = even_breaks(min(known["loss"]), max(known["loss"]), MOST_LINES) if len(known) else []
    for family, own, fit in with_laws(means, fits):
        ends = {name: (float(min(own[name])), float(max(own[name]))) for name in ("params", "images")}
        boxes.append((family, *ends["params"], *ends["images"]))
        n, d = (np.geomspace(low / 1.2, high * REACH, GRID_POINTS) for low, high in ends.values())
        n_at, d_at = np.meshgrid(n, d)
        surface = np.asarray(predict(fit, n_at.ravel(), d_at.ravel()), float).reshape(len(d), len(n))
        generator = contourpy.contour_generator(np.log(n), np.log(d), surface)
        for level in levels:
            for number, line in enumerate(generator.lines(level)):
                piece = f"{family} {level} {number}"
                points = np.exp(np.asarray(line))
                one = {"family": family, "level": level, "piece": piece, "params": points[:, 0], "images": points[:, 1]}
                frames.append(pl.DataFrame(one, schema=schema))
    rectangle = {"family": pl.String, **dict.fromkeys(("left", "right", "bottom", "top"), pl.Float64)}
    lines = pl.concat(frames) if frames else pl.DataFrame(schema=schema)
    return lines, pl.DataFrame(boxes, schema=rectangle, orient="row")


figure = Figure(
    order=45,
    title="Loss over N and D",
    caption=(
        "Lines of equal loss by each family's law, up to three times the largest trained N and D; the shaded rectangle is "
        "what was trained. Points: the trained models, the mean of their seeds, on the same scale, so that a point on a "
        "line of another shade lies off the law. A line that runs level says that a larger N alone would not help there; an "
        "upright one, that more images alone would not."
    ),
    draw=lambda run: loss_contours(run.runs, run.fits),
)
