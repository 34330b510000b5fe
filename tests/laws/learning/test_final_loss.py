"""Forecasts of a run's final loss, from curves drawn from a known distribution."""

from dataclasses import replace

import numpy as np
import pytest

from scaling.laws.learning.final_loss import Curve, final_loss

SHARES = (0.15, 0.25, 0.4, 0.65, 1.0)


def curves(rng: np.random.Generator, noise: float = 0.02) -> list[Curve]:
    """4 x 4 runs of a law whose curves fall more slowly the larger D is; the test loss is off by ``noise``."""
    found = []
    for params in (5e3, 2e4, 8e4, 3e5):
        for images in (500.0, 1e3, 2e3, 4e3):
            end = 20 * params**-0.4 + 9 * images**-0.4
            losses = end * np.array(SHARES) ** -(0.2 + 0.05 * np.log(images / 500)) * np.exp(noise * rng.normal(size=5))
            final = float(losses.min() * np.exp(noise * rng.normal()))
            found.append(Curve(params, images, SHARES, tuple(losses), final))
    return found


def first(curve: Curve, count: int) -> Curve:
    """The same run, still being trained, with its first evaluations."""
    return replace(curve, shares=curve.shares[:count], losses=curve.losses[:count], final=None)


@pytest.mark.parametrize("count", [1, 3])
def test_intervals_hold_95_percent_of_runs_left_out(count):
    rng, held = np.random.default_rng(0), []
    for _ in range(40):
        table = curves(rng)
        for place, curve in enumerate(table):
            found = final_loss(first(curve, count), table[:place] + table[place + 1 :])
            assert found is not None
            assert curve.final is not None
            held.append(found.low <= curve.final <= found.high)
    assert 0.92 < np.mean(held) < 0.98


def test_the_forecast_narrows_as_the_run_goes_on_and_has_no_error_without_noise():
    *others, last = curves(np.random.default_rng(1))
    widths = [np.log(found.high / found.low) for count in (1, 5) if (found := final_loss(first(last, count), others))]
    assert widths[1] < widths[0]
    *others, last = curves(np.random.default_rng(1), noise=0.0)
    exact = final_loss(first(last, 2), others)
    assert exact is not None
    assert exact.loss == pytest.approx(last.final)
    assert exact.runs == 15


def test_too_little_to_go_on_gives_no_forecast():
    *others, last = curves(np.random.default_rng(2))
    assert final_loss(first(last, 0), others) is None
    assert final_loss(first(last, 2), others[:3]) is None
    assert final_loss(first(last, 2), [first(curve, 5) for curve in others]) is None


def test_a_run_that_got_worse_is_forecast_from_its_lowest_loss_between_evaluations():
    run = Curve.of(100, 10, 100, [{"step": 25, "validation_loss": 2.0}, {"step": 100, "validation_loss": 8.0}])
    assert run.lowest_at(1.0) == pytest.approx(2.0)
    falls = Curve.of(100, 10, 100, [{"step": 25, "validation_loss": 8.0}, {"step": 100, "validation_loss": 2.0}])
    assert falls.lowest_at(0.5) == pytest.approx(4.0)
    assert falls.lowest_at(0.1) is None
    assert Curve.of(1, 1, 10, [{"step": 5, "validation_loss": None}]).shares == ()
