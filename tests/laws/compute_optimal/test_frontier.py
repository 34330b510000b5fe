"""The frontier agrees with its closed form where there is one, and obeys the table's prices where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws.compute_optimal.frontier import SixND, best_use, tabled_compute
from scaling.laws.forms import known_laws as forms

LAW = forms.chinchilla()
TRUTH = {"E": 1.8172, "A": 482.01, "alpha": 0.3478, "B": 2085.43, "beta": 0.3658}


def theta() -> tuple[np.ndarray, np.ndarray]:
    centre = np.array([20.0, 23.0])
    return LAW.internal(np.array([[TRUTH[name] for name in LAW.parameters]]), centre), centre


@pytest.mark.parametrize("flop", [1e19, 1e21, 5.88e23])
def test_six_nd_is_the_closed_form(flop: float) -> None:
    coordinates, centre = theta()
    a, b = TRUTH["alpha"], TRUTH["beta"]
    scale = (a * TRUTH["A"] / (b * TRUTH["B"])) ** (1 / (a + b))
    expected = scale * (flop / 6) ** (b / (a + b))
    best = best_use(LAW, coordinates, centre, SixND((np.log(1e6), np.log(1e13)), (0.0, 100.0)), flop)
    assert best is not None
    assert not best.edge[0]
    assert np.exp(best.log_params[0]) == pytest.approx(expected, rel=2e-3)
    assert np.exp(best.log_images[0]) == pytest.approx(flop / 6 / expected, rel=2e-3)


def test_an_optimum_outside_the_range_is_marked() -> None:
    coordinates, centre = theta()
    best = best_use(LAW, coordinates, centre, SixND((np.log(1e3), np.log(1e6)), (0.0, 100.0)), 1e21)
    assert best is not None
    assert best.edge[0]


def test_a_table_with_a_floor_on_images_seen_is_priced_as_it_was_paid() -> None:
    n, d = (a.ravel() for a in np.meshgrid([1e3, 1e4, 1e5], [300.0, 1000.0, 3000.0, 10_000.0]))
    flop = 180.0 * n * np.maximum(48_000, 16 * d)
    compute = tabled_compute(n, d, flop)
    # The floor makes D = 3000 as cheap as D = 300: the price of the floor buys D = 3000.
    bought = np.exp(compute.log_images(np.log(180.0 * 1e4 * 48_000) + 1e-9, np.log(np.array([1e4]))))
    assert bought[0] == pytest.approx(3000.0, rel=0.03)
    assert np.isnan(compute.log_images(np.log(1e3), np.log(np.array([1e5])))).all()


def test_compute_must_be_positive() -> None:
    with pytest.raises(ValueError, match="flop holds a value that is not positive and finite"):
        tabled_compute(np.array([1.0, 2.0]), np.array([1.0, 2.0]), np.array([1.0, np.nan]))


def test_a_table_that_is_no_grid_is_priced_by_a_plane() -> None:
    rng = np.random.default_rng(0)
    n, d = np.exp(rng.uniform(np.log([[1e6], [1e8]]), np.log([[1e9], [1e11]]), (2, 60)))
    compute = tabled_compute(n, d, 6 * n * d)
    bought = np.exp(compute.log_images(np.log(1e18), np.log(np.array([1e7, 1e8]))))
    assert bought == pytest.approx([1e18 / 6e7, 1e18 / 6e8], rel=1e-3)


def test_repeated_cells_do_not_change_the_price() -> None:
    n, d = (a.ravel() for a in np.meshgrid([1e3, 1e4, 1e5], [300.0, 1000.0, 3000.0]))
    flop = 180.0 * n**0.9 * d
    once = tabled_compute(n, d, flop)
    again = tabled_compute(np.tile(n, 3), np.tile(d, 3), np.tile(flop, 3))
    assert again.log_images(20.0, np.log(n)) == pytest.approx(once.log_images(20.0, np.log(n)), nan_ok=True)
