"""Derivatives of a term by finite differences: what a new term has until somebody writes down the exact ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

FIRST_STEP: Final = float(np.finfo(float).eps ** (1 / 3))
"""Step of the first derivatives, relative to coordinates beyond 1: the one that balances rounding and truncation of a central
difference (Press et al. 2007, "Numerical Recipes", section 5.7)."""
SECOND_STEP: Final = float(np.finfo(float).eps ** (1 / 4))
"""The same for second derivatives."""


def numeric_derivatives(
    values: Callable[[NDArray[np.float64]], NDArray[np.float64]], theta: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gradient [B, n, q] and Hessian [B, n, q, q] by central differences.

    Args:
        values: coordinates [B, q] -> values [B, n].
        theta: coordinates [B, q] at which they are taken.
    """
    size = theta.shape[1]
    units = np.eye(size)[:, None, :] * np.maximum(1.0, np.abs(theta))
    small, wide = FIRST_STEP * units, SECOND_STEP * units
    lengths = np.maximum(1.0, np.abs(theta)).T[..., None]
    gradient = np.stack(
        [(values(theta + small[i]) - values(theta - small[i])) / (2.0 * FIRST_STEP * lengths[i]) for i in range(size)], axis=-1
    )
    hessian = np.empty((*gradient.shape, size))
    for i in range(size):
        for j in range(i + 1):
            above = values(theta + wide[i] + wide[j]) - values(theta + wide[i] - wide[j])
            below = values(theta - wide[i] + wide[j]) - values(theta - wide[i] - wide[j])
            second = (above - below) / (4.0 * SECOND_STEP**2 * lengths[i] * lengths[j])
            hessian[..., i, j] = hessian[..., j, i] = second
    return gradient, hessian
