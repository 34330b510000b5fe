"""How sure the learning rates are, and what an error in them would do to the laws: for the page, summary.md and rates.csv."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from scaling.analysis.rate_error import OCTAVES, RateError
from scaling.laws.learning.rate_law import Estimate
from scaling.report import data_package
from scaling.report.figures.labels import significant
from scaling.runs.records import DONE


def rate_rows(errors: Sequence[RateError], runs: pl.DataFrame) -> list[dict[str, Any]]:
    """One row of texts per family: family, ``numbers`` in the order of the page's columns, ``words`` on its verdicts.

    Each number is a pair: its text, and what stands below it, such as its interval.

    Args:
        errors: of the families; runs: the runs table.
    """
    rows = []
    for one in errors:
        if isinstance(one.law, str):
            rows.append({"family": one.family, "numbers": [("–", "")] * 8, "words": f"no law of the rate: {one.law}"})
            continue
        law = one.law
        places = _places(runs, one.family)
        largest = places.sort("params", "images").row(-1, named=True) if len(places) else None
        cost = law.penalty(OCTAVES)
        numbers = [_stated(law.exponent(axis)) if axis in law.variables else ("–", f"one {axis}") for axis in ("N", "D")]
        numbers.append(_stated(law.rate(largest["params"], largest["images"])) if largest else ("–", ""))
        numbers.append((significant(largest["learning_rate"], 2) if largest else "–", ""))
        numbers.append(_stated(Estimate(*(100 * end for end in (cost.value, cost.low, cost.high))), " %"))
        numbers += [(_shift(one.shift(name)), "") for name in ("alpha", "beta", "skill")]
        words = "; ".join(one.changed()) or ("the same" if one.moved else "no law of the loss")
        rows.append({"family": one.family, "numbers": numbers, "words": words})
    return rows


def rate_sentence(errors: Sequence[RateError]) -> str:
    """What an error of half an octave would do at worst, over all families; empty where no family could be asked."""
    asked = [one for one in errors if one.moved]
    if not asked:
        return ""
    worst = [
        f"{name} by up to {significant(max(map(abs, shifts)), 2)}"
        for name in ("alpha", "beta", "skill")
        if (shifts := [shift for one in asked if (shift := one.shift(name)) is not None])
    ]
    changed = [one.family for one in asked if one.changed()]
    verdicts = f"could change a verdict on {', '.join(changed)}" if changed else "would change no verdict on a family"
    return f"rates wrong by half an octave at one end of the grid would move {', '.join(worst)}, and {verdicts}"


def rates_csv(errors: Sequence[RateError], runs: pl.DataFrame) -> pl.DataFrame:
    """rates.csv: for each family, N and D the rate that was trained with, and the best one by its law with its 95 % interval.

    An end that the candidates do not bound is null.
    """
    rows = []
    for one in errors:
        if isinstance(one.law, str):
            continue
        for family, n, d, used in _places(runs, one.family).iter_rows():
            best = one.law.rate(n, d)
            bounded = np.isfinite(best.high)
            rows.append((family, n, d, used, best.value, *((best.low, best.high) if bounded else (None, None))))
    return pl.DataFrame(rows, schema=data_package.schema("rates"), orient="row")


def _places(runs: pl.DataFrame, family: str) -> pl.DataFrame:
    """family, params, images, learning_rate of each N and D at which the family was trained."""
    own = runs.filter((pl.col("family") == family) & (pl.col("status") == DONE))
    return own.group_by("family", "params", "images").agg(pl.col("learning_rate").first()).sort("params", "images")


def _stated(one: Estimate, unit: str = "") -> tuple[str, str]:
    bounded = np.isfinite(one.low) and np.isfinite(one.high)
    below = f"[{significant(one.low, 2)}, {significant(one.high, 2)}]" if bounded else "no interval"
    return f"{significant(one.value, 2)}{unit}", below


def _shift(value: float | None) -> str:
    return "–" if value is None else f"{value:+.2f}".replace("-", "−")
