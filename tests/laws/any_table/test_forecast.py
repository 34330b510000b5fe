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
