"""The parts of a claim with their effects, 95 % intervals, thresholds and margins: one forest per claim, a panel per group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import plotnine as p9
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from scaling.analysis.claims.claim import CANNOT_TELL, NO_EFFECT, OPPOSITE, SEEN, SMALLER
from scaling.report.figures.labels import even_breaks, log_breaks, plain
from scaling.report.figures.theme import INK, QUIET, look

LOOKS: Final = {
    SEEN: ("#11706d", "#11706d", "o"),
    SMALLER: ("#8a6d00", "#8a6d00", "^"),
    NO_EFFECT: ("#5466b0", "#5466b0", "s"),
    OPPOSITE: ("#a63d08", "#a63d08", "D"),
    CANNOT_TELL: ("#5c636b", "#ffffff", "v"),
}
"""Verdict on a part -> colour, fill and shape: each has a shape of its own, so that they differ without colour too."""
MARGIN_GREY: Final = "#cfd5db"
LEAST: Final = 1e-30
"""A ratio of 0 has no place on a logarithmic axis: this is drawn (assumption)."""
WIDTH: Final = 8.6
"""Inches."""
TEXT: Final = 8
"""Size of a part's label in points."""
NEAR: Final = 4.0
"""Ratios that span less than this factor get ticks in even steps (assumption)."""

Group = tuple[str, str]


def groups(claim: dict[str, Any]) -> dict[Group, list[dict[str, Any]]]:
    """The parts of an entry of claims.json that have an effect, by panel: its title and the unit of its effects.

    Deciding parts come first.
    """
    found: dict[Group, list[dict[str, Any]]] = {}
    for part in sorted(claim["parts"], key=lambda part: not part["decides"]):
        if part["effect"] is not None:
            found.setdefault((part["group"], part["unit"]), []).append(part)
    return found


def claims_forest(claim: dict[str, Any]) -> list[p9.ggplot]:
    """The panels of the forest of an entry of claims.json, from top to bottom; their plots begin at the same place.

    The legend stands above the first panel and names every verdict that is drawn.
    """
    grouped = groups(claim)
    shown = [verdict for verdict in LOOKS if any(part["verdict"] == verdict for own in grouped.values() for part in own)]
    widths = [max(_width(_label(part, own)) for part in own) for own in grouped.values()]
    return [
        _panel(title, parts, ratios=unit == "%", shown=shown, first=not index, indent=max(widths) - widths[index])
        for index, ((title, unit), parts) in enumerate(grouped.items())
    ]


