"""Effects of a claim's parts with 95 % intervals, and the threshold that each part is judged by."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import plotnine as p9

from scaling.report.figures.labels import even_breaks
from scaling.report.figures.theme import INK, QUIET, empty, log_x_plain, look

VERDICT_COLOURS: Final = {"supported": "#24908d", "refuted": "#b5460f", "cannot tell here": "#8a9099"}


def claims_effects(claim: dict[str, Any], *, ratios: bool) -> p9.ggplot:
    """One row per part: effect, interval, threshold (the short stroke).

    Args:
        claim: an entry of claims.json.
        ratios: draw the parts whose effects are changes in per cent, as ratios on a log axis; else the others, a panel a
            unit.
    """
    parts = [part for part in claim["parts"] if part["effect"] is not None and (part["unit"] == "%") == ratios]
    if not parts:
        return empty("no effect was measured")
    rows = [
        {
            "part": part["name"] if part["decides"] else f"{part['name']} (not deciding)",
            "unit": part["unit"] or "effect",
            "verdict": part["verdict"],
            **{name: _ratio(part[name]) if ratios else part[name] for name in ("effect", "low", "high", "threshold")},
        }
        for part in parts
    ]
    table = pd.DataFrame(rows).astype(dict.fromkeys(("effect", "low", "high", "threshold"), float))
    order = list(dict.fromkeys(table["part"]))[::-1]
    table["part"] = pd.Categorical(table["part"], order)
    table["y"] = table["part"].cat.codes + 1.0
    figure = (
        p9.ggplot(table, p9.aes("effect", "y", color="verdict"))
        + p9.geom_segment(p9.aes(x="threshold", xend="threshold", y="y - 0.3", yend="y + 0.3"), color=QUIET, size=0.6)
        + p9.geom_segment(p9.aes(x="low", xend="high", yend="y"), size=1.1, na_rm=True)
        + p9.geom_point(size=2.6)
        + p9.scale_color_manual(values=VERDICT_COLOURS, limits=list(VERDICT_COLOURS), name="verdict")
        + p9.scale_y_continuous(breaks=list(range(1, len(order) + 1)), labels=order, name="", expand=(0, 0.6))
        + look(8.2, 0.42 * len(order) + 0.9)
        + p9.theme(axis_text_y=p9.element_text(color=INK, size=8))
    )
    if ratios:
        return figure + log_x_plain("ratio (1 = no difference)")
    return figure + p9.facet_wrap("unit", scales="free_x") + p9.scale_x_continuous(name="effect", breaks=_few, minor_breaks=[])


def _few(limits: tuple[float, float]) -> list[float]:
    """Few ticks, because the panels are narrow and numbers would overlap."""
    return even_breaks(min(limits), max(limits), 3)


def _ratio(percent: float | None) -> float | None:
    return None if percent is None else max(1 + percent / 100, 1e-12)
