"""Candidates of a stack: the forms, what is known of their coordinates before the fit, and their fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scaling.laws.fitting.newton import HUBER_EFFICIENCY, MAD, minimise
from scaling.laws.fitting.points import huber_problem, spread_of
from scaling.laws.fitting.projection import project
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.law import Law
from scaling.laws.forms.rates import rated, rated_kaplan, rated_tied
from scaling.laws.forms.terms import Floats, Role

STARTS = 6
"""Random starts of the fit to all rows (assumption: the priors leave few local minima)."""
WARM = 3
"""Starts of each fit to a part of the rows (assumption): the best fits to all rows."""
CURVE_EMPHASES = (1.0, 2.0, 3.0)
"""Emphases on large x of a curve: at twice the x a row has 2, 4 or 8 times the weight (assumption)."""
GRID_EMPHASES = (0.0, 0.5, 1.0)
"""Emphases on large D of a grid (assumption): smaller ones, since all of its few levels of D are needed to find beta."""
FREE_CEILINGS = ((1.01, 1.0), (1.01, 2.0), (1.01, 3.0), (1.3, 1.0), (1.3, 2.0))
"""Ceilings that are tried where none was given, as factors of the largest response, and their sharpness (assumption): the
largest responses may be those of a model that has learnt nothing."""
KNOWN_SHARPNESS = (1.0, 2.0, 3.0)
"""Sharpness tried of a known ceiling (assumption): about that of Rosenfeld et al. 2020, which is 2."""
PRIORS = {
    Role.EXPONENT: (0.4, 0.2),
    Role.PRODUCT_EXPONENT: (0.2, 0.2),
    Role.SIDE_EXPONENT: (0.0, 0.1),
    Role.DRIFT: (0.0, 0.03),
    Role.OVERFITTING_EXPONENT: (0.7, 0.4),
    Role.PASSES_EXPONENT: (1.5, 1.0),
    Role.LOG_WORTHWHILE_PASSES: (float(np.log(15.0)), 1.0),
    Role.LOG_DATA_SCALE: (0.4, 0.2),
    Role.BEST_RATE_EXPONENT: (0.0, 0.4),
}
"""Mean and standard deviation of a coordinate by its role, for laws of N and D. Assumptions: exponents of published laws lie
between 0.2 and 0.7; overfitting grows about with the square root of N / U; D_c lies near the middle of the data. Muennighoff et
al. 2023 found that data are worth little after 15 passes. Best rates go with N^-0.7 D^0.3 (Li et al. 2025) or hardly change."""
TEMPER = 2.0
"""Factor by which a prior's standard deviation is narrowed (assumption): residuals of a law that is not quite true are alike in
neighbouring rows, so that the rows tell less than their number suggests."""
LOOSE = 0.1
"""Standard deviation of the noise for which priors count in the first search (assumption), before the noise is known."""
LEAST_SPREAD = 1e-6
"""Standard deviation of residuals, in log units, below which rounding decides."""
ITERATIONS = 80
"""Most steps of a search: enough to predict with, whatever a longer one would still move."""


def curve_laws(ceiling: float | None) -> tuple[Law, ...]:
    """Forms for a curve in one variable; bounded ones only where a ceiling is known."""
    plain = (forms.power(), forms.power_floor(), forms.power_shifted())
    if ceiling is None or not np.isfinite(ceiling):
        return plain
    return (*plain, forms.power_bounded(ceiling, 1.0), forms.power_bounded(ceiling, 2.0))


def grid_laws(ceiling: float | None, largest: float) -> tuple[Law, ...]:
    """Forms for a grid of N and D.

    Args:
        ceiling: of the response; infinite where there is none; None where it is not known, which tries several.
        largest: largest response.
    """
    plain = (forms.chinchilla(), forms.tied(), forms.kaplan_floor(), forms.drifting())
    if ceiling is None:
        free = (replace(forms.bounded(factor * largest, sharpness), levels=2) for factor, sharpness in FREE_CEILINGS)
        return (*plain, *free)
    if not np.isfinite(ceiling):
        return plain
    return (*plain, *(forms.bounded(ceiling, sharpness) for sharpness in KNOWN_SHARPNESS))


def unique_laws() -> tuple[Law, ...]:
    """Forms for N, D and unique data U, some of which do not use U."""
    three = (forms.repeated(), forms.overfitting(), forms.unique_power(), forms.unique_tied())
    return (forms.chinchilla(), forms.tied(), forms.kaplan_floor(), *three)


def rated_laws() -> tuple[Law, ...]:
    """Forms for N, D and the learning rate, some of which do not use the rate."""
    return (forms.chinchilla(), forms.tied(), forms.kaplan_floor(), rated(), rated_tied(), rated_kaplan())


def emphasised(size: Floats, train: np.ndarray, emphasis: float) -> Floats:
    """Weights [n] in proportion to exp(emphasis x size), with mean 1 over the rows ``train`` and 0 elsewhere."""
    weights = np.where(train, np.exp(emphasis * (size - size[train].max())), 0.0)
    return weights / weights[train].mean()


def fit_jobs(law: Law, logs: Floats, log_y: Floats, weights: Floats, rng: np.random.Generator) -> Floats:
    """Coordinates [J, p] of the fits with J weightings: robust, and with priors.

    A first search, for the mean of all weightings, has random starts; its best ends are the starts for each weighting.

    Args:
        law: the form.
        logs: centred logs [n, k]; log_y: log response [n]; weights: [J, n].
        rng: of the starts.
    """
    starts = law.starts(spread_of(logs, log_y), rng, STARTS)
    mean = weights.mean(axis=0)
    wide = huber_problem(law, logs, log_y, 1.0)
    centre, sd = _prior(law)
    loose = wide._replace(prior=(centre, (LOOSE / sd) ** 2))
    first = minimise(loose, project(law, starts, logs, log_y, mean), mean, tolerance=1e-6, iterations=ITERATIONS)
    warm = first.theta[np.argsort(np.where(np.isfinite(first.objective), first.objective, np.inf))[:WARM]]
    jobs = len(weights)
    each, every = np.repeat(np.arange(jobs), len(warm)), np.tile(warm, (jobs, 1))
    found = minimise(loose, every, weights[each], tolerance=1e-6, iterations=ITERATIONS)
    best = found.theta[_best_of(found.objective, jobs)]
    spread = residual_spread(law, best, logs, log_y, weights)
    robust = wide._replace(delta=HUBER_EFFICIENCY * spread[each][:, None], prior=(centre, ((spread[:, None] / sd) ** 2)[each]))
    found = minimise(robust, found.theta, weights[each], tolerance=1e-8, iterations=ITERATIONS)
    return found.theta[_best_of(found.objective, jobs)]


def residual_spread(law: Law, theta: Floats, logs: Floats, log_y: Floats, weights: Floats) -> Floats:
    """Robust standard deviation [J] of the log residuals of J fits over the rows of positive weight.

    Args:
        law: the form; theta: coordinates [J, p].
        logs: centred logs [n, k]; log_y: log response [n]; weights: [J, n].
    """
    residuals = np.where(weights > 0, log_y - law.log_values(theta, logs), np.nan)
    used = (weights > 0).sum(axis=1)
    spread = MAD * np.nanmedian(np.abs(residuals), axis=1)
    return np.maximum(spread * np.sqrt(used / np.maximum(used - len(law.parameters), 1)), LEAST_SPREAD)


def prior_precision(law: Law, spread: float) -> Floats:
    """Precision [p] of a law's prior in units of the objective, given the standard deviation of the noise."""
    return (spread / _prior(law)[1]) ** 2


def _prior(law: Law) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each coordinate; infinite where nothing is known."""
    mean, sd = np.zeros(len(law.parameters)), np.full(len(law.parameters), np.inf)
    for i, role in enumerate(law.roles):
        if role in PRIORS and "x" not in law.variables:
            mean[i], sd[i] = PRIORS[role][0], PRIORS[role][1] / TEMPER
    return mean, sd


def _best_of(objective: Floats, jobs: int) -> np.ndarray:
    """Row of the best start of each job."""
    table = objective.reshape(jobs, -1)
    return np.argmin(table, axis=1) + np.arange(jobs) * table.shape[1]


def complexity(laws: Sequence[Law]) -> int:
    """Parameters of the smallest law."""
    return min(len(law.parameters) for law in laws)
