"""A table in which N and D move together cannot tell their terms apart, and says so."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws import fit
from scaling.laws.any_table.describe import describe_fit
from scaling.laws.forms import known_laws as forms
from scaling.laws.intervals.collinear import moving_together

TRUTH = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.28}
SIZES = np.geomspace(1e6, 1e9, 20)


def fitted(images: np.ndarray) -> object:
    noise = np.exp(0.003 * np.random.default_rng(0).normal(size=20))
    return fit(forms.chinchilla(), {"N": SIZES, "D": images}, forms.chinchilla().predict(TRUTH, N=SIZES, D=images) * noise)


@pytest.mark.parametrize("images", [20 * SIZES, np.round(20 * SIZES), 3e4 * SIZES**0.5], ids=["multiple", "rounded", "power"])
@pytest.mark.parametrize("bootstrap", [0, 20])
def test_d_that_follows_n_is_not_identifiable(images: np.ndarray, bootstrap: int) -> None:
    entry = describe_fit(fitted(images), bootstrap=bootstrap)
    assert entry["status"] == "not-identifiable"
    assert entry["reasons"]["all"] == "not identifiable: N and D move together"
    for name in ("A", "alpha", "B", "beta"):
        assert entry["intervals"][name] is None
        assert name not in entry["standard_errors"]


def test_a_crossed_grid_and_a_wide_scatter_are_let_through() -> None:
    grid = np.array(np.meshgrid(np.geomspace(1e6, 1e9, 4), np.geomspace(1e8, 1e10, 4))).reshape(2, -1)
    assert moving_together(("N", "D"), np.log(grid.T)) is None
    rng = np.random.default_rng(1)
    scatter = np.column_stack([np.log(SIZES), np.log(20 * SIZES) + 0.3 * rng.normal(size=20)])
    assert moving_together(("N", "D"), scatter) is None


def test_three_variables_of_which_two_move_together_are_named() -> None:
    rng = np.random.default_rng(2)
    n, u = rng.normal(size=(2, 30))
    assert moving_together(("N", "D", "U"), np.column_stack([n, u, u + 1])) == "not identifiable: D and U move together"
    assert "N, D, U move together" in moving_together(("N", "D", "U"), np.column_stack([n, u, n + u]))
