"""The solver finds the true optimum, says how sure it is, and refuses what it cannot fit."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from scaling.laws import fit
from scaling.laws.fitting.newton import huber
from scaling.laws.fitting.solver import path
from scaling.laws.forms import known_laws as forms
from scaling.laws.intervals.bootstrap import pair_counts, pairs

CHINCHILLA = Path(os.environ.get("SCALING_BENCHMARK_DATA", "benchmarks/data")) / "chinchilla_245.csv"
needs_chinchilla = pytest.mark.skipif(not CHINCHILLA.is_file(), reason="set SCALING_BENCHMARK_DATA")


def grid(sizes: int = 5, seeds: int = 1) -> dict[str, np.ndarray]:
    n, d = np.meshgrid(np.geomspace(3e3, 3e5, sizes), np.geomspace(300, 3e4, sizes))
    return {"N": np.tile(n.ravel(), seeds), "D": np.tile(d.ravel(), seeds)}


@given(
    e=st.floats(0.05, 0.5),
    alpha=st.floats(0.2, 0.9),
    beta=st.floats(0.2, 0.9),
    share=st.floats(0.2, 2.0),
    data_share=st.floats(0.2, 2.0),
)
@settings(max_examples=25, deadline=None)
def test_noise_free_laws_are_recovered(e: float, alpha: float, beta: float, share: float, data_share: float) -> None:
    data = grid()
    # amplitudes such that no term drowns: A / N^alpha is `share` at the middle of the grid
    truth = {"E": e, "A": share * 3e4**alpha, "alpha": alpha, "B": data_share * 3e3**beta, "beta": beta}
    for law in (forms.chinchilla(), forms.bounded(2.3)):
        found = fit(law, data, law.predict(truth, **data))
        assert found.status == "converged"
        for name, value in truth.items():
            assert found.parameters[name] == pytest.approx(value, rel=1e-4), (law.name, name)


@pytest.mark.parametrize(
    ("law", "truth"),
    [
        (forms.power(), {"B": 4.0, "c": 0.3}),
        (forms.power_floor(), {"E": 0.2, "B": 4.0, "c": 0.3}),
        (forms.power_shifted(), {"beta": 4.0, "c": 0.3, "gamma": 1e-5}),
        (forms.saturating(), {"E": 0.1, "W": 0.85, "a": 0.7, "B": 40.0, "c": 0.5}),
        (forms.broken(1), {"E": 0.1, "b": 2.0, "c0": 0.1, "c1": 0.5, "d1": 3e4, "f1": 0.3}),
        (forms.exponential(), {"E": 0.2, "A": 1.0, "tau": 3e4}),
        (forms.logarithmic(), {"A": 1.5, "B": 0.08}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_curves_of_one_variable_are_recovered(law: forms.Law, truth: dict[str, float]) -> None:
    x = np.geomspace(1e3, 1e6, 40)
    y = law.predict(truth, x=x)
    found = fit(law, {"x": x}, y, starts=40)
    assert np.abs(found.residuals).max() < 1e-5
    assert np.allclose(found.predict(x=x), y, rtol=1e-5)


def test_the_optimum_is_the_one_that_a_general_minimiser_polishes() -> None:
    data, rng = grid(), np.random.default_rng(0)
    law = forms.chinchilla()
    y = law.predict({"E": 0.2, "A": 9.0, "alpha": 0.45, "B": 10.0, "beta": 0.45}, **data)
    y = y * np.exp(0.03 * rng.standard_t(3, len(y)))
    found = fit(law, data, y, delta=1e-3)

    def objective(public: np.ndarray) -> float:
        e, a, alpha, b, beta = public
        inside = np.exp(e) + np.exp(a) / data["N"] ** alpha + np.exp(b) / data["D"] ** beta
        return float(huber(np.log(y) - np.log(inside), 1e-3).sum())

    p = found.parameters
    start = np.array([np.log(p["E"]), np.log(p["A"]), p["alpha"], np.log(p["B"]), p["beta"]])
    assert objective(start) == pytest.approx(found.objective, rel=1e-9)
    polished = minimize(objective, start, method="Nelder-Mead", options={"maxiter": 4000, "xatol": 1e-10, "fatol": 1e-14})
    assert polished.fun >= found.objective * (1 - 1e-9)
    assert found.certificate is not None
    assert found.certificate.gradient < 1e-9


def test_weights_are_repetitions() -> None:
    data, rng = grid(), np.random.default_rng(1)
    law = forms.chinchilla()
    y = law.predict({"E": 0.2, "A": 9.0, "alpha": 0.45, "B": 10.0, "beta": 0.45}, **data)
    y = y * np.exp(0.02 * rng.normal(size=len(y)))
    counts = rng.integers(0, 3, len(y))
    weighted = fit(law, data, y, counts, delta=0.02)
    repeated = fit(law, {k: np.repeat(v, counts) for k, v in data.items()}, np.repeat(y, counts), delta=0.02)
    assert weighted.objective == pytest.approx(repeated.objective, rel=1e-9)
    assert weighted.parameters["alpha"] == pytest.approx(repeated.parameters["alpha"], rel=1e-5)


def test_a_floor_that_is_not_there_is_at_its_bound() -> None:
    x = np.geomspace(1e2, 1e6, 30)
    found = fit(forms.power_floor(), {"x": x}, 5.0 * x**-0.3 * (1 + x / 1e7) ** -0.2)
    assert found.status == "at-bound"
    assert found.reasons == {"E": "at its lower bound"}


def test_too_few_cells_are_said_not_raised() -> None:
    data = {"N": np.repeat([1e3, 1e4], 2), "D": np.tile([300.0, 900.0], 2)}
    found = fit(forms.chinchilla(), data, np.array([0.9, 0.7, 0.8, 0.6]))
    assert found.status == "too-few-cells"
    assert found.parameters == {}
    assert found.reasons["all"] == "4 rows; 6 are needed for 5 parameters"
    assert found.reasons["N"] == "2 distinct N; 3 are needed"


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_bad_values_are_named(bad: float) -> None:
    data = grid(3)
    y = np.ones(9)
    y[4] = bad
    with pytest.raises(ValueError, match=f"response is {bad} in row 4; it must be positive and finite"):
        fit(forms.chinchilla(), data, y)
    with pytest.raises(ValueError, match="delta is 0; it must be positive"):
        fit(forms.chinchilla(), data, np.ones(9), delta=0)


@given(r=st.floats(-3, 3), delta=st.floats(1e-6, 1.0))
def test_huber_is_its_definition(r: float, delta: float) -> None:
    expected = 0.5 * r * r if abs(r) <= delta else delta * (abs(r) - 0.5 * delta)
    assert float(huber(np.array(r), delta)) == pytest.approx(expected, abs=1e-15)


@given(wide=st.floats(1e-3, 1.0), delta=st.floats(1e-9, 1e-3), factor=st.floats(1.5, 9.0))
def test_the_path_of_deltas_falls_to_exactly_delta(wide: float, delta: float, factor: float) -> None:
    steps = path(wide, delta, factor)
    assert steps[-1] == delta
    ratios = np.array([wide, *steps[:-1]]) / np.array(steps)
    assert ratios.max() <= factor * (1 + 1e-9)


def test_pair_counts_are_numpys_choice() -> None:
    np.random.seed(42)
    expected = [np.bincount(np.random.choice(np.arange(7), size=7, replace=True), minlength=7) for _ in range(3)]
    assert np.array_equal(pair_counts(7, 3, 42), expected)


def chinchilla(drop: int = 5) -> tuple[dict[str, np.ndarray], np.ndarray]:
    table = pl.read_csv(CHINCHILLA)
    loss = table["loss"].to_numpy()
    kept = np.sort(np.argsort(loss)[: len(loss) - drop])
    return {"N": table["params"].to_numpy()[kept], "D": table["tokens"].to_numpy()[kept]}, loss[kept]


@needs_chinchilla
def test_chinchilla_optimum_to_four_digits() -> None:
    data, loss = chinchilla()
    found = fit(forms.chinchilla(), data, loss, delta=1e-3)
    assert found.objective <= 0.001018274018
    expected = {"A": 477.826, "B": 2143.417, "E": 1.817218, "alpha": 0.347311, "beta": 0.367172}
    for name, value in expected.items():
        assert found.parameters[name] == pytest.approx(value, rel=5e-6), name
    assert found.certificate is not None
    assert found.certificate.share >= 0.99


@needs_chinchilla
def test_chinchilla_least_absolute_deviations() -> None:
    data, loss = chinchilla()
    found = fit(forms.chinchilla(), data, loss, delta=5e-9)
    assert found.parameters["A"] == pytest.approx(482.006, abs=5e-4)
    assert found.parameters["B"] == pytest.approx(2085.43, abs=5e-3)


@needs_chinchilla
def test_chinchilla_bootstrap_errors_to_three_digits() -> None:
    data, loss = chinchilla()
    errors = np.std(pairs(fit(forms.chinchilla(), data, loss), 4000, 42), axis=0)
    assert np.allclose(errors, [0.02566, 124.5, 0.01540, 1293, 0.0206], rtol=2e-3)
