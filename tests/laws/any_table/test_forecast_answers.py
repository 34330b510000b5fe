"""Answers at the ends of what was searched: no interval of a single point, and open ends."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from scaling.laws.any_table.forecast import forecast_table
from scaling.laws.any_table.forecast_answers import _open_ends
from scaling.laws.forms import known_laws as forms

TRUTH = {"E": 0.5, "A": 9.0, "alpha": 0.4, "B": 10.0, "beta": 0.4}


@pytest.fixture(scope="module")
def frame():
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(1e4, 1e6, 5), np.geomspace(1e4, 1e6, 5)))
    noise = np.exp(0.005 * np.random.default_rng(0).normal(size=25))
    # With a price of N^0.01 D, the cheapest way to a low loss is ever larger N: the best N is the end of the search.
    return pl.DataFrame({"n": n, "d": d, "loss": forms.chinchilla().predict(TRUTH, N=n, D=d) * noise, "c": n**0.01 * d})


def test_a_best_size_at_the_end_of_the_search_has_no_interval(frame) -> None:
    (answer,) = forecast_table(frame, n="n", d="d", y="loss", flop="c", budgets=[3e5])["budgets"]
    assert answer["N_interval"] is None
    assert answer["D_interval"] is None
    low, high = answer["response_interval"]
    assert low < answer["response"] < high
    assert any("end of the range searched" in warning for warning in answer["warnings"])
    (inside,) = forecast_table(frame, n="n", d="d", y="loss", budgets=[6e10])["budgets"]
    assert inside["N_interval"][0] < inside["N"] < inside["N_interval"][1]


def test_a_target_that_the_smallest_budget_reaches_has_no_interval(frame) -> None:
    (answer,) = forecast_table(frame, n="n", d="d", y="loss", targets=[50.0])["targets"]
    assert answer["flop"] is not None
    assert answer["interval"] is None
    assert any("smallest budget searched" in warning for warning in answer["warnings"])


def test_an_end_where_the_search_stopped_is_open() -> None:
    logs = np.linspace(0.0, 1.0, 100)
    low, high = _open_ends(logs, np.zeros(100, bool))
    assert (low, high) == pytest.approx((np.exp(0.025), np.exp(0.975)), rel=1e-3)
    top = _open_ends(logs, logs > 0.9)
    assert top[0] == pytest.approx(low)
    assert top[1] is None
    assert _open_ends(logs, (logs > 0.9) | (logs < 0.1)) is None
