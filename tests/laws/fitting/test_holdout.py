"""Rolling origins learn from smaller cells only, and persistence repeats the nearest of them."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws import fit
from scaling.laws.fitting.holdout import ORIGINS, Origin, predict_splits, rolling_splits
from scaling.laws.forms import known_laws as forms

LAW = forms.chinchilla()
TRUTH = {"E": 0.22, "A": 9.0, "alpha": 0.46, "B": 10.0, "beta": 0.45}


def cells(sizes: int = 5, data_sizes: int = 5, seeds: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    axes = np.meshgrid(np.geomspace(3e3, 3e5, sizes), np.geomspace(300, 3e4, data_sizes), np.arange(float(seeds)))
    return axes[0].ravel(), axes[1].ravel(), axes[2].ravel()


@pytest.mark.parametrize("origin", ORIGINS)
def test_no_split_learns_from_cells_as_large_as_those_it_predicts(origin: Origin) -> None:
    params, images, seeds = cells()
    splits = rolling_splits(LAW, params, images, seeds, origin)
    assert splits
    for split in splits:
        for axis, held in ((params, origin in ("params",)), (images, origin in ("images",))):
            if held:
                assert axis[split.train].max() < axis[split.test].min()
        if origin == "both":
            beyond_n = params[split.test] > params[split.train].max()
            beyond_d = images[split.test] > images[split.train].max()
            assert (beyond_n | beyond_d).all()


@pytest.mark.parametrize("origin", ORIGINS)
def test_every_cell_is_predicted_at_most_once(origin: Origin) -> None:
    rows = np.concatenate([split.test for split in rolling_splits(LAW, *cells(), origin)])
    assert len(rows) == len(set(rows.tolist()))


def test_persistence_is_the_nearest_smaller_cell_of_the_same_seed() -> None:
    params, images, seeds = cells()
    for split in rolling_splits(LAW, params, images, seeds, "params"):
        assert (images[split.nearest] == images[split.test]).all()
        assert (seeds[split.nearest] == seeds[split.test]).all()
        assert (params[split.nearest] == params[split.train].max()).all()


@pytest.mark.parametrize("origin", ORIGINS)
def test_a_noise_free_law_is_predicted(origin: Origin) -> None:
    params, images, seeds = cells(seeds=1)
    log_y = np.log(LAW.predict(TRUTH, N=params, D=images))
    found = fit(LAW, {"N": params, "D": images}, np.exp(log_y))
    splits = rolling_splits(LAW, params, images, seeds, origin)
    raw = np.log(np.column_stack([params, images]))
    predicted = predict_splits(found, raw, None, splits, delta=0.01)[0]
    rows = np.concatenate([split.test for split in splits])
    assert np.allclose(predicted, log_y[rows], atol=1e-4)


def test_small_grids_have_no_origin() -> None:
    params, images, seeds = cells(2, 2, 1)
    for origin in ORIGINS:
        assert rolling_splits(LAW, params, images, seeds, origin) == []
