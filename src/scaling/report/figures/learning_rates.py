"""The tuned learning rate by width, at each D where it was tuned: candidates, their validation losses, the best, the rule."""

from __future__ import annotations

import math

import numpy as np
import plotnine as p9
import polars as pl

from scaling.report.figures import Figure
from scaling.report.figures.labels import percents
from scaling.report.figures.theme import (
    INK,
    LARGER_IS_DARKER,
    empty,
    facet_size,
    family_order,
    log_x_plain,
    log_y_plain,
    look,
)
from scaling.report.figures.told import tell, told_points
from scaling.runs.resolve import RateRule

EXCESS_CAP = 0.5
"""Validation loss above the anchor's best, as a share, beyond which a candidate is drawn as "much worse" (assumption)."""
CLAMPED = 0.006
"""Rules and best rates are rounded to 4 digits: an exponent that differs by more was held at a limit (assumption)."""
LOST = "#73401d"
"""Colour of candidates that diverged or failed."""
COLUMNS = {"family": pl.String, "images": pl.Int64, "width": pl.Float64, "rate": pl.Float64}
"""Where a rate stands: the D of its anchor, the width, the rate."""


def learning_rates(tuning: dict[str, dict], runs: pl.DataFrame | None = None) -> p9.ggplot:
    """Candidates at every anchor of ``tuning`` (by family), coloured by their loss above the best; rings: interpolated optima.

    The line is the family's rule rate = r (width / reference)^exponent: solid between the anchors, dashed to the widths in
    ``runs`` that lie beyond them; short strokes mark the widths that were trained.
    """
    candidates = candidate_table(tuning)
    if candidates.is_empty():
        return empty("No learning rate was tuned.")
    families = family_order(candidates["family"])
    titles = panel_of_each_anchor(tuning, families)
    rules, used = rule_lines(tuning, candidates, runs), used_rates(runs, tuning)

    def drawn(table: pl.DataFrame):
        named = table.join(titles, on=["family", "images"], how="left", maintain_order="left")
        return named.with_columns(pl.col("panel").cast(pl.Enum(titles["panel"]))).to_pandas()

    candidates = tell(candidates, width="width", rate="rate", excess="validation loss above the best, as a share:")
    finite = candidates.filter(pl.col("excess").is_not_null())
    lost = candidates.filter(pl.col("excess").is_null())
    best = best_rates(tuning)
    columns, width, height = facet_size(len(titles))
    figure = p9.ggplot(drawn(candidates), p9.aes("width", "rate"))
    for piece, line in (("inside", "solid"), ("below", "dashed"), ("above", "dashed")):
        if not (part := rules.filter(pl.col("piece") == piece)).is_empty():
            figure += p9.geom_line(data=drawn(part), color=INK, size=0.5, linetype=line)
    if not used.is_empty():
        figure += p9.geom_point(data=drawn(used), shape="|", color=INK, size=3.2, stroke=0.6)
    if not finite.is_empty():
        figure += told_points(p9.aes(fill="excess", label="told"), data=drawn(finite), size=2.6, stroke=0, shape="o")
    if not lost.is_empty():
        figure += p9.geom_point(data=drawn(lost), size=2.0, shape="x", color=LOST)
    if not best.is_empty():
        figure += p9.geom_point(data=drawn(best), size=3.8, shape="o", fill="none", color=INK, stroke=0.6)
    return (
        figure
        + p9.facet_wrap("panel", ncol=columns, scales="free")
        + log_x_plain("width", most=4)
        + log_y_plain("learning rate", most=4)
        + p9.scale_fill_gradientn(
            colors=LARGER_IS_DARKER[::-1],
            limits=(0, EXCESS_CAP),
            breaks=(0, 0.05, 0.1, 0.2, 0.5),
            labels=percents,
            trans="sqrt",
            name="validation loss\nabove the best",
        )
        + p9.guides(fill=p9.guide_legend())
        + look(width + 0.6, height)
    )


def panel_of_each_anchor(tuning: dict[str, dict], families: list[str]) -> pl.DataFrame:
    """family, images, panel: the title of each family's panel, of which there is one for each D at which it was tuned."""
    rows = []
    for family in families:
        data = sorted({anchor["images"] for anchor in tuning[family]["anchors"]})
        title = rule_title(family, tuning[family])
        rows += [(family, d, title if len(data) == 1 else f"{title}\nD = {d:,}") for d in data]
    return pl.DataFrame(rows, schema={"family": pl.String, "images": pl.Int64, "panel": pl.String}, orient="row")


