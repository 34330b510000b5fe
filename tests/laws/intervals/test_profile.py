"""Profile intervals cover, close where the table identifies, and say so where it does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from scaling.laws import fit
from scaling.laws.fitting.newton import minimise
from scaling.laws.fitting.points import huber_problem
from scaling.laws.forms import known_laws as forms
from scaling.laws.intervals.profile import (
    origin_problem,
    prediction_ends,
    prediction_intervals,
    profile_ends,
    profile_intervals,
)

TRUTH = {"E": 0.22, "A": 9.0, "alpha": 0.46, "B": 10.0, "beta": 0.45}


def noisy(sizes: int, noise: float, seed: int, decades: float = 2.0) -> tuple[dict[str, np.ndarray], np.ndarray]:
    n, d = np.meshgrid(np.geomspace(3e3, 3e3 * 10**decades, sizes), np.geomspace(300, 3e4, sizes))
    data = {"N": n.ravel(), "D": d.ravel()}
    y = forms.chinchilla().predict(TRUTH, **data)
    return data, y * np.exp(noise * np.random.default_rng(seed).normal(size=len(y)))


@pytest.mark.parametrize(("sizes", "heavy"), [(4, False), (5, True)])
def test_intervals_cover(sizes: int, heavy: bool) -> None:
    """300 tables at once; binomial noise puts coverage of a true 95 % within 0.91 and 0.985."""
    law, rng, count = forms.chinchilla(), np.random.default_rng(7), 300
    data, _ = noisy(sizes, 0.0, 0)
    raw = np.log(np.column_stack([data["N"], data["D"]]))
    centre = raw.mean(axis=0)
    theta = law.internal(np.array([list(TRUTH.values())]), centre)
    clean = law.log_values(theta, raw - centre)[0]
    rows = len(clean)
    errors = rng.standard_t(4, (count, rows)) / np.sqrt(2) if heavy else rng.normal(size=(count, rows))
    log_y = clean + 0.01 * errors
    problem = huber_problem(law, raw - centre, log_y, 1.0)
    weights = np.ones(rows)
    found = minimise(problem, np.repeat(theta, count, axis=0), weights)
    spare = rows - 5
    rise = student.ppf(0.975, spare) ** 2 * found.objective / spare
    low, high = profile_ends(problem, found.theta, weights, rise, (2, 4))
    for i, name in enumerate(("alpha", "beta")):
        covered = np.mean((low[:, i] <= TRUTH[name]) & (TRUTH[name] <= high[:, i]))
        assert 0.91 <= covered <= 0.985, (name, covered)
    place = raw.max(axis=0) + np.log(10.0) - centre
    truth = law.log_values(theta, place[None])[0, 0]
    low, high = prediction_ends(problem, found.theta, weights, rise, place)
    assert 0.91 <= np.mean((low <= truth) & (truth <= high)) <= 0.985


def test_ends_lie_where_the_objective_has_risen() -> None:
    data, y = noisy(5, 0.01, 3)
    found = fit(forms.chinchilla(), data, y, delta=None)
    problem, theta = origin_problem(found)
    rise = np.array([2e-4])
    low, high = profile_ends(problem, theta[None], found.weights, rise, (2,))
    for end in (low[0, 0], high[0, 0]):
        start = theta.copy()
        start[2] = end
        held = minimise(problem, start[None], found.weights, frozen=np.arange(5) == 2)
        assert held.objective[0] - found.objective == pytest.approx(rise[0], rel=5e-3)


def test_prediction_interval_contains_the_fit_and_widens_away_from_the_data() -> None:
    data, y = noisy(5, 0.01, 4)
    found = fit(forms.chinchilla(), data, y, delta=None)
    n, d = np.array([3e4, 3e6]), np.array([3e3, 3e5])
    low, high = prediction_intervals(found, N=n, D=d)
    value = found.predict(N=n, D=d)
    assert ((low < value) & (value < high)).all()
    assert np.log(high / low)[1] > 3 * np.log(high / low)[0]


def test_a_narrow_range_of_sizes_identifies_no_exponent() -> None:
    data, y = noisy(4, 0.03, 5, decades=0.1)
    intervals, reasons = profile_intervals(fit(forms.chinchilla(), data, y, delta=None))
    assert intervals["alpha"] is None
    assert reasons["alpha"].startswith("not identifiable: other values")
    assert intervals["beta"] is not None


def test_no_fit_no_interval() -> None:
    found = fit(forms.chinchilla(), {"N": np.array([1e3, 1e4]), "D": np.array([1e3, 1e4])}, np.array([1.0, 0.5]))
    intervals, reasons = profile_intervals(found)
    assert set(intervals.values()) == {None}
    assert reasons["alpha"] == "not fitted: 2 rows; 6 are needed for 5 parameters"


def test_other_laws_are_referred_to_the_bootstrap() -> None:
    x = np.geomspace(1e3, 1e6, 30)
    found = fit(forms.exponential(), {"x": x}, 0.2 + np.exp(-x / 3e4))
    with pytest.raises(ValueError, match="exponential has a parameter that cannot be profiled"):
        profile_intervals(found)
