"""The noise model: its slope in D, what cells of one subset share, and draws that keep both."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from scaling.laws.intervals.noise import (
    Noise,
    Residuals,
    design_effect,
    draw_noise,
    estimate_noise,
    seed_spread,
    seed_variance,
    true_variance,
)

SIZES, DATA_SIZES = 5, 6


def families(slope: float, shared: float, count: int, seed: int = 0, seeds: int = 4) -> list[Residuals]:
    """What least squares with a curve in D and one in N leave of noise on a crossed grid."""
    rng = np.random.default_rng(seed)
    images, label = (a.ravel() for a in np.meshgrid(np.geomspace(300, 3e4, DATA_SIZES), np.arange(float(seeds))))
    common = rng.normal(size=len(images))
    groups = []
    for _ in range(count):
        tiled, labels = np.tile(images, SIZES), np.tile(label, SIZES)
        x, z = np.log(tiled), np.repeat(np.arange(SIZES), len(images))
        jacobian = np.column_stack([np.ones(len(x)), x, x**2, z, z**2.0])
        mixed = np.sqrt(shared) * np.tile(common, SIZES) + np.sqrt(1 - shared) * rng.normal(size=len(x))
        errors = 0.02 * mixed * (tiled / 3000) ** (slope / 2)
        root = (tiled / 3000) ** (-slope / 2)
        basis, _ = np.linalg.qr(jacobian * root[:, None])
        scaled = errors * root
        groups.append(Residuals((scaled - basis @ (basis.T @ scaled)) / root, tiled, labels, jacobian))
    return groups


@pytest.mark.parametrize("slope", [0.0, -0.8])
def test_the_slope_is_found(slope: float) -> None:
    assert estimate_noise(families(slope, 0.0, 7)).slope == pytest.approx(slope, abs=0.15)


def test_what_is_shared_is_found_although_the_fits_absorb_most_of_it() -> None:
    for truth in (0.0, 0.3, 0.6):
        found = [estimate_noise(families(0.0, truth, 7, seed, seeds=2)).shared for seed in range(40)]
        assert np.mean(found) == pytest.approx(truth, abs=0.08)


def test_the_variance_is_found_whatever_is_shared() -> None:
    for truth in (0.0, 0.6):
        noise = Noise(0.0, truth)
        found = [true_variance(group, noise) for seed in range(60) for group in families(0.0, truth, 2, seed, seeds=1)]
        assert np.sqrt(np.mean(found)) == pytest.approx(0.02, rel=0.08)


def test_the_design_effect_is_the_ratio_of_simulated_variances() -> None:
    rng, truth = np.random.default_rng(4), 0.5
    group = families(0.0, truth, 1, seeds=1)[0]
    hat = np.linalg.pinv(group.jacobian)
    places, index = np.unique(group.images, return_inverse=True)
    estimates, naive = [], []
    for _ in range(4000):
        common = rng.normal(size=len(places))[index]
        errors = np.sqrt(truth) * common + np.sqrt(1 - truth) * rng.normal(size=len(index))
        estimates.append(hat @ errors)
        left = errors - group.jacobian @ estimates[-1]
        naive.append(left @ left / (len(index) - 5))
    ratio = np.var(estimates, axis=0) / (np.mean(naive) * np.sum(hat**2, axis=1))
    unit = group._replace(residuals=group.residuals)
    assert np.allclose(design_effect(unit, Noise(0.0, truth)), ratio, rtol=0.1)
    assert ratio[1] > 1.5  # what is shared along D hides in the curve in D
    assert ratio[3] < 1.0


def test_few_residuals_hardly_move_the_weights() -> None:
    images = np.array([300.0, 300.0, 8000.0, 8000.0])
    group = Residuals(np.array([0.03, -0.04, 0.002, -0.001]), images, np.zeros(4), np.ones((4, 1)))
    assert abs(estimate_noise([group]).slope) < 1.0


def test_draws_have_the_spread_of_the_noise_and_share_what_is_shared() -> None:
    group = families(2 * np.log(0.5) / np.log(100.0), 0.5, 1)[0]
    noise = Noise(slope=2 * np.log(0.5) / np.log(100.0), shared=0.5)
    rng = np.random.default_rng(1)
    shared = {place: rng.normal(size=4000) for place in set(group.places())}
    drawn = [draw_noise(group, noise, shared, np.random.default_rng(i), 4000) for i in (1, 2)]
    low, high = (drawn[0][:, group.images == d].std() for d in (group.images.min(), group.images.max()))
    assert high / low == pytest.approx(0.5, rel=0.05)
    same = [i for i, place in enumerate(group.places()) if place == group.places()[0]]
    assert np.corrcoef(drawn[0][:, same[0]], drawn[1][:, same[1]])[0, 1] == pytest.approx(0.5, abs=0.06)
    assert abs(np.corrcoef(drawn[0][:, 0], drawn[1][:, -1])[0, 1]) < 0.06


def test_seed_spread_is_the_pooled_deviation() -> None:
    cells = pl.DataFrame({"family": ["a"] * 5, "params": [1, 1, 1, 2, 2], "images": [9] * 5, "y": [1.0, 1.1, 1.2, 2.0, 2.2]})
    logs = np.log([1.0, 1.1, 1.2]), np.log([2.0, 2.2])
    expected = np.sqrt(sum(((x - x.mean()) ** 2).sum() for x in logs) / 3)
    assert seed_spread(cells, "y") == pytest.approx(expected)
    assert seed_spread(cells[:1], "y") is None


def test_the_spread_between_seeds_knows_nothing_of_a_misfit() -> None:
    group = families(0.0, 0.0, 1, seeds=4)[0]
    params = np.repeat(np.arange(5.0), 24)
    bent = group._replace(residuals=group.residuals + np.where(params == 4.0, 0.1, 0.0))
    noise = Noise(0.0, 0.0)
    variance, freedom = seed_variance(bent, params, noise)
    assert freedom == 5 * 6 * 3
    assert np.sqrt(variance) == pytest.approx(0.02, rel=0.15)
    assert true_variance(bent, noise) > 2 * variance
    assert seed_variance(families(0.0, 0.0, 1, seeds=1)[0], np.repeat(np.arange(5.0), 6), noise)[1] == 0
