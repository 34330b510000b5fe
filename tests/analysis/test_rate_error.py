"""An error in the learning rate: the shifts are those of a direct fit to corrected losses."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from synthetic_runs import synthetic_runs

from scaling.analysis.rate_error import OCTAVES, cost_along, rate_errors
from scaling.analysis.study_statistics import judge
from scaling.analysis.usable_runs import cells_of
from scaling.laws.forms.known_laws import chinchilla

RATES = (0.005, 0.01, 0.02, 0.04)


def tuned(curvature: float, sizes=(10e3, 60e3)) -> dict:
    """A tuning record whose losses are parabolas with a little noise."""
    rng = np.random.default_rng(0)
    x = np.log(np.array(RATES) / 0.015)
    anchors = [
        {
            "params": n,
            "images": 800,
            "candidates": [
                {"rate": rate, "validation_loss": float(loss)}
                for rate, loss in zip(RATES, np.exp(curvature / 2 * x**2 + 1e-3 * rng.normal(size=4)), strict=True)
            ],
        }
        for n in sizes
    ]
    return {"anchors": anchors}


@pytest.fixture(scope="module")
def runs() -> pl.DataFrame:
    return synthetic_runs(("vgg", "vit"), seeds=2, noise=0.01)


FITS = {"verdicts": [{"family": "vgg", "skill_interval": [0.5, 0.8]}, {"family": "vit", "skill_interval": [0.5, 0.8]}]}
"""What rate_errors reads of fits.json."""


@pytest.mark.parametrize("end", ["largest N", "smallest D"])
def test_shifts_are_those_of_a_direct_refit(runs, end):
    (entry,) = rate_errors(runs, {"vgg": tuned(0.5)}, FITS, seed=0)
    penalty = entry.law.penalty(OCTAVES).value
    assert penalty == pytest.approx(0.25 * (0.5 * np.log(2)) ** 2, rel=0.1)
    cells = [cells_of(runs, name, "loss") for name in ("vgg", "vit")]
    costs = cost_along(cells[0], penalty)[end]
    assert (costs.min(), costs.max()) == pytest.approx((0.0, penalty))
    for one, corrected in ((entry.judged, 0.0), (entry.moved[end], costs)):
        without = [replace(cells[0], y=cells[0].y * np.exp(-corrected)), cells[1]]
        _, judged, skills = judge(without, chinchilla(), seed=0, resamples=2)
        found = judged[0].found.parameters
        for name in ("alpha", "beta"):
            assert one.parameters[name] == pytest.approx(found[name], abs=2e-3)
        assert one.skill == pytest.approx(skills["vgg"].value, abs=0.01)
    # What is taken off the largest models makes the law steeper.
    assert entry.moved["largest N"].parameters["alpha"] < entry.moved["smallest N"].parameters["alpha"]


def test_a_large_error_changes_a_verdict(runs):
    (entry,) = rate_errors(runs, {"vit": tuned(20.0)}, FITS, seed=0)
    assert entry.changed()
    assert abs(entry.shift("skill")) > 0.1


def test_families_that_were_not_tuned_or_have_no_law(runs):
    assert rate_errors(runs, {"vgg": {"anchors": []}}, FITS, seed=0) == []
    assert rate_errors(runs, {"vgg": tuned(0.5)}, {}, seed=0) == []
    few = runs.filter(pl.col("images") == pl.min("images"))
    (entry,) = rate_errors(few, {"vgg": tuned(0.5)}, FITS, seed=0)
    assert entry.judged is None
    assert entry.shift("alpha") is None
    assert not isinstance(entry.law, str)
