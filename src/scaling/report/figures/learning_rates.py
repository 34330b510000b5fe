"""The tuned learning rate by width: candidates, their validation losses, the best and the rule."""

from __future__ import annotations

import math

import numpy as np
import plotnine as p9
import polars as pl

from scaling.report.figures import Figure
from scaling.report.figures.labels import percents
from scaling.report.figures.theme import (
    INK,
    empty,
    facet_size,
    family_order,
    log_x_plain,
    log_y_plain,
    look,
)

EXCESS_CAP = 0.5
"""Validation loss above the anchor's best, as a share, beyond which a candidate is drawn as "much worse" (assumption)."""
LOST = "#73401d"
"""Colour of candidates that diverged or failed."""


def learning_rates(tuning: dict[str, dict]) -> p9.ggplot:
    """Candidates at every anchor of ``tuning`` (by family), coloured by their loss above the best, which is ringed.

    The line is the family's rule rate = r (width / reference)^exponent, which all cells of the family use.
    """
    candidates = candidate_table(tuning)
    if candidates.is_empty():
        return empty("No learning rate was tuned.")
    families = family_order(candidates["family"])
    order = pl.Enum(families)
    rules = rule_lines(tuning, candidates)
    candidates = candidates.with_columns(pl.col("family").cast(order))
    finite = candidates.filter(pl.col("excess").is_not_null())
    lost = candidates.filter(pl.col("excess").is_null())
    best = best_rates(tuning).with_columns(pl.col("family").cast(order))
    columns, width, height = facet_size(len(families))
    figure = p9.ggplot(candidates.to_pandas(), p9.aes("width", "rate"))
    if not rules.is_empty():
        figure += p9.geom_line(data=rules.with_columns(pl.col("family").cast(order)).to_pandas(), color=INK, size=0.5)
    if not finite.is_empty():
        figure += p9.geom_point(p9.aes(fill="excess"), data=finite.to_pandas(), size=2.6, stroke=0, shape="o")
    if not lost.is_empty():
        figure += p9.geom_point(data=lost.to_pandas(), size=2.0, shape="x", color=LOST)
    if not best.is_empty():
        figure += p9.geom_point(data=best.to_pandas(), size=3.8, shape="o", fill="none", color=INK, stroke=0.6)
    return (
        figure
        + p9.facet_wrap("family", ncol=columns, scales="free")
        + log_x_plain("width", most=4)
        + log_y_plain("learning rate", most=4)
        + p9.scale_fill_gradientn(
            colors=("#43236b", "#2f6d8e", "#4cbf8b", "#d9e8a0"),
            limits=(0, EXCESS_CAP),
            breaks=(0, 0.05, 0.1, 0.2, 0.5),
            labels=percents,
            trans="sqrt",
            name="validation loss\nabove the best",
        )
        + p9.guides(fill=p9.guide_legend())
        + look(width + 0.6, height)
    )


def candidate_table(tuning: dict[str, dict]) -> pl.DataFrame:
    """Every candidate of every anchor: family, width, rate, excess.

    excess is the validation loss above the best candidate's at that anchor, as a share, capped; null where the run
    diverged or failed.
    """
    rows = []
    for family, record in tuning.items():
        for anchor in record["anchors"]:
            losses = [c["validation_loss"] for c in anchor["candidates"] if _is_finite(c["validation_loss"])]
            for candidate in anchor["candidates"]:
                loss = candidate["validation_loss"]
                excess = min(loss / min(losses) - 1, EXCESS_CAP) if _is_finite(loss) else None
                rows.append((family, float(anchor["width"]), float(candidate["rate"]), excess))
    schema = {"family": pl.String, "width": pl.Float64, "rate": pl.Float64, "excess": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def best_rates(tuning: dict[str, dict]) -> pl.DataFrame:
    """The best rate of every anchor that has one (it may lie between two candidates): family, width, rate."""
    rows = [
        (family, float(anchor["width"]), float(anchor["best_rate"]))
        for family, record in tuning.items()
        for anchor in record["anchors"]
        if anchor["best_rate"] is not None
    ]
    return pl.DataFrame(rows, schema={"family": pl.String, "width": pl.Float64, "rate": pl.Float64}, orient="row")


def rule_lines(tuning: dict[str, dict], candidates: pl.DataFrame) -> pl.DataFrame:
    """Each family's rule over the widths of its anchors: family, width, rate."""
    schema = {"family": pl.String, "width": pl.Float64, "rate": pl.Float64}
    frames = []
    for (family,), own in candidates.group_by(["family"], maintain_order=True):
        rule = tuning[str(family)]["rule"]
        if not rule or own["width"].n_unique() < 2:
            continue
        widths = np.geomspace(min(own["width"]), max(own["width"]), 20)
        rates = rule["rate_at_reference"] * (widths / rule["reference"]) ** rule["exponent"]
        frames.append(pl.DataFrame({"family": [family] * len(widths), "width": widths, "rate": rates}, schema=schema))
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


figure = Figure(
    order=70,
    title="The tuned learning rates",
    caption=(
        "Every candidate rate that was tried at the tuning anchors, by width. Violet: as good as the anchor's "
        "best on validation images; green: worse; crosses: diverged or failed; rings: the best. The line is "
        "the rule in the width from which all models of the family take their rate. A ring at the end of its "
        "column means that the optimum may lie beyond."
    ),
    draw=lambda run: learning_rates(run.tuning),
)
