"""Least squares recovers what made the data, and knows what it cannot know."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws.least_squares import indicators, ols, ols_batch


def test_coefficients_and_covariance_are_those_of_the_textbook() -> None:
    x = np.arange(6.0)
    y = np.array([1.0, 3.1, 4.9, 7.2, 8.8, 11.0])
    found = ols(np.column_stack([np.ones(6), x]), y)
    slope = np.sum((x - 2.5) * (y - y.mean())) / 17.5
    assert found.coefficients == pytest.approx([y.mean() - 2.5 * slope, slope])
    assert (found.rank, found.freedom, found.determined) == (2, 4, True)
    assert found.covariance()[1, 1] == pytest.approx(found.squares / 4 / 17.5)


def test_a_design_that_determines_nothing_has_no_covariance() -> None:
    found = ols(np.column_stack([indicators([1, 1, 2]), np.ones(3)]), [1.0, 2.0, 5.0])
    assert not found.determined
    assert found.squares == pytest.approx(0.5)
    with pytest.raises(ValueError, match="3 rows of rank 2 give no covariance of 3"):
        found.covariance()
    with pytest.raises(ValueError, match="2 rows of rank 2"):
        ols(np.eye(2), [1.0, 2.0]).covariance()


def test_a_batch_agrees_with_one_by_one() -> None:
    rng = np.random.default_rng(0)
    design, y, weights = rng.normal(size=(3, 8, 2)), rng.normal(size=(3, 8)), rng.uniform(0.5, 2.0, 8)
    root = np.sqrt(weights)
    expected = [ols(one * root[:, None], own * root).coefficients for one, own in zip(design, y, strict=True)]
    assert ols_batch(design, y, weights) == pytest.approx(np.array(expected))


def test_labels_become_columns_in_their_order() -> None:
    assert indicators(["b", "a", "b"]).tolist() == [[0, 1], [1, 0], [0, 1]]
