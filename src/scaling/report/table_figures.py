"""The figures of a study's report for any table of runs, whose axes carry the names of the table's own columns."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

import plotnine as p9
import polars as pl

from scaling.analysis.compare import JudgedTable
from scaling.analysis.fits_rows import jsonable
from scaling.report.figures import Figure
from scaling.report.figures.best_sizes import best_sizes
from scaling.report.figures.beyond import beyond
from scaling.report.figures.exponents import exponents
from scaling.report.figures.held_out import holdout
from scaling.report.figures.isoflop_curves import isoflop_curves
from scaling.report.figures.loss_by_flop import loss_by_flop
from scaling.report.figures.loss_by_size import AXES, loss_by_size
from scaling.report.figures.loss_contours import loss_contours
from scaling.report.figures.ranks_by_compute import ranks_by_compute
from scaling.report.figures.residuals import residuals
from scaling.report.figures.skill_forest import skill_forest
from scaling.report.gallery import PAGE_FIGURES
from scaling.runs.records import DONE, SCHEMA

LOSS: Final = "loss"
"""What the figures of a report call the response."""
TOO_FAR: Final = 1e4
"""Times by which a response may differ from its family's median and still be drawn (assumption): one value of 1e300 would make
a point of all others."""


CAPTIONS: Final[dict[str, str]] = {
    "skill-forest": (
        "Skill of each family's law at predicting rows that were kept out of its fit, with 95 % intervals. An interval right "
        "of 0: the law predicts. One that holds 0: this table cannot tell. Colour and shape say the kind; an arrow: the "
        "interval goes on."
    ),
    "held-out": (
        "Each point is one row, kept out of the fit and predicted from smaller ones. Right of the line the law promised a "
        "higher response than was reached, left of it a lower one. Strong points: the largest rows. Upright tick: the mean. "
        "Bar from the line: how far off one would be by repeating the nearest smaller row. In brackets the skill, the "
        "highest on top."
    ),
    "loss-by-flop": (
        "The response against training compute. Left: one N and D per faint point; the line joins the rows of a family that no "
        "cheaper one beats. Right: the least response that a family's law allows for that compute, solid inside the rows' N, "
        "D and compute, dashed beyond; 95 % bands of the three families that end lowest."
    ),
    "isoflop-curves": (
        "One panel per family, one curve per training compute C: the response that the law gives to each N when the rest of "
        "the compute goes into D. Curves are drawn only where N and D lie inside those of the rows. Rings: the best N of a "
        "curve; where there is none, it lies outside. Points: the rows, each in the colour of its own compute."
    ),
    "best-sizes": (
        "For each training compute, the N and the D with which a family's law reaches its lowest response. A line is solid "
        "where compute, N and D lie inside those of the family's rows, dashed beyond, where the law is extended. Flat pieces "
        "at an end: the best size lies at the limit of what was searched. Slopes, with intervals: under Laws."
    ),
    "ranks-by-compute": (
        "Rank of each family by the lowest response that its law allows for a compute, over the budgets that all laws reach. "
        "Filled: the 95 % band lies wholly above that of rank 1. Hollow: the two bands meet, so that the order is not settled."
    ),
    "loss-contours": (
        "Lines of equal response by each family's law, up to three times the largest N and D; the shaded rectangle is that of "
        "the rows. Points: the rows, the mean of those at one N and D, on the same scale, so that a point on a line of another "
        "shade lies off the law."
    ),
    "beyond-images": (
        "The response along D at each family's largest N. Points: rows. Line and band: the law fitted to all rows, with its "
        "95 % interval; dashed in the shaded part, up to three times beyond the rows. Hollow diamonds: what laws fitted to "
        "smaller rows alone predicted."
    ),
    "beyond-params": ("The response along N at each family's largest D, otherwise as the figure along D at the largest N."),
    "loss-by-images": (
        "The response against D, one panel per family; the shade says N. Lines: the fitted law with its 95 % band."
    ),
    "loss-by-params": (
        "The response against N, one panel per family; the shade says D. Lines: the fitted law with its 95 % band."
    ),
    "exponents": "Exponents and floors of the laws with 95 % intervals, or the reason why there is none.",
    "residuals": (
        "Observed over predicted response of every row. Points that bend away from zero together mean a misfit of the law's "
        "form. Rings: rows far off their law."
    ),
}
"""What each figure shows, in words that suit any table: those of a study speak of images and models."""
TITLES: Final[dict[str, str]] = {
    "skill-forest": "How well does each law predict?",
    "held-out": "Do the laws predict rows they have not seen?",
    "loss-by-flop": "What compute buys",
    "isoflop-curves": "At equal compute, which N is best?",
    "best-sizes": "How should compute be spent?",
    "ranks-by-compute": "Which family is best at which compute?",
    "loss-contours": "The response over N and D",
    "beyond-images": "Three times more data",
    "beyond-params": "Three times larger models",
    "loss-by-images": "More data",
    "loss-by-params": "Larger models",
    "exponents": "Exponents and floors",
    "residuals": "What the laws leave unexplained",
}

OF_COMPUTE: Final = {"loss-by-flop", "isoflop-curves", "best-sizes", "ranks-by-compute"}
"""The figures that need the compute of each row."""

WITHOUT_ROWS: Final = {"exponents", "skill-forest", "best-sizes", "ranks-by-compute"}
"""The figures that draw laws alone, no row."""


def runs_of(judged: JudgedTable) -> pl.DataFrame:
    """The table with the columns of a study's runs table; what it does not know is null."""
    frames = [
        pl.DataFrame(
            {
                "key": cells.keys,
                "family": [cells.family] * len(cells.keys),
                "kind": [cells.kind] * len(cells.keys),
                "params": cells.params,
                "images": cells.images,
                "seed": cells.seeds.astype(int),
                LOSS: cells.y,
                "flop": cells.flop,
                "status": [DONE] * len(cells.keys),
            }
        )
        for cells in judged.families
    ]
    frame = pl.concat(frames).with_columns(pl.col("flop").fill_nan(None))
    lacking = [pl.lit(None, dtype).alias(name) for name, dtype in SCHEMA.items() if name not in frame.columns]
    return frame.with_columns(*lacking)


