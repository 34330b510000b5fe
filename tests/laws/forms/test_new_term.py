"""A term that nobody foresaw: it defines its values alone, and fits, intervals and stacks take it as it is."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from scaling.laws import fit
from scaling.laws.fitting.many import fit_many
from scaling.laws.fitting.selection import stack
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.law import Law
from scaling.laws.forms.powers import Power
from scaling.laws.forms.terms import Floats, Role, Spread, Term
from scaling.laws.intervals.curvature import standard_errors
from scaling.laws.intervals.profile import profile_intervals


@dataclass(frozen=True)
class LatePower(Term):
    """B / (x + s)^c: a power that begins at x = s. Coordinates: log B, c, log s."""

    names = ("B", "c", "s")
    separate = True
    roles = (Role.OTHER, Role.EXPONENT, Role.OTHER)

    def values(self, theta: Floats, logs: Floats) -> Floats:
        return theta[:, :1] - theta[:, 1:2] * np.logaddexp(logs[:, 0], theta[:, 2:])

    def shifted(self, theta: Floats, shift: Floats) -> Floats:
        return theta - np.stack([theta[:, 1] * shift[0], 0 * theta[:, 1], 0 * theta[:, 1] + shift[0]], axis=1)

    def publish(self, theta: Floats) -> Floats:
        return np.column_stack([np.exp(theta[:, 0]), theta[:, 1], np.exp(theta[:, 2])])

    def internal(self, public: Floats) -> Floats:
        return np.column_stack([np.log(public[:, 0]), public[:, 1], np.log(public[:, 2])])

    def bounds(self, spread: Spread) -> tuple[Floats, Floats]:
        low, high = spread.response
        left, right = spread.logs[0]
        return np.array([low - 8.0, 0.0, left - 5.0]), np.array([high + 8.0, 3.0, right])

    def starts(self, spread: Spread, rng: np.random.Generator, count: int) -> Floats:
        low, high = spread.response
        left, right = spread.logs[0]
        return np.column_stack([rng.uniform(low, high, count), rng.uniform(0.1, 1.0, count), rng.uniform(left, right, count)])


LATE = Law("late", "y = E + B / (x + s)^c", "this test", ("x",), (Power("E"), LatePower()))
TRUTH = {"E": 0.2, "B": 300.0, "c": 0.6, "s": 2e4}


def noisy(seed: int) -> tuple[dict[str, Floats], Floats]:
    x = np.geomspace(1e3, 1e6, 40)
    return {"x": x}, LATE.predict(TRUTH, x=x) * np.exp(0.002 * np.random.default_rng(seed).normal(size=len(x)))


def test_derivatives_are_those_of_the_formula() -> None:
    theta, logs = np.array([[0.3, 0.6, -0.5], [5.0, 1.2, 2.0]]), np.linspace(-2.0, 2.0, 7)[:, None]
    curve = LatePower().evaluate(theta, logs)
    share = 1 / (1 + np.exp(logs[:, 0] - theta[:, 2:]))  # of s in x + s
    c = theta[:, 1:2]
    exact = np.stack([np.ones_like(share), -np.logaddexp(logs[:, 0], theta[:, 2:]), -c * share], axis=2)
    assert np.abs(curve.gradient - exact).max() < 1e-8
    hessian = np.zeros((2, 7, 3, 3))
    hessian[..., 1, 2] = hessian[..., 2, 1] = -share
    hessian[..., 2, 2] = -c * share * (1 - share)
    assert np.abs(curve.hessian - hessian).max() < 1e-6


def test_a_known_curve_is_recovered() -> None:
    data, _ = noisy(0)
    found = fit(LATE, data, LATE.predict(TRUTH, **data))
    assert found.status == "converged"
    assert {name: pytest.approx(value, rel=1e-3) for name, value in found.parameters.items()} == TRUTH


def test_errors_and_profile_intervals_hold_the_truth() -> None:
    data, y = noisy(1)
    found = fit(LATE, data, y, delta=None)
    assert set(standard_errors(found)) == set(TRUTH)
    intervals, reasons = profile_intervals(found, 0.999)
    assert reasons == {}
    for name, value in TRUTH.items():
        assert intervals[name][0] < value < intervals[name][1]


def test_stacks_and_many_tables_take_it() -> None:
    data, y = noisy(2)
    far = np.array([3e6])
    assert stack(data, y, laws=(LATE,)).predict(x=far) == pytest.approx(LATE.predict(TRUTH, x=far), rel=0.03)
    (one,) = fit_many(LATE, [(data, y)], delta=None)
    assert one.parameters == fit(LATE, data, y, delta=None, starts=4).parameters


def test_a_term_that_defines_nothing_says_so() -> None:
    class Empty(Term):
        pass

    with pytest.raises(NotImplementedError, match="Empty defines neither values nor evaluate"):
        Empty().values(np.zeros((1, 1)), np.zeros((2, 1)))


def test_what_is_known_of_an_exponent_does_not_depend_on_its_name() -> None:
    """Nine rows, where the prior decides: Chinchilla's form with other names extrapolates to the same value."""
    terms = (Power("floor"), Power("a", ("zeta",), (0,)), Power("b", ("eta",), (1,)))
    renamed = replace(forms.chinchilla(), name="renamed", terms=terms)
    n, d = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e8, 3), np.geomspace(2e8, 2e9, 3)))
    y = (1.7 + 400 * n**-0.32 + 900 * d**-0.32) * np.exp(0.005 * np.random.default_rng(0).normal(size=9))
    ours, theirs = (stack({"N": n, "D": d}, y, laws=(law,)).predict(N=1e9, D=2e10) for law in (renamed, forms.chinchilla()))
    assert ours == theirs
