"""From runs to evidence: the fit of every family, its resamples, and its skill at predicting larger runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scaling.analysis.usable_runs import Cells
from scaling.laws.fitting.fitted import Fit
from scaling.laws.fitting.holdout import Origin, predict_splits, rolling_splits
from scaling.laws.fitting.solver import fit
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.bootstrap import refit
from scaling.laws.intervals.noise import Noise, Residuals, draw_noise, estimate_noise, seed_variance

HOLDOUT_DRAWS = 200
"""Resamples of the table for which the held-out predictions are made again (assumption)."""

ENOUGH_REPEATS = 10
"""Degrees of freedom between seeds from which on they give the noise (assumption). The residuals, which give it otherwise, also
contain the law's misfit. Contrasts of skill include the error of a noise estimated from so few."""


@dataclass(frozen=True)
class Judged:
    """A family's fit of one response, and resamples of it.

    Attributes:
        cells: what was fitted.
        found: the fit.
        noise: of all families together.
        draws: coordinates [B, p] of refits to resamples with the spread of the residuals; None where nothing was fitted.
        simulated: log responses [B, n] of a family that follows this law, with the noise between seeds if that is known.
        spreads: log of the noise estimated from each of these, minus that of the noise they were drawn with [B].
    """

    cells: Cells
    found: Fit
    noise: Noise
    draws: Floats | None
    simulated: Floats | None
    spreads: Floats | None


@dataclass(frozen=True)
class Held:
    """Held-out predictions from one kind of origin.

    Attributes:
        origin: what is larger in the runs predicted: params, images or both.
        rows: indices of the runs predicted [m].
        observed, predicted, persistence: log responses [m].
        squares: sums of squared errors of prediction and persistence [2]; drawn: the same of the resamples [2, B].
        near: the same of the runs and then of the resamples, if every refit starts from the fit to the whole table [2, 1 + B].
        reason: why there are no predictions, or None.
    """

    origin: Origin
    rows: np.ndarray
    observed: Floats
    predicted: Floats
    persistence: Floats
    squares: Floats
    drawn: Floats
    near: Floats
    reason: str | None


@dataclass(frozen=True)
class Skill:
    """Skill over all origins together: 1 - RMSE / RMSE of persistence.

    Attributes:
        value: the skill, or None.
        draws: log(1 - skill) of the resamples [B].
        near: log(1 - skill) of the runs and then of the resamples, if every refit starts from the fit to the whole table
            [1 + B]. It is what families are compared by: the skill itself also depends on whether the fit to a small grid has
            jumped to an optimum far away, which the runs do more often than resamples.
        reason: why there is no value.
    """

    value: float | None
    draws: Floats | None
    near: Floats | None
    reason: str | None


def fit_families(families: Sequence[Cells], law: Law, seed: int) -> tuple[list[Fit], Noise]:
    """Fit each family, estimate the noise from all residuals together, and fit again with its weights.

    Args:
        families: one response of each.
        law: of N and D, the same for all.
        seed: of starts.
    """

    def fitted(cells: Cells, weights: Floats | None) -> Fit:
        return fit(law, {"N": cells.params, "D": cells.images}, cells.y, weights, delta=None, seed=seed)

    first = [fitted(cells, None) for cells in families]
    noise = estimate_noise([left_over(cells, found) for cells, found in zip(families, first, strict=True) if found.parameters])
    return [fitted(cells, noise.weights(cells.images) if len(cells.keys) else None) for cells in families], noise


def judge_families(families: Sequence[Cells], law: Law, *, seed: int, resamples: int) -> Iterator[Judged]:
    """Fit each family, estimate the noise from all residuals together, fit again with its weights, and resample.

    The resamples of different families share the draws of each (seed, D), so that their differences are paired. Families are
    yielded one by one, so that the caller need not keep the resamples of all in memory.

    Args:
        families: one response of each.
        law: of N and D, the same for all.
        seed: of starts and resamples; resamples: number B.
    """

    fits, noise = fit_families(families, law, seed)
    shared = shared_draws(families, seed, resamples)
    for index, (cells, found) in enumerate(zip(families, fits, strict=True)):
        if not found.parameters:
            yield Judged(cells, found, noise, None, None, None)
            continue
        group = left_over(cells, found)
        errors = draw_noise(group, noise, shared, np.random.default_rng([seed, index]), resamples)
        variance, repeats = seed_variance(group, cells.params, noise)
        clean = found.log_y - found.residuals
        draws = refit(found, clean + errors)
        if repeats >= ENOUGH_REPEATS:
            simulated = draw_noise(group, noise, shared, np.random.default_rng([seed, index]), resamples, variance)
            spreads = _seed_spreads(group, cells.params, noise, simulated)
        else:
            simulated, spreads = errors, _spreads(found, draws, clean + errors, noise.weights(cells.images))
        yield Judged(cells, found, noise, draws, clean + simulated, spreads - np.median(spreads))


