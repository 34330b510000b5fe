"""Loss against training compute, all families: what was measured, and what the laws allow."""

from __future__ import annotations

from typing import Final

import pandas as pd
import plotnine as p9
import polars as pl

from scaling.report.figures import Figure
from scaling.report.figures.curves import finished
from scaling.report.figures.theme import QUIET, empty, family_order, family_scales, log_x_powers, log_y_plain, look
from scaling.report.figures.told import UNSEEN, tell, told_points

MOST_BANDS: Final = 3
"""Families whose bands are drawn (assumption): more than three cover each other."""
MEASURED, BY_LAW = "measured: best model per compute", "by the laws: best split between N and D"
INSIDE, BEYOND = "inside what was trained", "beyond it"


def loss_by_flop(runs: pl.DataFrame, fits: dict) -> p9.ggplot:
    """L against C: the means over seeds of ``runs`` with the best of each family joined, and the frontiers in ``fits``.

    A frontier is the lowest loss that a family's law allows for a compute budget: solid where its C, N and D lie inside those
    that the family was trained at, dashed beyond, with 95 % bands of the MOST_BANDS families that
    end lowest; the bands of the others are there UNSEEN, and a page shows them where a reader points.
    """
    cells = finished(runs).filter(pl.col("flop") > 0)
    if cells.is_empty():
        return empty("No run has finished yet.")
    families = family_order(cells["family"])
    levels = pl.Enum(families)
    means = cells.group_by("family", "params", "images", maintain_order=True).agg(pl.mean("flop"), pl.mean("loss"))
    means = tell(means, loss="mean loss", flop="C =")
    lines = frontiers(fits, cells)
    panels = pl.Enum([MEASURED, BY_LAW] if len(lines) else [MEASURED])

    def drawn(table: pl.DataFrame, panel: str) -> pd.DataFrame:
        return table.with_columns(pl.col("family").cast(levels), pl.lit(panel).cast(panels).alias("panel")).to_pandas()

    best = measured_frontier(means)
    figure = (
        p9.ggplot(drawn(means, MEASURED), p9.aes("flop", "loss", color="family"))
        + told_points(p9.aes(shape="family", label="told"), size=1.6, alpha=0.3, stroke=0, show_legend=False)
        + p9.geom_line(p9.aes(group="family"), data=drawn(best, MEASURED), size=0.7, show_legend=False)
        + told_points(p9.aes(shape="family", fill="family", label="told"), data=drawn(best, MEASURED), size=2.2, stroke=0)
    )
    if len(lines):
        trained = float(max(cells["flop"]))
        last = lines.filter(pl.col("flop") == pl.max("flop").over("family")).sort("loss")
        bands = lines.drop_nulls(["low", "high"])
        seen = pl.col("family").is_in(last["family"].head(MOST_BANDS).to_list())
        end = float(max(lines["flop"]))
        floor = min(*means["loss"], *lines["loss"], *lines["low"].drop_nulls())
        shade = pl.DataFrame({"family": families[0], "left": trained, "right": end, "floor": floor})
        if end > trained:
            figure += p9.geom_rect(
                p9.aes(xmin="left", xmax="right", ymin="floor", ymax=float("inf")),
                data=drawn(shade, BY_LAW),
                inherit_aes=False,
                fill=QUIET,
                alpha=0.12,
            )
        for part, opacity in ((bands.filter(~seen), UNSEEN), (bands.filter(seen), 0.16)):
            if not part.is_empty():
                figure += p9.geom_ribbon(
                    p9.aes("flop", ymin="low", ymax="high", fill="family", group="family"),
                    data=drawn(part, BY_LAW),
                    inherit_aes=False,
                    alpha=opacity,
                    show_legend=False,
                )
        figure += p9.geom_line(p9.aes(group="piece", linetype="where"), data=drawn(lines, BY_LAW), size=0.8)
        marks = lines.filter(pl.int_range(pl.len()).over("family") % 8 == 3)
        figure += p9.geom_point(
            p9.aes(shape="family", fill="family"), data=drawn(marks, BY_LAW), size=2.0, stroke=0, show_legend=False
        )
    kinds = dict(cells.select("family", "kind").iter_rows())
    colour, fill, shape, _ = family_scales(families, kinds)
    return (
        figure
        + p9.facet_wrap("panel", nrow=1)
        + log_x_powers("C: training compute (FLOP)")
        + log_y_plain("L: test loss (nats)", most=8)
        + [colour, fill, shape]
        + p9.scale_linetype_manual(values={INSIDE: "solid", BEYOND: "dashed"}, limits=[INSIDE, BEYOND], name="law")
        + look(9.6, 4.4)
        + p9.theme(legend_key_width=26)
    )


