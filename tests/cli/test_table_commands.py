"""The commands for tables, as a user runs them: JSON for programs, a page for people, one line for what is wrong."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from scaling.cli.commands import app
from scaling.laws import law_named
from scaling.laws.forms import known_laws as forms

DATA = Path(os.environ.get("SCALING_BENCHMARK_DATA", "benchmarks/data"))
needs_data = pytest.mark.skipif(not (DATA / "chinchilla_245.csv").is_file(), reason="set SCALING_BENCHMARK_DATA")
TRUTH = {"E": 0.22, "A": 9.0, "alpha": 0.46, "B": 10.0, "beta": 0.45}
GRID = ("--n", "params", "--d", "images", "--y", "loss")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three families on a grid of 5 x 5, one seed; the largest D is for testing, and one row is marked as skipped."""
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(3e3, 3e5, 5), np.geomspace(300, 3e4, 5)))
    rng = np.random.default_rng(0)
    frames = []
    for name, kind, alpha in (("a", "convolutional", 0.46), ("b", "convolutional", 0.46), ("c", "transformer", 0.25)):
        loss = forms.chinchilla().predict(TRUTH | {"alpha": alpha}, N=n, D=d) * np.exp(0.005 * rng.normal(size=25))
        split = np.where(d > 2e4, "test", "train")
        split[0] = "skip" if name == "a" else "train"
        names = pl.DataFrame({"family": [name] * 25, "kind": [kind] * 25})
        frames.append(names.with_columns(params=n, images=d, seed=0, loss=loss, split=split, flop=6 * n * d))
    path = tmp_path_factory.mktemp("tables") / "runs.csv"
    pl.concat(frames).write_csv(path)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def answer(*arguments: object) -> object:
    """What --json prints, strictly JSON; nothing else may be on standard output."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout, parse_constant=refuse)


def test_fit_gives_a_list_with_one_entry_a_group(table: Path) -> None:
    entries = answer("fit", table, *GRID, "--by", "family")
    assert [entry["group"] for entry in entries] == [{"family": "a"}, {"family": "b"}, {"family": "c"}]
    needed = {
        "group",
        "law",
        "status",
        "rows",
        "parameters",
        "objective",
        "standard_errors",
        "intervals",
        "certificate",
        "seconds",
    }
    for entry in entries:
        assert needed <= set(entry)
        assert (entry["law"], entry["status"], entry["rows"]) == ("chinchilla", "converged", 25)
        assert set(entry["parameters"]) == set(entry["standard_errors"]) == set(entry["intervals"]) == set(TRUTH)
    a, _, c = (entry["intervals"]["alpha"] for entry in entries)
    assert a[0] < 0.46 < a[1]
    assert c[1] < a[0]


def test_groups_of_two_columns_in_one_option_or_two(table: Path) -> None:
    one = answer("fit", table, *GRID, "--by", "kind,family")
    two = answer("fit", table, *GRID, "--by", "kind", "--by", "family")
    assert [entry["group"] for entry in one] == [entry["group"] for entry in two]
    assert one[2]["group"] == {"kind": "transformer", "family": "c"}


def test_fit_of_one_variable_and_the_choice_of_a_law(table: Path) -> None:
    entries = answer("fit", table, "--x", "images", "--y", "loss", "--by", "family,params", "--law", "power-floor")
    assert len(entries) == 15
    assert all(set(entry["parameters"]) == {"E", "B", "c"} for entry in entries)
    (entry,) = answer("fit", table, *GRID, "--law", "auto")
    assert entry["scores"][entry["law"]] == min(score for score in entry["scores"].values() if score is not None)
    page = run("fit", table, *GRID, "--law", "auto").stdout
    assert "chosen by root mean square log error" in page
    assert f"{entry['law']} {entry['scores'][entry['law']]:.4f}" in page


def test_settings_reach_the_fit(table: Path) -> None:
    settings = ("--by", "family", "--delta", "auto", "--bootstrap", "50", "--drop-largest", "2", "--starts", "3", "--seed", "7")
    entry = answer("fit", table, *GRID, *settings)[1]
    assert entry["interval_method"] == "50 pair bootstraps, percentiles"
    assert entry["standard_error_method"] == "50 pair bootstraps"
    assert entry["certificate"]["starts"] == 3
    assert entry["rows"] == 23
    assert "0.001" not in entry["loss"]
    # Rows are numbered as in the file: b's first, of the smallest N and D, is row 26.
    assert 26 in [row["row"] for row in entry["dropped"]]


def test_a_page_for_people_has_intervals_and_what_was_left_out(table: Path) -> None:
    page = run("fit", table, *GRID, "--by", "family", "--drop-largest", "1").stdout
    assert "3 groups" in page
    assert "24 (1 dropped)" in page
    one = run("fit", table, *GRID, "--drop-largest", "1").stdout
    assert "left out, the largest loss: row 51 (" in one
    assert "with them the fit would be: E " in one
    assert "profile likelihood" in one
    kaplan = run("fit", table, *GRID, "--law", "kaplan").stdout
    assert "ask for a bootstrap" in kaplan


def test_a_group_that_cannot_be_fitted_does_not_end_the_others(table: Path, tmp_path: Path) -> None:
    frame = pl.read_csv(table)
    few = frame.filter(pl.col("family") == "c").head(3)
    pl.concat([few, frame.filter(pl.col("family") != "c")]).write_csv(tmp_path / "uneven.csv")
    entries = answer("fit", tmp_path / "uneven.csv", *GRID, "--by", "family", "--drop-largest", "3")
    assert [entry["status"] for entry in entries] == ["too-few-cells", "converged", "converged"]
    assert entries[0]["parameters"] == {}
    assert entries[0]["reasons"]["all"] == "0 rows; 6 are needed for 5 parameters"
    page = run("fit", tmp_path / "uneven.csv", *GRID, "--by", "family").stdout
    assert "too-few-cells (3 rows; 6 are needed" in page
    assert "3 groups, 1 of which could not be fitted" in page
    curves = answer("extrapolate", tmp_path / "uneven.csv", *GRID, "--by", "family", "--split", "split")["curves"]
    assert curves[0]["rmse_log"] is None
    assert curves[0]["reason"] == "no row has split = test"
    assert curves[1]["rmse_log"] < 0.05


@pytest.mark.slow
def test_extrapolate_says_how_far_off_and_counts_what_it_leaves_out(table: Path) -> None:
    arguments = ("extrapolate", table, *GRID, "--by", "family", "--split", "split")
    result = answer(*arguments)
    assert [curve["group"]["family"] for curve in result["curves"]] == ["a", "b", "c"]
    errors = [curve["rmse_log"] for curve in result["curves"]]
    assert max(errors) < 0.05
    assert result["mean"] == pytest.approx(np.mean(errors))
    assert result["median"] == pytest.approx(np.median(errors))
    assert (result["left_out"], result["left_out_by_split"]) == (1, {"skip": 1})
    page = run(*arguments).stdout
    assert "1 rows left out, whose split is neither train nor test: skip 1" in page
    assert "inside N" in page
    assert f"mean {result['mean']:.4g}, median {result['median']:.4g}" in page
    for estimator in ("m1", "m2"):
        curve = answer("extrapolate", table, "--x", "images", "--y", "loss", "--split", "split", "--estimator", estimator)
        assert curve["curves"][0]["estimator"] == estimator
        assert curve["mean"] > 0.05  # one curve through three families and five sizes


@pytest.mark.parametrize("estimator", [pytest.param("auto", marks=pytest.mark.slow), "chinchilla"])
def test_extrapolate_gives_an_interval_for_every_test_row(table: Path, estimator: str) -> None:
    arguments = ("extrapolate", table, *GRID, "--by", "family", "--split", "split", "--estimator", estimator)
    held = []
    for curve in answer(*arguments)["curves"]:
        assert len(curve["predictions"]) == curve["rows_test"] == 5
        for row in curve["predictions"]:
            assert 0 < row["low"] < row["predicted"] < row["high"]
            assert row["low_if_true"] < row["high_if_true"]
            held.append(row["low"] <= row["observed"] <= row["high"])
        assert curve["covered"] == pytest.approx(np.mean(held[-5:]))
    assert np.mean(held) > 0.8
    assert "in interval: test rows within the 95 % interval" in run(*arguments).stdout.replace("\n", " ")


def test_the_learning_rate_is_a_third_variable(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n, d = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e7, 3e8, 5), np.geomspace(2e8, 6e9, 4)))
    n, d, rate = np.repeat(n, 3), np.repeat(d, 3), np.tile([1e-3, 2e-3, 4e-3], 20)
    truth = {"E": 1.7, "A": 400.0, "alpha": 0.32, "B": 900.0, "beta": 0.3, "kappa": 0.08, "rho": 14.0, "mu": -0.5, "nu": 0.02}
    loss = law_named("rated").predict(truth, N=n, D=d, rate=rate) * np.exp(0.002 * rng.normal(size=60))
    split = np.where(n * d > np.quantile(n * d, 0.75), "test", "train")
    path = tmp_path / "rates.csv"
    columns = {"n": n, "d": d, "lr": rate, "two": np.minimum(rate, 2e-3), "loss": loss, "split": split}
    pl.DataFrame(columns).write_csv(path)
    table = (path, "--n", "n", "--d", "d", "--y", "loss")
    three, two = (answer("extrapolate", *table, "--split", "split", *rest) for rest in (("--rate", "lr"), ()))
    assert three["mean"] < 0.01 < two["mean"]
    (entry,) = answer("fit", *table, "--rate", "lr", "--law", "rated", "--delta", "auto")
    for name in ("kappa", "mu"):
        low, high = entry["intervals"][name]
        assert low < truth[name] < high
    for arguments, said in (
        ((*table, "--rate", "two"), "column two has 2 distinct values (0.001, 0.002); at least 3 are needed"),
        ((*table, "--rate", "lr", "--unique", "two"), "give unique or rate, no law has both; got unique = two, rate = lr"),
        ((path, "--x", "n", "--y", "loss", "--rate", "lr"), "rate = lr belongs to laws of n and d"),
    ):
        result = run("extrapolate", *arguments, "--split", "split")
        assert result.exit_code == 2
        assert said in result.stderr.replace("\n", " ")


def test_unique_data_is_a_third_variable(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n, u = np.exp(rng.uniform(16, 20, 48)), np.exp(rng.uniform(18, 22, 48))
    d = u * np.exp(rng.uniform(0, 3, 48))
    truth = {"E": 1.7, "A": 400.0, "alpha": 0.32, "B": 900.0, "beta": 0.3, "R_star": 5.0}
    loss = forms.repeated().predict(truth, N=n, D=d, U=u) * np.exp(0.003 * rng.normal(size=48))
    split = np.where(n * d > np.quantile(n * d, 0.75), "test", "train")
    path = tmp_path / "repeated.csv"
    pl.DataFrame({"n": n, "d": d, "u": u, "once": d, "loss": loss, "split": split}).write_csv(path)
    table = (path, "--n", "n", "--d", "d", "--y", "loss")
    three = answer("extrapolate", *table, "--split", "split", "--unique", "u")
    two = answer("extrapolate", *table, "--split", "split")
    assert three["mean"] < 0.02 < two["mean"]
    assert set(three["curves"][0]["predictions"][0]) >= {"N", "D", "U", "low", "high"}
    (entry,) = answer("fit", *table, "--unique", "u", "--law", "repeated", "--delta", "auto")
    assert entry["parameters"]["R_star"] == pytest.approx(5.0, rel=0.3)
    assert entry["intervals"]["R_star"] is not None
    for arguments, said in (
        ((*table, "--split", "split", "--unique", "once"), "every row has seen its data 1 time(s)"),
        ((path, "--x", "n", "--y", "loss", "--split", "split", "--unique", "u"), "belongs to laws of n and d"),
        ((*table, "--split", "split", "--unique", "v"), "no column v"),
    ):
        result = run("extrapolate", *arguments)
        assert result.exit_code == 2
        assert said in result.stderr.replace("\n", " ")


@pytest.mark.slow
def test_a_ceiling_is_none_a_number_or_follows_from_classes(table: Path, tmp_path: Path) -> None:
    arguments = (*GRID, "--by", "family", "--split", "split")
    assert answer("extrapolate", table, *arguments, "--ceiling", "none")["curves"][0]["ceiling"] is None
    assert answer("extrapolate", table, *arguments, "--ceiling", "2.5")["curves"][0]["ceiling"] == 2.5
    path = tmp_path / "classes.csv"
    pl.read_csv(table).with_columns(classes=10).write_csv(path)
    curves = answer("extrapolate", path, *arguments, "--ceiling", "classes")["curves"]
    assert curves[0]["ceiling"] == pytest.approx(np.log(10))
    for command in (("fit", path, *GRID, "--law", "bounded"), ("compare", path, "--family", "family", *GRID)):
        assert run(*command, "--ceiling", "classes").exit_code == 0
    for command in ("fit", "forecast"):
        extra = ("--at", "1e6,1e5") if command == "forecast" else ()
        assert run(command, path, *GRID, *extra, "--ceiling", "none").exit_code == 0
    for bad in ("nothing", "-1", "0", "nan", "inf"):
        result = run("extrapolate", table, *arguments, "--ceiling", bad)
        assert result.exit_code == 2
        assert "must be none, a positive number or classes" in result.stderr.replace("\n", " ")


@pytest.mark.slow
def test_compare_gives_families_pairs_and_a_verdict(table: Path) -> None:
    arguments = ("compare", table, "--family", "family", "--kind", "kind", *GRID, "--seed-column", "seed")
    result = answer(*arguments)
    assert set(result) == {"families", "pairs", "verdict", "not_used"}
    assert result["not_used"] == []
    assert [one["family"] for one in result["families"]] == ["a", "b", "c"]
    assert {(pair["first"], pair["second"]) for pair in result["pairs"]} == {("a", "b"), ("a", "c"), ("b", "c")}
    told = {(pair["first"], pair["second"]): pair["p_holm"] for pair in result["pairs"] if pair["contrast"] == "alpha"}
    assert told[("a", "c")] < 0.05 < told[("a", "b")]
    page = run(*arguments).stdout
    assert "the alpha of a is larger than that of c, by 0." in page.lower()
    assert "(2 convolutional, 1 transformer), not about kinds" in page


def test_forecast_answers_with_intervals_and_warnings(table: Path) -> None:
    questions = ("--at", "1e5,1e4", "--at", "1e8,1e4", "--budget", "6e9", "--target", "0.5", "--target", "0.01")
    subset = table.parent / "a.csv"
    pl.read_csv(table).filter(pl.col("family") == "a").write_csv(subset)
    result = answer("forecast", subset, *GRID, "--flop", "flop", *questions)
    assert result["at"][0]["interval"][0] < 0.22 + 9 / 1e5**0.46 + 10 / 1e4**0.45 < result["at"][0]["interval"][1]
    assert result["budgets"][0]["N"] * result["budgets"][0]["D"] * 6 == pytest.approx(6e9, rel=1e-3)
    page = run("forecast", subset, *GRID, *questions, "--drop-largest", "1").stdout
    assert "best N grows as C^a over" in " ".join(page.split())
    warning = "warning: N = 1e+08 is above the data by a factor of 333"
    for part in (warning, "not reached", "brackets are 95 % intervals", "row 1 ("):
        assert part in page


def bad_rows(table: Path, **changes: object) -> str:
    """The table's text with changes to the cells of row 3."""
    frame = pl.read_csv(table, infer_schema=False).with_row_index("i")
    for name, value in changes.items():
        frame = frame.with_columns(pl.when(pl.col("i") == 2).then(pl.lit(value)).otherwise(pl.col(name)).alias(name))
    return frame.drop("i").write_csv()


