"""Intervals of a far target and of the floor on curves whose terms cannot all be seen.

    uv run python benchmarks/hidden_terms.py [--tables 30] [--resamples 200]

The curves are those on which SCALE-CERT (github.com/jingxuxie/scaling-law-extrapolation) is tried: sums of powers above a floor
at nine sizes from 1 to 128, with a standard error of 1e-3, and a target at 1e6, that is 3.9 decades beyond the data. Only the
first is among our laws. Intervals of 90 % are compared: those of the parametric bootstrap of E + B / x^c, the profile
of that law if it holds, and honest ones of all laws. The published figures stand beside them. About two minutes on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scaling.laws import fit
from scaling.laws.fitting.many import fit_many
from scaling.laws.fitting.selection import stack
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.agreement import honest_intervals
from scaling.laws.intervals.profile import prediction_intervals, profile_intervals

SIZES = np.geomspace(1.0, 128.0, 9)
TARGET = 1e6
NOISE = 1e-3
LEVEL = 0.9


class Curve(NamedTuple):
    """A floor and powers, and what is published of it: coverage and median width of the certificate and of the bootstrap."""

    name: str
    floor: float
    exponents: tuple[float, ...]
    weights: tuple[float, ...]
    certificate: tuple[float, float]
    bootstrap: tuple[float, float]

    def loss(self, x: Floats | float) -> Floats:
        """Loss [...] at sizes [...]."""
        powers = zip(self.weights, self.exponents, strict=True)
        return self.floor + sum((weight * np.asarray(x) ** -exponent for weight, exponent in powers), start=np.zeros(()))


CURVES = (
    Curve("one power", 0.20, (0.55,), (0.15,), (1.0, 0.0756), (0.767, 0.0034)),
    Curve("hidden crossover", 0.20, (0.10, 0.80), (0.0003, 0.15), (1.0, 0.0488), (0.833, 0.0022)),
    Curve("three components", 0.18, (0.12, 0.45, 1.10), (0.00025, 0.020, 0.12), (1.0, 0.0433), (0.0, 0.0017)),
)
METHODS = ("bootstrap", "if the law holds", "honestly")

Ends = tuple[float, float] | None


def target_ends(x: Floats, y: Floats, resamples: int, rng: np.random.Generator) -> dict[str, Ends]:
    """Intervals of the loss at the target by each method."""
    found = fit(forms.power_floor(), {"x": x}, y, delta=None)
    clean = found.law.predict(found.parameters, x=x)
    drawn = [({"x": x}, np.maximum(clean + NOISE * rng.normal(size=len(x)), NOISE)) for _ in range(resamples)]
    far = [float(one.law.predict(one.parameters, x=np.array(TARGET))) for one in fit_many(found.law, drawn, delta=None)]
    low, high = np.quantile(far, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    true = prediction_intervals(found, LEVEL, x=np.array([TARGET]))
    honest, _ = stack({"x": x}, y).intervals(LEVEL, x=np.array([TARGET]))
    return {
        "bootstrap": (float(low), float(high)),
        "if the law holds": (float(true[0][0]), float(true[1][0])),
        "honestly": (float(honest.low[0]), float(honest.high[0])),
    }


def floor_ends(x: Floats, y: Floats) -> dict[str, Ends]:
    """Intervals of the floor."""
    found = fit(forms.power_floor(), {"x": x}, y, delta=None)
    own, _ = profile_intervals(found, LEVEL)
    honest = honest_intervals(found, {"x": x}, y, own, level=LEVEL)["intervals"]["E"]
    return {"if the law holds": own["E"], "honestly": None if honest is None else (honest[0], honest[1])}


def shown(ends: Sequence[Ends], truth: float) -> str:
    """Share of the intervals that hold the truth, their median width, and how many were refused."""
    given = [one for one in ends if one is not None]
    if not given:
        return "all refused"
    held = np.mean([low <= truth <= high for low, high in given])
    refused = f", {len(ends) - len(given)} refused" if len(given) < len(ends) else ""
    return f"{held:.0%}, {np.median([high - low for low, high in given]):.4f}{refused}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=30, help="per curve")
    parser.add_argument("--resamples", type=int, default=200, help="of the bootstrap")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    print(f"{LEVEL:.0%} intervals: how many hold the truth, and their median width")
    methods = [f"target: {name}" for name in METHODS] + [f"floor: {name}" for name in METHODS[1:]]
    head = ("curve", "target: SCALE-CERT, published", "target: bootstrap, published", *methods)
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for curve in CURVES:
        tables = [curve.loss(SIZES) + NOISE * rng.normal(size=len(SIZES)) for _ in range(options.tables)]
        targets = [target_ends(SIZES, y, options.resamples, rng) for y in tables]
        floors = [floor_ends(SIZES, y) for y in tables]
        published = [f"{held:.0%}, {width:.4f}" for held, width in (curve.certificate, curve.bootstrap)]
        cells = [shown([one[name] for one in targets], float(curve.loss(TARGET))) for name in METHODS]
        cells += [shown([one[name] for one in floors], curve.floor) for name in METHODS[1:]]
        print(f"| {' | '.join((curve.name, *published, *cells))} |", flush=True)


if __name__ == "__main__":
    main()
