"""The noise model: its slope in D, what cells of one subset share, and draws that keep both."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from scaling.laws.noise import Noise, draw_noise, estimate_noise, seed_spread


def families(slope: float, shared: float, count: int, seed: int = 0) -> list:
    """Residuals of several families on a crossed grid of 5 sizes, 6 data sizes and 4 seeds."""
    rng = np.random.default_rng(seed)
    images, seeds = (a.ravel() for a in np.meshgrid(np.geomspace(300, 3e4, 6), np.arange(4.0)))
    common = rng.normal(size=len(images))
    groups = []
    for _ in range(count):
        tiled, label = np.tile(images, 5), np.tile(seeds, 5)
        own = rng.normal(size=len(tiled))
        mixed = np.sqrt(shared) * np.tile(common, 5) + np.sqrt(1 - shared) * own
        groups.append((0.02 * mixed * (tiled / 3000) ** (slope / 2), tiled, label, 5))
    return groups


@pytest.mark.parametrize("slope", [0.0, -0.8])
def test_the_slope_is_found(slope: float) -> None:
    assert estimate_noise(families(slope, 0.0, 7)).slope == pytest.approx(slope, abs=0.15)


def test_what_is_shared_is_found() -> None:
    assert estimate_noise(families(0.0, 0.0, 7)).shared < 0.1
    assert estimate_noise(families(0.0, 0.6, 7)).shared > 0.4


def test_few_residuals_hardly_move_the_weights() -> None:
    images = np.array([300.0, 300.0, 8000.0, 8000.0])
    noise = estimate_noise([(np.array([0.03, -0.04, 0.002, -0.001]), images, np.zeros(4), 3)])
    assert abs(noise.slope) < 1.0


def test_draws_have_the_spread_of_the_residuals_and_share_what_is_shared() -> None:
    rng = np.random.default_rng(1)
    images, seeds = np.repeat([300.0, 3000.0], 10), np.zeros(20)
    residuals = rng.normal(0, 0.02, 20) * np.where(images > 1000, 0.5, 1.0)
    noise = Noise(slope=2 * np.log(0.5) / np.log(10.0), shared=0.5)
    shared = {(0.0, 300.0): rng.normal(size=4000), (0.0, 3000.0): rng.normal(size=4000)}
    drawn = [draw_noise(residuals, images, seeds, 5, noise, shared, np.random.default_rng(i), 4000) for i in (1, 2)]
    low, high = (drawn[0][:, images == d].std() for d in (300.0, 3000.0))
    assert high / low == pytest.approx(0.5, rel=0.05)
    assert np.corrcoef(drawn[0][:, 0], drawn[1][:, 1])[0, 1] == pytest.approx(0.5, abs=0.06)
    assert abs(np.corrcoef(drawn[0][:, 0], drawn[1][:, -1])[0, 1]) < 0.06


def test_seed_spread_is_the_pooled_deviation() -> None:
    cells = pl.DataFrame({"family": ["a"] * 5, "params": [1, 1, 1, 2, 2], "images": [9] * 5, "y": [1.0, 1.1, 1.2, 2.0, 2.2]})
    logs = np.log([1.0, 1.1, 1.2]), np.log([2.0, 2.2])
    expected = np.sqrt(sum(((x - x.mean()) ** 2).sum() for x in logs) / 3)
    assert seed_spread(cells, "y") == pytest.approx(expected)
    assert seed_spread(cells[:1], "y") is None
