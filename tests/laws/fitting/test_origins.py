"""How far a place lies beyond the rows of a table, and which rows a rolling origin predicts."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws.fitting.origins import distance, grid_origins, largest_rows

GRID = np.array([[n, d] for n in (0.0, 1.0, 2.0) for d in (0.0, 1.0, 2.0)])


@pytest.mark.parametrize(
    ("place", "far"),
    [((1.5, 0.5), 0.0), ((2.0, 2.0), 0.0), ((5.0, 1.0), 3.0), ((5.0, 6.0), 5.0), ((-1.0, 1.0), 1.0), ((-3.0, 6.0), 5.0)],
)
def test_a_full_grid_is_a_box(place: tuple[float, float], far: float) -> None:
    assert distance(GRID, np.array([place]))[0] == pytest.approx(far)


def test_a_large_n_with_a_large_d_is_far_if_neither_was_seen_with_the_other() -> None:
    steps = GRID[GRID.sum(axis=1) <= 2.0]
    assert largest_rows(steps).tolist() == [[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]]
    assert distance(steps, np.array([[2.0, 2.0], [1.0, 1.0], [2.0, 1.0]])) == pytest.approx([np.sqrt(2.0), 0.0, 1.0])


def test_one_variable() -> None:
    assert distance(GRID[:, :1], np.array([[3.5], [1.0], [-2.0]])) == pytest.approx([1.5, 0.0, 2.0])


def test_every_row_that_is_predicted_over_n_and_d_lies_beyond_those_that_are_known() -> None:
    for origin in grid_origins(np.repeat(np.array([[n, d] for n in range(5) for d in range(5)], float), 2, axis=0)):
        assert (origin.beyond[origin.test] > 0).all()
        assert (origin.beyond[origin.train] == 0).all()
