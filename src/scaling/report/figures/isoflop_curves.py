"""Loss against N at equal compute: where the best size lies, as each family's law has it."""

from __future__ import annotations

import numpy as np
import plotnine as p9
import polars as pl

from scaling.laws import predict
from scaling.laws.compute_optimal.frontier import tabled_compute
from scaling.report.figures import Figure
from scaling.report.figures.curves import finished, with_laws
from scaling.report.figures.labels import powers
from scaling.report.figures.theme import INK, empty, facet_size, family_order, level_scales, log_x_counts, log_y_plain, look
from scaling.report.figures.told import tell, told_points

CURVE_POINTS = 40
"""Sizes at which a curve is evaluated (assumption)."""
MOST_BUDGETS = 5
"""Budgets per family where its table holds no slices (assumption)."""


def isoflop_curves(runs: pl.DataFrame, fits: dict) -> p9.ggplot:
    """One panel per family and one curve per compute C: the law's loss at each N, D being what C pays for; rings: the best N.

    Points are the trained models, in the colour of their own compute.
    """
    cells = finished(runs).filter(pl.col("flop") > 0)
    curves = isoflop_table(cells, fits)
    if curves.is_empty():
        return empty("No law has been fitted yet, or compute is not known.")
    families = family_order(curves["family"])
    levels = pl.Enum(families)
    means = (
        cells.filter(pl.col("family").is_in(families))
        .group_by("family", "params", "images", maintain_order=True)
        .agg(pl.mean("flop"), pl.mean("loss"))
    )
    means = tell(means, loss="mean loss", flop="C =")
    best = optima_table(fits, families)
    columns, width, height = facet_size(len(families))

    def drawn(table: pl.DataFrame):
        return table.with_columns(pl.col("family").cast(levels)).to_pandas()

    figure = (
        p9.ggplot(drawn(means), p9.aes("params", "loss", color="flop"))
        + told_points(p9.aes(label="told"), size=1.4, stroke=0, alpha=0.55)
        + p9.geom_line(p9.aes(group="flop"), data=drawn(curves), size=0.7)
    )
    if not best.is_empty():
        figure += p9.geom_point(data=drawn(best), shape="o", fill="none", color=INK, size=2.6, stroke=0.6)
    colour, _, guide = level_scales("C (FLOP)", [*means["flop"], *curves["flop"]], powers)
    return (
        figure
        + p9.facet_wrap("family", ncol=columns)
        + log_x_counts("N: trainable parameters", means["params"])
        + log_y_plain("L: test loss (nats)")
        + [colour, guide]
        + look(width, height)
    )


def isoflop_table(cells: pl.DataFrame, fits: dict) -> pl.DataFrame:
    """family, flop, params, images, loss: the law at equal compute, inside the family's trained N and D only."""
    schema = {"family": pl.String, **dict.fromkeys(("flop", "params", "images", "loss"), pl.Float64)}
    frames = []
    for family, own, fit in with_laws(cells, fits):
        if own["flop"].n_unique() < 2:
            continue
        params, images, flop = (own[name].to_numpy().astype(float) for name in ("params", "images", "flop"))
        compute = tabled_compute(params, images, flop)
        sizes = np.geomspace(params.min(), params.max(), CURVE_POINTS)
        for budget in _budgets(fits, str(family), flop):
            data = np.exp(compute.log_images(float(np.log(budget)), np.log(sizes)))
            inside = (data >= images.min()) & (data <= images.max())
            if inside.sum() < 2:
                continue
            loss = np.asarray(predict(fit, sizes[inside], data[inside]), float)
            one = {"family": family, "flop": budget, "params": sizes[inside], "images": data[inside], "loss": loss}
            frames.append(pl.DataFrame(one, schema=schema))
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


def _budgets(fits: dict, family: str, flop: np.ndarray) -> list[float]:
    """The budgets of the family's slices; else a few between its cheapest and its dearest run."""
    own = next((entry for entry in fits.get("frontier", []) if entry["family"] == family), {})
    slices = [one["flop"] for one in (own.get("isoflop") or {}).get("slices", [])]
    return slices or np.geomspace(flop.min(), flop.max(), MOST_BUDGETS + 2)[1:-1].tolist()


def optima_table(fits: dict, families: list[str]) -> pl.DataFrame:
    """family, flop, params, loss of the slices' best N by the law, where it lies inside the slice."""
    rows = [
        (entry["family"], float(one["flop"]), one["surface"]["N"], one["surface"]["response"])
        for entry in fits.get("frontier", [])
        for one in (entry.get("isoflop") or {}).get("slices", [])
        if entry["family"] in families and one.get("surface")
    ]
    schema = {"family": pl.String, **dict.fromkeys(("flop", "params", "loss"), pl.Float64)}
    return pl.DataFrame(rows, schema=schema, orient="row")


figure = Figure(
    order=22,
    title="At equal compute, which size is best?",
    caption=(
        "One panel per family, one curve per training compute C: the loss that the law gives to each N when the rest of the "
        "compute goes into images. Curves are drawn only where N and D lie inside those that were trained. Rings: the best "
        "N of a curve; where there is none, it lies outside. A curve is steep where fewer images would cost as much, since "
        "each model sees a least number of images. Points: the trained models, each in the colour of its own compute."
    ),
    draw=lambda run: isoflop_curves(run.runs, run.fits),
)
