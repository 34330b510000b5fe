"""Ordinary least squares, with what is needed to say how sure its coefficients are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.forms.terms import Floats


@dataclass(frozen=True)
class LeastSquares:
    """Coefficients of the least sum of squares; those of least norm where the design does not determine them.

    Attributes:
        design: [n, q]; coefficients: [q]; residuals: observed minus fitted [n].
        rank: of the design.
    """

    design: Floats
    coefficients: Floats
    residuals: Floats
    rank: int

    @property
    def determined(self) -> bool:
        """Whether the design determines every coefficient."""
        return self.rank == self.design.shape[1]

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the residuals, n - rank."""
        return len(self.residuals) - self.rank

    @property
    def squares(self) -> float:
        """Sum of the squared residuals."""
        return float(np.sum(self.residuals**2))

    def covariance(self) -> Floats:
        """Covariance of the coefficients [q, q] for errors that are independent and of one variance.

        Raises:
            ValueError: if the design does not determine them, or no degree of freedom is left for the variance.
        """
        if not self.determined or self.freedom < 1:
            raise ValueError(f"{len(self.residuals)} rows of rank {self.rank} give no covariance of {len(self.coefficients)}")
        return np.asarray(self.squares / self.freedom * np.linalg.inv(self.design.T @ self.design), np.float64)


def ols(design: ArrayLike, observed: ArrayLike) -> LeastSquares:
    """Fit coefficients c of least |observed - design c|^2.

    Args:
        design: [n, q]; for weights w, multiply its rows and ``observed`` by their roots.
        observed: [n].
    """
    matrix, values = np.asarray(design, float), np.asarray(observed, float)
    solution, _, rank, _ = np.linalg.lstsq(matrix, values, rcond=None)
    solution = np.asarray(solution, np.float64)
    return LeastSquares(matrix, solution, values - matrix @ solution, int(rank))


def ols_batch(design: Floats, observed: Floats, weights: Floats) -> Floats:
    """Weighted coefficients [B, q] of B fits at once: design [B, n, q] or [1, n, q], observed [B, n], weights [n]."""
    root = np.sqrt(weights)[:, None]
    return (np.linalg.pinv(design * root) @ (observed[..., None] * root))[..., 0]


def indicators(labels: ArrayLike) -> Floats:
    """One column of 0 and 1 per distinct label, in their order, [n, labels]."""
    values = np.asarray(labels)
    return (values[:, None] == np.unique(values)).astype(float)
