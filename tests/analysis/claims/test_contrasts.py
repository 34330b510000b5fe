"""The statistics that claims share recover what is planted and stay silent on none."""

import math

import numpy as np
import pytest

from scaling.analysis.claims.claim import MissingEvidence
from scaling.analysis.claims.contrasts import PooledNoise, difference, mean_finding, pooled_noise, trend
from scaling.analysis.claims.judge import limits


def arms(rng: np.random.Generator, means: dict[str, float], seeds: int, noise: float = 0.02, shared: float = 0.1):
    common = rng.normal(0, shared, seeds)
    return {arm: {s: mean + common[s] + rng.normal(0, noise) for s in range(seeds)} for arm, mean in means.items()}


def covers(finding, truth: float) -> bool:
    low, high = limits(finding)
    return low <= truth <= high


def test_pooled_noise_is_that_of_a_cell_without_arm_and_seed():
    rng = np.random.default_rng(0)
    found = [pooled_noise([arms(rng, {"a": 0.0, "b": 1.0, "c": -2.0}, 3)]) for _ in range(600)]
    assert {noise.freedom for noise in found} == {4}
    assert np.mean([noise.variance for noise in found]) == pytest.approx(0.02**2, rel=0.1)


def test_pooled_noise_of_groups_that_lack_cells():
    noise = pooled_noise([{"a": {0: 1.0, 1: 2.0}, "b": {0: 1.5}}, {"c": {0: 1.0, 1: 2.0}, "d": {0: 2.0, 1: 3.2}}])
    assert noise.freedom == 1
    assert noise.variance == pytest.approx(0.01)  # the 2 x 2 table's interaction 0.2, squared, over 4
    assert pooled_noise([{"a": {0: 1.0}}, {}]) is None


@pytest.mark.parametrize("pooled", [True, False])
def test_intervals_of_a_difference_cover_the_truth_in_95_of_100(pooled: bool):
    rng = np.random.default_rng(1)
    hits = []
    for _ in range(800):
        table = arms(rng, {"a": 0.3, "b": 0.25, "c": 0.0, "d": 0.1}, 3)
        hits.append(covers(difference(table["a"], table["b"], pooled_noise([table]) if pooled else None), 0.05))
    assert np.mean(hits) == pytest.approx(0.95, abs=0.025)


def test_pooling_narrows_the_interval_of_few_seeds():
    table = arms(np.random.default_rng(2), dict.fromkeys("abcdef", 0.0), 3)
    narrow, wide = limits(difference(table["a"], table["b"], pooled_noise([table]))), limits(difference(table["a"], table["b"]))
    assert narrow[1] - narrow[0] < wide[1] - wide[0]


def test_an_unstable_arm_does_not_borrow_the_calm_of_the_others():
    values = np.array([1.0, -1.0, 0.5])
    found = mean_finding(values, PooledNoise(1e-4, 20))
    assert (found.freedom, found.se) == (2, pytest.approx(np.std(values, ddof=1) / math.sqrt(3)))


def test_only_shared_seeds_count():
    found = difference({0: 1.0, 1: 2.0, 7: 9.0}, {0: 0.5, 1: 1.5, 8: 0.0})
    assert (found.effect, found.se) == (0.5, 0.0)
    with pytest.raises(MissingEvidence, match="no seed in common"):
        difference({0: 1.0}, {1: 1.0})


def test_one_seed_has_an_effect_and_no_interval():
    found = difference({0: 1.0}, {0: 0.4})
    assert (found.effect, limits(found)) == (pytest.approx(0.6), None)
    assert "one seed" in found.lacks


@pytest.mark.parametrize("slope", [0.0, -0.05, 0.2])
def test_a_trend_recovers_its_slope(slope: float):
    rng = np.random.default_rng(3)
    x = np.log2([1, 2, 3, 5, 8])
    hits = []
    for _ in range(500):
        table = arms(rng, {str(i): slope * at for i, at in enumerate(x)}, 3)
        hits.append(covers(trend(x, list(table.values()), pooled_noise([table])), slope))
    assert np.mean(hits) == pytest.approx(0.95, abs=0.03)


def test_a_trend_needs_two_doses_and_a_seed_that_has_them():
    with pytest.raises(MissingEvidence, match="no seed has every dose"):
        trend([1, 2], [{0: 1.0}, {1: 1.0}])
    with pytest.raises(MissingEvidence, match="all doses are the same"):
        trend([2, 2], [{0: 1.0}, {0: 1.0}])
