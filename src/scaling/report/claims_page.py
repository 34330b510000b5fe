"""The report's page of claims and its table: each statement, what was measured, a figure, an effect, a verdict."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import plotnine as p9
import polars as pl
from markupsafe import Markup, escape

from scaling.analysis.claims.summed_up import MOST_PERCENT
from scaling.report import data_package
from scaling.report.figures.claims_curves import claims_curves, rows_of
from scaling.report.figures.claims_forest import claims_forest
from scaling.report.figures.labels import significant
from scaling.report.gallery import OF_CLAIMS
from scaling.report.inline_svg import stacked_svg


def claims_csv(claims: list[dict[str, Any]]) -> pl.DataFrame:
    """claims.csv: one row per claim with its verdict, followed by one row per part (claim/part).

    ``keys`` are those of the runs behind a part, in runs.csv.
    """
    schema, rows = data_package.schema("claims"), []
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
                {name: part.get(name) for name in schema}
                | {
                    "claim": f"{claim['name']}/{part['name']}",
                    "statement": part["asserts"],
                    "primary": claim["primary"],
                    "keys": " ".join(part["keys"]),
                }
                | dict(zip(("margin_low", "margin_high"), part["margin"] or (None, None), strict=True))
            )
    return pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)


def effect_cell(part: dict[str, Any]) -> Markup:
    """The effect of a part in per cent with its interval below; from twice as much on both are ratios."""
    ends = () if part["low"] is None or part["high"] is None else (part["low"], part["high"])
    if part["effect"] >= MOST_PERCENT:
        said, unit = [significant(1 + value / 100) for value in (part["effect"], *ends)], " times"
    else:
        said, unit = ["+" * (value > 0) + significant(value) for value in (part["effect"], *ends)], " %"
    shown = escape(said[0] + unit)
    return shown + Markup('<span class="interval">[{}, {}]</span>').format(*said[1:]) if ends else shown


FOREST: Final = (
    "Each part's effect with its 95 % interval. Dark stroke: the threshold; its arrowhead points to where the effect is "
    "claimed to lie. Grey bar: the margin, within which an effect does not matter. Dotted stroke: no effect. Shape and colour "
    "say the verdict; the interval is dashed where it is “cannot tell”. Parts marked (reported) decide nothing."
)


def claim_pictures(claim: dict[str, Any], images: np.ndarray | None = None) -> list[dict[str, Any]]:
    """The figures of a claim: the forest of its parts, what it measured along an axis, and its own picture.

    Args:
        claim: an entry of claims.json.
        images: the first test images, uint8 [n, channels, side, side], if they are there.
    """
    drawn = []
    if panels := claims_forest(claim):
        drawn.append(_picture(f"{claim['name']}-forest", "Effects of the parts", FOREST, panels))
    for index, curves in enumerate(claim["curves"]):
        if rows := rows_of(curves, claim):
            name = f"{claim['name']}-curves-{index + 1}"
            drawn.append(_picture(name, curves["title"], curves["caption"], [claims_curves(curves, rows)]))
    own = OF_CLAIMS.get(claim["name"])
    if own and (figure := own.draw([row for row in claim["rows"] if "pixels" in row], images)):
        drawn.append(_picture(f"{claim['name']}-picture", own.title, own.caption, [figure]))
    return drawn


def _picture(name: str, title: str, caption: str, figures: list[p9.ggplot]) -> dict[str, Any]:
    return {"name": name, "title": title, "caption": caption, "svg": Markup(stacked_svg(figures, name, f"{title}. {caption}"))}
