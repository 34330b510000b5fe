"""Long tables: the search starts on a sample of the rows, and intervals use a sample of the places; both are stated.

The optimum itself is that of all rows: Newton's method continues on the whole table from the sample's optimum.
"""

from __future__ import annotations

import numpy as np

from scaling.laws.fitting.newton import HuberProblem
from scaling.laws.forms.terms import Floats

LARGE = 20_000
"""Rows beyond which starts and intervals use a sample (assumption)."""
SAMPLE = 5_000
"""Rows of a sample: they determine the curvature, from which the width of an interval follows, to 1 to 2 %."""
SAMPLE_SEED = 0
QUADRATIC = 1.0
"""Huber's delta, in log units, at which all residuals of a surrogate count as squares."""


def sampled(rows: int, size: int = SAMPLE) -> np.ndarray:
    """Indices of the rows of a sample, in order and without repeats; all rows where there are at most ``size``."""
    if rows <= size:
        return np.arange(rows)
    return np.sort(np.random.default_rng(SAMPLE_SEED).choice(rows, size, replace=False))


def told_of_sample(rows: int, size: int = SAMPLE) -> str:
    """How a sample is named in text."""
    return f"{size:,} of {rows:,} rows, drawn with seed {SAMPLE_SEED}"


def surrogate(problem: HuberProblem, theta: Floats, weights: Floats, inside: float) -> tuple[HuberProblem, Floats]:
    """A short table whose least-squares fit has the same optimum and, to 1 to 2 %, the same curvature there.

    Its rows are a sample of the table's places, with the law's own values as responses; each has the weight of the rows that it
    stands for. The noise of the rows enters an interval through the rise of the objective that is allowed.

    Args:
        problem: of the long table; theta: its optimum [p]; weights: [n].
        inside: share of the rows whose residuals lie inside delta: only these contribute to the curvature.

    Returns:
        The problem, and its weights [m].
    """
    rows = len(problem.logs)
    chosen = sampled(rows)
    logs = problem.logs[chosen]
    share = weights.sum() / max(float(weights[chosen].sum()), 1e-300) * inside
    values = problem.law.log_values(theta[None], logs)[0]
    return problem._replace(logs=logs, log_y=values, delta=QUADRATIC), weights[chosen] * share