def rule_title(family: str, record: dict) -> str:
    """The family and the exponent of its rule; where the exponent was held at a limit, also the one of the optima alone."""
    rule = record["rule"]
    if not rule:
        return f"{family}\nno rule"
    said = f"{family}\nexponent {rule['exponent']:.2f}" + _clamped(record, "width", rule["exponent"])
    if len({anchor["images"] for anchor in record["anchors"]}) > 1:
        said += f"\nin D {rule['images_exponent']:.2f}" + _clamped(record, "images", rule["images_exponent"])
    return said.replace("-", "−")


def _clamped(record: dict, axis: str, exponent: float) -> str:
    """The exponent of the optima alone along ``axis``, where the rule's was held at a limit; else nothing."""
    anchors = [a for a in record["anchors"] if a["best_rate"] is not None]
    x = np.log([a[axis] for a in anchors])
    if len(set(x)) < 2:
        return ""
    free = float(np.polyfit(x, np.log([a["best_rate"] for a in anchors]), 1)[0])
    return f" (clamped from {free:.2f})" if abs(free - exponent) > CLAMPED else ""


def candidate_table(tuning: dict[str, dict]) -> pl.DataFrame:
    """Every candidate of every anchor: family, images, width, rate, excess.

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
                rows.append((family, anchor["images"], float(anchor["width"]), float(candidate["rate"]), excess))
    schema = COLUMNS | {"excess": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def best_rates(tuning: dict[str, dict]) -> pl.DataFrame:
    """The best rate of every anchor that has one (it may lie between two candidates): family, images, width, rate."""
    rows = [
        (family, anchor["images"], float(anchor["width"]), float(anchor["best_rate"]))
        for family, record in tuning.items()
        for anchor in record["anchors"]
        if anchor["best_rate"] is not None
    ]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def rule_lines(tuning: dict[str, dict], candidates: pl.DataFrame, runs: pl.DataFrame | None = None) -> pl.DataFrame:
    """Each family's rule at each D of its anchors: family, images, width, rate, piece ("inside" the widths of its anchors,
    "below" or "above" them)."""
    schema = COLUMNS | {"piece": pl.String}
    frames = []
    for (family, images), own in candidates.group_by(["family", "images"], maintain_order=True):
        rule = tuning[str(family)]["rule"]
        if not rule:
            continue
        used = used_rates(runs, {str(family): tuning[str(family)]})["width"]
        low, high = float(min(own["width"])), float(max(own["width"]))
        ends = {"below": (min([low, *used]), low), "inside": (low, high), "above": (high, max([high, *used]))}
        for piece, (start, end) in ends.items():
            if start < end:
                widths = np.geomspace(start, end, 12)
                rates = [RateRule(**rule).exact(width, images) for width in widths]
                line = {"family": family, "images": images, "width": widths, "rate": rates, "piece": piece}
                frames.append(pl.DataFrame(line, schema=schema))
    return pl.concat(frames) if frames else pl.DataFrame(schema=schema)


def used_rates(runs: pl.DataFrame | None, tuning: dict[str, dict]) -> pl.DataFrame:
    """The rule's rate at every width that ``runs`` have of a family of ``tuning``, at each D of its anchors."""
    rows = []
    if runs is not None:
        for (family, width), _ in runs.drop_nulls(["width"]).group_by(["family", "width"], maintain_order=True):
            record = tuning.get(str(family), {})
            if record.get("rule"):
                rule = RateRule(**record["rule"])
                rows += [(family, d, width, rule.exact(width, d)) for d in sorted({a["images"] for a in record["anchors"]})]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


figure = Figure(
    order=70,
    title="The tuned learning rates",
    caption=(
        "Every candidate rate that was tried at the tuning anchors, by width; the shade says how much worse it was than the "
        "anchor's best on validation images. Crosses: diverged or failed. Rings: the optima, interpolated between "
        "candidates. Line: the family's rule, a power of the width (and of D, if it was tuned at several), from which all "
        "models take their rate; dashed where it is carried beyond the anchors; strokes: the widths that were trained. An "
        "exponent held at a limit is said to be "
        "clamped. A ring at the end of its column means that the optimum may lie beyond."
    ),
    draw=lambda run: learning_rates(run.tuning, run.runs),
)
