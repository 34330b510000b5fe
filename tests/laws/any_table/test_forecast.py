"""Forecasts of data that lie on the law: tight intervals, not missing ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from scaling.laws.any_table.forecast import forecast_table
from scaling.laws.forms import known_laws as forms

TRUTH = {"E": 1.7, "A": 400.0, "alpha": 0.34, "B": 410.0, "beta": 0.28}


def test_a_forecast_of_noiseless_data_is_tight(tmp_path: Path) -> None:
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(1e6, 1e9, 6), np.geomspace(1e8, 1e11, 6)))
    path = tmp_path / "exact.csv"
    pl.DataFrame({"n": n, "d": d, "loss": forms.chinchilla().predict(TRUTH, N=n, D=d)}).write_csv(path)
    places = [(1e10, 1e12), (1e8, 1e9), (1e7, 1e13)]
    answer = forecast_table(path, n="n", d="d", y="loss", at=places)
    for (size, data), place in zip(places, answer["at"], strict=True):
        low, high = place["interval"]
        truth = float(forms.chinchilla().predict(TRUTH, N=size, D=data))
        assert low <= truth <= high
        assert high - low < 1e-5 * truth
    assert max(map(abs, answer["isoflop"]["departure"]["a"]["interval"])) < 1e-6
    assert pytest.approx(TRUTH, rel=1e-6) == answer["parameters"]


def test_a_forecast_carries_the_laws_own_error_beyond_its_rows(tmp_path: Path) -> None:
    """A break towards the end, which Chinchilla's form does not know: its own interval misses, the honest one holds."""
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(1e6, 1e8, 7), np.geomspace(1e8, 1e10, 7)))
    rng = np.random.default_rng(0)

    def truth(n: np.ndarray, d: np.ndarray) -> np.ndarray:
        return 1.7 + 40 / n**0.3 + 300 / d**0.3 * (1 + d / 2e9) ** 0.2

    path = tmp_path / "break.csv"
    pl.DataFrame({"n": n, "d": d, "loss": truth(n, d) * np.exp(0.002 * rng.normal(size=49))}).write_csv(path)
    (near, far) = forecast_table(path, n="n", d="d", y="loss", at=[(1e8, 1.2e10), (3e8, 1e11)])["at"]
    for answer in (near, far):
        low, high = answer["honest_interval"]
        assert low <= answer["interval"][0] <= answer["response"] <= answer["interval"][1] <= high
    low, high = far["honest_interval"]
    assert low <= float(truth(np.array(3e8), np.array(1e11))) <= high
    assert high / low > near["honest_interval"][1] / near["honest_interval"][0]
