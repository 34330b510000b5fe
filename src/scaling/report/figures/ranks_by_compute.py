"""The order of the families at each compute budget, by their laws."""

from __future__ import annotations

import numpy as np
import plotnine as p9
import polars as pl

from scaling.report.figures import Figure
from scaling.report.figures.curves import finished
from scaling.report.figures.loss_by_flop import frontiers
from scaling.report.figures.theme import INK, empty, family_order, family_scales, log_x_powers, look

BUDGETS = 12
"""Budgets at which families are ranked (assumption)."""


def ranks_by_compute(runs: pl.DataFrame, fits: dict) -> p9.ggplot:
    """Rank of each family's frontier loss against C, 1 the lowest; filled: its band lies apart from that of rank 1."""
    cells = finished(runs).filter(pl.col("flop") > 0)
    table = rank_table(frontiers(fits, cells))
    if table.is_empty():
        return empty("Fewer than two families have a law over a common range of compute.")
    families = family_order(table["family"])
    table = table.with_columns(pl.col("family").cast(pl.Enum(families)))
    colour, fill, shape, _ = family_scales(families, dict(cells.select("family", "kind").iter_rows()))
    worst = int(max(table["rank"]))
    return (
        p9.ggplot(table.to_pandas(), p9.aes("flop", "rank", color="family"))
        + p9.geom_line(p9.aes(group="family"), size=0.7)
        + p9.geom_point(p9.aes(shape="family"), fill="white", size=2.8, stroke=0.6)
        + p9.geom_point(
            p9.aes(shape="family", fill="family"), data=table.filter("apart").to_pandas(), size=2.8, show_legend=False
        )
        + p9.scale_y_reverse(breaks=list(range(1, worst + 1)), minor_breaks=[], name="rank by loss, 1 = lowest")
        + log_x_powers("C: training compute (FLOP)")
        + [colour, fill, shape]
        + p9.guides(fill="none")
        + look(8.2, 0.36 * worst + 1.2)
        + p9.theme(axis_text_y=p9.element_text(color=INK, size=8))
    )


def rank_table(lines: pl.DataFrame) -> pl.DataFrame:
    """family, flop, loss, rank, apart, where: families at budgets that all their frontiers reach.

    ``apart`` says that the family's band does not meet that of rank 1 (always so for rank 1 itself if all others are apart).
    """
    schema = {"family": pl.String, "flop": pl.Float64, "loss": pl.Float64, "rank": pl.Int64, "apart": pl.Boolean}
    ends = lines.group_by("family").agg(pl.min("flop").alias("first"), pl.max("flop").alias("last"))
    if len(ends) < 2:
        return pl.DataFrame(schema=schema)
    low, high = float(max(ends["first"])), float(min(ends["last"]))
    if low >= high:
        return pl.DataFrame(schema=schema)
    budgets = np.geomspace(low, high, BUDGETS)
    at = np.log(budgets)
    values = {
        family: {name: np.interp(at, np.log(own["flop"]), own[name].cast(pl.Float64)) for name in ("loss", "low", "high")}
        for (family,), own in lines.unique(["family", "flop"]).sort("flop").group_by(["family"], maintain_order=True)
    }
    rows = []
    for place, budget in enumerate(budgets):
        order = sorted(values, key=lambda family: values[family]["loss"][place])
        least = [values[family]["low"][place] for family in order]
        top = values[order[0]]["high"][place]
        for rank, family in enumerate(order, start=1):
            apart = min(least[1:]) > top if rank == 1 else least[rank - 1] > top
            rows.append((family, float(budget), float(values[family]["loss"][place]), rank, bool(apart)))
    return pl.DataFrame(rows, schema=schema, orient="row")


figure = Figure(
    order=26,
    title="Which family is best at which compute?",
    caption=(
        "Rank of each family by the lowest loss that its law allows for a compute, over the budgets that all laws reach; "
        "the right end lies beyond the trained ones (see “What compute buys”). Filled: the 95 % band lies wholly above that "
        "of rank 1. Hollow: the two bands meet, so that the order is not settled."
    ),
    draw=lambda run: ranks_by_compute(run.runs, run.fits),
)
