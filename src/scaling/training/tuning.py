"""Tuning a family's learning rate: candidates at anchors, an optimum at each, a power of the width between them.

The same effort for every family: as many anchors, candidates and images seen. Chosen on validation loss alone. A factor
of 2 in the rate costs up to 6 % of the loss, so the optimum of an anchor is read off a parabola in the logarithm of the
rate, and the argmins' noise is tamed by the rule in width, whose exponent is kept between -1.5 and 0: a wider net of the
same recipe never wants a higher rate (Yang et al. 2021, "Tensor Programs V", table 3, has it between -1 and 0).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.runs.grid import Cell, ResolvedCell
from scaling.runs.records import DONE
from scaling.runs.resolve import RateRule, Tuning, last_line, resolve
from scaling.runs.store import Store
from scaling.study.recipe import Anchors
from scaling.study.schema import Study
from scaling.training.device import Device

EXPONENTS: Final = (-1.5, 0.0)

Train = Callable[[list[ResolvedCell]], Any]


def tune(
    study: Study,
    family: str,
    *,
    device: Device,
    checksum: str,
    image: ImageSpec,
    ladders: Ladders,
    store: Store,
    train: Train,
) -> Tuning:
    """The learning-rate rule of ``family``, with its evidence; ``train`` trains cells into the store.

    Where no candidate of an anchor has a finite validation loss, or one has no result (its trainer was killed, say), the
    result says so in ``failure`` and has no rule: a rate chosen among the others would not be the one that a rerun finds.
    """
    recipe = study.family_recipe(family)
    if recipe.learning_rate != "tuned":
        rule = RateRule(1.0, float(recipe.learning_rate), 0.0)
        return Tuning(family, rule, device.kind, device.precision, checksum, ())

    anchors = recipe.anchors
    rates = {target: sorted(anchors.rates) for target in sorted(anchors.params)}
    step = rate_step(anchors)

    def cell(target: int, rate: float) -> ResolvedCell:
        return candidate(study, family, target, rate, device.kind, device.precision, checksum, ladders, image)

    def losses(target: int) -> list[float]:
        return [_validation_loss(store, cell(target, rate).key) for rate in rates[target]]

    def failed(failure: str, *found: dict[str, Any]) -> Tuning:
        return Tuning(family, None, device.kind, device.precision, checksum, found, failure)

    def lost() -> str:
        """The first candidate without a result and why, or an empty string."""
        for target, tried in rates.items():
            for rate in tried:
                key = cell(target, rate).key
                if store.read_or_discard(key, _say) is None:
                    reason = last_line(store.log_path(key)) or "no log"
                    return f"tuning failed: the rate {rate} at N = {target} has no result ({reason})"
        return ""

    train([cell(target, rate) for target in rates for rate in rates[target]])
    if failure := lost():
        return failed(failure)
    for _ in range(anchors.widen):
        more = []
        for target, tried in rates.items():
            side = edge(losses(target))
            if side:
                tried.append(_three_digits(min(tried) / step if side < 0 else max(tried) * step))
                tried.sort()
                more += [cell(target, rate) for rate in tried]
        if not more:
            break
        train(more)
    if failure := lost():
        return failed(failure)

    found = []
    for target, tried in rates.items():
        values = losses(target)
        if not any(map(math.isfinite, values)):
            reason = last_line(store.log_path(cell(target, tried[0]).key)) or "all diverged"
            return failed(f"tuning failed: no rate of {tried} gave a finite validation loss at N = {target} ({reason})", *found)
        at = cell(target, tried[0])
        found.append(
            {
                "target": target,
                "params": at.params,
                "width": at.width,
                "images": anchors.images,
                "candidates": [
                    {
                        "rate": rate,
                        "validation_loss": value if math.isfinite(value) else None,
                        "status": _status(store, cell(target, rate).key),
                    }
                    for rate, value in zip(tried, values, strict=True)
                ],
                "best_rate": best_rate(tried, values),
                "edge": bool(edge(values)),
                "widened": len(tried) > len(anchors.rates),
            }
        )
    rule = rule_through([a["width"] for a in found], [a["best_rate"] for a in found])
    return Tuning(family, rule, device.kind, device.precision, checksum, tuple(found))


def candidate(
    study: Study,
    family: str,
    target: int,
    rate: float,
    device: str,
    precision: str,
    checksum: str,
    ladders: Ladders,
    image: ImageSpec,
) -> ResolvedCell:
    """The training run that tries ``rate`` at the anchor ``target``."""
    anchors = study.family_recipe(family).anchors
    fixed = Tuning(family, RateRule(1.0, rate, 0.0), device, precision, checksum, ())
    return resolve(study, Cell(family, target, anchors.images, anchors.seed), fixed, ladders, image)


def possible_rates(anchors: Anchors) -> list[float]:
    """Every rate that tuning may try at an anchor: the candidates, and those that widening may add at either end."""
    rates = sorted(anchors.rates)
    step = rate_step(anchors)
    for _ in range(anchors.widen):
        rates = [_three_digits(rates[0] / step), *rates, _three_digits(rates[-1] * step)]
    return rates


def rate_step(anchors: Anchors) -> float:
    """The factor between neighbouring candidates."""
    return (max(anchors.rates) / min(anchors.rates)) ** (1 / (len(anchors.rates) - 1))


def _three_digits(rate: float) -> float:
    return float(f"{rate:.3g}")


def edge(losses: list[float]) -> int:
    """-1 or +1 where the least loss is that of the lowest or highest rate, else 0 (or where none is finite, -1)."""
    if not any(map(math.isfinite, losses)):
        return -1
    best = int(np.nanargmin([value if math.isfinite(value) else math.nan for value in losses]))
    return -1 if best == 0 else 1 if best == len(losses) - 1 else 0


def best_rate(rates: list[float], losses: list[float]) -> float:
    """The rate of least loss: vertex of the parabola in log rate through the best candidate and its neighbours.

    At an edge, or beside a candidate that diverged, the best candidate itself.
    """
    finite = [value if math.isfinite(value) else math.inf for value in losses]
    best = int(np.argmin(finite))
    if best in (0, len(rates) - 1) or not all(map(math.isfinite, finite[best - 1 : best + 2])):
        return rates[best]
    x = np.log(rates[best - 1 : best + 2])
    curvature, slope, _ = np.polyfit(x - x[1], np.log(finite[best - 1 : best + 2]), 2)
    shift = -slope / (2 * curvature) if curvature > 0 else 0.0
    return float(f"{math.exp(x[1] + np.clip(shift, x[0] - x[1], x[2] - x[1])):.4g}")


def rule_through(widths: list[float], rates: list[float]) -> RateRule:
    """The power of the width nearest to the anchors' optima in log rate, its exponent kept within EXPONENTS."""
    x, y = np.log(widths), np.log(rates)
    centred = x - x.mean()
    spread = float(centred @ centred)
    exponent = float(np.clip(centred @ y / spread, *EXPONENTS)) if spread > 0 else 0.0
    reference = min(widths)
    log_rate = float(y.mean() + exponent * (math.log(reference) - x.mean()))
    return RateRule(reference, float(f"{math.exp(log_rate):.4g}"), round(exponent, 4))


def _say(message: str) -> None:
    print(message, file=sys.stderr)


def _validation_loss(store: Store, key: str) -> float:
    entry = store.read_or_discard(key, _say)
    if entry is None or entry.row["status"] != DONE or entry.row["validation_loss"] is None:
        return math.inf
    return float(entry.row["validation_loss"])


def _status(store: Store, key: str) -> str:
    entry = store.read(key)
    return entry.row["status"] if entry else "failed"
