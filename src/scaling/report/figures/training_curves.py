"""How the loss falls during training: each family's largest model, by D."""

from __future__ import annotations

import plotnine as p9
import polars as pl

from scaling.report.figures import Figure
from scaling.report.figures.curves import finished
from scaling.report.figures.theme import empty, facet_size, family_order, level_scales, log_x_counts, log_y_plain, look
from scaling.report.figures.told import tell, told_points


def training_curves(runs: pl.DataFrame, curves: pl.DataFrame) -> p9.ggplot:
    """Validation loss against images seen, one panel per family and one line per D; the largest N at its first seed."""
    table = curve_table(runs, curves)
    if table.is_empty():
        return empty("No learning curve is at hand.")
    families = family_order(table["family"])
    columns, width, height = facet_size(len(families))
    lowest = table.filter(pl.col("validation_loss") == pl.min("validation_loss").over("key")).unique("key", keep="first")

    def drawn(part: pl.DataFrame):
        return part.with_columns(pl.col("family").cast(pl.Enum(families))).to_pandas()

    return (
        p9.ggplot(drawn(table), p9.aes("seen", "validation_loss", color="images", group="key"))
        + p9.geom_line(size=0.6)
        + told_points(
            p9.aes(label="told"), data=drawn(tell(lowest, validation_loss="lowest validation loss")), size=1.6, stroke=0
        )
        + p9.facet_wrap("family", ncol=columns)
        + log_x_counts("images seen, repeats included")
        + log_y_plain("validation loss (nats)")
        + level_scales("D", table["images"])
        + look(width, height)
    )


def curve_table(runs: pl.DataFrame, curves: pl.DataFrame) -> pl.DataFrame:
    """family, key, params, images, seed, seen, validation_loss: each family's largest N at its lowest seed, as it trained."""
    largest = finished(runs).filter(pl.col("params") == pl.max("params").over("family"))
    first = largest.filter(pl.col("seed") == pl.min("seed").over("family", "images"))
    return (
        first.select("family", "key", "params", pl.col("images").cast(pl.Float64), "seed", "batch")
        .join(curves, on="key", maintain_order="left_right")
        .with_columns((pl.col("step") * pl.col("batch")).cast(pl.Float64).alias("seen"))
        .filter((pl.col("seen") > 0) & (pl.col("validation_loss") > 0) & pl.col("validation_loss").is_finite())
        .select("family", "key", "params", "images", "seed", "seen", "validation_loss")
    )


figure = Figure(
    order=80,
    title="How the loss fell in training",
    caption=(
        "Validation loss during training against the images seen, for each family's largest model at its first seed; the "
        "shade says D. Points: the lowest of each line, whose weights are the ones reported. A line that rises after it "
        "overfits. A line that still falls at its end would have gained from longer training."
    ),
    draw=lambda run: training_curves(run.runs, run.curves),
)
