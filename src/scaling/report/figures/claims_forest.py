"""The parts of a claim with their effects, 95 % intervals, thresholds and margins: one forest per claim, a panel per group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import plotnine as p9

from scaling.analysis.claims.claim import CANNOT_TELL, NO_EFFECT, OPPOSITE, SEEN, SMALLER
from scaling.report.figures.labels import even_breaks, log_breaks, plain, power
from scaling.report.figures.theme import INK, QUIET, look

LOOKS: Final = {
    SEEN: ("#11706d", "#11706d", "o"),
    SMALLER: ("#8a6d00", "#8a6d00", "^"),
    NO_EFFECT: ("#5466b0", "#5466b0", "s"),
    OPPOSITE: ("#a63d08", "#a63d08", "D"),
    CANNOT_TELL: ("#5c636b", "#ffffff", "o"),
}
"""Verdict on a part -> colour, fill and shape: no two share both, so that they differ without colour too."""
MARGIN_GREY: Final = "#dfe3e7"
LEAST: Final = 1e-30
"""A ratio of 0 has no place on a logarithmic axis: this is drawn (assumption)."""


def groups(claim: dict[str, Any]) -> dict[tuple[str, str], list[dict[str, Any]]]:
    """The parts of an entry of claims.json that have an effect, by panel: its title and the unit of its effects.

    Deciding parts come first.
    """
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for part in sorted(claim["parts"], key=lambda part: not part["decides"]):
        if part["effect"] is not None:
            found.setdefault((part["group"], part["unit"]), []).append(part)
    return found


def claims_forest(title: str, parts: Sequence[dict[str, Any]], *, ratios: bool) -> p9.ggplot:
    """One row per part: effect, interval, threshold (dark stroke), margin (grey bar), no effect (dotted stroke).

    Args:
        title: of the panel.
        parts: of one group, each with an effect.
        ratios: the effects are changes in per cent, drawn as ratios on a logarithmic axis.
    """
    rows = []
    for part in parts:
        ends = part["margin"] or (None, None)
        row = {name: part[name] for name in ("effect", "low", "high", "threshold", "none")} | dict(
            zip(_ENDS, ends, strict=True)
        )
        if ratios:
            row = {name: None if value is None else max(1 + value / 100, LEAST) for name, value in row.items()}
        rows.append(row | {"verdict": part["verdict"], "part": _label(part)})
    table = pd.DataFrame(rows).astype(dict.fromkeys(_NUMBERS, float))
    table["y"] = [float(len(rows) - index) for index in range(len(rows))]
    shown = [verdict for verdict in LOOKS if verdict in set(table["verdict"])]
    colours, fills, shapes = ([LOOKS[verdict][i] for verdict in shown] for i in range(3))
    figure = (
        p9.ggplot(table, p9.aes("effect", "y"))
        + p9.geom_segment(p9.aes(x="margin_low", xend="margin_high", yend="y"), color=MARGIN_GREY, size=7, na_rm=True)
        + p9.geom_segment(p9.aes(x="none", xend="none", y="y - 0.5", yend="y + 0.5"), color=QUIET, size=0.5, linetype="dotted")
        + p9.geom_segment(p9.aes(x="threshold", xend="threshold", y="y - 0.32", yend="y + 0.32"), color=INK, size=0.9)
        + p9.geom_segment(p9.aes(x="low", xend="high", yend="y", color="verdict"), size=1.1, na_rm=True)
        + p9.geom_point(p9.aes(color="verdict", fill="verdict", shape="verdict"), size=2.8, stroke=0.7)
        + p9.scale_color_manual(values=colours, limits=shown, name="verdict")
        + p9.scale_fill_manual(values=fills, limits=shown, name="verdict")
        + p9.scale_shape_manual(values=shapes, limits=shown, name="verdict")
        + p9.scale_y_continuous(
            breaks=table["y"].tolist(), minor_breaks=[], labels=table["part"].tolist(), name="", expand=(0, 0.6)
        )
        + p9.labs(title=title)
        + look(8.6, 0.3 * len(rows) + (1.15 if title else 0.95))
        + p9.theme(
            axis_text_y=p9.element_text(color=INK, size=8, ha="right"),
            plot_title=p9.element_text(size=9, color=INK, ha="left", weight="bold"),
            panel_grid_major_y=p9.element_blank(),
        )
    )
    if ratios:
        return figure + p9.scale_x_continuous(
            trans="log10", breaks=_ratio_breaks, minor_breaks=[], labels=_as_change, name="effect (0 % = no difference)"
        )
    return figure + p9.scale_x_continuous(name=parts[0]["unit"] or "effect", breaks=_few, minor_breaks=[], labels=plain)


_ENDS: Final = ("margin_low", "margin_high")
_NUMBERS: Final = ("effect", "low", "high", "threshold", "none", *_ENDS)


def _label(part: dict[str, Any]) -> str:
    return part["name"] + " (claimed: below)" * part["below"] + ("" if part["decides"] else " (reported)")


def _few(limits: tuple[float, float]) -> list[float]:
    return even_breaks(float(min(limits)), float(max(limits)), 6)


def _ratio_breaks(limits: tuple[float, float]) -> list[float]:
    return log_breaks((float(min(limits)), float(max(limits))), 6)


def _as_change(ratios: Sequence[Any]) -> list[str]:
    """Ratios near 1 as changes in per cent, far ones as powers of ten."""
    return [_one_change(float(ratio)) for ratio in ratios]


def _one_change(ratio: float) -> str:
    if not 0.05 <= ratio <= 20:
        return f"× {power(ratio)}"
    change = 100 * (ratio - 1)
    return "0 %" if abs(change) < 1e-9 else f"{'+' if change > 0 else '−'}{abs(change):.3g} %"
