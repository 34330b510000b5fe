"""Slices of equal compute are found in tables made of them, and read off crossed grids."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws import fit
from scaling.laws.compute_optimal.frontier import SixND, tabled_compute
from scaling.laws.compute_optimal.slices import SAME_FLOP, distinct_sizes, slices_of
from scaling.laws.forms import known_laws as forms

TRUTH = {"E": 0.22, "A": 9.0, "alpha": 0.46, "B": 10.0, "beta": 0.45}
LAW = forms.chinchilla()
SIX = SixND((0.0, 60.0), (0.0, 100.0))


def test_budgets_of_a_table_made_of_slices_are_found() -> None:
    rng = np.random.default_rng(0)
    budgets = np.repeat([1e12, 3e12, 1e13, 3e13], 6)
    n = np.tile(np.geomspace(1e4, 3e5, 6), 4)
    flop = budgets * rng.uniform(1.0, 1.0 + SAME_FLOP / 2, 24)
    order = rng.permutation(24)
    found = slices_of(n[order], (flop / 6 / n)[order], flop[order], SIX)
    assert [len(one.logs) for one in found] == [6, 6, 6, 6]
    assert np.exp([one.log_flop for one in found]) == pytest.approx([1e12, 3e12, 1e13, 3e13], rel=SAME_FLOP)
    assert not any(one.interpolated for one in found)
    # A point of a found slice is a row: the reader picks its residual.
    residuals = rng.normal(size=24)
    picked = found[0].reader @ residuals
    assert set(np.round(picked, 12)) <= set(np.round(residuals, 12))
    assert len(set(np.round(picked, 12))) == 6


def test_computes_spread_evenly_are_no_slices() -> None:
    n = np.geomspace(1e4, 1e6, 20)
    assert slices_of(n, 20 * n, 120 * n**2, SIX) == []


def test_a_crossed_grid_is_read_between_its_cells() -> None:
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(3e3, 9e4, 5), np.geomspace(300, 12_000, 4)))
    flop = 180 * n * 16 * d
    found = slices_of(n, d, flop, tabled_compute(n, d, flop))
    assert len(found) == 5
    y = LAW.predict(TRUTH, N=n, D=d) * np.exp(0.02 * np.random.default_rng(0).normal(size=20))
    fitted = fit(LAW, {"N": n, "D": d}, y, delta=None)
    for one in found:
        assert one.interpolated
        assert len(one.logs) >= 3
        size, images = np.exp(one.logs).T
        # On budget, and inside what that size was trained on.
        assert 180 * size * 16 * images == pytest.approx(np.full(len(size), np.exp(one.log_flop)), rel=1e-2)
        assert (images >= 299).all()
        assert (images <= 12_001).all()
        assert np.asarray(one.reader.sum(axis=1)).ravel() == pytest.approx(np.ones(len(size)))
        # Between cells the residual lies between its neighbours'.
        left = one.reader @ fitted.residuals
        assert np.abs(left).max() <= np.abs(fitted.residuals).max()


def test_repeated_cells_count_as_their_mean() -> None:
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(3e3, 9e4, 5), np.geomspace(300, 12_000, 4)))
    twice_n, twice_d = np.tile(n, 2), np.tile(d, 2)
    price = tabled_compute(n, d, 180 * n * d)
    once = slices_of(n, d, 180 * n * d, price)[2]
    twice = slices_of(twice_n, twice_d, 180 * twice_n * twice_d, price)[2]
    left = np.random.default_rng(0).normal(size=40)
    assert twice.reader @ left == pytest.approx(once.reader @ (left[:20] + left[20:]) / 2)
    assert twice.weights == pytest.approx(2 * once.weights)


def test_sizes_of_one_target_are_one_size() -> None:
    assert distinct_sizes(np.log([1000.0, 1005.0, 1010.0, 2000.0])) == 2
    assert distinct_sizes(np.zeros(0)) == 0
