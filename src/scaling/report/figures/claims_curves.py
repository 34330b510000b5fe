"""What a claim measured along one axis: points with 95 % intervals, one line and colour per series, one panel per quantity."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import plotnine as p9

from scaling.models.registry import FAMILIES
from scaling.report.figures.labels import plain
from scaling.report.figures.theme import (
    QUIET,
    empty,
    facet_size,
    family_colour,
    family_order,
    family_shape,
    log_x_plain,
    log_y_plain,
    look,
)

COLOURS: Final = ("#0f3c88", "#c59603", "#4e8149", "#a24f9c", "#459afa", "#73401d", "#93959b", "#5a0035")
SHAPES: Final = ("o", "^", "s", "D", "v", "P", "X", "*")
"""Of series that are no families; a family has its own."""
DODGE: Final = 0.35
MOST_DOSES: Final = 7
"""Up to this many values of x, each value labels the axis."""


def rows_of(curves: dict[str, Any], claim: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of an entry of claims.json that its figure ``curves`` shows: those with one of its panels, or with none."""
    others = {panel for other in claim["curves"] if other != curves for panel in other["panels"]}
    wanted = curves["panels"]
    return [
        row
        for row in claim["rows"]
        if row["y"] is not None and (row["panel"] in wanted if wanted else row["panel"] not in others)
    ]


def claims_curves(curves: dict[str, Any], rows: list[dict[str, Any]]) -> p9.ggplot:
    """Draw ``rows`` as ``curves`` say; where x is text, the axis shows names."""
    if not rows:
        return empty("nothing was measured")
    table = pd.DataFrame(rows)
    table["bound"] = [bool(row.get("bound")) for row in rows]
    table = table.drop_duplicates(["panel", "series", "x", "bound"])
    table = table.astype({"y": float, "low": float, "high": float, "series": str})
    table["panel"] = pd.Categorical(table["panel"], list(dict.fromkeys(table["panel"])))
    named = any(isinstance(x, str) for x in table["x"])
    series = list(dict.fromkeys(table["series"]))
    if set(series) <= set(FAMILIES):
        series = family_order(series)
    colours = [family_colour(name) if name in FAMILIES else COLOURS[i % len(COLOURS)] for i, name in enumerate(series)]
    if named:
        table["x"] = pd.Categorical(table["x"].astype(str), list(dict.fromkeys(table["x"].astype(str))))
    else:
        table["x"] = table["x"].astype(float)
    shapes = [family_shape(name) if name in FAMILIES else SHAPES[i % len(SHAPES)] for i, name in enumerate(series)]
    # A cross is a bound, not a value: lines pass it by.
    bounds, table = table.loc[table["bound"]].copy(), table.loc[~table["bound"]]
    if curves["log_y"] and len(bounds):
        least = table["y"][table["y"] > 0].min() / 3 if len(table) else 1.0
        bounds["y"] = [y if y > 0 else least for y in bounds["y"]]
    place = p9.position_dodge(DODGE) if named else p9.position_identity()
    figure = (
        p9.ggplot(table, p9.aes("x", "y", color="series", shape="series", group="series"))
        + p9.geom_linerange(p9.aes(ymin="low", ymax="high"), position=place, size=0.9, na_rm=True)
        + p9.geom_point(position=place, size=2.0)
        + p9.scale_color_manual(values=colours, limits=series, name=" ")
        + p9.scale_shape_manual(values=shapes, limits=series, name=" ")
    )
    if curves["marked"] is not None:
        figure += p9.geom_hline(yintercept=curves["marked"], color=QUIET, size=0.5, linetype="dotted")
    if len(bounds):
        figure += p9.geom_point(p9.aes("x", "y", color="series"), data=bounds, shape="x", size=2.4, position=place)
    if not named:
        figure += p9.geom_line(size=0.8)
    panels = len(set(table["panel"]))
    columns, width, height = facet_size(panels, columns=2)
    if panels > 1:
        figure += p9.facet_wrap("panel", ncol=columns, scales="free_y")
    figure += look(max(width, 7.0), max(height, 3.2))
    if not named:
        doses = sorted(set(table["x"]))
        if len(doses) <= MOST_DOSES:
            trans = "log10" if curves["log_x"] else "identity"
            figure += p9.scale_x_continuous(name=curves["x"], minor_breaks=[], breaks=doses, labels=plain, trans=trans)
        elif curves["log_x"]:
            figure += log_x_plain(curves["x"])
        else:
            figure += p9.scale_x_continuous(name=curves["x"], minor_breaks=[], labels=plain)
    else:
        figure += p9.labs(x=curves["x"])
        figure += p9.theme(axis_text_x=p9.element_text(rotation=30, ha="right"))
        if (table["x"].astype(str) == table["series"]).all():  # the axis names them
            figure += p9.theme(legend_position="none")
    return figure + (log_y_plain(curves["y"]) if curves["log_y"] else p9.labs(y=curves["y"]))
