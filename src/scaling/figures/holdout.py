"""Predicted against observed loss of the cells that were kept out of the fits."""

from __future__ import annotations

import math

import pandas as pd
import plotnine as p9
import polars as pl

from scaling.figures.theme import (
    GRID,
    QUIET,
    empty,
    family_order,
    family_scales,
    log_x_plain,
    log_y_plain,
    look,
)

ORIGINS = {"params": "larger N held out", "images": "larger D held out", "both": "larger N and D held out"}
MARGIN = 0.1
"""Half-width of the band about the diagonal, as a share of the loss."""


def holdout(fits: dict, response: str = "loss") -> p9.ggplot:
    """Every held-out cell in ``fits``, a panel an origin: a point on the diagonal was predicted exactly."""
    cells = holdout_cells(fits, response)
    if cells.is_empty():
        return empty("No family has enough cells to hold some out.")
    families = family_order(cells["family"])
    origins = [ORIGINS[origin] for origin in ORIGINS if origin in cells["origin"]]
    cells = cells.with_columns(
        pl.col("origin").replace_strict(ORIGINS, return_dtype=pl.String).cast(pl.Enum(origins)),
        pl.col("family").cast(pl.Enum(families)),
    )
    low = min(cells["observed"].min(), cells["predicted"].min()) * 0.95
    high = max(cells["observed"].max(), cells["predicted"].max()) * 1.05
    diagonal = pd.DataFrame({"x": [low, math.sqrt(low * high), high]})
    diagonal = diagonal.assign(low=diagonal["x"] * (1 - MARGIN), high=diagonal["x"] * (1 + MARGIN))
    return (
        p9.ggplot(cells.to_pandas(), p9.aes("observed", "predicted", color="family", shape="family"))
        + p9.geom_ribbon(p9.aes("x", ymin="low", ymax="high"), data=diagonal, inherit_aes=False, fill=GRID, alpha=0.6)
        + p9.geom_line(p9.aes("x", "x"), data=diagonal, inherit_aes=False, color=QUIET, size=0.5)
        + p9.geom_point(size=2.2, alpha=0.8, stroke=0)
        + p9.facet_wrap("origin", nrow=1)
        + log_x_plain(f"observed {response}", most=5)
        + log_y_plain(f"predicted {response}", most=6)
        + family_scales(families)
        + look(3.0 * len(origins) + 1.3, 3.5)
    )


def holdout_cells(fits: dict, response: str) -> pl.DataFrame:
    """All held-out cells with a prediction: family, origin, observed, predicted (units of the response)."""
    rows = [
        {
            "family": part["family"],
            "origin": part["origin"],
            "observed": cell["observed"],
            "predicted": cell["predicted"],
        }
        for part in fits.get("holdout", [])
        if part["response"] == response
        for cell in part.get("cells") or []
    ]
    schema = {"family": pl.String, "origin": pl.String, "observed": pl.Float64, "predicted": pl.Float64}
    return pl.DataFrame(rows, schema=schema).filter(
        (pl.col("observed") > 0) & (pl.col("predicted") > 0) & pl.col("predicted").is_finite()
    )
