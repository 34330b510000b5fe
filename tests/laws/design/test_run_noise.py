"""The covariance of runs' errors: what is drawn per run, per (seed, D) and per place."""

import numpy as np
import pytest

from scaling.laws.design.run_noise import MOST_COMMON, RANGE, RunNoise, Runs


def runs(*places: tuple[float, float, int]) -> Runs:
    table = np.array(places, float)
    return Runs(np.log(table[:, :2]), table[:, 2])


def test_runs_share_what_they_have_in_common():
    noise = RunNoise(4.0, shared=0.3, place=0.2)
    some = runs((10, 100, 0), (20, 100, 0), (10, 100, 1), (10, 200, 0))
    near, far = 0.2 * np.exp(-np.log(2) / RANGE), 0.2 * np.exp(-np.sqrt(2) * np.log(2) / RANGE)
    rows = [[1, 0.3 + near, 0.2, near], [0.3 + near, 1, near, far], [0.2, near, 1, near], [near, far, near, 1]]
    expected = 4.0 * np.array(rows)
    np.testing.assert_allclose(noise.among(some), expected)


def test_the_variance_is_a_power_of_data():
    noise = RunNoise(0.01, slope=-0.5, reference=float(np.log(100)))
    np.testing.assert_allclose(noise.deviations(runs((1, 100, 0), (1, 1600, 0))), [0.1, 0.05])


def test_a_run_keeps_noise_of_its_own_however_much_is_shared():
    noise = RunNoise(1.0, shared=0.9, place=0.9)
    covariance = noise.among(runs((10, 100, 0), (10, 100, 1), (20, 100, 0)))
    assert np.linalg.eigvalsh(covariance)[0] > 0
    assert covariance[0, 1] == pytest.approx(MOST_COMMON / 2)  # another seed of the same place
