"""The report's page of claims and its table: each statement, what was measured, a figure, an effect, a verdict."""

from __future__ import annotations

from typing import Any, Final

import plotnine as p9
import polars as pl
from markupsafe import Markup

from scaling.report.figures.claims_curves import claims_curves, rows_of
from scaling.report.figures.claims_forest import claims_forest, groups
from scaling.report.gallery import OF_CLAIMS
from scaling.report.inline_svg import inline_svg

COLUMNS: Final = {
    "claim": pl.String,
    "statement": pl.String,
    "statistic": pl.String,
    "effect": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "p_adjusted": pl.Float64,
    "verdict": pl.String,
    "cells": pl.Int64,
    "unit": pl.String,
    "primary": pl.Boolean,
    "decides": pl.Boolean,
    "p": pl.Float64,
    "threshold": pl.Float64,
    "margin_low": pl.Float64,
    "margin_high": pl.Float64,
    "note": pl.String,
}


def claims_csv(claims: list[dict[str, Any]]) -> pl.DataFrame:
    """claims.csv: one row per claim with its verdict, followed by one row per part (claim/part)."""
    rows = []
    for claim in claims:
        rows.append(
            {
                "claim": claim["name"],
                "statement": claim["statement"],
                "verdict": claim["verdict"],
                "primary": claim["primary"],
                "note": claim["sentence"],
                "cells": len({key for part in claim["parts"] for key in part["keys"]}),
            }
        )
        for part in claim["parts"]:
            rows.append(
                {name: part.get(name) for name in COLUMNS}
                | {
                    "claim": f"{claim['name']}/{part['name']}",
                    "statement": part["asserts"],
                    "primary": claim["primary"],
                }
                | dict(zip(("margin_low", "margin_high"), part["margin"] or (None, None), strict=True))
            )
    return pl.DataFrame([{name: row.get(name) for name in COLUMNS} for row in rows], schema=COLUMNS)


FOREST: Final = (
    "Each part's effect with its 95 % interval. Dark stroke: the threshold, which the effect has to pass, to the right unless "
    "the part says (claimed: below). Grey bar: the "
    "margin, within which an effect does not matter. Dotted stroke: no effect. Colour and shape say the verdict. Parts marked "
    "(reported) decide nothing."
)


def claim_pictures(claim: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures of a claim: the forest of its parts, what it measured along an axis, and pictures."""
    drawn = []
    panels = [
        inline_svg(claims_forest(title, parts, ratios=unit == "%"), f"{claim['name']}-forest-{number}", f"{title}. {FOREST}")
        for number, ((title, unit), parts) in enumerate(groups(claim).items())
    ]
    if panels:
        svg = Markup("".join(panels))
        drawn.append({"name": f"{claim['name']}-forest", "title": "Effects of the parts", "caption": FOREST, "svg": svg})
    for index, curves in enumerate(claim["curves"]):
        if rows := rows_of(curves, claim):
            name = f"{claim['name']}-curves-{index + 1}"
            drawn.append(_picture(name, curves["title"], curves["caption"], claims_curves(curves, rows)))
    own, pixels = OF_CLAIMS.get(claim["name"]), [row for row in claim["rows"] if "pixels" in row]
    if own and pixels:
        drawn.append(_picture(f"{claim['name']}-picture", own.title, own.caption, own.draw(pixels)))
    return drawn


def _picture(name: str, title: str, caption: str, figure: p9.ggplot) -> dict[str, Any]:
    return {"name": name, "title": title, "caption": caption, "svg": Markup(inline_svg(figure, name, f"{title}. {caption}"))}
