"""Points and bars that say what they stand for: the first line is a family, the others are shown where a reader points.

The text travels as the aesthetic ``label``, which does not split groups, and then as the id of what matplotlib draws;
marked_svg.py turns the ids into titles.
"""

from __future__ import annotations

import json
from typing import Any, Final

import plotnine as p9
import polars as pl

from scaling.report.figures.labels import count, significant

TOLD: Final = "told"
"""The column that holds the text, and how the id of a drawn group of marks begins."""

UNSEEN: Final = 1 / 255
"""Opacity of what is there to be shown on demand: the least that keeps its colour, and too little for any eye."""


def tell(table: pl.DataFrame, **shown: str) -> pl.DataFrame:
    """``table`` with a column ``told``: its family; its N, D and seed as far as it has them; then a line of ``shown``.

    Args:
        table: with a column family; params, images and seed are used where they are there.
        shown: column -> the words before its value.
    """
    lines = []
    for row in table.iter_rows(named=True):
        cell = [
            f"{symbol} {write(row[name])}"
            for name, symbol, write in (("params", "N =", count), ("images", "D =", count), ("seed", "seed", str))
            if row.get(name) is not None
        ]
        values = [f"{words} {significant(row[name])}" for name, words in shown.items()]
        lines.append("\n".join([str(row["family"]), *filter(None, (", ".join(cell), ", ".join(values)))]))
    return table.with_columns(pl.Series(TOLD, lines, dtype=pl.String))


def group_id(labels: Any) -> str:
    """The id of a group of marks that say ``labels``, one each, in the order of drawing."""
    return TOLD + json.dumps([str(label) for label in labels])


class told_points(p9.geom_point):
    """Points, each with what it stands for in the aesthetic ``label``."""

    def draw_panel(self, data, panel_params, coord, ax):
        """Draw the points of each shape, which plotnine makes one collection of, and name it."""
        for _, alike in data.groupby("shape", dropna=False):
            super().draw_panel(alike, panel_params, coord, ax)
            ax.collections[-1].set_gid(group_id(alike["label"]))


class told_segments(p9.geom_segment):
    """Straight bars, each with what it stands for in the aesthetic ``label``."""

    def draw_panel(self, data, panel_params, coord, ax):
        """Draw the bars of each group, which plotnine makes one collection of, and name it."""
        for _, alike in data.groupby("group", dropna=False):
            super().draw_panel(alike, panel_params, coord, ax)
            ax.collections[-1].set_gid(group_id(alike["label"]))
