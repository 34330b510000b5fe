"""The report's page of claims and its table: each statement, what was measured, a figure, an effect, a verdict."""

from __future__ import annotations

from typing import Any, Final

import plotnine as p9
import polars as pl
from markupsafe import Markup

from scaling.report.figures.claims_curves import claims_curves, rows_of
from scaling.report.figures.claims_effects import claims_effects
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
            )
    return pl.DataFrame([{name: row.get(name) for name in COLUMNS} for row in rows], schema=COLUMNS)


def claim_pictures(claim: dict[str, Any]) -> list[dict[str, Any]]:
    """The figures of a claim: what it measured along an axis, and the effects of its parts."""
    drawn = []
    for index, curves in enumerate(claim["curves"]):
        if rows := rows_of(curves, claim):
            name = f"{claim['name']}-curves-{index + 1}"
            drawn.append(_picture(name, curves["title"], curves["caption"], claims_curves(curves, rows)))
    own, pixels = OF_CLAIMS.get(claim["name"]), [row for row in claim["rows"] if "pixels" in row]
    if own and pixels:
        drawn.append(_picture(f"{claim['name']}-picture", own.title, own.caption, own.draw(pixels)))
    for ratios in (True, False):
        if any(part["effect"] is not None and (part["unit"] == "%") == ratios for part in claim["parts"]):
            title = "Effects as ratios" if ratios else "Effects"
            caption = "Effect of each part with its 95 % interval; the stroke is the threshold beyond which, to the right, it "
            caption += "speaks for the claim. Beside: reported, not decisive."
            name = f"{claim['name']}-{'ratios' if ratios else 'effects'}"
            drawn.append(_picture(name, title, caption, claims_effects(claim, ratios=ratios)))
    return drawn


def _picture(name: str, title: str, caption: str, figure: p9.ggplot) -> dict[str, Any]:
    return {"name": name, "title": title, "caption": caption, "svg": Markup(inline_svg(figure, name, f"{title}. {caption}"))}
