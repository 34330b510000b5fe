"""The report's page of claims and its table: each statement, what was measured, a figure, an effect, a verdict."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import plotnine as p9
import polars as pl
from markupsafe import Markup

from scaling.report.figures.claims_curves import claims_curves, rows_of
from scaling.report.figures.claims_effects import claims_effects
from scaling.report.figures.reconstructions import reconstructions
from scaling.report.inline_svg import inline_svg

PICTURES: Final[dict[str, tuple[str, str, Callable[[list[dict[str, Any]]], p9.ggplot]]]] = {
    "masked-autoencoder": (
        "Painted patches",
        "Test images, the quarter of their patches that the encoder saw, and what the decoder painted in the hidden ones. The "
        "objective leaves the brightness and contrast of a hidden patch open; the picture takes the true ones.",
        reconstructions,
    ),
}
"""Name of a claim -> title and caption of a picture of its own, drawn from its rows that hold pixels."""

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
    """claims.csv: of each claim a row with its verdict, then a row for each of its parts (claim/part)."""
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
    if claim["name"] in PICTURES and (pixels := [row for row in claim["rows"] if "pixels" in row]):
        title, caption, draw = PICTURES[claim["name"]]
        drawn.append(_picture(f"{claim['name']}-picture", title, caption, draw(pixels)))
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