def _spreads(found: Fit, draws: Floats, log_y: Floats, weights: Floats) -> Floats:
    """Log of the root mean square residual of each refit [B]."""
    left = log_y - found.law.log_values(draws, found.logs)
    return 0.5 * np.log(np.mean(weights * left**2, axis=1))


def _seed_spreads(group: Residuals, params: Floats, noise: Noise, errors: Floats) -> Floats:
    """Log of the spread between seeds in each draw of errors [B]."""
    shown = [seed_variance(group._replace(residuals=row), params, noise)[0] for row in errors]
    return 0.5 * np.log(np.maximum(shown, 1e-300))


def left_over(cells: Cells, found: Fit) -> Residuals:
    """Residuals [n] of a fit, with the gradient [n, p] of its prediction in coordinates centred at 0.

    Args:
        cells: the runs [n] that were fitted; found: their fit.
    """
    theta = found.law.shifted(found.theta[None], -found.centre)
    jacobian = found.law.evaluate(theta, found.logs + found.centre).gradient()[0]
    return Residuals(found.residuals, cells.images, cells.seeds, jacobian)


def shared_draws(families: Sequence[Cells], seed: int, resamples: int) -> dict[tuple[float, float], Floats]:
    """Standard normal draws [B] for every (seed, D) of the study: the noise that all its families share.

    Args:
        families: the runs of each.
        seed: of the draws; resamples: their number B.
    """
    rng = np.random.default_rng(seed)
    pairs = sorted({(float(s), float(d)) for cells in families for s, d in zip(cells.seeds, cells.images, strict=True)})
    return {pair: rng.standard_normal(resamples) for pair in pairs}


def hold_out(one: Judged, origin: Origin) -> Held:
    """Predict the larger runs of a family from its smaller ones, and again for each of its resamples.

    Args:
        one: the family with its fit and resamples.
        origin: what the held-out runs have more of: params, images or both.

    Returns:
        Observed and predicted log responses of the held-out runs; a reason and no runs where the grid is too small.
    """
    cells, found = one.cells, one.found
    splits = rolling_splits(found.law, cells.params, cells.images, cells.seeds, origin) if found.parameters else []
    if not splits:
        n, d = len(np.unique(cells.params)), len(np.unique(cells.images))
        nothing = np.zeros(0)
        grid = f"{n} size{'s' * (n != 1)} x {d} data size{'s' * (d != 1)}"
        reason = f"too few cells: {grid} cannot be split into a grid to learn from and one to predict"
        return Held(
            origin, nothing.astype(int), nothing, nothing, nothing, np.zeros(2), np.zeros((2, 0)), np.zeros((2, 1)), reason
        )
    predicted = predict_splits(found, cells.logs, None, splits, delta=found.delta)[0]
    rows = np.concatenate([split.test for split in splits])
    nearest = np.concatenate([split.nearest for split in splits])
    observed, persistence = found.log_y[rows], found.log_y[nearest]
    assert one.simulated is not None  # only a fitted family has splits
    again = one.simulated[:HOLDOUT_DRAWS]
    both = np.concatenate([found.log_y[None], again])
    base = np.sum((both[:, nearest] - both[:, rows]) ** 2, axis=1)
    near = predict_splits(found, cells.logs, both, splits, delta=found.delta, near=True) - both[:, rows]
    errors = predict_splits(found, cells.logs, again, splits, delta=found.delta) - again[:, rows]
    squares = np.array([np.sum((predicted - observed) ** 2), base[0]])
    drawn = np.stack([np.sum(errors**2, axis=1), base[1:]])
    return Held(origin, rows, observed, predicted, persistence, squares, drawn, np.stack([np.sum(near**2, axis=1), base]), None)


def skill_of(held: Sequence[Held]) -> Skill:
    """Skill of several kinds of origin together: their squared errors are summed."""
    kept = [one for one in held if one.reason is None]
    if not kept:
        return Skill(None, None, None, held[0].reason)
    squares, drawn, near = (np.sum([getattr(one, part) for one in kept], axis=0) for part in ("squares", "drawn", "near"))
    return Skill(1.0 - float(np.sqrt(squares[0] / squares[1])), log_error_ratio(drawn), log_error_ratio(near), None)


def log_error_ratio(squares: Floats) -> Floats:
    """log(RMSE / RMSE of persistence) [...] of sums of squares [2, ...]: its errors are more symmetric than those of skill."""
    return 0.5 * np.log(np.maximum(squares[0], 1e-300) / np.maximum(squares[1], 1e-300))