@pytest.mark.parametrize(
    ("changes", "column", "shown"),
    [
        ({"loss": "-0.5"}, "loss", "'-0.5' is not a positive finite number"),
        ({"loss": "0"}, "loss", "'0' is not a positive finite number"),
        ({"loss": "nan"}, "loss", "'nan' is not a positive finite number"),
        ({"params": "12k"}, "params", "'12k' is not a positive finite number"),
        ({"images": None}, "images", "nothing is not a positive finite number"),
        ({"family": None}, "family", "nothing; a name is needed"),
        ({"family": " "}, "family", "nothing; a name is needed"),
    ],
)
@pytest.mark.parametrize("command", [("fit", "--by"), ("compare", "--family")])
def test_a_bad_cell_is_named_by_file_column_and_row(
    table: Path, tmp_path: Path, changes: dict, column: str, shown: str, command: tuple[str, str]
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(bad_rows(table, **changes))
    result = run(command[0], path, *GRID, command[1], "family")
    assert result.exit_code == 2
    assert result.stderr == f"{path}: column {column}, row 3: {shown} (the first row of data is row 1)\n"
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit", "T", "--n", "parms", "--d", "images", "--y", "loss"), "no column parms; it has family, kind, params"),
        (("fit", "T", "--n", "params", "--d", "images"), "--y must name a column; it has family, kind"),
        (("fit", "T", "--y", "loss"), "give x for a law of one variable, or n and d for two; got none"),
        (("fit", "T", *GRID, "--x", "images"), "got x = images, n = params, d = images"),
        (("fit", "T", *GRID, "--law", "power"), "law power needs x, got N, D"),
        (("fit", "T", *GRID, "--law", "chinchila"), "law 'chinchila' is not known; allowed: chinchilla"),
        (("fit", "T", *GRID, "--law", "bounded"), "chance for K classes: (K - 1) / K of an error rate"),
        (("fit", "T", *GRID, "--ceiling", "0.9"), "law chinchilla has no ceiling"),
        (("fit", "T", *GRID, "--law", "bounded", "--ceiling", "0.01"), "no value lies below the ceiling 0.01; the smallest is"),
        (("fit", "T", *GRID, "--delta", "0"), "delta is 0; it must be positive and finite"),
        (("fit", "T", *GRID, "--delta", "inf"), "delta is inf; it must be positive and finite"),
        (("fit", "T", *GRID, "--delta", "small"), "--delta is 'small'; it must be a positive number or auto"),
        (("fit", "T", *GRID, "--bootstrap", "-1"), "bootstrap is -1; it must be 0 or more"),
        (("fit", "T", *GRID, "--starts", "0"), "starts is 0; it must be 1 or more"),
        (("fit", "T", *GRID, "--seed", "-1"), "seed is -1; it must be 0 or more"),
        (("fit", "T", *GRID, "--drop-largest", "75"), "drop_largest is 75, which leaves none of 75 rows"),
        (("fit", "T", *GRID, "--by", "params"), "column params is given as N and as by (params)"),
        (("fit", "absent.csv", *GRID), "absent.csv: no such file"),
        (("fit", "absent.txt", "--x", "a"), "absent.txt: no such file"),
        (("extrapolate", "T", *GRID), "--split must name a column"),
        (("extrapolate", "T", *GRID, "--split", "kind"), "has no row with train or test; it has convolutional in 50"),
        (
            ("extrapolate", "T", *GRID, "--split", "split", "--estimator", "m5"),
            "estimator 'm5' is not known; allowed: auto, m1",
        ),
        (("extrapolate", "T", *GRID, "--split", "split", "--estimator", "m2"), "law power-floor needs x, got N, D"),
        (("compare", "T", "--y", "loss"), "--family and --n and --d must name a column"),
        (("compare", "T", *GRID, "--family", "kind", "--kind", "family"), "convolutional has more than one: a, b"),
        (("forecast", "T", *GRID), "no question"),
        (("forecast", "T", *GRID, "--at", "5"), "--at is '5'; it must be two numbers, N,D"),
        (("forecast", "T", *GRID, "--budget", "-1"), "budget is -1; it must be positive and finite"),
        (("forecast", "T", *GRID, "--at", "1e5,1e5", "--law", "power"), "law power needs x, got N, D"),
        (("fit", "study.yaml", *GRID, "--json"), "study.yaml is a study"),
    ],
)
def test_bad_questions_get_one_line(table: Path, arguments: tuple, message: str) -> None:
    result = run(*(table if part == "T" else part for part in arguments))
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_one_distinct_size_is_refused(table: Path, tmp_path: Path) -> None:
    pl.read_csv(table).filter(pl.col("params") == 3000).write_csv(tmp_path / "one.csv")
    for command in (("fit",), ("compare", "--family", "family"), ("forecast", "--at", "1e5,1e5")):
        result = run(command[0], tmp_path / "one.csv", *GRID, *command[1:])
        assert result.exit_code == 2
        assert result.stderr == f"{tmp_path / 'one.csv'}: column params has 1 distinct value (3000); at least 2 are needed\n"


