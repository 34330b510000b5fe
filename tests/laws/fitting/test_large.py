"""Tables too long to search row by row: the optimum is that of all rows, intervals are those of the whole table."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws import fit
from scaling.laws.fitting import large, solver
from scaling.laws.forms import known_laws as forms
from scaling.laws.intervals import profile
from scaling.laws.intervals.bootstrap import pairs, shortened
from scaling.laws.intervals.profile import prediction_intervals, profile_intervals

TRUTH = {"E": 1.5, "A": 400.0, "alpha": 0.35, "B": 2000.0, "beta": 0.37}
ROWS = 30_000


@pytest.fixture(scope="module")
def table() -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    data = {"N": np.exp(rng.uniform(9, 18, ROWS)), "D": np.exp(rng.uniform(11, 20, ROWS))}
    return data, forms.chinchilla().predict(TRUTH, **data) * np.exp(0.01 * rng.normal(size=ROWS))


@pytest.mark.slow
def test_the_optimum_is_that_of_all_rows_and_the_sample_is_named(table, monkeypatch: pytest.MonkeyPatch) -> None:
    data, loss = table
    found = fit(forms.chinchilla(), data, loss, delta=1e-2)
    assert found.certificate.sample == "5,000 of 30,000 rows, drawn with seed 0"
    monkeypatch.setattr(solver, "LARGE", ROWS)
    whole = fit(forms.chinchilla(), data, loss, delta=1e-2)
    assert whole.certificate.sample is None
    assert found.objective == pytest.approx(whole.objective, rel=1e-9)
    assert found.parameters == pytest.approx(whole.parameters, rel=1e-5)


def test_intervals_are_as_wide_as_those_of_all_rows(table, monkeypatch: pytest.MonkeyPatch) -> None:
    data, loss = table
    found = fit(forms.chinchilla(), data, loss, delta=1e-2)
    short, _ = profile_intervals(found)
    place = {"N": [1e9], "D": [1e10]}
    low, high = prediction_intervals(found, **place)
    monkeypatch.setattr(profile, "LARGE", ROWS)
    whole, _ = profile_intervals(found)
    for name, (left, right) in whole.items():
        assert short[name][1] - short[name][0] == pytest.approx(right - left, rel=0.05), name
    whole_low, whole_high = prediction_intervals(found, **place)
    assert high - low == pytest.approx(whole_high - whole_low, rel=0.05)


@pytest.mark.slow
def test_resamples_of_the_short_table_spread_as_those_of_the_long_one(table) -> None:
    data, loss = table
    found = fit(forms.chinchilla(), data, loss, delta=1e-2)
    short, rows = shortened(found)
    assert short.rows == len(rows) == large.SAMPLE
    spread = np.std(pairs(short, 200), axis=0) / np.std(pairs(found, 200), axis=0)
    assert np.mean(spread) == pytest.approx(1.0, abs=0.25)
    assert np.mean(pairs(short, 200), axis=0) == pytest.approx(list(found.parameters.values()), rel=0.01)
