"""The numbers that a figure draws, as one table."""

from __future__ import annotations

import base64
import gzip
from typing import Final

import pandas as pd
import plotnine as p9

from scaling.report.figures.told import TOLD

DIGITS: Final = "%.6g"
"""How numbers are written: more digits than any drawing shows."""
ORNAMENTS: Final = (p9.geom_rect, p9.geom_vline, p9.geom_hline, p9.geom_raster)
"""Layers without numbers of their own: shades, lines of reference, images."""


def figure_csv(figure: p9.ggplot) -> str:
    """The tables of the layers of ``figure`` below each other as CSV; ``layer`` says how a row is drawn: point, line ..."""
    parts: list[pd.DataFrame] = []
    known: list[object] = []
    for layer in figure.layers:
        data = figure.data if layer._data is None else layer._data
        if not isinstance(data, pd.DataFrame) or isinstance(layer.geom, ORNAMENTS) or any(data is one for one in known):
            continue
        known.append(data)
        kind = next(base.__name__ for base in type(layer.geom).__mro__ if base.__module__.startswith("plotnine."))
        parts.append(data.drop(columns=[TOLD], errors="ignore").astype(object).assign(layer=kind.removeprefix("geom_")))
    if not parts:
        return ""
    table = pd.concat(parts).infer_objects()
    return table[["layer", *table.columns.drop("layer")]].to_csv(index=False, float_format=DIGITS, lineterminator="\n")


def packed_csv(figure: p9.ggplot) -> str:
    """``figure_csv`` as gzip in base64, a quarter of its length, for a page's script to unpack."""
    return base64.b64encode(gzip.compress(figure_csv(figure).encode(), mtime=0)).decode()
