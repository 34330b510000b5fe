"""Expected variances agree with weighted least squares, and with what happens when the runs are trained."""

import numpy as np
import pytest

from scaling.laws import fit
from scaling.laws.design.asked import BEYOND, asked_of
from scaling.laws.design.narrowing import Narrowing, prior_deviations
from scaling.laws.design.run_noise import RunNoise, Runs
from scaling.laws.forms import known_laws as forms
from scaling.laws.law_errors import InputError

TRUTH = {"E": 0.22, "A": 9.0, "alpha": 0.46, "B": 10.0, "beta": 0.45}
LAW = forms.chinchilla()


def grid(sizes, data, seeds=1):
    n, d, s = (a.ravel() for a in np.meshgrid(sizes, data, np.arange(seeds, dtype=float)))
    return Runs(np.log(np.column_stack([n, d])), s)


def fitted(runs, noise=0.0, seed=0, truth=TRUTH, law=LAW):
    n, d = np.exp(runs.logs).T
    y = law.predict(truth, N=n, D=d) * np.exp(noise * np.random.default_rng(seed).normal(size=len(n)))
    return fit(law, {"N": n, "D": d}, y, delta=None, seed=seed)


PILOT = grid(np.geomspace(5e3, 5e4, 4), np.geomspace(300, 3e3, 4))
NEW = grid(np.geomspace(5e3, 2e5, 4), np.geomspace(300, 2e4, 4), seeds=2)._replace()
NEW = NEW._replace(seeds=NEW.seeds + 1)


def test_the_variance_is_that_of_generalised_least_squares_with_a_prior():
    found, noise = fitted(PILOT), RunNoise(1e-4, -0.5, 7.0, shared=0.3, place=0.2)
    family = Narrowing(found, noise, PILOT, NEW, asked_of(found, "exponents"))
    for candidate in (0, 5, 6):
        family.take(candidate)
    rows = Runs(np.vstack([PILOT.logs, NEW.logs[[0, 5, 6]]]), np.append(PILOT.seeds, NEW.seeds[[0, 5, 6]]))
    jacobian = LAW.evaluate(found.theta[None], rows.logs - found.centre).gradient()[0]
    information = jacobian.T @ np.linalg.solve(noise.among(rows), jacobian) + np.diag(prior_deviations(LAW) ** -2.0)
    covariance = np.linalg.inv(information)
    assert family.variance == pytest.approx((covariance[2, 2] + covariance[4, 4]) / 2, rel=1e-6)


def test_narrowed_says_what_take_does_and_a_copy_is_independent():
    found = fitted(PILOT)
    family = Narrowing(found, RunNoise(1e-4), PILOT, NEW, asked_of(found, "prediction"))
    expected, before = family.narrowed(), family.variance
    first, second = np.flatnonzero((NEW.logs == NEW.logs[0]).all(axis=1))
    assert expected[second] == before  # not open before the seed that is listed first
    other = family.copy()
    other.take(first)
    assert other.variance == pytest.approx(expected[first], rel=1e-9)
    assert (family.variance, other.narrowed()[first]) == (before, pytest.approx(other.variance))
    assert other.narrowed()[second] < other.variance
    assert (expected <= before).all()
    assert expected.min() < 0.9 * before


def test_seeds_of_one_place_help_less_where_the_law_itself_is_off_there():
    found = fitted(PILOT)
    asked = asked_of(found, "prediction")
    rest = {}
    for place in (0.0, 0.8):
        family = Narrowing(found, RunNoise(1e-4, place=place), PILOT, NEW, asked)
        family.take(len(NEW.seeds) - 2)
        rest[place] = family.narrowed()[-1] / family.variance  # the same place, the next seed
    np.testing.assert_allclose(NEW.logs[-1], NEW.logs[-2])
    assert rest[0.8] > rest[0.0]


def test_a_run_near_to_what_is_asked_tells_more_where_the_law_itself_is_off():
    found = fitted(PILOT)
    asked = asked_of(found, "prediction")
    np.testing.assert_allclose(asked.places, PILOT.logs.max(axis=0)[None] + np.log(BEYOND))
    told = {}
    for place in (0.0, 0.9):
        family = Narrowing(found, RunNoise(1e-3, place=place), PILOT, NEW, asked)
        told[place] = 1.0 - family.narrowed() / family.variance
    nearest = np.argmin(np.sum((NEW.logs - asked.places) ** 2, axis=1))
    share = {place: gains[nearest] / gains.max() for place, gains in told.items()}
    assert share[0.9] > share[0.0]
    # Runs at the place itself tell the response there, whatever the law does elsewhere; of the law alone they leave doubt.
    there = Runs(np.repeat(asked.places, 100, axis=0), np.arange(100.0))
    left = {}
    for places in (asked.places, None):
        family = Narrowing(found, RunNoise(1e-3, place=0.9), PILOT, there, asked._replace(places=places))
        for candidate in range(100):
            family.take(candidate)
        left[places is None] = family.variance
    assert left[False] == pytest.approx(0.1 * 1e-3 / 100, rel=0.05)
    assert left[True] > 100 * left[False]


def test_the_width_is_what_refits_show():
    asked = asked_of(fitted(NEW), "prediction")
    family = Narrowing(fitted(NEW), RunNoise(0.01**2), NEW, PILOT, asked)
    far = np.exp(NEW.logs.max(axis=0)) * BEYOND
    drawn = [np.log(fitted(NEW, 0.01, seed).predict(N=far[0], D=far[1])) for seed in range(40)]
    assert np.std(drawn) == pytest.approx(family.variance**0.5, rel=0.35)


def test_skill_is_in_units_of_persistence():
    found = fitted(PILOT)
    asked = asked_of(found, "skill")
    edge = np.exp(PILOT.logs.max(axis=0))
    at = [found.predict(N=edge[0] * a, D=edge[1] * b) for a, b in ((1, 1), (BEYOND, 1), (1, BEYOND), (BEYOND, BEYOND))]
    falls = np.log(np.array(at[1:])) - np.log(at[0])
    plain = asked_of(found, "prediction").gradients[0]
    np.testing.assert_allclose(asked.gradients[2], plain / np.sqrt(np.mean(falls**2)))


def test_a_floor_of_zero_still_leaves_a_prediction_in_doubt():
    found = fitted(PILOT, truth=TRUTH | {"E": 1e-9})
    assert found.theta[0] < np.log(1e-3)
    assert asked_of(found, "prediction").gradients[0, 0] > 0.05


def test_a_law_without_exponents_of_one_variable_cannot_be_asked_for_them():
    found = fitted(PILOT, law=forms.kaplan(), truth={"N_c": 2e4, "alpha_N": 0.3, "D_c": 900.0, "alpha_D": 0.4})
    assert found.parameters
    with pytest.raises(InputError, match="kaplan has no exponents"):
        asked_of(found, "exponents")
