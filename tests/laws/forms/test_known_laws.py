"""Every law: exact derivatives, coordinates that mean the same curve, and what its formula says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling.laws import law_named
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.catalogue import NAMES
from scaling.laws.forms.terms import Spread

LAWS = [law_named(name, ceiling=0.9) for name in NAMES]
SPREAD = Spread(np.log([0.1, 0.8]), np.array([[-2.0, 2.0], [-2.5, 2.5]]))


def somewhere(law: forms.Law, seed: int, count: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Random coordinates and centred logs."""
    rng = np.random.default_rng(seed)
    theta = law.starts(SPREAD, rng, count)
    logs = rng.uniform(-2.0, 2.0, (6, len(law.variables)))
    return theta, logs


STEP = 1e-5


def inside(law: forms.Law, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random coordinates at which, and a step beside which, the law has a value: the logarithmic rival ends somewhere."""
    theta, logs = somewhere(law, seed, 200)
    steps = STEP * np.concatenate([np.zeros((1, theta.shape[1])), np.eye(theta.shape[1]), -np.eye(theta.shape[1])])
    beside = np.stack([np.isfinite(law.log_values(theta + step, logs)).all(axis=1) for step in steps])
    theta = theta[beside.all(axis=0)][:3]
    assert len(theta) == 3
    return theta, logs


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_derivatives_are_exact(law: forms.Law, seed: int) -> None:
    theta, logs = inside(law, seed)
    prediction = law.evaluate(theta, logs)
    coefficients = np.random.default_rng(seed).normal(size=prediction.value.shape)
    gradient = prediction.gradient()
    hessian = prediction.curvature(np.zeros_like(coefficients), coefficients)
    assert np.allclose(prediction.pulled(coefficients), np.einsum("bn,bnp->bp", coefficients, gradient))
    squares = np.einsum("bn,bnp,bnq->bpq", coefficients, gradient, gradient)
    both = prediction.curvature(coefficients, coefficients)
    assert np.allclose(both, squares + hessian, atol=1e-9 * (1 + np.abs(both).max()))
    for j in range(theta.shape[1]):
        shift = np.zeros(theta.shape[1])
        shift[j] = STEP
        above, below = law.evaluate(theta + shift, logs), law.evaluate(theta - shift, logs)
        slope = (above.value - below.value) / (2 * STEP)
        scale = 1.0 + np.abs(gradient[..., j])
        assert np.abs(slope - gradient[..., j]).max() < 1e-5 * scale.max()
        row = np.einsum("bn,bnp->bp", coefficients, above.gradient() - below.gradient()) / (2 * STEP)
        assert np.allclose(row, hessian[:, j], rtol=1e-4, atol=1e-4 * (1 + np.abs(hessian).max()))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_value_alone_agrees_with_value_and_derivatives(law: forms.Law) -> None:
    theta, logs = somewhere(law, 5)
    assert np.allclose(law.log_values(theta, logs), law.evaluate(theta, logs).value, equal_nan=True)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=12, deadline=None)
def test_a_change_of_centre_changes_no_prediction(law: forms.Law, seed: int) -> None:
    theta, logs = somewhere(law, seed)
    shift = np.random.default_rng(seed + 1).uniform(-3, 3, logs.shape[1])
    shift[2:] = shift[1:2]  # unique data has the centre of the data seen
    moved = law.log_values(law.shifted(theta, shift), logs - shift)
    assert np.allclose(moved, law.log_values(theta, logs), rtol=1e-8, atol=1e-8, equal_nan=True)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_public_parameters_and_coordinates_are_inverse(law: forms.Law) -> None:
    theta, _ = somewhere(law, 3)
    centre = np.full(len(law.variables), 1.3)
    assert np.allclose(law.internal(law.publish(theta, centre), centre), theta, rtol=1e-8, atol=1e-8)


def test_chinchilla_is_its_formula() -> None:
    n, d = np.array([1e3, 1e5]), np.array([300.0, 9e3])
    value = forms.chinchilla().predict({"E": 0.3, "A": 8.0, "alpha": 0.4, "B": 12.0, "beta": 0.5}, N=n, D=d)
    assert np.allclose(value, 0.3 + 8.0 / n**0.4 + 12.0 / d**0.5)


def test_kaplan_is_its_formula() -> None:
    p = {"N_c": 8.8e13, "alpha_N": 0.076, "D_c": 5.4e13, "alpha_D": 0.095}
    n, d = np.array([1e6, 1e9]), np.array([1e8, 1e10])
    expected = ((p["N_c"] / n) ** (p["alpha_N"] / p["alpha_D"]) + p["D_c"] / d) ** p["alpha_D"]
    assert np.allclose(forms.kaplan().predict(p, N=n, D=d), expected)


def test_broken_power_is_its_formula() -> None:
    p = {"E": 0.1, "b": 5.0, "c0": 0.2, "c1": 0.4, "d1": 1e4, "f1": 0.5}
    x = np.geomspace(1e2, 1e6, 7)
    expected = 0.1 + 5.0 * x**-0.2 * (1 + (x / 1e4) ** 2.0) ** (-0.4 * 0.5)
    assert np.allclose(forms.broken(1).predict(p, x=x), expected)


def test_saturating_solves_its_equation() -> None:
    p = {"E": 0.1, "W": 0.85, "a": 0.7, "B": 40.0, "c": 0.5}
    x = np.geomspace(1e1, 1e7, 9)
    y = forms.saturating().predict(p, x=x)
    assert np.allclose(np.log((y - 0.1) / (0.95 - y) ** 0.7), np.log(40.0 * x**-0.5), atol=1e-6)


@given(n=st.floats(1, 1e9), d=st.floats(1, 1e9), sharpness=st.sampled_from([1.0, 2.0, 3.0]), e=st.floats(1e-3, 5.0))
def test_bounded_stays_below_its_ceiling(n: float, d: float, sharpness: float, e: float) -> None:
    law = forms.bounded(0.9, sharpness)
    value = law.predict({"E": e, "A": 50.0, "alpha": 0.4, "B": 90.0, "beta": 0.5}, N=n, D=d)
    assert 0 < value <= 0.9


def test_errors_quote_the_value() -> None:
    with pytest.raises(ValueError, match="ceiling is -1; it must be positive"):
        forms.bounded(-1)
    with pytest.raises(ValueError, match="did you mean chinchilla"):
        law_named("chinchila")
    with pytest.raises(ValueError, match="needs the ceiling"):
        law_named("bounded")
    with pytest.raises(ValueError, match="chinchilla needs D"):
        forms.chinchilla().predict({"E": 1, "A": 1, "alpha": 1, "B": 1, "beta": 1}, N=np.ones(2))