def _panel(
    title: str, parts: Sequence[dict[str, Any]], *, ratios: bool, shown: list[str], first: bool, indent: float
) -> p9.ggplot:
    """One row per part: effect, interval, threshold (dark stroke), margin (grey bar), no effect (dotted stroke).

    Args:
        title: of the panel.
        parts: of one group, each with an effect.
        ratios: the effects are changes in per cent, drawn as ratios on a logarithmic axis.
        shown: the verdicts that the legend names.
        first: whether the legend is drawn.
        indent: points by which the longest label is shorter than that of another panel.
    """
    rows = []
    for part in parts:
        ends = part["margin"] or (None, None)
        row = {name: part[name] for name in ("effect", "low", "high", "threshold", "none")} | dict(
            zip(_ENDS, ends, strict=True)
        )
        if ratios:
            row = {name: None if value is None else max(1 + value / 100, LEAST) for name, value in row.items()}
        rows.append(row | {"verdict": part["verdict"], "part": _label(part, parts), "below": part["below"]})
    table = pd.DataFrame(rows).astype(dict.fromkeys(_NUMBERS, float))
    table["y"] = [float(len(rows) - index) for index in range(len(rows))]
    colours, fills, shapes = ([LOOKS[verdict][i] for verdict in shown] for i in range(3))
    figure = (
        p9.ggplot(table, p9.aes("effect", "y"))
        + p9.geom_segment(p9.aes(x="margin_low", xend="margin_high", yend="y"), color=MARGIN_GREY, size=7, na_rm=True)
        + p9.geom_segment(p9.aes(x="none", xend="none", y="y - 0.5", yend="y + 0.5"), color=QUIET, size=0.5, linetype="dotted")
        + p9.geom_segment(p9.aes(x="threshold", xend="threshold", y="y - 0.32", yend="y + 0.32"), color=INK, size=0.9)
    )
    for below, arrow in ((False, ">"), (True, "<")):
        if (claimed := table.loc[table["below"] == below]).size:
            figure += p9.geom_point(
                p9.aes(x="threshold", y="y + 0.32"), data=claimed, shape=arrow, color=INK, fill=INK, size=2.4, stroke=0.3
            )
    for known, line in ((True, "solid"), (False, "dashed")):
        if (own := table.loc[(table["verdict"] != CANNOT_TELL) == known]).size:
            figure += p9.geom_segment(
                p9.aes(x="low", xend="high", yend="y", color="verdict"),
                data=own,
                size=1.1,
                linetype=line,
                na_rm=True,
                show_legend=False,
            )
    figure += p9.geom_point(p9.aes(color="verdict", fill="verdict", shape="verdict"), size=2.8, stroke=0.7)
    figure += p9.scale_color_manual(values=colours, limits=shown, name="verdict")
    figure += p9.scale_fill_manual(values=fills, limits=shown, name="verdict")
    figure += p9.scale_shape_manual(values=shapes, limits=shown, name="verdict")
    figure += p9.scale_y_continuous(
        breaks=table["y"].tolist(), minor_breaks=[], labels=table["part"].tolist(), name="", expand=(0, 0.6)
    )
    figure += p9.labs(title=_title(title, parts))
    figure += look(WIDTH, 0.3 * len(rows) + (0.95 if title else 0.75) + 0.35 * first)
    figure += p9.theme(
        legend_position="top" if first else "none",
        plot_margin_left=0.01 + indent / (72 * WIDTH),
        axis_text_y=p9.element_text(color=INK, size=TEXT, ha="right"),
        plot_title=p9.element_text(size=9, color=INK, ha="left", weight="bold"),
        panel_grid_major_y=p9.element_blank(),
    )
    if ratios:
        return figure + p9.scale_x_continuous(
            trans="log10", breaks=_ratio_breaks, minor_breaks=[], labels=_as_change, name="effect (0 % = no difference)"
        )
    return figure + p9.scale_x_continuous(name=parts[0]["unit"] or "effect", breaks=_few, minor_breaks=[], labels=plain)


_ENDS: Final = ("margin_low", "margin_high")
_NUMBERS: Final = ("effect", "low", "high", "threshold", "none", *_ENDS)


def _stem(parts: Sequence[dict[str, Any]]) -> str:
    """The words with which all names of a panel begin, if they say so."""
    stems = {part["stem"] for part in parts}
    return stems.pop() if len(stems) == 1 else ""


def _title(group: str, parts: Sequence[dict[str, Any]]) -> str:
    return f"{stem} …" if (stem := _stem(parts)) else group


def _label(part: dict[str, Any], parts: Sequence[dict[str, Any]]) -> str:
    return part["name"].removeprefix(_stem(parts)).strip() + ("" if part["decides"] else " (reported)")


def _width(label: str) -> float:
    """Points that a label takes."""
    return float(TextPath((0, 0), label, TEXT, prop=FontProperties(family="DejaVu Sans")).get_extents().width)


def _few(limits: tuple[float, float]) -> list[float]:
    return even_breaks(float(min(limits)), float(max(limits)), 6)


def _ratio_breaks(limits: tuple[float, float]) -> list[float]:
    low, high = float(min(limits)), float(max(limits))
    return even_breaks(low, high, 6) if high < NEAR * low else log_breaks((low, high), 6)


def _as_change(ratios: Sequence[Any]) -> list[str]:
    """Ratios near 1 as changes in per cent, others as ratios."""
    return [_one_change(float(ratio)) for ratio in ratios]


def _one_change(ratio: float) -> str:
    if not 0.1 <= ratio < 2 - 1e-9:
        return f"× {plain([ratio])[0]}"
    change = 100 * (ratio - 1)
    return "0 %" if abs(change) < 1e-9 else f"{'+' if change > 0 else '−'}{abs(change):.3g} %"
