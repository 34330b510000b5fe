"""How far, and in which direction, each family's law misses the loss of runs that were kept out of the fit."""

from __future__ import annotations

import pandas as pd
import plotnine as p9
import polars as pl

from scaling.report.figures import Figure
from scaling.report.figures.theme import INK, QUIET, empty, family_order, family_scales, look
from scaling.report.figures.told import tell, told_points

ORIGINS = {"params": "larger N held out", "images": "larger D held out", "both": "larger N and D held out"}
RATIOS = (0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.5, 2.0, 3.0, 5.0, 10.0)
"""Candidate breaks of predicted / observed."""
PERSISTENCE = "#848b93"
"""Colour of the bars of persistence: it stands out on white and, as it is mapped there, on dark ground."""
LEAST_SPAN = 1.12
"""The axis reaches at least this ratio on both sides, so that noise does not look like failure (assumption)."""


def holdout(fits: dict, response: str = "loss") -> p9.ggplot:
    """Predicted over observed ``response`` of every held-out run in ``fits``: one row per family, one panel per origin.

    Points: cells, those of the largest held-out level opaque. Tick: geometric mean of a row. Bar: from exact to the root
    mean square error of persistence, which repeats the nearest smaller cell. The number beside a family is its skill, the
    highest on top.
    """
    cells = holdout_cells(fits, response)
    if cells.is_empty():
        return empty("No family has enough runs to hold some out.")
    skills = skill_by_family(cells)
    order = list(skills)
    origins = [ORIGINS[origin] for origin in ORIGINS if origin in cells["origin"]]
    cells = cells.with_columns(
        pl.col("origin").replace_strict(ORIGINS, return_dtype=pl.String).cast(pl.Enum(origins)),
        (pl.col("predicted") / pl.col("observed")).alias("ratio"),
    )
    cells = tell(cells, observed=response, predicted="predicted")
    rows = cells.group_by("family", "origin", maintain_order=True).agg(
        pl.col("ratio").log().mean().exp().alias("mean"),
        (pl.col("persistence") / pl.col("observed")).log().pow(2).mean().sqrt().exp().alias("persistence"),
    )
    rows = rows.with_columns(pl.lit(1.0).alias("exact"))
    smaller, largest = (cells.filter(pl.col("largest") == one).to_pandas() for one in (False, True))
    ends = (min(*cells["ratio"], 1 / LEAST_SPAN), max(*cells["ratio"], *rows["persistence"], LEAST_SPAN))
    line = pd.DataFrame({"x": [1.0]})
    figure = (
        p9.ggplot(rows.to_pandas(), p9.aes(y="family"))
        + p9.geom_segment(p9.aes(x="exact", xend="persistence", yend="family"), size=1.1, color=PERSISTENCE)
        + p9.geom_vline(p9.aes(xintercept="x"), data=line, color=QUIET, size=0.5)
    )
    for data, alpha in ((smaller, 0.3), (largest, 0.95)):
        if len(data):
            aes = p9.aes("ratio", "family", color="family", shape="family", label="told")
            figure += told_points(aes, data=data, size=2.3, alpha=alpha, stroke=0)
    return (
        figure
        + p9.geom_point(p9.aes(x="mean"), shape="|", size=5, stroke=0.9, color=INK)
        + p9.facet_wrap("origin", nrow=1)
        + p9.scale_x_continuous(
            trans="log10",
            limits=ends,
            breaks=_breaks,
            minor_breaks=[],
            labels=lambda ratios: [_percent(float(ratio)) for ratio in ratios],
            name=f"predicted {response} against observed: too low on the left, too high on the right",
        )
        + family_scales(family_order(order))
        + p9.scale_y_discrete(
            limits=order[::-1], labels=lambda names: [f"{name} ({skills[str(name)]:.2f})" for name in names], name=""
        )
        + look(8.8, 0.36 * len(order) + 1.0)
        + p9.theme(legend_position="none", panel_spacing=0.03)
    )


def holdout_cells(fits: dict, response: str) -> pl.DataFrame:
    """All held-out runs with a prediction: family, origin, observed, predicted, persistence (units of the response), largest.

    ``largest`` says that the cell has the family's largest N (or D, or both) among those held out at that kind of origin.
    """
    rows = [
        {
            "family": part["family"],
            "origin": part["origin"],
            "observed": cell["observed"],
            "predicted": cell["predicted"],
            "persistence": cell["persistence"],
            "params": cell["params"],
            "images": cell["images"],
        }
        for part in fits.get("holdout", [])
        if part["response"] == response
        for cell in part.get("cells") or []
    ]
    numbers = ("observed", "predicted", "persistence", "params", "images")
    schema = {"family": pl.String, "origin": pl.String, **dict.fromkeys(numbers, pl.Float64)}
    at_top = {name: pl.col(name) == pl.max(name).over("family", "origin") for name in ("params", "images")}
    return (
        pl.DataFrame(rows, schema=schema)
        .filter((pl.col("observed") > 0) & (pl.col("predicted") > 0) & pl.col("predicted").is_finite())
        .with_columns(
            pl.when(pl.col("origin") == "params")
            .then(at_top["params"])
            .when(pl.col("origin") == "images")
            .then(at_top["images"])
            .otherwise(at_top["params"] | at_top["images"])
            .alias("largest")
        )
    )


def skill_by_family(cells: pl.DataFrame) -> dict[str, float]:
    """Skill of each family in ``holdout_cells``, over all origins together, the highest first (``verdicts.judging``)."""

    def squares(column: str) -> pl.Expr:
        return (pl.col(column) / pl.col("observed")).log().pow(2).sum()

    ratio = cells.group_by("family").agg((squares("predicted") / squares("persistence")).sqrt().alias("ratio"))
    return {family: 1.0 - value for family, value in ratio.sort("ratio", "family").iter_rows()}


def _breaks(limits: tuple[float, float]) -> list[float]:
    inside = [ratio for ratio in RATIOS if min(limits) <= ratio <= max(limits)]
    # Every second one away from 1 on either side, until five are left at most.
    while len(inside) > 5:
        centre = inside.index(1.0)
        inside = inside[centre % 2 :: 2]
    return inside


def _percent(ratio: float) -> str:
    return "exact" if ratio == 1.0 else f"{100 * (ratio - 1):+.0f} %".replace("-", "−")


figure = Figure(
    order=10,
    title="Do the laws predict models they have not seen?",
    caption=(
        "Each point is one trained model, kept out of the fit and predicted from smaller ones. Right of the line the law "
        "promised a higher loss than was reached, left of it a lower one. Strong points: the study's largest models; pale: "
        "smaller ones, predicted from still smaller ones. Upright tick: the mean; where it is away from the line, the "
        "family is not yet on its law at the smaller sizes. Bar from the line: how far off one would be by repeating the "
        "nearest smaller model's loss. In brackets the skill over all panels, the highest on top."
    ),
    draw=lambda run: holdout(run.fits),
)