def fits_of(judged: JudgedTable) -> dict[str, Any]:
    """The laws of a table as a report reads them, where the response is called ``loss``."""
    fits = jsonable(judged.fits)
    for part in ("fits", "holdout"):
        fits[part] = [entry | {"response": LOSS} for entry in fits[part]]
    return fits


def too_far(runs: pl.DataFrame) -> pl.DataFrame:
    """The rows of ``runs`` that are too far off to be drawn with the others."""
    return runs.filter(_is_too_far())


def not_drawn(far: pl.DataFrame) -> str | None:
    """A sentence that names the rows ``far`` off; None without any."""
    if far.is_empty():
        return None
    named = ", ".join(f"{key} ({value:.4g})" for key, value in far.select("key", LOSS).iter_rows())
    return f"Not drawn, more than {TOO_FAR:,.0f} times off the median of the family: {named}."


def _is_too_far() -> pl.Expr:
    return (pl.col(LOSS).log() - pl.col(LOSS).median().over("family").log()).abs() > math.log(TOO_FAR)


def _drawable(fits: dict[str, Any], runs: pl.DataFrame) -> dict[str, Any]:
    """``fits`` without the held-out cells whose observed value, or that which persistence repeats, is too far off."""
    medians = dict(runs.group_by("family").agg(pl.col(LOSS).median()).iter_rows())

    def near(family: str, cell: dict[str, Any]) -> bool:
        return all(abs(math.log(cell[name] / medians[family])) <= math.log(TOO_FAR) for name in ("observed", "persistence"))

    parts = [
        part | {"cells": [cell for cell in part.get("cells") or [] if near(part["family"], cell)]} for part in fits["holdout"]
    ]
    return fits | {"holdout": parts}


def table_figures(judged: JudgedTable, *, n: str, d: str, y: str) -> list[tuple[str, Figure, p9.ggplot]]:
    """Name, description and drawing of each figure, in the order of the page.

    Args:
        judged: the table with its laws; n, d, y: what its columns are called.
    """
    runs, fits = runs_of(judged), fits_of(judged)
    far, near = too_far(runs), runs.filter(~_is_too_far())
    drawn = {
        "skill-forest": lambda: skill_forest(fits),
        "held-out": lambda: holdout(_drawable(fits, runs)),
        "loss-by-flop": lambda: loss_by_flop(near, fits),
        "isoflop-curves": lambda: isoflop_curves(near, fits),
        "best-sizes": lambda: best_sizes(near, fits, {"params": f"N*: best {n}", "images": f"D*: best {d}"}),
        "ranks-by-compute": lambda: ranks_by_compute(near, fits),
        "loss-contours": lambda: loss_contours(near, fits),
        "beyond-images": lambda: beyond(near, _drawable(fits, runs), along="images"),
        "beyond-params": lambda: beyond(near, _drawable(fits, runs), along="params"),
        "loss-by-images": lambda: loss_by_size(near, fits, along="images"),
        "loss-by-params": lambda: loss_by_size(near, fits, along="params"),
        "exponents": lambda: exponents(fits),
        "residuals": lambda: residuals(near, fits),
    }
    words = {
        AXES["params"]: f"N: {n}",
        AXES["images"]: f"D: {d}",
        "L: test loss (nats)": y,
        "L (nats)": y,
        "rank by loss, 1 = lowest": f"rank by {y}, 1 = lowest",
        "predicted loss against observed: too low on the left, too high on the right": (
            f"predicted {y} against observed: too low on the left, too high on the right"
        ),
    }
    lacking = set() if runs["flop"].is_not_null().any() else OF_COMPUTE
    if runs["family"].n_unique() < 2:
        lacking = lacking | {"ranks-by-compute"}
    found = []
    for name, described in PAGE_FIGURES.items():
        if name not in drawn or name in lacking:
            continue
        figure = drawn[name]()
        for scale in figure.scales:
            scale.name = words.get(scale.name, scale.name) if isinstance(scale.name, str) else scale.name
        left_out = None if name in WITHOUT_ROWS else not_drawn(far)
        caption = " ".join(filter(None, (CAPTIONS[name], left_out)))
        found.append((name, replace(described, title=TITLES[name], caption=caption), figure))
    return found
