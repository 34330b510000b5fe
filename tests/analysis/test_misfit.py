"""The size of a misfit: covered by its interval, told from noise, judged against its margin."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.analysis.misfit import MISFIT_MARGIN, Misfit, measure_misfit

CELLS = 16


def table(misfit: float, noise: float, seeds: int, rng: np.random.Generator, shared: float = 0.0) -> Misfit | None:
    """Residuals of 16 cells about a law without parameters, whose misfit is drawn anew; ``shared``: noise of each (seed, D)."""
    n, d = (np.tile(axis.ravel(), seeds) for axis in np.meshgrid(np.geomspace(1e3, 1e5, 4), np.geomspace(300, 3e4, 4)))
    shape = np.tile(rng.normal(0, misfit, CELLS), seeds) if misfit else 0.0
    seed = np.repeat(np.arange(seeds), CELLS)
    lucky = rng.normal(0, shared, (seeds, 4))[seed, np.searchsorted(np.unique(d), d)] if shared else 0.0
    return measure_misfit(shape + lucky + rng.normal(0, noise, CELLS * seeds), n, d, seed, np.ones(CELLS * seeds), 0)


@pytest.mark.parametrize(("misfit", "seeds"), [(0.0, 2), (0.02, 2), (0.06, 3)])
def test_the_interval_covers(misfit: float, seeds: int) -> None:
    rng = np.random.default_rng(0)
    inside = [low <= misfit <= high for low, high in (table(misfit, 0.03, seeds, rng).interval for _ in range(600))]
    assert np.mean(inside) > 0.925


def test_luck_that_all_sizes_share_hides_no_misfit() -> None:
    """A fit in D absorbs shared luck, here all of it: the noise that could explain the rest is the cells' own."""
    rng = np.random.default_rng(4)
    n, d = (np.tile(axis.ravel(), 2) for axis in np.meshgrid(np.geomspace(1e3, 1e5, 4), np.geomspace(300, 3e4, 4)))
    seed = np.repeat([0, 1], CELLS)
    found = []
    for _ in range(100):
        shape = np.tile(rng.normal(0, 0.03, CELLS), 2)
        lucky = rng.normal(0, 0.1, 4)[np.searchsorted(np.unique(d), d)] * np.where(seed == 0, 1, -1)
        found.append(measure_misfit(shape + lucky + rng.normal(0, 0.01, 2 * CELLS), n, d, seed, np.ones(2 * CELLS), 0))
    assert np.mean([one.interval[0] <= 0.03 <= one.interval[1] for one in found]) > 0.9
    assert np.median([one.rms for one in found]) == pytest.approx(0.03, rel=0.2)


def test_many_seeds_and_low_noise_are_not_punished() -> None:
    """An F test would reject this law for a misfit of 0.5 %; the margin does not."""
    rng = np.random.default_rng(1)
    found = [table(0.005, 0.002, 6, rng) for _ in range(50)]
    assert all(one.verdict == "within margin" for one in found)
    assert np.mean([one.interval[0] > 0 for one in found]) > 0.9
    assert found[0].sentence.startswith("its law fits to within 3%: misfit 0.")


def test_a_large_misfit_is_beyond_the_margin_and_noise_alone_cannot_tell() -> None:
    rng = np.random.default_rng(2)
    assert table(0.15, 0.01, 2, rng).verdict == "beyond margin"
    assert table(0.0, 0.2, 2, rng).verdict == "cannot tell"


def test_without_repeats_everything_left_over_bounds_the_misfit() -> None:
    found = table(0.0, 0.005, 1, np.random.default_rng(3))
    assert found.interval[0] == 0.0
    assert found.rms < found.interval[1] < MISFIT_MARGIN
    assert "no point has two seeds" in found.sentence


def test_too_few_cells_have_no_misfit() -> None:
    one = np.ones(3)
    assert measure_misfit(one, np.array([1.0, 2.0, 3.0]), one, one, one, 5) is None
