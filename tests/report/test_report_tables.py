import polars as pl
import pytest
from example_study import fits_of, runs_table

from scaling.report import report_tables as tables


@pytest.fixture(scope="module")
def runs():
    return runs_table(families=("mlp", "vit"), lost={1: "failed", 2: "diverged", 20: "missing"})


def test_progress_names_every_status(runs):
    assert tables.progress(runs) == {"done": 29, "diverged": 1, "failed": 1, "missing": 1, "all": 32}
    assert tables.progress(runs.clear()) == {"done": 0, "diverged": 0, "failed": 0, "missing": 0, "all": 0}


def test_a_diverged_run_is_no_hole(runs):
    assert {row["status"] for row in tables.holes(runs)} == {"failed", "missing"}
    assert {row["status"] for row in tables.diverged(runs)} == {"diverged"}


def test_families_count_what_is_done(runs):
    mlp, vit = tables.families(runs, fits_of(runs))
    assert (mlp["family"], mlp["cells"], mlp["done"]) == ("mlp", 16, 14)
    assert (vit["family"], vit["cells"], vit["done"]) == ("vit", 16, 15)
    done = runs.filter((pl.col("family") == "vit") & (pl.col("status") == "done"))
    assert vit["loss"] == done["loss"].min()
    assert vit["seconds"] == pytest.approx(done["seconds"].sum())


def test_a_parameter_without_interval_has_a_reason():
    fit = {"law": "power", "status": "too-few-cells", "parameters": {}, "intervals": {}, "reasons": {}}
    assert tables.parameter(None, "E")["reason"] == "no law was fitted"
    assert tables.parameter(fit, "E")["reason"] == "too few cells"
    assert tables.parameter(fit | {"parameters": {"A": 1.0}}, "E")["reason"] == "not in the law power"
    known = fit | {"parameters": {"E": 0.2}, "intervals": {"E": [0.1, 0.3]}}
    assert tables.parameter(known, "E") == {"estimate": 0.2, "interval": [0.1, 0.3], "reason": ""}


def test_laws_csv_keeps_a_family_without_law():
    runs = runs_table(families=("mlp",), sizes=(5_000, 20_000), images=(500, 2_000))
    table = tables.laws_csv(fits_of(runs))
    assert table.select("family", "parameter", "estimate", "reason").rows() == [
        ("mlp", None, None, "too few cells: 2 sizes"),
        ("mlp", None, None, "too few cells: 2 sizes"),
    ]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (40, "40 s"), (90, "90 s"), (720, "12 min"), (12_600, "3.5 h"), (180_000, "2.08 days")],
)
def test_durations(seconds, text):
    assert tables.duration(seconds) == text


def test_spans_and_intervals():
    assert [tables.span(None), tables.span((5_000, 130_000)), tables.span((10_000, 10_000))] == [
        "–",
        "5k – 130k",
        "10k",
    ]
    assert [tables.interval(None), tables.interval([-0.05, 0.5], 2)] == ["", "[−0.050, 0.50]"]


def test_rate_rules():
    assert tables.rate_rule({"reference": 4.0, "rate_at_reference": 0.0351, "exponent": -0.457}) == "0.0351 (w/4)^-0.46"
    assert tables.rate_rule({"reference": 4.0, "rate_at_reference": 0.02, "exponent": 0.0}) == "0.02"
    assert tables.rate_rule(None) == "–"


def test_outliers_come_with_their_seed_and_the_law_without_them(runs):
    fits = fits_of(runs)
    (row,) = tables.outliers(runs, fits)
    (model,) = row["models"]
    assert row["family"] == "mlp"
    assert model["seed"] == runs.row(by_predicate=pl.col("key") == model["row"], named=True)["seed"]
    assert row["parameters"]["alpha"] == pytest.approx((0.42, 0.462))
    assert row["change"] == pytest.approx(0.01207, rel=1e-3)
    assert tables.outlier_threshold(fits) == 4.0
    assert tables.outliers(runs, {}) == []
    assert tables.outlier_threshold({}) is None


def test_an_answer_that_all_families_share_stands_once(runs):
    form, models = tables.checklist(fits_of(runs))
    assert form["answers"] == [{"families": [], "answer": "E + A / N^alpha ..."}]
    assert models["answers"] == [
        {"families": ["mlp"], "answer": "14 models"},
        {"families": ["vit"], "answer": "15 models"},
    ]
    assert tables.checklist({}) == []


def test_exponents_of_compute_say_whether_the_slices_agree(runs):
    fits = fits_of(runs)
    mlp, vit = tables.compute_optimal(fits)
    assert (mlp["family"], mlp["slices"], mlp["departs"]) == ("mlp", 3, False)
    assert mlp["ways"]["surface"]["value"] == pytest.approx(0.44 / 0.86)
    assert mlp["ways"]["parabola"] is None
    assert mlp["images"]["value"] == pytest.approx(0.42 / 0.86)
    assert (vit["slices"], vit["reason"]) == (0, "2 isoFLOP slices of enough sizes; 3 are needed")
    fits["frontier"][0]["isoflop"]["departure"]["a"]["interval"] = [0.01, 0.1]
    assert tables.compute_optimal(fits)[0]["departs"] is True
    assert tables.compute_optimal({}) == []
