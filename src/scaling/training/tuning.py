"""Tuning a family's learning rate: candidates at anchors, an optimum at each, a power of the width, and of D, between them.

The same effort for every family: as many anchors, candidates and images seen. Chosen on validation loss alone. A factor
of 2 in the rate costs up to 6 % of the loss, so the optimum of an anchor is read off a parabola in the logarithm of the
rate, and the argmins' noise is tamed by the rule in width, whose exponent is kept between -1.5 and 0: a wider net of the
same recipe never wants a higher rate (Yang et al. 2021, "Tensor Programs V", table 3, has it between -1 and 0). Where the
anchors stand at several D, the rate is a power of D as well, with an exponent between -0.5 and 0.5.
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
"""Limits of the exponent of the width."""
IMAGES_EXPONENTS: Final = (-0.5, 0.5)
"""Limits of the exponent of D (assumption). Published ones lie inside: 0.307 in the tokens (Li et al. 2025, "Step Law"), -0.125
in the compute (DeepSeek LLM, Bi et al. 2024)."""

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
    rates = {place: sorted(anchors.rates) for place in anchors.places}
    step = rate_step(anchors)

    def cell(place: tuple[int, int], rate: float) -> ResolvedCell:
        return candidate(study, family, place, rate, device.kind, device.precision, checksum, ladders, image)

    def losses(place: tuple[int, int]) -> list[float]:
        return [_validation_loss(store, cell(place, rate).key) for rate in rates[place]]

    def failed(failure: str, *found: dict[str, Any]) -> Tuning:
        return Tuning(family, None, device.kind, device.precision, checksum, found, failure)

    def lost() -> str:
        """The first candidate without a result and why, or an empty string."""
        for place, tried in rates.items():
            for rate in tried:
                key = cell(place, rate).key
                if store.read_or_discard(key, _say) is None:
                    reason = last_line(store.log_path(key)) or "no log"
                    return f"tuning failed: the rate {rate} at {_said(place)} has no result ({reason})"
        return ""

    train([cell(place, rate) for place in rates for rate in rates[place]])
    if failure := lost():
        return failed(failure)
    for _ in range(anchors.widen):
        more = []
        for place, tried in rates.items():
            side = edge(losses(place))
            if side:
                tried.append(_three_digits(min(tried) / step if side < 0 else max(tried) * step))
                tried.sort()
                more += [cell(place, rate) for rate in tried]
        if not more:
            break
        train(more)
    if failure := lost():
        return failed(failure)

    found = []
    for place, tried in rates.items():
        values = losses(place)
        if not any(map(math.isfinite, values)):
            reason = last_line(store.log_path(cell(place, tried[0]).key)) or "all diverged"
            return failed(
                f"tuning failed: no rate of {tried} gave a finite validation loss at {_said(place)} ({reason})", *found
            )
        at = cell(place, tried[0])
        found.append(
            {
                "target": place[0],
                "params": at.params,
                "width": at.width,
                "images": place[1],
                "candidates": [
                    {
                        "rate": rate,
                        "validation_loss": value if math.isfinite(value) else None,
                        "status": _status(store, cell(place, rate).key),
                    }
                    for rate, value in zip(tried, values, strict=True)
                ],
                "best_rate": best_rate(tried, values),
                "edge": bool(edge(values)),
                "widened": len(tried) > len(anchors.rates),
            }
        )
    rule = rule_through(*([a[what] for a in found] for what in ("width", "images", "best_rate")))
    return Tuning(family, rule, device.kind, device.precision, checksum, tuple(found))


def candidate(
    study: Study,
    family: str,
    place: tuple[int, int],
    rate: float,
    device: str,
    precision: str,
    checksum: str,
    ladders: Ladders,
    image: ImageSpec,
) -> ResolvedCell:
    """The training run that tries ``rate`` at the anchor ``place``, an N and a D."""
    anchors = study.family_recipe(family).anchors
    fixed = Tuning(family, RateRule(1.0, rate, 0.0), device, precision, checksum, ())
    return resolve(study, Cell(family, *place, anchors.seed), fixed, ladders, image)


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


def rule_through(widths: list[float], images: list[float], rates: list[float]) -> RateRule:
    """The powers of the width and of D nearest to the anchors' optima in log rate, each exponent kept within its limits.

    Args:
        widths, images, rates: of each anchor [n]; every width stands at every D, so that one slope does not move the other.
    """
    y = np.log(rates)
    exponent, to_width = _slope(widths, y, EXPONENTS)
    images_exponent, to_images = _slope(images, y, IMAGES_EXPONENTS)
    rate = float(f"{math.exp(float(y.mean() + to_width + to_images)):.4g}")
    if len(set(images)) == 1:
        return RateRule(min(widths), rate, exponent)
    return RateRule(min(widths), rate, exponent, min(images), images_exponent)


def _slope(values: list[float], y: np.ndarray, limits: tuple[float, float]) -> tuple[float, float]:
    """Least-squares slope of ``y`` in log ``values`` within ``limits``, 0 where all are equal; and the step in y that it makes
    from their mean to the least of them."""
    x = np.log(values)
    centred = x - x.mean()
    spread = float(centred @ centred)
    slope = float(np.clip(centred @ y / spread, *limits)) if spread > 0 else 0.0
    return round(slope, 4), slope * float(math.log(min(values)) - x.mean())


def _said(place: tuple[int, int]) -> str:
    return f"N = {place[0]}, D = {place[1]}"


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
