"""An error in the learning rate: the shifts are those of a direct fit to corrected losses."""

import numpy as np
import polars as pl
import pytest
from synthetic_runs import synthetic_runs

from scaling.analysis.rate_error import OCTAVES, cost_along, rate_errors
from scaling.analysis.study_statistics import fit_study
from scaling.analysis.usable_runs import cells_of

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


@pytest.fixture(scope="module")
def fits(runs) -> dict:
    return fit_study(runs, classes=10, bootstrap=40)


def test_shifts_are_those_of_a_direct_refit(runs, fits):
    (entry,) = rate_errors(runs, {"vgg": tuned(0.5)}, fits, seed=0)
    penalty = entry.law.penalty(OCTAVES).value
    assert penalty == pytest.approx(0.25 * (0.5 * np.log(2)) ** 2, rel=0.1)
    before = next(v for v in fits["verdicts"] if v["family"] == "vgg")
    assert entry.judged.skill == pytest.approx(before["skill"], abs=1e-4)
    cells = cells_of(runs, "vgg", "loss")
    for end in ("largest N", "smallest D"):
        corrected = dict(zip(cells.keys, np.exp(-cost_along(cells, penalty)[end]), strict=True))
        factor = pl.col("key").replace_strict(corrected, default=1.0, return_dtype=pl.Float64)
        again = fit_study(runs.with_columns(pl.col("loss") * factor), classes=10, bootstrap=40)
        law = next(f for f in again["fits"] if f["family"] == "vgg" and f["response"] == "loss")
        verdict = next(v for v in again["verdicts"] if v["family"] == "vgg")
        for name in ("alpha", "beta"):
            shift = law["parameters"][name] - entry.judged.parameters[name]
            assert entry.moved[end].parameters[name] - entry.judged.parameters[name] == pytest.approx(shift, rel=0.15, abs=2e-3)
        assert entry.moved[end].skill == pytest.approx(verdict["skill"], abs=0.02)
        assert entry.moved[end].verdicts["misfit"] == verdict["misfit_verdict"]
    # What is taken off the largest models makes the law steeper.
    assert entry.moved["largest N"].parameters["alpha"] < entry.moved["smallest N"].parameters["alpha"]


def test_a_large_error_changes_a_verdict(runs, fits):
    (entry,) = rate_errors(runs, {"vit": tuned(20.0)}, fits, seed=0)
    assert entry.changed()
    assert abs(entry.shift("skill")) > 0.1


def test_families_that_were_not_tuned_or_have_no_law(runs, fits):
    assert rate_errors(runs, {"vgg": {"anchors": []}}, fits, seed=0) == []
    assert rate_errors(runs, {"vgg": tuned(0.5)}, {}, seed=0) == []
    few = runs.filter(pl.col("images") == pl.min("images"))
    (entry,) = rate_errors(few, {"vgg": tuned(0.5)}, fits, seed=0)
    assert entry.judged is None
    assert entry.shift("alpha") is None
    assert not isinstance(entry.law, str)
