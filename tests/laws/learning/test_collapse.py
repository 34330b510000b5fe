"""Collapse of curves that are drawn with a known spread between sizes and between seeds."""

import numpy as np
import pytest

from scaling.laws.learning.collapse import collapse, normalised
from scaling.laws.learning.final_loss import Curve


def test_spread_and_noise_are_those_of_the_curves():
    rng = np.random.default_rng(0)
    noise, seeds = 0.02 * rng.normal(size=(60, 4, 6, 3)), 0.1 * rng.normal(size=(60, 1, 6, 3))
    apart = collapse(list(noise + seeds + 0.05 * rng.normal(size=(60, 4, 1, 3))))
    alike = collapse(list(noise + seeds))
    assert alike.ratio == pytest.approx(1.0, abs=0.15)
    assert alike.noise == pytest.approx(0.02, rel=0.1)
    assert apart.noise == pytest.approx(0.02, rel=0.1)
    assert apart.spread == pytest.approx(np.hypot(0.05, 0.02 / 6**0.5), rel=0.1)
    assert apart.ratio == pytest.approx(6**0.5 * apart.spread / 0.02, rel=0.1)


def test_without_seeds_or_sizes_there_is_no_number():
    one_seed = collapse([np.random.default_rng(0).normal(size=(4, 1, 3))])
    assert one_seed.spread is not None
    assert (one_seed.noise, one_seed.ratio) == (None, None)
    assert collapse([np.zeros((1, 3, 3))]).spread is None


def test_curves_that_differ_by_a_factor_above_the_floor_are_the_same():
    one, other = (Curve(1, 1, (0.25, 0.5, 1.0), tuple(0.3 + scale * np.array([4.0, 2.0, 1.0]))) for scale in (1.0, 0.1))
    np.testing.assert_allclose(normalised(one, (0.25, 0.5), 0.3), np.log([4.0, 2.0]))
    np.testing.assert_allclose(normalised(other, (0.25, 0.5), 0.3), np.log([4.0, 2.0]))
    assert normalised(one, (0.25,), 1.5) is None
    assert normalised(Curve(1, 1, (0.25, 0.5), (2.0, 1.0)), (0.25,)) is None
