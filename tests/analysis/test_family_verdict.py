"""The verdicts: gate, order, and whole studies with known truths."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from synthetic_runs import TRUTHS, synthetic_runs

from scaling.analysis import fit_study
from scaling.analysis.compare import compare_table
from scaling.analysis.family_verdict import family_sentence, gate, order_share
from scaling.laws import predict

GRID = tuple(a.ravel() for a in np.meshgrid(np.geomspace(1e3, 1e5, 4), np.geomspace(300, 3e4, 4)))


def test_the_gate_opens_for_a_fall_and_not_for_noise() -> None:
    n, d = GRID
    rng = np.random.default_rng(0)
    falling = gate(n, d, np.log(0.2 + 9 / n**0.46 + 10 / d**0.45))
    assert falling.scales
    flat = [gate(n, d, 0.02 * rng.normal(size=16)).scales for _ in range(200)]
    assert np.mean(flat) < 0.06  # 2.5 % by construction
    sentence = family_sentence("mlp", gate(n, d, 0.02 * rng.normal(size=16)), None, None, None, None)
    assert sentence.startswith("mlp does not scale here: its loss falls by")
    assert sentence.endswith("over the grid, by a plane")


def test_the_fall_that_is_said_is_the_measured_one() -> None:
    n, d = GRID
    loss = 0.2 + 9 / n**0.46 + 10 / d**0.45
    loss[0] *= 1.5  # off the plane, which hardly follows
    falling = gate(n, d, np.log(loss))
    assert falling.measured == pytest.approx(np.log(loss[0] / loss[-1]))
    said = f"mlp: loss falls by {1 - loss[-1] / loss[0]:.0%} from its smallest to its largest run"
    assert family_sentence("mlp", falling, None, None, "few", None).startswith(said)
    without = gate(n[1:], d[1:], np.log(loss[1:]))
    assert without.measured is None
    assert "over the grid, by a plane" in family_sentence("mlp", without, None, None, "few", None)


def test_a_gate_without_room_cannot_tell() -> None:
    few = gate(np.array([1e3, 1e4]), np.array([300.0, 900.0]), np.array([0.0, -1.0]))
    assert few.interval is None
    assert "cannot tell" in family_sentence("mlp", few, None, None, None, None)


def test_order_counts_neighbours_that_fell_by_more_than_noise() -> None:
    axis, other, seeds = np.array([1.0, 2.0, 3.0, 1.0, 2.0]), np.array([5.0, 5.0, 5.0, 6.0, 6.0]), np.zeros(5)
    share, count = order_share(axis, other, seeds, np.array([0.0, -1.0, -1.001, 0.0, 0.5]), noise=0.1)
    assert count == 3
    assert share == pytest.approx(1 / 3)


@pytest.fixture(scope="module")
def study() -> tuple[pl.DataFrame, dict]:
    runs = synthetic_runs(("mlp", "resnet", "vit"), sizes=5, data_sizes=5, second_seed_share=0.3, noise=0.01, seed=3)
    broken = pl.int_range(pl.len()) == 7
    runs = runs.with_columns(
        pl.when(broken).then(pl.lit("diverged")).otherwise(pl.col("status")).alias("status"),
        pl.when(broken).then(None).otherwise(pl.col("loss")).alias("loss"),
    )
    return runs, fit_study(runs, classes=10, bootstrap=60)


def test_a_study_recovers_its_truths(study: tuple[pl.DataFrame, dict]) -> None:
    _, report = study
    json.dumps(report, allow_nan=False)
    for entry in (e for e in report["fits"] if e["response"] == "loss"):
        truth = TRUTHS[entry["family"]]
        assert entry["status"] == "converged"
        for name in ("alpha", "beta"):
            assert entry["parameters"][name] == pytest.approx(truth[name], abs=0.12), (entry["family"], name)
        assert entry["noise_rms"] == pytest.approx(0.01, rel=0.6)
        assert entry["residual_rms"] == pytest.approx(0.01, rel=0.6)
        assert len(entry["draws"]) == 60


def test_a_diverged_cell_is_left_out_and_listed(study: tuple[pl.DataFrame, dict]) -> None:
    runs, report = study
    entry = next(e for e in report["fits"] if e["family"] == runs["family"][7] and e["response"] == "loss")
    assert entry["excluded"] == [{"key": runs["key"][7], "why": "diverged"}]
    assert entry["rows"] == runs.filter(pl.col("family") == runs["family"][7]).height - 1


def test_held_out_cells_are_predicted_better_than_by_persistence(study: tuple[pl.DataFrame, dict]) -> None:
    _, report = study
    for entry in (e for e in report["holdout"] if e["response"] == "loss"):
        logs = np.log([[c["predicted"], c["persistence"], c["observed"]] for c in entry["cells"]])
        error, base = (np.sqrt(np.mean((logs[:, i] - logs[:, 2]) ** 2)) for i in (0, 1))
        assert entry["skill"] == pytest.approx(1 - error / base)
        assert entry["interval"][0] < entry["skill"] < entry["interval"][1]
    for verdict in report["verdicts"]:
        assert verdict["scales"]
        assert verdict["skill"] > 0.5
        assert "better than persistence" in verdict["sentence"]


def test_the_predictor_is_the_fit(study: tuple[pl.DataFrame, dict]) -> None:
    runs, report = study
    for entry in report["fits"]:
        cells = runs.filter(pl.col("family") == entry["family"], pl.col("status") == "done")
        value = predict(entry, cells["params"].to_numpy(), cells["images"].to_numpy())
        rms = np.sqrt(np.mean(np.log(cells[entry["response"]].to_numpy() / value) ** 2))
        assert rms == pytest.approx(entry["residual_rms"], rel=1e-6)
        assert not np.allclose(value, predict(entry, cells["params"].to_numpy(), cells["images"].to_numpy(), draw=0))


def test_the_frontier_falls_and_its_parts_rise(study: tuple[pl.DataFrame, dict]) -> None:
    _, report = study
    for entry in report["frontier"]:
        loss, low, high = (np.array(entry[name]) for name in ("loss", "low", "high"))
        assert (np.diff(loss) < 1e-9).all()
        assert (low <= high).all()
        assert ((low < loss * 1.02) & (loss < high * 1.02)).all()


def test_small_studies_say_why_instead_of_failing() -> None:
    runs = synthetic_runs(("mlp", "vit"), sizes=2, data_sizes=2)
    report = fit_study(runs, classes=10, bootstrap=20)
    assert {entry["status"] for entry in report["fits"]} == {"too-few-cells"}
    assert all(entry["reason"].startswith("too few cells: 2 sizes x 2 data sizes") for entry in report["holdout"])
    assert report["frontier"] == []
    nothing = fit_study(runs.with_columns(pl.lit("missing").alias("status")), classes=10, bootstrap=20)
    assert all("cannot tell" in verdict["sentence"] for verdict in nothing["verdicts"])
    json.dumps([report, nothing], allow_nan=False)


def test_bad_runs_tables_are_named() -> None:
    runs = synthetic_runs(("mlp",), sizes=2, data_sizes=2)
    with pytest.raises(ValueError, match="the runs table lacks the column flop"):
        fit_study(runs.drop("flop"), classes=10)
    with pytest.raises(ValueError, match="classes is 1; it must be at least 2"):
        fit_study(runs, classes=1)


def test_compare_reads_any_table(tmp_path) -> None:
    runs = synthetic_runs(("mlp", "vit"), seeds=2, noise=0.01)
    runs.select("family", "kind", "params", "images", "seed", "loss").with_columns(pl.col("seed").cast(pl.String)).write_csv(
        tmp_path / "runs.csv"
    )
    result = compare_table(
        tmp_path / "runs.csv", family="family", kind="kind", n="params", d="images", y="loss", seed_column="seed"
    )
    json.dumps(result, allow_nan=False)
    assert [entry["family"] for entry in result["families"]] == ["mlp", "vit"]
    assert {pair["contrast"] for pair in result["pairs"]} == {"skill", "alpha", "beta"}
    beta = next(pair for pair in result["pairs"] if pair["contrast"] == "beta")
    assert beta["difference"] == pytest.approx(TRUTHS["mlp"]["beta"] - TRUTHS["vit"]["beta"], abs=0.06)
