"""The best N and the best D for a compute budget, as each family's law has them."""

from __future__ import annotations

from collections.abc import Mapping

import plotnine as p9
import polars as pl

from scaling.report.figures import Figure
from scaling.report.figures.curves import finished
from scaling.report.figures.loss_by_flop import BEYOND, INSIDE, frontiers
from scaling.report.figures.theme import empty, family_order, family_scales, log_x_powers, log_y_counts, look

BEST = {"params": "N*: best number of parameters", "images": "D*: best number of images"}


def best_sizes(runs: pl.DataFrame, fits: dict, titles: Mapping[str, str] = BEST) -> p9.ggplot:
    """N*(C) and D*(C), one line per family: solid where C, N* and D* lie inside the trained ones, dashed beyond.

    ``titles`` are those of the panels of params and images.
    """
    cells = finished(runs).filter(pl.col("flop") > 0)
    lines = frontiers(fits, cells)
    if lines.is_empty():
        return empty("No law has been fitted yet, or compute is not known.")
    families = family_order(lines["family"])
    table = lines.unpivot(
        on=list(titles), index=["family", "flop", "where", "piece"], variable_name="panel", value_name="best"
    ).with_columns(
        pl.col("panel").replace_strict(titles, return_dtype=pl.String).cast(pl.Enum(list(titles.values()))),
        pl.col("family").cast(pl.Enum(families)),
        pl.int_range(pl.len()).over("family", "panel").alias("place"),
    )
    marks = table.filter(pl.col("place") % 8 == 3)
    colour, fill, shape, _ = family_scales(families, dict(cells.select("family", "kind").iter_rows()))
    return (
        p9.ggplot(table.to_pandas(), p9.aes("flop", "best", color="family"))
        + p9.geom_line(p9.aes(group="piece", linetype="where"), size=0.8)
        + p9.geom_point(p9.aes(shape="family", fill="family"), data=marks.to_pandas(), size=2.2, stroke=0)
        + p9.facet_wrap("panel", nrow=1, scales="free_y")
        + log_x_powers("C: training compute (FLOP)")
        + log_y_counts("")
        + [colour, fill, shape]
        + p9.scale_linetype_manual(values={INSIDE: "solid", BEYOND: "dashed"}, limits=[INSIDE, BEYOND], name="law")
        + look(9.6, 3.8)
        + p9.theme(legend_key_width=26)
    )


figure = Figure(
    order=24,
    title="How should compute be spent?",
    caption=(
        "For each training compute, the N and the D with which a family's law reaches its lowest loss. A line is solid "
        "where compute, N and D lie inside those that the family was trained at, dashed beyond, where the law is extended. "
        "Flat pieces at an end: the best size lies at the limit of what was searched. Slopes, with intervals: under Laws."
    ),
    draw=lambda run: best_sizes(run.runs, run.fits),
)
