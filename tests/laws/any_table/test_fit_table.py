"""Fit, extrapolate and forecast for tables of others: what the command line prints."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from scaling.laws.any_table.extrapolate import extrapolate_table
from scaling.laws.any_table.fit_table import fit_table, told_of_many
from scaling.laws.any_table.forecast import forecast_table
from scaling.laws.any_table.read_table import TableError
from scaling.laws.forms import known_laws as forms

DATA = Path(os.environ.get("SCALING_BENCHMARK_DATA", "benchmarks/data"))
needs_data = pytest.mark.skipif(not (DATA / "few_shot_curves_72.csv").is_file(), reason="set SCALING_BENCHMARK_DATA")
TRUTH = {"E": 0.22, "A": 9.0, "alpha": 0.46, "B": 10.0, "beta": 0.45}


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(3e3, 3e5, 5), np.geomspace(300, 3e4, 5)))
    noise = np.exp(0.005 * np.random.default_rng(0).normal(size=25))
    frame = pl.DataFrame({"size": n, "data": d, "loss": forms.chinchilla().predict(TRUTH, N=n, D=d) * noise})
    frame = pl.concat([frame.with_columns(pl.lit(name).alias("who")) for name in ("a", "b")])
    frame.write_csv(tmp_path / "runs.csv")
    return tmp_path / "runs.csv"


def test_very_many_groups_are_fitted_together_and_it_is_said(grid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"n": "size", "d": "data", "y": "loss", "by": ["who"], "drop_largest": 1, "delta": None}
    alone = fit_table(grid, **settings)
    assert told_of_many(alone) is None
    monkeypatch.setattr("scaling.laws.any_table.fit_table.MANY_GROUPS", 1)
    seen: list[tuple[int, int]] = []
    many = fit_table(grid, **settings, progress=lambda i, n: seen.append((i, n)))
    assert seen == [(2, 2)]
    assert told_of_many(many) == (
        "2 groups: intervals from the curvature of each optimum, 4 starts each; fit a group alone for profile intervals"
    )
    json.dumps(many, allow_nan=False)
    for one, other in zip(many, alone, strict=True):
        assert one.keys() == other.keys() - {"honest", "honest_intervals"}
        assert (one["group"], one["status"], one["dropped"]) == (other["group"], other["status"], other["dropped"])
        assert one["parameters"] == pytest.approx(other["parameters"], rel=1e-3)
        assert one["parameters_with_dropped"] == pytest.approx(other["parameters_with_dropped"], rel=1e-3)
        assert one["interval_method"] == "the curvature of the optimum, t on n - p degrees of freedom"
        for name in ("alpha", "beta"):
            assert one["intervals"][name] == pytest.approx(other["intervals"][name], rel=0.05)


def test_fit_gives_one_json_entry_a_group(grid: Path) -> None:
    seen: list[tuple[int, int]] = []
    entries = fit_table(grid, n="size", d="data", y="loss", by=["who"], progress=lambda i, n: seen.append((i, n)))
    assert [entry["group"] for entry in entries] == [{"who": "a"}, {"who": "b"}]
    assert seen == [(1, 2), (2, 2)]
    json.dumps(entries, allow_nan=False)
    for entry in entries:
        assert entry["status"] == "converged"
        low, high = entry["intervals"]["alpha"]
        assert low < TRUTH["alpha"] < high
        assert entry["certificate"]["share"] > 0.9


def test_dropped_rows_are_listed_with_what_they_would_change(grid: Path) -> None:
    (entry,) = fit_table(grid, n="size", d="data", y="loss", drop_largest=3)
    largest = pl.read_csv(grid)["loss"].sort(descending=True)[:3].to_list()
    assert sorted(row["loss"] for row in entry["dropped"]) == pytest.approx(sorted(largest))
    assert entry["rows"] == 47
    assert entry["parameters_with_dropped"] != entry["parameters"]


def test_the_bootstrap_replaces_the_profile_when_asked(grid: Path) -> None:
    (profile,) = fit_table(grid, n="size", d="data", y="loss", delta=None)
    (pairs,) = fit_table(grid, n="size", d="data", y="loss", delta=None, bootstrap=300)
    assert pairs["interval_method"] == "300 pair bootstraps, percentiles"
    widths = [np.subtract(*entry["intervals"]["beta"][::-1]) for entry in (profile, pairs)]
    assert 0.3 < widths[1] / widths[0] < 1.5
    assert pairs["standard_errors"]["beta"] == pytest.approx(widths[1] / 3.9, rel=0.3)


def test_auto_says_what_it_chose_from(grid: Path) -> None:
    (entry,) = fit_table(grid, n="size", d="data", y="loss", law="auto")
    assert entry["law"] in entry["scores"]
    assert entry["scores"]["chinchilla"] < 0.05


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n": "size", "d": "data", "law": "power"}, "law power needs x, got N, D"),
        ({"x": "data"}, "law chinchilla needs n and d, got x"),
        ({"n": "size"}, "give x for a law of one variable, or n and d for two; got n = size"),
        ({"n": "size", "d": "data", "bootstrap": -1}, "bootstrap is -1; it must be 0 or more"),
        ({"n": "size", "d": "data", "drop_largest": 50}, "drop_largest is 50, which leaves none of 50 rows"),
        ({"n": "size", "d": "data", "law": "bounded"}, "law bounded needs the ceiling"),
    ],
)
def test_bad_questions_get_one_line(grid: Path, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_table(grid, y="loss", **settings)


def test_extrapolate_never_reads_the_test_responses(tmp_path: Path) -> None:
    x = np.geomspace(1e3, 1e6, 40)
    y = forms.power_floor().predict({"E": 0.2, "B": 30.0, "c": 0.5}, x=x)
    split = np.where(x < 2e5, "train", "test")
    split[0] = "skip"
    frame = pl.DataFrame({"x": x, "y": y, "split": split})
    frame.write_csv(tmp_path / "a.csv")
    frame.with_columns(pl.when(pl.col("split") == "test").then(pl.col("y") * 2).otherwise(pl.col("y")).alias("y")).write_csv(
        tmp_path / "b.csv"
    )
    a, b = (extrapolate_table(tmp_path / name, x="x", y="y", split="split") for name in ("a.csv", "b.csv"))
    assert a["left_out"] == 1
    assert a["curves"][0]["rmse_log"] < 0.02
    # Twice the observed is log 2 away from the same prediction.
    assert b["curves"][0]["rmse_log"] == pytest.approx(np.log(2.0), abs=0.02)
    for estimator in ("m2", "power-floor"):
        exact = extrapolate_table(tmp_path / "a.csv", x="x", y="y", split="split", estimator=estimator)
        assert exact["mean"] < 1e-4
    frame.filter(pl.col("split") != "test").write_csv(tmp_path / "c.csv")
    arguments = {"x": "x", "y": "y", "split": "split"}
    with pytest.raises(TableError, match="no row has split = test"):
        extrapolate_table(tmp_path / "c.csv", **arguments)


def test_forecast_answers_three_questions(grid: Path) -> None:
    answer = forecast_table(grid, n="size", d="data", y="loss", at=[(1e5, 1e4), (1e8, 1e4)], budgets=[6e9], targets=[0.5, 0.01])
    json.dumps(answer, allow_nan=False)
    near, far = answer["at"]
    low, high = near["interval"]
    assert low < 0.22 + 9 / 1e5**0.46 + 10 / 1e4**0.45 < high
    assert near["warnings"] == []
    assert far["warnings"] == ["N = 1e+08 is above the data by a factor of 333"]
    (budget,) = answer["budgets"]
    assert budget["N"] * budget["D"] * 6 == pytest.approx(6e9, rel=1e-3)
    assert budget["N_interval"][0] < budget["N"] < budget["N_interval"][1]
    reached, missed = answer["targets"]
    assert reached["interval"][0] < reached["flop"] < reached["interval"][1]
    again = forecast_table(grid, n="size", d="data", y="loss", budgets=[reached["flop"]])["budgets"][0]
    assert again["response"] == pytest.approx(0.5, rel=1e-3)
    assert missed["flop"] is None
    assert missed["reason"].startswith("not reached")
    low, high = answer["isoflop"]["exponents"]["a"]["surface"]["interval"]
    assert low < 0.45 / (0.45 + 0.46) < high


def test_forecast_reads_the_price_off_a_table_that_is_no_grid(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n, d = np.exp(rng.uniform(np.log([[1e4], [1e4]]), np.log([[1e6], [1e6]]), (2, 80)))
    loss = forms.chinchilla().predict(TRUTH, N=n, D=d) * np.exp(0.005 * rng.normal(size=80))
    pl.DataFrame({"n": n, "d": d, "loss": loss, "flop": 6 * n * d}).write_csv(tmp_path / "runs.csv")
    answers = [
        forecast_table(tmp_path / "runs.csv", n="n", d="d", y="loss", flop=flop, budgets=[3e10])["budgets"][0]
        for flop in (None, "flop")
    ]
    assert answers[1]["N"] == pytest.approx(answers[0]["N"], rel=0.02)
    assert answers[1]["warnings"] == []


@needs_data
def test_imagenet_grid_is_extrapolated() -> None:
    result = extrapolate_table(
        DATA / "vision_grid_imagenet.csv", n="params", d="images", y="error", by=["family"], split="split"
    )
    curves = {curve["group"]["family"]: curve for curve in result["curves"]}
    assert result["mean"] <= 0.25
    assert curves["ViT"]["rmse_log"] <= 0.40
    assert curves["ResNet"]["rows_outside"] == 28


@pytest.mark.slow
def test_auto_takes_no_law_whose_parameters_the_table_leaves_open(tmp_path: Path) -> None:
    """Where the rival with most parameters predicts best but is not determined, the next best is taken."""
    rng = np.random.default_rng(3)
    n, d = (np.tile(axis.ravel(), 2) for axis in np.meshgrid(np.geomspace(5e3, 1e5, 4), np.geomspace(500, 4000, 4)))
    frames = []
    for group in range(25):
        y = (0.2 + 20 / n**0.6 + 8 / d**0.45) * np.exp(rng.normal(0, 0.03, 32))
        frames.append(pl.DataFrame({"group": [str(group)] * 32, "n": n, "d": d, "y": y}))
    path = tmp_path / "runs.csv"
    pl.concat(frames).write_csv(path)
    entries = fit_table(path, n="n", d="d", y="y", law="auto", by=["group"], delta=None)
    best = [min((k for k, v in e["scores"].items() if v is not None), key=e["scores"].get) for e in entries]
    assert any(law != entry["law"] for law, entry in zip(best, entries, strict=True))
    assert all(entry["status"] in ("converged", "at-bound") for entry in entries)


def test_a_curve_too_short_to_be_stacked_has_a_reason_and_ends_no_other(tmp_path: Path) -> None:
    x = np.geomspace(100, 1e5, 12)
    split = ["train"] * 9 + ["test"] * 3
    long = pl.DataFrame({"curve": "long", "x": x, "y": 0.1 + 3 / x**0.4, "split": split})
    short = pl.DataFrame({"curve": "short", "x": x[7:10], "y": 0.1 + 3 / x[7:10] ** 0.4, "split": ["train", "train", "test"]})
    path = tmp_path / "curves.csv"
    pl.concat([long, short]).write_csv(path)
    found = extrapolate_table(path, x="x", y="y", by=["curve"], split="split")
    assert found["curves"][0]["rmse_log"] < 0.05
    assert (found["curves"][1]["rmse_log"], found["curves"][1]["reason"]) == (None, "2 rows; at least 3 are needed")
    assert found["mean"] == found["curves"][0]["rmse_log"]
