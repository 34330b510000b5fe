"""Amplitudes that fit best at given exponents: the linear half of a start (variable projection).

A sum of powers is linear in its amplitudes, so random starts need only draw exponents; the amplitudes follow by
non-negative least squares on relative residuals (Golub and Pereyra 1973).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats

LEAST = 3.0
"""A term that least squares would leave out starts at e^-3 of the smallest response (assumption), so that it can grow again."""
RIDGE = 1e-12
"""Relative ridge that keeps the normal equations solvable where summands are proportional."""
LARGEST_LOG = 300.0
"""Log of a summand at amplitude 1 beyond which it is cut: its square must not overflow."""


def project(law: Law, theta: Floats, logs: Floats, log_y: Floats, weights: Floats) -> Floats:
    """Starts [B, p] whose amplitudes fit the responses best given their exponents.

    Starts of a law with terms that have no amplitudes are returned as they are.

    Args:
        law: the form; the ceiling of a bounded response is removed first.
        theta: starts [B, p].
        logs: centred logs [n, k].
        log_y: log response [n].
        weights: [n].
    """
    if not all(term.heads for term in law.terms):
        return theta
    heads = [at.start + head for at, term in zip(law.slices, law.terms, strict=True) for head in term.heads]
    target = log_y if law.ceiling is None else law.ceiling.invert(log_y)
    parts = [part for at, term in zip(law.slices, law.terms, strict=True) for part in term.parts(theta[:, at], logs)]
    columns = [np.exp(np.minimum(part - target, LARGEST_LOG)) for part in parts]
    amplitudes = _nonnegative(np.stack(columns, axis=2), weights)
    started = theta.copy()
    least = np.exp(target.min() - LEAST)
    started[:, heads] = np.log(np.maximum(amplitudes, least))
    return started


def _nonnegative(design: Floats, weights: Floats) -> Floats:
    """Non-negative c [B, m] of least sum_n w_n (1 - sum_i c_i design_ni)^2: the best of all active sets."""
    count, _, size = design.shape
    gram = np.einsum("bni,n,bnj->bij", design, weights, design)
    right = np.einsum("bni,n->bi", design, weights)
    best, chosen = np.full(count, np.inf), np.zeros((count, size))
    for inside in range(1, size + 1):
        for subset in combinations(range(size), inside):
            part = gram[:, subset][:, :, subset]
            part = part + RIDGE * np.einsum("bii->b", part)[:, None, None] * np.eye(inside)
            solution = np.linalg.solve(part, right[:, subset, None])[..., 0]
            gain = -np.einsum("bi,bi->b", solution, right[:, subset])
            better = (solution > 0).all(axis=1) & (gain < best)
            best[better] = gain[better]
            chosen[better] = 0.0
            chosen[np.ix_(np.flatnonzero(better), np.array(subset))] = solution[better]
    return chosen