def test_standard_input_in_any_form_gives_the_same_answer(table: Path) -> None:
    (whole,) = answer("fit", table, *GRID, "--where", "family = 'b'")
    frame = pl.read_csv(table).filter(pl.col("family") == "b")
    for text in (frame.write_csv(), frame.write_csv(separator="\t"), frame.write_ndjson()):
        result = CliRunner().invoke(app, ["fit", "-", *GRID, "--json"], input=text)
        assert result.exit_code == 0, result.stderr
        (entry,) = json.loads(result.stdout)
        assert (entry["rows"], entry["parameters"]) == (25, pytest.approx(whole["parameters"], rel=1e-9))


def test_runs_that_are_not_done_make_no_table_unusable(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    row = pl.col("loss").cum_count()
    status = pl.when(row == 3).then(pl.lit("diverged")).otherwise(pl.lit("done"))
    frame = pl.read_csv(table).with_columns(status=status)
    frame.with_columns(loss=pl.when(pl.col("status") == "done").then("loss")).write_csv(path)
    said = f"{path}: 1 row is left out, whose run is not done: diverged 1\n"
    found = []
    for command in (("fit",), ("compare", "--family", "family"), ("forecast", "--at", "1e5,1e5", "--by", "family")):
        result = run(command[0], path, *GRID, *command[1:], "--json")
        assert result.exit_code == 0
        assert said in result.stderr
        found.append(json.loads(result.stdout))
    (entry,), compared, _ = found
    assert entry["rows"] == 74
    assert entry["not_used"] == [{"why": "whose run is not done", "rows": 1, "parts": ["diverged 1"]}]
    (left_out,) = [item["answer"] for item in entry["checklist"] if item["question"] == "Were any points left out?"]
    assert left_out == "1 row is left out, whose run is not done: diverged 1"
    assert compared["not_used"] == entry["not_used"]
    assert [one["fit"]["rows"] for one in compared["families"]] == [24, 25, 25]


def test_rows_are_chosen_and_skipped_on_request(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(bad_rows(table, loss="-0.5").replace(",", ";"))
    options = ("--separator", ";", "--where", "family = 'a'")
    refused = run("fit", path, *GRID, *options)
    assert (
        refused.stderr
        == f"{path}: column loss, row 3: '-0.5' is not a positive finite number (the first row of data is row 1)\n"
    )
    result = run("fit", path, *GRID, *options, "--skip-invalid")
    assert result.exit_code == 0
    assert "50 rows are left out, for which family = 'a' does not hold" in result.stderr
    assert "1 row is left out, whose values cannot be used: row 3 (loss: '-0.5')" in result.stderr
    assert "; 24 rows;" in result.stdout


def test_a_wild_value_is_named_on_the_page(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "wild.csv"
    path.write_text(bad_rows(table, loss="1e300"))
    page = " ".join(run("fit", path, *GRID, "--where", "family = 'a'").stdout.split())
    assert "far off the law, kept: row 3 (1e+300, the law says" in page
    assert "without it: E 0.2" in page


@pytest.mark.slow
def test_a_wild_value_does_not_bend_the_law(table: Path, tmp_path: Path) -> None:
    path = tmp_path / "wild.csv"
    path.write_text(bad_rows(table, loss="1e300"))
    options = (*GRID, "--where", "family = 'a'", "--json", "--delta", "auto")
    (clean,), (wild,) = (json.loads(run("fit", file, *options).stdout) for file in (table, path))
    assert clean["status"] == wild["status"] == "converged"
    for name, value in clean["parameters"].items():
        low, high = clean["intervals"][name]
        assert abs(wild["parameters"][name] - value) < (high - low), name
    judged = run("compare", path, *GRID, "--family", "family")
    assert "falls by" in judged.stdout + judged.stderr
    assert not re.search(r"\d{9}", judged.stdout), judged.stdout


def test_a_forecast_of_groups(table: Path) -> None:
    questions = ("--at", "1e5,1e4", "--budget", "6e9")
    result = run("forecast", table, *GRID, *questions)
    assert (
        "column family has 3 values (a, b, c): one law is fitted to all of them; --by family fits one to each" in result.stderr
    )
    grouped = answer("forecast", table, *GRID, *questions, "--by", "family")
    assert [one["group"] for one in grouped] == [{"family": "a"}, {"family": "b"}, {"family": "c"}]
    assert all(one["warnings"] == [] for one in grouped)
    alone = answer("forecast", table, *GRID, *questions, "--where", "family = 'c'")
    assert alone["at"] == grouped[2]["at"]
    assert alone["warnings"] == []
    assert "family = c" in run("forecast", table, *GRID, *questions, "--by", "family").stdout


@pytest.mark.slow
def test_latex_has_every_value_and_escapes_names(table: Path) -> None:
    text = run("fit", table, *GRID, "--by", "family", "--latex").stdout
    assert text.count("alpha") == 3
    assert "\\toprule" in text
    assert "95 \\% interval" in text
    compared = run("compare", table, *GRID, "--family", "family", "--latex").stdout
    assert compared.count("\\begin{tabular}") == 2
    both = run("fit", table, *GRID, "--latex", "--json")
    assert (both.exit_code, both.stderr) == (2, "--json and --latex exclude each other\n")


@pytest.mark.slow
def test_no_command_for_tables_imports_torch(table: Path) -> None:
    commands = [
        ["fit", str(table), *GRID, "--json"],
        ["extrapolate", str(table), *GRID, "--split", "split"],
        ["compare", str(table), *GRID, "--family", "family"],
        ["forecast", str(table), *GRID, "--at", "1e5,1e5"],
    ]
    script = f"""
import sys
from typer.testing import CliRunner
from scaling.cli.commands import app
for command in {commands!r}:
    assert CliRunner().invoke(app, command).exit_code == 0, command
print([name for name in ("torch", "timm", "torchvision", "snakemake", "plotnine") if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=200, check=True)
    assert ran.stdout == "[]\n"


@needs_data
def test_the_published_points_give_the_true_optimum() -> None:
    columns = ("--law", "chinchilla", "--n", "params", "--d", "tokens", "--y", "loss")
    (entry,) = answer("fit", DATA / "chinchilla_245.csv", *columns, "--drop-largest", "5")
    published = {"A": 477.826, "B": 2143.417, "E": 1.817218, "alpha": 0.347311, "beta": 0.367172}
    for name, value in published.items():
        assert entry["parameters"][name] == pytest.approx(value, rel=1e-4)
    assert entry["objective"] <= 0.001018274018
    assert entry["rows"] == 240
    assert [row["row"] for row in entry["dropped"]] == [1, 2, 3, 4, 5]
