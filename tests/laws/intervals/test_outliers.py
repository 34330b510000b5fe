"""Outliers are found, kept and shown with the law without them."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws import Fit, fit
from scaling.laws.forms import known_laws as forms
from scaling.laws.intervals.outliers import THRESHOLD, describe_outliers, find_outliers

TRUTH = {"E": 0.22, "A": 9.0, "alpha": 0.46, "B": 10.0, "beta": 0.45}
LAW = forms.chinchilla()


def fitted(off: dict[int, float], *, side: int = 5, noise: float = 0.01, seed: int = 0) -> Fit:
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(3e3, 3e5, side), np.geomspace(300, 3e4, side)))
    y = LAW.predict(TRUTH, N=n, D=d) * np.exp(noise * np.random.default_rng(seed).normal(size=side**2))
    for row, shift in off.items():
        y[row] *= np.exp(shift)
    return fit(LAW, {"N": n, "D": d}, y, delta=None)


def test_rows_off_the_law_are_found_the_furthest_first() -> None:
    seen = find_outliers(fitted({7: 0.15, 12: -0.3}))
    assert seen.rows.tolist() == [12, 7]
    assert seen.z[12] < -THRESHOLD < THRESHOLD < seen.z[7]
    assert (seen.weights < 0.2).all()


def test_the_law_without_them_is_the_fit_of_the_other_rows() -> None:
    found = fitted({0: 0.3})
    seen = find_outliers(found)
    kept = np.ones(25)
    kept[0] = 0.0
    values = np.exp(found.logs + found.centre)
    fresh = fit(LAW, {"N": values[:, 0], "D": values[:, 1]}, np.exp(found.log_y), kept, delta=found.delta)
    assert seen.rows.tolist() == [0]
    assert seen.without == pytest.approx(fresh.parameters, rel=1e-5)
    with_, without = (LAW.predict(p, N=values[:, 0], D=values[:, 1]) for p in (found.parameters, fresh.parameters))
    assert seen.change == pytest.approx(np.abs(np.log(without / with_)).max(), rel=1e-4)


def test_few_clean_tables_have_any_and_then_no_other_law() -> None:
    seen = [find_outliers(fitted({}, seed=seed)) for seed in range(40)]
    clean = [one for one in seen if not len(one.rows)]
    assert len(clean) >= 36
    assert (clean[0].without, clean[0].change) == ({}, None)
    assert np.median([one.scale for one in seen]) == pytest.approx(0.01, rel=0.1)


def test_data_on_the_law_have_none_though_their_spread_is_nil() -> None:
    assert not len(find_outliers(fitted({}, noise=0.0)).rows)


def test_where_they_are_a_whole_level_there_is_a_reason_instead_of_a_law() -> None:
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(3e3, 3e5, 12), np.geomspace(300, 3e4, 3)))
    keep = (d < 1e4) | (n < 4e3)
    n, d = n[keep], d[keep]
    y = LAW.predict(TRUTH, N=n, D=d) * np.exp(0.01 * np.random.default_rng(1).normal(size=len(n)))
    y[np.argmax(d)] *= 3.0  # more images never raise a law's response, so it cannot follow
    account = describe_outliers(fit(LAW, {"N": n, "D": d}, y, delta=1e-3))
    assert [row["D"] for row in account["rows"]] == pytest.approx([3e4])
    assert account["reason"] == "2 distinct D; 3 are needed"
    assert account["parameters_without"] == {}


def test_the_account_names_rows_as_the_caller_does() -> None:
    found = fitted({7: 0.15})
    (row,) = describe_outliers(found, [f"key-{i}" for i in range(25)])["rows"]
    values = np.exp(found.logs[7] + found.centre)
    assert row["row"] == "key-7"
    assert (row["N"], row["D"]) == pytest.approx(tuple(values))
    assert np.log(row["observed"] / row["predicted"]) == pytest.approx(found.residuals[7])
    assert describe_outliers(found)["rows"][0]["row"] == 8


def test_nothing_fitted_has_no_account() -> None:
    found = fit(LAW, {"N": [1.0, 2.0], "D": [1.0, 2.0]}, [1.0, 2.0])
    assert describe_outliers(found) is None
    with pytest.raises(ValueError, match="chinchilla was not fitted: 2 rows; 6 are needed"):
        find_outliers(found)
