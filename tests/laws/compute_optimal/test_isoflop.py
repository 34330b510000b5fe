"""IsoFLOP optima: the surface's are the closed form, slice by slice agrees where the law holds, the parabola is biased."""

from __future__ import annotations

import json

import numpy as np
import pytest

from scaling.laws import Fit, fit
from scaling.laws.compute_optimal.frontier import SixND, tabled_compute
from scaling.laws.compute_optimal.isoflop import describe_isoflop, estimate, isoflop
from scaling.laws.compute_optimal.slices import slices_of
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.bootstrap import residual_draws

LAW = forms.chinchilla()
TRUTH = {"E": 1.8, "A": 1450.0, "alpha": 0.46, "B": 150.0, "beta": 0.25}
EXPONENT = TRUTH["beta"] / (TRUTH["alpha"] + TRUTH["beta"])
PRICE = SixND((np.log(1e4), np.log(1e12)), (np.log(1e14), np.log(1e26)))


def best_params(flop: Floats) -> Floats:
    a, b = TRUTH["alpha"], TRUTH["beta"]
    return (a * TRUTH["A"] / (b * TRUTH["B"])) ** (1 / (a + b)) * (np.asarray(flop) / 6) ** (b / (a + b))


def table(width: float = 8.0) -> tuple[Floats, Floats, Floats]:
    flop = np.repeat(np.geomspace(1e18, 1e21, 5), 7)
    n = best_params(flop) * np.tile(width ** np.linspace(-1, 1, 7), 5)
    return n, flop / 6 / n, flop


def fitted(n: Floats, d: Floats, noise: float = 0.0, bend: float = 0.0, law: forms.Law = LAW) -> Fit:
    y = LAW.predict(TRUTH, N=n, D=d) * np.exp(noise * np.random.default_rng(0).normal(size=len(n)))
    y = y * np.exp(bend * (np.log(n * d) - np.log(n * d).mean()) * (np.log(n) - np.log(n).mean()))
    return fit(law, {"N": n, "D": d}, y, delta=None if noise or bend else 1e-3)


def test_without_noise_the_surface_is_the_closed_form_and_the_parabola_is_not() -> None:
    n, d, flop = table()
    found = fitted(n, d)
    slices = slices_of(n, d, flop, PRICE)
    result = isoflop(found, slices, PRICE, found.log_y[None])
    best = best_params(np.exp([one.log_flop for one in slices]))
    for way in ("surface", "slices"):
        assert np.exp(result.optima[way].log_params[0]) == pytest.approx(best, rel=3e-3)
        assert result.exponents["a"][way].value == pytest.approx(EXPONENT, abs=2e-4)
        assert result.exponents["b"][way].value == pytest.approx(1 - EXPONENT, abs=2e-4)
        spent = result.optima[way].log_params[0] + result.optima[way].log_images[0] + np.log(6)
        assert spent == pytest.approx([one.log_flop for one in slices])
        loss = LAW.predict(TRUTH, N=best, D=np.exp([one.log_flop for one in slices]) / 6 / best)
        assert np.exp(result.optima[way].log_response[0]) == pytest.approx(loss, rel=1e-4)
    # Sizes up to 8 times off either side: the vertex lies 10 % or more above the best N (docs/frontier.md).
    off = np.exp(result.optima["parabola"].log_params[0]) / best
    assert (off > 1.08).all()
    narrow = isoflop(fitted(*table(1.5)[:2]), slices_of(*table(1.5), PRICE), PRICE, found.log_y[None])
    assert np.exp(narrow.optima["parabola"].log_params[0]) == pytest.approx(best, rel=0.02)


def test_a_crossed_grid_with_a_price_of_its_own_agrees() -> None:
    truth = {"E": 0.22, "A": 9.0, "alpha": 0.46, "B": 10.0, "beta": 0.45}
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(1e3, 1e5, 6), np.geomspace(150, 15_000, 6)))
    flop = 180 * n * 24 * d
    found = fit(LAW, {"N": n, "D": d}, LAW.predict(truth, N=n, D=d))
    price = tabled_compute(n, d, flop)
    result = isoflop(found, slices_of(n, d, flop, price), price, found.log_y[None])
    expected = truth["beta"] / (truth["alpha"] + truth["beta"])
    assert result.exponents["a"]["surface"].value == pytest.approx(expected, abs=2e-3)
    assert result.exponents["a"]["slices"].value == pytest.approx(expected, abs=2e-3)