def measured_frontier(means: pl.DataFrame) -> pl.DataFrame:
    """The rows of ``means`` (family, flop, loss) that no row of the same family with as much or less compute beats."""
    ordered = means.sort("family", "flop", "loss")
    return ordered.filter(pl.col("loss") <= pl.col("loss").cum_min().over("family"))


def frontiers(fits: dict, cells: pl.DataFrame) -> pl.DataFrame:
    """The frontiers in ``fits`` of the families in ``cells``: family, flop, loss, low, high (nats), where, piece.

    ``where`` is INSIDE or BEYOND, by the family's own runs; each ``piece`` is a run of points of one kind, the last point of
    the piece before included, so that a line has no gaps.
    """
    columns = ("flop", "loss", "low", "high", "params", "images")
    schema = {"family": pl.String, **dict.fromkeys(columns, pl.Float64)}
    known = cells.group_by("family").agg(
        pl.max("flop").alias("most_flop"),
        pl.min("params", "images").cast(pl.Float64).name.prefix("min_"),
        pl.max("params", "images").cast(pl.Float64).name.prefix("max_"),
    )
    frames = []
    for frontier in fits.get("frontier", []):
        length = len(frontier.get("flop") or [])
        if frontier["family"] in known["family"] and length:
            values = {name: frontier.get(name) or [None] * length for name in columns}
            frames.append(pl.DataFrame({"family": [frontier["family"]] * length, **values}, schema=schema))
    if not frames:
        return pl.DataFrame(schema=schema | {"where": pl.String, "piece": pl.String})
    slack = 1 + 1e-6
    inside = (pl.col("flop") <= pl.col("most_flop") * slack) & pl.all_horizontal(
        (pl.col(name) >= pl.col(f"min_{name}") / slack) & (pl.col(name) <= pl.col(f"max_{name}") * slack)
        for name in ("params", "images")
    )
    table = pl.concat(frames).join(known, on="family", maintain_order="left").with_columns(inside.alias("inside"))
    table = table.with_columns(pl.col("inside").rle_id().over("family").alias("number"))
    joined = table.filter(pl.col("number") != pl.col("number").shift(-1).over("family")).with_columns(
        pl.col("number") + 1, ~pl.col("inside")
    )
    return (
        pl.concat([table, joined])
        .sort("family", "flop", "number", maintain_order=True)
        .with_columns(
            pl.when("inside").then(pl.lit(INSIDE)).otherwise(pl.lit(BEYOND)).alias("where"),
            pl.format("{} {}", "family", "number").alias("piece"),
        )
        .select(*schema, "where", "piece")
    )


figure = Figure(
    order=20,
    title="What compute buys",
    caption=(
        "Test loss against training compute, both logarithmic; lower is better. Left: each faint point is one N and D, the "
        "mean of its seeds; the line joins the models of a family that no cheaper one of it beats. Right: the lowest loss "
        "that each family's law allows for a compute. A line is solid where compute and the N and D it asks for lie inside "
        "those that were trained, dashed beyond; the shaded part is more compute than any model had. The three families "
        "that end lowest have 95 % bands, another's appears where you point at it; where bands overlap, the figure does "
        "not settle the order."
    ),
    draw=lambda run: loss_by_flop(run.runs, run.fits),
)
