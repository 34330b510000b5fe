"""Claim 3: at equal parameters, and at equal compute, deeper VGG nets beat wider ones."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import t as student

from scaling.analysis.claims.claim import Claim, Curves, Finding, MissingEvidence, Part
from scaling.analysis.claims.contrasts import logs_by_arm, pooled_noise, summary, trend, with_keys
from scaling.analysis.claims.evidence import Evidence
from scaling.laws.least_squares import indicators, ols

DEPTHS = (1, 2, 3, 5, 8)
ARMS = {"params": [f"vgg-depth-{depth}" for depth in DEPTHS], "flop": [f"vgg-depth-{depth}-flop" for depth in DEPTHS]}
LABELS = {"params": "equal parameters", "flop": "equal compute"}
DRAWS = 4000
"""Draws of the coefficients for the interval of the optimum (assumption)."""
ABOVE = 0.25
"""Doublings of the depth by which an optimum must exceed the smallest depth to count as deeper (assumption)."""


def _lines(evidence: Evidence, match: str) -> tuple[list[int], list[dict[int, float]]]:
    found = logs_by_arm(evidence, ARMS[match])
    if len(found) < 3:
        raise MissingEvidence(
            f"{len(found)} of the {len(DEPTHS)} depths at {LABELS[match]} have finished runs; a trend needs 3"
        )
    return [depth for depth, arm in zip(DEPTHS, ARMS[match], strict=True) if arm in found], list(found.values())


def _trend(match: str):
    def measure(evidence: Evidence) -> Finding:
        depths, lines = _lines(evidence, match)
        falling = [{seed: -value for seed, value in line.items()} for line in lines]
        found = trend(np.log2(depths).tolist(), falling, pooled_noise([dict(enumerate(lines))]))
        rows = tuple(
            summary({seed: math.exp(value) for seed, value in line.items()}, LABELS[match], depth)
            for depth, line in zip(depths, lines, strict=True)
        )
        return with_keys(found, evidence.keys(*ARMS[match]), rows=rows)

    return measure


def _optimum(match: str):
    """Depth of least loss by a parabola in log depth; the effect is its distance from the smallest depth, in doublings."""

    def measure(evidence: Evidence) -> Finding:
        depths, lines = _lines(evidence, match)
        return with_keys(fitted_optimum(np.log2(depths), lines), evidence.keys(*ARMS[match]))

    return measure


def fitted_optimum(x: np.ndarray, lines: list[dict[int, float]]) -> Finding:
    """Distance of the optimum from the smallest x: vertex of a parabola with one offset per seed, kept inside the range.

    The interval follows from the errors of the coefficients; without a spare degree of freedom there is none.

    Args:
        x: log2 of the depths.
        lines: for each depth, seed -> log loss.
    """
    least = float(np.min(x))
    observations = [(x[i], seed, value) for i, line in enumerate(lines) for seed, value in line.items()]
    at, seeds, values = (np.array(column) for column in zip(*observations, strict=True))
    found = ols(np.column_stack([indicators(seeds), at, at**2]), values)
    curve, freedom = found.coefficients[-2:], found.freedom
    best = float(_vertices(curve, x))
    note = f"least loss at depth {2**best:.1f} by a parabola in the logarithm of the depth"
    if freedom < 1 or not found.determined:
        return Finding(best - least, note=note, lacks="too few runs to show their scatter: no interval")
    covariance = found.covariance()[-2:, -2:]
    rng = np.random.default_rng(0)
    scale = np.sqrt(freedom / rng.chisquare(freedom, DRAWS))[:, None]
    draws = curve + scale * rng.multivariate_normal(np.zeros(2), covariance, DRAWS)
    vertices = _vertices(draws, x)
    low, high = np.quantile(vertices, [0.025, 0.975])
    t = float(student.ppf(0.975, freedom))
    if curve[-1] <= t * math.sqrt(covariance[1, 1]):
        note += "; the curvature is within noise, so that the optimum is not determined"
    above = float(np.mean(vertices > least + ABOVE))
    p = min(1.0, 2 * min(above, 1 - above))
    limits = (float(low) - least, float(high) - least)
    return Finding(best - least, interval=limits, p=p, note=note + f"; 95 % between {2**low:.1f} and {2**high:.1f}")


def _vertices(coefficients: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Positions [...] of the minimum of slope x + bend x^2 in the range of x, for coefficients (slope, bend) [..., 2]."""
    slope, bend = coefficients[..., 0], coefficients[..., 1]
    low, high = float(np.min(x)), float(np.max(x))
    edge = np.where(slope * low + bend * low**2 <= slope * high + bend * high**2, low, high)
    inside = np.clip(-slope / np.where(bend > 0, 2 * bend, 1.0), low, high)
    return np.where(bend > 0, inside, edge)


def _parts(match: str) -> tuple[Part, Part]:
    label = LABELS[match]
    return (
        Part(
            label,
            f"At {label} each doubling of the depth lowers the loss.",
            f"how much higher the test loss is than at twice the depth, by a line through depths {DEPTHS[0]} to {DEPTHS[-1]} "
            "(convolutions per stack)",
            _trend(match),
            negligible=math.log(1.02),
        ),
        Part(
            f"optimum, {label}",
            f"At {label} the best depth is more than one convolution per stack.",
            "log2 of the depth of least loss (0: one convolution per stack)",
            _optimum(match),
            scale="plain",
            unit="doublings",
            threshold=ABOVE,
            decides=False,
        ),
    )


claim = Claim(
    number=3,
    title="Deeper or wider",
    statement="With the same number of weights, a deeper net of small filters is better than a wider, shallower one.",
    source="Simonyan and Zisserman 2014, arXiv:1409.1556, sections 2.3 and 4",
    otherwise="The nets are small: with about twenty thousand weights, stacks of eight convolutions have four channels, "
    "which may be too narrow for this depth. In VGG's own comparison N grew with the depth.",
    parts=(*_parts("params"), *_parts("flop")),
    curves=(
        Curves(
            "Depth against width",
            "Test loss against the number of convolutions in each of the three stacks, with the width chosen so that the "
            "parameters, or the compute, stay the same. Points: mean over seeds with its 95 % interval.",
            "convolutions per stack",
            "test loss (nats)",
            log_x=True,
            log_y=True,
        ),
    ),
)
