"""What a fit is: a law's parameters on one table, how sure it is that they are the optimum, and what is left over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from scaling.laws.fitting.newton import HuberProblem
from scaling.laws.fitting.points import huber_problem
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats

Status = Literal["converged", "at-bound", "not-identifiable", "too-few-cells", "failed"]

EXACT: Final = 1e-9
"""Log residual below which data lie on the law: what is left there is rounding."""


def status_in_words(status: str) -> str:
    """A fit's ``status`` as pages say it: too-few-cells is told as "too few cells"."""
    return status.replace("-", " ")


@dataclass(frozen=True)
class Certificate:
    """Evidence that an optimum is one.

    Attributes:
        gradient: norm of the objective's gradient over the coordinates that are not at a bound.
        decrement: Newton's decrement relative to the objective: the gain that another step would bring.
        starts: random starts tried.
        share: share of them that reached the best objective to within 1e-8 of it.
        condition: condition number of the Hessian, scaled to a unit diagonal, over the free coordinates.
        sample: the rows that the starts were tried on, if that is not the whole table; None otherwise.
    """

    gradient: float
    decrement: float
    starts: int
    share: float
    condition: float
    sample: str | None = None


@dataclass(frozen=True)
class Fit:
    """A law fitted to a table.

    Attributes:
        law: the form.
        status: what the parameters may be used for.
        reasons: parameter, or "all" -> why it is not determined.
        parameters: public name -> value; empty where nothing could be fitted.
        objective: sum of weight * Huber(delta) over log residuals.
        delta: Huber's delta in log units.
        residuals: log observed minus log predicted [n].
        rows: rows fitted.
        certificate: evidence, or None where nothing was fitted.
        seconds: wall time.
        theta: internal coordinates [p]; centre: of the log variables [k]; logs: centred [n, k]; log_y, weights: [n].
    """

    law: Law
    status: Status
    reasons: dict[str, str]
    parameters: dict[str, float]
    objective: float
    delta: float
    residuals: Floats
    rows: int
    certificate: Certificate | None
    seconds: float
    theta: Floats = field(repr=False)
    centre: Floats = field(repr=False)
    logs: Floats = field(repr=False)
    log_y: Floats = field(repr=False)
    weights: Floats = field(repr=False)

    def predict(self, **variables: ArrayLike) -> Floats:
        """Response at the law's variables, in their broadcast shape.

        Raises:
            ValueError: if a variable is missing, or nothing was fitted.
        """
        return self.law.predict(self.parameters, **{k: np.asarray(v, float) for k, v in variables.items()})

    def problem(self) -> HuberProblem:
        """The minimisation that this fit solved, for resampling and profiling."""
        return huber_problem(self.law, self.logs, self.log_y, self.delta)


def noise_scale(found: Fit) -> float:
    """Variance by which a difference of objectives is divided to compare it with chi-squared.

    Without clipped residuals this is the residual variance on n - p degrees of freedom. In general it is Sum psi^2 / (n - p)
    divided by the mean of psi', times a small-sample factor (Huber and Ronchetti 2009, sections 7.6 and 7.10). Data that lie
    on the law are taken to miss it by rounding, so that an interval is tight, not absent.
    """
    clipped = np.clip(found.residuals, -found.delta, found.delta)
    active = found.weights > 0
    spare = max(int(active.sum()) - len(found.theta), 1)
    inside = inside_share(found)
    # Huber's small-sample factor K = 1 + p / n Var(psi') / E(psi')^2.
    factor = (1.0 + len(found.theta) / active.sum() * (1.0 - inside) / inside) ** 2
    return max(float(np.sum(found.weights * clipped**2) / spare / inside * factor), EXACT**2)


def inside_share(found: Fit) -> float:
    """Share of the rows whose residuals lie inside delta, at least that of one row."""
    active = found.weights > 0
    inside = float(np.mean(np.abs(found.residuals[active]) <= found.delta))
    return max(inside, 1.0 / max(int(active.sum()), 1))
