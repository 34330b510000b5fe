"""Whether the curves of a family's sizes fall on each other: each divided by its own end, by share of training."""

from __future__ import annotations

import numpy as np
import plotnine as p9
import polars as pl

from scaling.laws.learning.collapse import Collapse, collapse, normalised
from scaling.laws.learning.final_loss import Curve
from scaling.report.figures import Figure
from scaling.report.figures.curves import finished, law_of
from scaling.report.figures.labels import percents
from scaling.report.figures.theme import empty, facet_size, family_order, level_scales, log_y_plain, look


def curve_collapse(runs: pl.DataFrame, curves: pl.DataFrame, fits: dict) -> p9.ggplot:
    """Loss above the floor over its value at the end, by share of the steps; a line per N, at the family's largest D."""
    table = collapse_table(runs, curves, fits)
    if table.is_empty():
        return empty("No learning curve is at hand.")
    families = family_order(table["family"].unique())
    titles = {family: panel_title(family, collapse_of(table, family)) for family in families}
    shown = table.filter(pl.col("images") == pl.max("images").over("family"))
    shown = shown.group_by("family", "params", "share", maintain_order=True).agg(pl.col("log_loss").mean().exp().alias("loss"))
    panel = pl.col("family").replace_strict(titles, return_dtype=pl.String).cast(pl.Enum([titles[f] for f in families]))
    columns, width, height = facet_size(len(families))
    return (
        p9.ggplot(shown.with_columns(panel.alias("panel")).to_pandas(), p9.aes("share", "loss", color="params", group="params"))
        + p9.geom_line(size=0.6)
        + p9.geom_point(size=1.1, stroke=0)
        + p9.facet_wrap("panel", ncol=columns)
        + p9.scale_x_continuous(name="share of the steps", labels=percents)
        + log_y_plain("loss above the floor, over that at the end")
        + level_scales("N", shown["params"])
        + look(width, height)
    )


def collapse_table(runs: pl.DataFrame, curves: pl.DataFrame, fits: dict) -> pl.DataFrame:
    """family, params, images, seed, share, log_loss (normalised) of the finished runs that were not stopped early.

    The floor is the law's where its fit converged and all curves lie above it, else 0.
    """
    schema = {"family": pl.String, "params": pl.Float64, "images": pl.Float64, "seed": pl.Int64}
    schema |= {"share": pl.Float64, "log_loss": pl.Float64}
    points = {key: rows.to_dicts() for (key,), rows in curves.group_by(["key"], maintain_order=True)}
    rows = []
    whole = finished(runs).filter(~pl.col("stopped_early").fill_null(value=False))
    for (family,), own in whole.group_by(["family"], maintain_order=True):
        fit = law_of(fits, str(family))
        floor = (fit["parameters"] or {}).get("E", 0.0) if fit and fit["status"] == "converged" else 0.0
        known = []
        for row in own.filter(pl.col("key").is_in(list(points))).iter_rows(named=True):
            evaluations = points[row["key"]]
            curve = Curve.of(row["params"], row["images"], evaluations[-1]["step"], evaluations)
            if curve.shares:
                known.append((row["seed"], curve))
        if not known:
            continue
        shares = max((curve.shares for _, curve in known), key=lambda steps: steps[0])
        lines = [normalised(curve, shares, floor) for _, curve in known]
        if any(line is None for line in lines):
            lines = [normalised(curve, shares) for _, curve in known]
        for (seed, curve), line in zip(known, lines, strict=True):
            if line is not None:
                place = (str(family), curve.params, curve.images, seed)
                rows += [(*place, share, float(value)) for share, value in zip(shares, line, strict=True)]
    return pl.DataFrame(rows, schema=schema, orient="row")


def collapse_of(table: pl.DataFrame, family: str) -> Collapse:
    """The number of one family of a ``collapse_table``, from the seeds that all sizes of a D have, before the last step."""
    groups = []
    own = table.filter((pl.col("family") == family) & (pl.col("share") < 1.0))
    for _, rows in own.group_by(["images"], maintain_order=True):
        lines = {key: part["log_loss"].to_numpy() for key, part in rows.group_by(["params", "seed"], maintain_order=True)}
        sizes = sorted({params for params, _ in lines})
        seeds = sorted(seed for seed in {s for _, s in lines} if all((params, seed) in lines for params in sizes))
        if seeds:
            groups.append(np.array([[lines[params, seed] for seed in seeds] for params in sizes]))
    return collapse(groups)


def panel_title(family: str, found: Collapse) -> str:
    """The family with how far its sizes' curves are apart, and how far seeds are."""
    if found.spread is None:
        return f"{family}\none size"
    noise = "one seed per size" if found.noise is None else f"seeds {100 * found.noise:.1f} %"
    ratio = "" if found.ratio is None else f"\nratio {found.ratio:.1f}"
    return f"{family}\nsizes {100 * found.spread:.1f} %, {noise}{ratio}"


figure = Figure(
    order=85,
    title="Do training curves collapse?",
    caption=(
        "Lowest validation loss so far, above the law's floor (above 0 where the law has none that is sure), divided by its "
        "value at the end of the same run; one line per N, mean of its seeds, at the family's largest D. Where width, learning "
        "rate and length scale well together, all sizes fall on one line (Qiu et al. 2025, arXiv 2507.02119). Over each panel: "
        "the standard deviation of the curves between sizes, over all D, and between seeds, where a D has several; the ratio "
        "compares the two at those D and is near 1 where only noise parts the sizes; where seeds differ by 10 % or more, a "
        "ratio near 1 says little. A family far above 1 changes the course of its training with its size: its rate or length "
        "may not be the best at every N."
    ),
    draw=lambda run: curve_collapse(run.runs, run.curves, run.fits),
)