def test_intervals_hold_the_truth_and_slices_agree_where_the_law_holds() -> None:
    n, d, flop = table()
    found = fitted(n, d, noise=0.005)
    account = describe_isoflop(found, n, d, flop, PRICE, residual_draws(found, 100))
    json.dumps(account, allow_nan=False)
    assert account["reason"] is None
    for way in ("surface", "slices"):
        low, high = account["exponents"]["a"][way]["interval"]
        assert low < EXPONENT < high
        assert high - low < 0.15
    low, high = account["departure"]["a"]["interval"]
    assert low < 0 < high
    middle = account["slices"][2]
    assert middle["points"] == 7
    low, high = middle["surface"]["N_interval"]
    assert low < best_params(middle["flop"]) < high


def test_slices_depart_where_the_law_does_not_hold() -> None:
    n, d, flop = table()
    found = fitted(n, d, noise=0.001, bend=0.003)
    account = describe_isoflop(found, n, d, flop, PRICE, residual_draws(found, 100))
    low, high = account["departure"]["a"]["interval"]
    assert low > 0 or high < 0


def test_a_slice_without_a_minimum_inside_gives_none() -> None:
    n, d, flop = table()
    keep = n < 0.7 * best_params(flop)
    found = fitted(n, d, noise=0.001)
    left = fit(LAW, {"N": n[keep], "D": d[keep]}, np.exp(found.log_y[keep]), delta=None)
    cut = [
        type(one)(one.log_flop, one.logs[at], one.weights[at], one.reader[np.flatnonzero(at)][:, np.flatnonzero(keep)], False)
        for one in slices_of(n, d, flop, PRICE)
        for at in [np.exp(one.logs[:, 0]) < 0.7 * best_params(np.exp(one.log_flop))]
    ]
    result = isoflop(left, cut, PRICE, residual_draws(left, 20))
    assert np.isnan(result.optima["slices"].log_params[0]).all()
    assert result.exponents["a"]["slices"] is None
    assert result.departure["a"] is None


def test_laws_of_other_terms_have_surface_and_parabola_only() -> None:
    n, d, flop = table()
    found = fitted(n, d, noise=0.005, law=forms.kaplan())
    account = describe_isoflop(found, n, d, flop, PRICE, residual_draws(found, 40))
    assert set(account["exponents"]["a"]) == {"surface", "parabola"}
    assert account["departure"] == {"a": None, "b": None}


def test_too_few_slices_have_a_reason() -> None:
    n = np.geomspace(1e7, 1e9, 12)
    found = fitted(n, 20 * n)
    account = describe_isoflop(found, n, 20 * n, 120 * n**2, PRICE, found.log_y[None])
    assert account["slices"] == []
    assert account["reason"] == "0 isoFLOP slices of enough sizes; 3 are needed"
    with pytest.raises(ValueError, match="0 isoFLOP slices; 3 are needed"):
        isoflop(found, [], PRICE, found.log_y[None])


def test_a_grid_without_slices_has_the_exponents_of_its_law() -> None:
    """Sizes so far apart that no three of them share a budget: nothing to check the law by, but the law."""
    n, d = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 1e10, 4), np.geomspace(1e9, 4e9, 4)))
    found = fitted(n, d, noise=0.002)
    account = describe_isoflop(found, n, d, 6 * n * d, PRICE, residual_draws(found, 60))
    assert account["slices"] == []
    assert account["departure"] == {}
    assert set(account["exponents"]["a"]) == {"surface"}
    for name, truth in (("a", EXPONENT), ("b", 1 - EXPONENT)):
        low, high = account["exponents"][name]["surface"]["interval"]
        assert low < truth < high
        assert account["exponents"][name]["surface"]["value"] == pytest.approx(truth, abs=0.1)


def test_an_estimate_needs_half_of_its_draws() -> None:
    assert estimate(np.array([1.0, np.nan, np.nan, np.nan, 1.1]), 5) is None
    assert estimate(np.array([np.nan, 1.0, 1.0]), 5) is None
    one = estimate(np.array([1.0, 0.9, 1.1, np.nan]), 5)
    assert (one.low, one.high) == pytest.approx((1.0 - 0.257, 1.0 + 0.257), abs=1e-3)
