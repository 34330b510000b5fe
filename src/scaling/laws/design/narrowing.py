"""How much a run would narrow what is asked of a family's law, before it is trained.

The law is taken as linear in its coordinates about the fit, and errors as Gaussian. Then what is asked and the responses of the
runs that might be trained have one joint normal distribution, given the runs that were. A run that is trained conditions it:

    cov(u, v | c) = cov(u, v) - cov(u, c) cov(c, v) / var(c)

which does not depend on the response that is found (Chaloner and Verdinelli 1995, "Bayesian experimental design: a review",
section 2). The prior is weak: it only keeps what the rows leave open finite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import norm

from scaling.laws.design.asked import Asked, gradients
from scaling.laws.design.run_noise import RunNoise, Runs
from scaling.laws.fitting.fitted import Fit
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats, Role

EXPONENT_PRIOR = 0.5
"""Standard deviation of an exponent before any row (assumption): exponents of published laws lie between 0.2 and 0.7."""
OTHER_PRIOR = 3.0
"""Standard deviation of other coordinates, mostly logs of amplitudes in the middle of the rows (assumption): a factor of 20."""
EXPONENTS = (Role.EXPONENT, Role.PRODUCT_EXPONENT, Role.SIDE_EXPONENT, Role.DRIFT)
WIDTH = 2.0 * float(norm.ppf(0.975))
"""Width of a 95 % interval in standard deviations."""


class Narrowing:
    """A family's law, what is asked of it, and the runs that might be trained.

    Attributes:
        taken: mask of the candidates that were taken [m].
    """

    def __init__(self, found: Fit, noise: RunNoise, runs: Runs, candidates: Runs, asked: Asked) -> None:
        """Condition on the runs that were trained.

        Args:
            found: the fit; noise: of its log responses.
            runs: that were trained, the rows of the fit; candidates: the m that might be. Both with uncentred logs.
            asked: functions of the coordinates.
        """
        prior = prior_deviations(found.law)
        known = gradients(found, runs.logs - found.centre) * prior
        wanted = asked.gradients * prior
        new = gradients(found, candidates.logs - found.centre) * prior
        self._asked = len(wanted)
        both = np.vstack([wanted, new])
        cross = known @ both.T
        cross[:, self._asked :] += noise.between(runs, candidates)
        joint = both @ both.T
        joint[self._asked :, self._asked :] += noise.among(candidates)
        if asked.places is not None:
            # What is asked is the response itself, in which the law errs as it does at runs nearby.
            off = asked.scale * noise.off_law(asked.places, runs)
            cross[:, : self._asked] += off.T
            off = asked.scale * noise.off_law(asked.places, candidates)
            joint[: self._asked, self._asked :] += off
            joint[self._asked :, : self._asked] += off.T
            joint[: self._asked, : self._asked] += asked.scale**2 * noise.off_law(asked.places, asked.places)
        factor = cho_factor(known @ known.T + noise.among(runs))
        self._joint = joint - cross.T @ cho_solve(factor, cross)
        self.taken = np.zeros(len(new), bool)
        self._before = _seed_before(candidates)

    @property
    def open(self) -> NDArray[np.bool_]:
        """Candidates that may be taken now [m]: those that were not, once those listed before them at their place were.

        Families then share their seeds, and with them their images, as the whole grid does.
        """
        return ~self.taken & ((self._before < 0) | self.taken[self._before])

    @property
    def variance(self) -> float:
        """Mean variance of what is asked."""
        return float(np.mean(np.maximum(np.diag(self._joint)[: self._asked], 0.0)))

    def narrowed(self) -> Floats:
        """Mean variance of what is asked after each candidate [m]; after one that is not open it stays the same."""
        cross = self._joint[: self._asked, self._asked :]
        own = np.maximum(np.diag(self._joint)[self._asked :], 1e-300)
        falls = np.where(self.open, np.mean(cross**2, axis=0) / own, 0.0)
        return np.maximum(self.variance - falls, 0.0)

    def take(self, candidate: int) -> None:
        """Condition on a candidate."""
        column = self._joint[:, self._asked + candidate].copy()
        self._joint -= np.outer(column, column) / max(float(column[self._asked + candidate]), 1e-300)
        self.taken[candidate] = True

    def copy(self) -> Narrowing:
        """The same, to be changed without changing this one."""
        other = object.__new__(Narrowing)
        other._asked, other._joint, other.taken = self._asked, self._joint.copy(), self.taken.copy()
        other._before = self._before
        return other


def _seed_before(candidates: Runs) -> NDArray[np.intp]:
    """For each candidate the one of its place that is listed last before it; -1 where it is the first [m]."""
    found = np.full(len(candidates.seeds), -1)
    last: dict[bytes, int] = {}
    for candidate, logs in enumerate(candidates.logs):
        found[candidate] = last.get(logs.tobytes(), -1)
        last[logs.tobytes()] = candidate
    return found


def prior_deviations(law: Law) -> Floats:
    """Standard deviation of each coordinate before any row [p]."""
    return np.array([EXPONENT_PRIOR if role in EXPONENTS else OTHER_PRIOR for role in law.roles])
