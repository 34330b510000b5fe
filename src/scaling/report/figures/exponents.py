"""The laws' exponents and floors with intervals, or the reason in words where there is no interval."""

from __future__ import annotations

import plotnine as p9
import polars as pl

from scaling.laws.fitting.fitted import status_in_words
from scaling.report.figures import Figure
from scaling.report.figures.curves import law_of
from scaling.report.figures.theme import QUIET, empty, family_order, family_scales, look
from scaling.report.figures.told import tell, told_points, told_segments

PANELS = {"alpha": "alpha: exponent of N", "beta": "beta: exponent of D", "E": "E: floor (nats)"}


def exponents(fits: dict) -> p9.ggplot:
    """alpha, beta and E of each family's law of the loss with 95 % intervals; "not identifiable" written out."""
    table = exponent_table(fits)
    if table.is_empty():
        return empty("No law has been fitted yet.")
    if (table["note"] != "").all():
        return empty(f"No exponent has an interval: {', '.join(sorted(set(table['note'])))}.")
    families = family_order(table["family"])
    order = pl.Enum(families[::-1])
    panels = pl.Enum(list(PANELS.values()))
    table = table.with_columns(
        pl.col("parameter").replace_strict(PANELS, return_dtype=pl.String).cast(panels),
        pl.col("family").cast(order),
    )
    known = tell(table.filter(pl.col("note") == ""), estimate="estimate", low="95 % interval from", high="up to")
    # The words stand where their panel's known intervals begin, so that they never stretch the axis.
    starts = dict(known.group_by("parameter").agg(pl.min("low")).iter_rows())
    words = table.filter(pl.col("note") != "").with_columns(
        pl.col("parameter").map_elements(lambda panel: starts.get(panel, 0.0), return_dtype=pl.Float64).alias("start")
    )
    figure = p9.ggplot(table.to_pandas(), p9.aes(y="family", color="family", shape="family"))
    if not known.is_empty():
        data = known.to_pandas()
        figure += told_segments(p9.aes(x="low", xend="high", yend="family", label="told"), data=data, size=1.1, alpha=0.55)
        figure += told_points(p9.aes(x="estimate", label="told"), data=data, size=2.6, stroke=0)
    if not words.is_empty():
        figure += p9.geom_text(
            p9.aes(x="start", label="note"),
            data=words.to_pandas(),
            ha="left",
            size=7.5,
            color=QUIET,
            show_legend=False,
        )
    return (
        figure
        + p9.facet_wrap("parameter", nrow=1, scales="free_x")
        + p9.scale_x_continuous(expand=(0.06, 0, 0.06, 0))
        + family_scales(families)
        + p9.scale_y_discrete(limits=families[::-1])
        + p9.labs(x="", y="")
        + look(8.8, 0.33 * len(families) + 0.95)
        + p9.theme(legend_position="none", panel_spacing=0.04)
    )


def exponent_table(fits: dict) -> pl.DataFrame:
    """family, parameter (alpha, beta, E), estimate, low, high, note (why there is no interval, else empty)."""
    rows = []
    for family in family_order(fit["family"] for fit in fits.get("fits", [])):
        fit = law_of(fits, family)
        if fit is None:
            continue
        for parameter in PANELS:
            estimate = (fit.get("parameters") or {}).get(parameter)
            interval = (fit.get("intervals") or {}).get(parameter)
            certain = estimate is not None and interval is not None
            note = "" if certain else short_reason(fit, parameter)
            low, high = interval if interval is not None and certain else (None, None)
            rows.append(
                {
                    "family": family,
                    "parameter": parameter,
                    "estimate": estimate,
                    "low": low,
                    "high": high,
                    "note": note,
                }
            )
    schema = {
        "family": pl.String,
        "parameter": pl.String,
        "estimate": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "note": pl.String,
    }
    return pl.DataFrame(rows, schema=schema)


def short_reason(fit: dict, parameter: str) -> str:
    """Two or three words on why ``parameter`` has no interval; the report's table has the full reason."""
    if fit["status"] in ("too-few-cells", "failed"):
        return status_in_words(fit["status"])
    if parameter not in (fit.get("parameters") or {}):
        return "not in this law"
    return "not identifiable"


figure = Figure(
    order=50,
    title="The laws' exponents and floor",
    caption=(
        "Estimate and 95 % interval of how fast the loss falls with N (alpha) and D (beta), and of "
        "the loss that remains at infinite size (E). Where the grid cannot identify a parameter the figure "
        "says so in words; the table of laws gives the reason. Whether two families differ is decided by "
        "their paired difference, under Families compared, not by eye."
    ),
    draw=lambda run: exponents(run.fits),
)
