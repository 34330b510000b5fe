import math

import numpy as np
import polars as pl
import pytest

from scaling.analysis.claims.claim import MissingEvidence
from scaling.analysis.claims.rounds import crossing, exponents, log_by_round, median_interval


def timed(curve, xs, rounds: int, noise: float, rng: int = 0) -> pl.DataFrame:
    random = np.random.default_rng(rng)
    rows = [
        {"repeat": r, "x": float(x), "value": curve(x) * math.exp(random.normal(0, noise))} for r in range(rounds) for x in xs
    ]
    return pl.DataFrame(rows)


@pytest.mark.parametrize(("count", "ranks"), [(6, (1, 6)), (9, (2, 8)), (20, (6, 15))])
def test_intervals_of_a_median_are_those_of_the_tables(count, ranks):
    values = np.random.default_rng(0).permutation(np.arange(1, count + 1))
    assert median_interval(values) == ranks


def test_few_values_have_no_interval_of_their_median():
    assert median_interval([1.0, 2.0, 3.0, 4.0, 5.0]) is None


def test_intervals_of_a_median_cover_it():
    random = np.random.default_rng(1)
    held = [low <= 1.0 <= high for low, high in (median_interval(random.lognormal(0, 1, 15)) for _ in range(800))]
    assert 0.94 <= np.mean(held) <= 0.99


def test_exponents_by_round():
    rows = timed(lambda x: 3 * x**1.5, (2, 4, 8, 16), rounds=200, noise=0.05)
    found = np.array(list(exponents(rows).values()))
    assert found.mean() == pytest.approx(1.5, abs=0.01)
    # of a slope by least squares: noise over the root of the spread of log x
    assert found.std() == pytest.approx(0.05 / np.sqrt(np.sum(np.log([0.354, 0.707, 1.414, 2.828]) ** 2)), rel=0.15)


def test_exponents_of_the_large_alone():
    rows = timed(lambda x: x + 0.001 * x**2, (1, 10, 1e5, 1e6), rounds=2, noise=0.0)
    assert exponents(rows, 1e5)[0] == pytest.approx(2.0, abs=0.01)
    assert exponents(rows)[0] < 1.8
    with pytest.raises(MissingEvidence):
        exponents(rows, 1e6)


def test_where_two_costs_cross():
    xs = (16, 32, 64, 128)
    first, second = timed(lambda x: x**2, xs, 3, 0.0), timed(lambda x: 40 * x, xs, 3, 0.0)
    assert [math.exp(value) for value in crossing(first, second).values()] == pytest.approx([40.0] * 3)
    assert crossing(second, first) == {}  # the other way round it becomes the cheaper one
    assert crossing(first, timed(lambda x: 0.5 * x, xs, 3, 0.0)) == {}


def test_one_setting_at_a_time():
    rows = timed(lambda x: x, (1, 2), 3, 0.0)
    with pytest.raises(MissingEvidence, match="several"):
        log_by_round(rows)
    assert log_by_round(rows.filter(x=2.0)) == {0: math.log(2), 1: math.log(2), 2: math.log(2)}
