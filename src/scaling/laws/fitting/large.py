"""Tables too long to search row by row: a stated sample of rows to start from, a stated sample of places for intervals.

The optimum itself is always that of all rows: Newton's method is run on the whole table from the sample's optimum.
"""

from __future__ import annotations

import numpy as np

from scaling.laws.fitting.newton import HuberProblem
from scaling.laws.forms.terms import Floats

LARGE = 20_000
"""Rows beyond which starts and intervals use a sample."""
SAMPLE = 5_000
"""Rows of a sample: the curvature that an interval's width follows from is known to 1 to 2 % from as many."""
SAMPLE_SEED = 0
QUADRATIC = 1.0
"""Huber's delta, in log units, at which residuals of a surrogate are all quadratic."""


def sampled(rows: int, size: int = SAMPLE) -> np.ndarray:
    """Indices of the rows of a sample, in order, without repeats; all rows where there are no more than ``size``."""
    if rows <= size:
        return np.arange(rows)
    return np.sort(np.random.default_rng(SAMPLE_SEED).choice(rows, size, replace=False))


def told_of_sample(rows: int, size: int = SAMPLE) -> str:
    """The name of a sample, for people."""
    return f"{size:,} of {rows:,} rows, drawn with seed {SAMPLE_SEED}"


def surrogate(problem: HuberProblem, theta: Floats, weights: Floats, inside: float) -> tuple[HuberProblem, Floats]:
    """A short table whose least squares have the same optimum, and the same curvature there to 1 to 2 %.

    Its rows are a sample of the table's places, each counted as often as it stands for, with the law's own values as
    responses. What is left of the rows' noise is in how far the objective may rise.

    Args:
        problem: of the long table; theta: its optimum [p]; weights: [n].
        inside: share of the rows whose residuals lie inside delta, which is what their curvature counts.

    Returns:
        The problem, and its weights [m].
    """
    rows = len(problem.logs)
    chosen = sampled(rows)
    logs = problem.logs[chosen]
    share = weights.sum() / max(float(weights[chosen].sum()), 1e-300) * inside
    values = problem.law.log_values(theta[None], logs)[0]
    return problem._replace(logs=logs, log_y=values, delta=QUADRATIC), weights[chosen] * share
