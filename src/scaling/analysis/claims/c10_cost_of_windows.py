"""Claim 10: Swin's cost is linear in the size of the image, ViT's quadratic."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from scaling.analysis.claims.claim import Claim, Curves, Finding, MissingEvidence, Part
from scaling.analysis.claims.contrasts import mean_finding, with_keys
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.rounds import crossing, exponents, median_row

LINEAR, QUADRATIC = 1.25, 1.5
"""An exponent in the number of pixels below the first counts as linear, one above the second as quadratic (assumption)."""
LARGE = 128.0
"""Side in pixels from which on exponents are taken (assumption): below it the parts that are linear in both hide the others."""
NAMES = {"vit": "ViT", "swin": "Swin"}
UNITS = {"seconds": "seconds per image", "memory": "bytes per image", "flop_forward": "FLOP per image"}


def in_pixels(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the number of pixels as x, which was the side."""
    return rows.with_columns(pl.col("x") ** 2)


def _exponent(family: str, quantity: str, phase: str) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        rows = in_pixels(evidence.measurements("resolution", quantity, family=family, phase=phase))
        found = mean_finding(np.array(list(exponents(rows, LARGE**2).values())))
        whole = float(np.mean(list(exponents(rows).values())))
        sides = np.sqrt(rows["x"].to_numpy())
        note = f"exponent {found.effect:.2f} from {LARGE:g} px up, {whole:.2f} from {sides.min():.0f} to {sides.max():.0f} px"
        return replace(found, note=note, rows=_drawn(evidence, quantity, phase) if family == "swin" else ())

    return measure


def _drawn(evidence: Evidence, quantity: str, phase: str) -> tuple[dict[str, object], ...]:
    """Rows for the figure: medians by side."""
    panel = ", ".join(filter(None, [phase, UNITS[quantity]]))
    rows = evidence.measurements("resolution", quantity, phase=phase).sort("x")
    return tuple(
        median_row(own["value"].to_list(), NAMES[family], float(x), panel)
        for (family, x), own in rows.group_by("family", "x", maintain_order=True)
    )


def counted_exponent(rows: pl.DataFrame) -> float:
    """Exponent of a count in the number of pixels, between the two largest sides; rows have x (side) and value.

    Raises:
        MissingEvidence: if there are fewer than two sides.
    """
    ends = rows.sort("x").tail(2)
    if len(ends) < 2:
        raise MissingEvidence("counted at one side only")
    (x0, x1), (y0, y1) = ends["x"].to_list(), ends["value"].to_list()
    return math.log(y1 / y0) / (2 * math.log(x1 / x0))


def _counted(family: str) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        rows = evidence.measurements("resolution", "flop_forward", family=family).sort("x")
        exponent = counted_exponent(rows)
        note = f"counted: exponent {exponent:.3f} from {rows['x'][-2]:g} to {rows['x'][-1]:g} px"
        return Finding(exponent, exact=True, note=note, rows=_drawn(evidence, "flop_forward", "") if family == "swin" else ())

    return measure


def _crossing(phase: str) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        vit, swin = (evidence.measurements("resolution", "seconds", family=name, phase=phase) for name in NAMES)
        rounds = vit["repeat"].n_unique()
        sides = crossing(vit, swin)
        if len(sides) < rounds / 2:
            raise MissingEvidence(f"the two times cross once in only {len(sides)} of {rounds} rounds")
        found = mean_finding(np.array(list(sides.values())))
        largest = math.log(float(vit["x"].to_numpy().max()))
        note = f"ViT takes longer than Swin from {math.exp(found.effect):.0f} px up ({len(sides)} of {rounds} rounds)"
        return with_keys(found, (), effect=largest - found.effect, note=note)

    return measure


def _parts(quantity: str, phase: str, what: str, decides: bool) -> tuple[Part, Part]:
    shared = {"scale": "plain", "unit": "exponent", "decides": decides}
    return (
        Part(
            f"Swin linear, {what}",
            f"From {LARGE:g} px up, Swin's {what} grows with an exponent below {LINEAR} in the number of pixels.",
            "the exponent",
            _exponent("swin", quantity, phase),
            threshold=LINEAR,
            below=True,
            none=LINEAR,
            **shared,
        ),
        Part(
            f"ViT quadratic, {what}",
            f"From {LARGE:g} px up, ViT's {what} grows with an exponent above {QUADRATIC} in the number of pixels.",
            "the exponent",
            _exponent("vit", quantity, phase),
            threshold=QUADRATIC,
            none=LINEAR,
            **shared,
        ),
    )


claim = Claim(
    number=10,
    title="The cost of windows",
    statement="Swin's cost is linear in the size of the image, ViT's is quadratic.",
    source="Liu et al. 2021, arXiv:2103.14030, section 3.2, equations 1 and 2",
    scope="the operations that equations 1 and 2 count, which are counted here; time and memory depend on the machine",
    otherwise="Size is the number of pixels. Both nets keep the width and depth of one small size at all sides. ViT has "
    "patches of 7 pixels, Swin patches of 4 pixels in windows of 4 x 4; other patches would move the crossing. ViT's "
    "quadratic part exceeds the rest only if there are more positions than channels, so that wider nets become quadratic at "
    "larger sizes. Attention is torch's, which keeps no table of all pairs of positions in memory.",
    primary=True,
    parts=(
        *(
            Part(
                f"{NAMES[family]}, FLOP",
                f"{NAMES[family]}'s FLOP grow with an exponent {side} in the number of pixels (between the two largest sides).",
                "the exponent",
                _counted(family),
                scale="plain",
                unit="exponent",
                threshold=threshold,
                below=family == "swin",
                none=LINEAR,
                in_scope=True,
            )
            for family, side, threshold in (("swin", f"below {LINEAR}", LINEAR), ("vit", f"above {QUADRATIC}", QUADRATIC))
        ),
        *_parts("seconds", "training", "time of training", True),
        *_parts("seconds", "prediction", "time of prediction", False),
        *_parts("memory", "training", "memory of training", False),
        Part(
            "crossing, training",
            "Within the sides that were timed, ViT takes longer to train than Swin from some side up.",
            "how much larger the largest side timed is than the side from which up ViT takes longer",
            _crossing("training"),
            decides=False,
        ),
        Part(
            "crossing, prediction",
            "Within the sides that were timed, ViT takes longer to predict than Swin from some side up.",
            "how much larger the largest side timed is than the side from which up ViT takes longer",
            _crossing("prediction"),
            decides=False,
        ),
    ),
    curves=(
        Curves(
            "Cost by the size of the image",
            "FLOP, seconds and bytes per image of ViT and Swin against the side of the image, with the same width and depth. "
            "Points: median over rounds with its 95 % interval.",
            "side (pixels)",
            "per image",
            log_x=True,
            log_y=True,
        ),
    ),
)
