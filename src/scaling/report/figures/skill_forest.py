"""The answer in one picture: the skill of every family's law at predicting larger N, larger D and both."""

from __future__ import annotations

import plotnine as p9
import polars as pl

from scaling.report.figures import Figure
from scaling.report.figures.theme import INK, KIND_COLOURS, QUIET, empty, kind_scales, look
from scaling.report.figures.told import tell, told_points, told_segments
from scaling.report.first_screen import PARTS, family_skills

LOWEST = -1.0
"""Where the axis of skill ends: below it an interval is cut and ends in an arrow (assumption)."""


def skill_forest(fits: dict) -> p9.ggplot:
    """Skill with its 95 % interval, one row per family and one panel per kind of prediction; the highest skill on top."""
    table = forest_table(fits)
    if table.is_empty():
        return empty("No family has enough runs to hold some out.")
    order = table["family"].unique(maintain_order=True).to_list()
    kinds = sorted(set(table["kind"]), key=lambda kind: (list(KIND_COLOURS).index(kind) if kind in KIND_COLOURS else 9, kind))
    panels = [f"{words} held out" for words in PARTS.values()]
    table = tell(table, skill="skill", low="95 % interval from", high="up to").with_columns(
        pl.col("family").cast(pl.Enum(order[::-1])),
        pl.col("part").cast(pl.Enum(panels)),
        pl.col("kind").cast(pl.Enum(kinds)),
    )
    known = table.drop_nulls("low").with_columns(
        pl.max_horizontal("low", pl.lit(LOWEST)).alias("left"), pl.max_horizontal("high", pl.lit(LOWEST)).alias("right")
    )
    inside = table.filter(pl.col("skill") >= LOWEST)
    cut = known.filter(pl.col("low") < LOWEST)
    figure = p9.ggplot(table.to_pandas(), p9.aes(y="family", color="kind")) + p9.geom_vline(xintercept=0, color=INK, size=0.7)
    if not known.is_empty():
        figure += told_segments(
            p9.aes(x="left", xend="right", yend="family", label="told"), data=known.to_pandas(), size=0.9, show_legend=False
        )
    if not inside.is_empty():
        figure += told_points(
            p9.aes(x="skill", shape="kind", fill="kind", label="told"), data=inside.to_pandas(), size=3, stroke=0
        )
    if not cut.is_empty():
        figure += told_points(
            p9.aes(x="left", label="told"), data=cut.to_pandas(), shape="<", size=2.2, stroke=0, show_legend=False
        )
    left = LOWEST if len(cut) or len(inside) < len(table) else min(-0.25, *known["low"], *inside["skill"])
    return (
        figure
        + p9.facet_wrap("part", nrow=1)
        + p9.scale_x_continuous(
            limits=(left - 0.03, 1.02),
            breaks=[-1, -0.5, 0, 0.5, 1],
            labels=["−1", "−0.5", "0", "0.5", "1"],
            minor_breaks=[],
            name="skill: 0 = no better than the nearest smaller run, 1 = exact",
        )
        + p9.scale_y_discrete(name="")
        + kind_scales(kinds)
        + look(8.8, 0.3 * len(order) + 1.25)
        + p9.theme(
            legend_position="top",
            legend_title=p9.element_blank(),
            axis_text_y=p9.element_text(color=INK, size=9),
            axis_text_x=p9.element_text(color=QUIET, size=8),
            panel_spacing=0.03,
        )
    )


def forest_table(fits: dict) -> pl.DataFrame:
    """family, kind, part (as its panel is called), skill, low, high (95 %): the highest overall skill first."""
    rows = [
        (row["family"], row["kind"] or "other", f"{PARTS[origin]} held out", part["skill"], *(part["interval"] or (None, None)))
        for row in family_skills(fits)
        for origin, part in row["parts"].items()
        if part["skill"] is not None
    ]
    schema = {name: pl.String for name in ("family", "kind", "part")} | {name: pl.Float64 for name in ("skill", "low", "high")}
    return pl.DataFrame(rows, schema=schema, orient="row")


figure = Figure(
    order=0,
    title="How well does each law predict?",
    caption=(
        "Skill of each family's law at predicting runs that were kept out of its fit, with 95 % intervals. An interval "
        "right of 0: the law predicts. One that holds 0: this study cannot tell. Colour and shape say the architecture "
        "class; the highest skill over all predictions stands on top. An arrow: the interval goes on."
    ),
    draw=lambda run: skill_forest(run.fits),
)
