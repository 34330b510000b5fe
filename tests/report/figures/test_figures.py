import io

import numpy as np
import polars as pl
import pytest
from drawn import points_and_words
from example_study import TRUTHS, fits_of, runs_table, tuning_of
from synthetic_runs import synthetic_runs

from scaling.analysis import fit_study
from scaling.report.figures.curves import finished, law_curves, panel_titles
from scaling.report.figures.exponents import exponent_table, exponents
from scaling.report.figures.held_out import holdout, holdout_cells, skill_by_family
from scaling.report.figures.learning_rates import best_rates, candidate_table, learning_rates, rule_lines
from scaling.report.figures.loss_by_flop import frontiers, loss_by_flop
from scaling.report.figures.loss_by_images import loss_by_images
from scaling.report.figures.loss_by_params import loss_by_params
from scaling.report.figures.residuals import residual_table, residuals

SMALL = {"families": ("mlp", "resnet"), "sizes": (5_000, 20_000), "images": (500, 2_000)}
STUDIES = {
    "whole": {"families": ("mlp", "googlenet", "vit"), "seeds": 2, "lost": {3: "failed", 5: "diverged"}},
    "too small for laws": SMALL,
    "one cell": {"families": ("swin",), "sizes": (5_000,), "images": (500,)},
    "nothing finished": SMALL | {"lost": dict.fromkeys(range(8), "missing")},
    "no cells at all": {"families": ()},
}
DRAW = {
    "loss by images": lambda runs, fits, tuning: loss_by_images(runs, fits),
    "loss by params": lambda runs, fits, tuning: loss_by_params(runs, fits),
    "loss by flop": lambda runs, fits, tuning: loss_by_flop(runs, fits),
    "holdout": lambda runs, fits, tuning: holdout(fits),
    "exponents": lambda runs, fits, tuning: exponents(fits),
    "residuals": lambda runs, fits, tuning: residuals(runs, fits),
    "learning rates": lambda runs, fits, tuning: learning_rates(tuning),
}


NOTHING = {
    "holdout": {"No family has enough runs to hold some out."},
    "exponents": {"No law has been fitted yet.", "No exponent has an interval: too few cells."},
    "residuals": {"No law has been fitted yet."},
    "learning rates": {"No learning rate was tuned."},
}
"""What a figure says where it has nothing to show; the others say that no cell has finished."""


@pytest.fixture(scope="module", params=STUDIES)
def study(request):
    runs = runs_table(**STUDIES[request.param])
    return runs, fits_of(runs), tuning_of(runs)


@pytest.mark.parametrize("name", DRAW)
def test_every_figure_shows_every_family_and_its_cells_or_says_why_not(study, name):
    runs = study[0]
    picture = io.BytesIO()
    DRAW[name](*study).save(picture, format="svg", verbose=False)
    assert picture.getvalue().rstrip().endswith(b"</svg>")
    points, words = points_and_words(DRAW[name](*study))
    done = finished(runs)
    if name in ("loss by images", "loss by params"):
        assert points == len(done)
    if not points:
        assert words & NOTHING.get(name, {"No run has finished yet."})
        assert name in ("holdout", "exponents", "residuals") or not len(done)
    else:
        families = done["family"] if name != "learning rates" else runs["family"]
        assert all(any(family in word for word in words) for family in set(families))


@pytest.fixture(scope="module")
def whole():
    runs = runs_table(**STUDIES["whole"])
    return runs, fits_of(runs)


def test_only_finished_cells_are_drawn(whole):
    runs, _ = whole
    nan = runs.with_columns(pl.when(pl.col("images") == 500).then(float("nan")).otherwise("loss").alias("loss"))
    assert len(finished(runs)) == len(runs) - 2
    assert finished(nan)["images"].min() > 500


def test_curves_are_the_law_inside_its_band(whole):
    runs, fits = whole
    curves = law_curves(fits, finished(runs), "images").filter(pl.col("family") == "vit")
    E, A, alpha, B, beta = TRUTHS["vit"]
    expected = E + A / curves["level"].to_numpy() ** alpha + B / curves["x"].to_numpy() ** beta
    np.testing.assert_allclose(curves["loss"], expected)
    assert (curves["low"] < curves["loss"]).all()
    assert (curves["loss"] < curves["high"]).all()
    assert curves["level"].n_unique() == 4
    assert (curves["x"].min(), curves["x"].max()) == pytest.approx((500, 10_000))


def test_a_panel_says_why_it_has_no_law():
    runs = runs_table(**SMALL)
    assert panel_titles(fits_of(runs), ["mlp"]) == {"mlp": "mlp: too few cells"}
    assert panel_titles({"fits": []}, ["mlp"]) == {"mlp": "mlp: no law fitted"}
    assert law_curves(fits_of(runs), runs, "params").is_empty()


def test_an_exponent_without_interval_says_so_and_others_show_theirs(whole):
    _, fits = whole
    table = exponent_table(fits)
    lacking = table.filter(pl.col("family") == "googlenet")
    assert lacking["note"].to_list() == ["not identifiable"] * 3
    assert lacking["low"].null_count() == 3
    alpha = table.row(by_predicate=(pl.col("family") == "vit") & (pl.col("parameter") == "alpha"), named=True)
    fit = next(fit for fit in fits["fits"] if fit["family"] == "vit" and fit["response"] == "loss")
    assert [alpha["low"], alpha["high"]] == fit["intervals"]["alpha"]
    assert alpha["note"] == ""


def test_a_study_that_identifies_nothing_says_so_in_one_sentence():
    fits = fits_of(runs_table(**SMALL))
    assert set(exponent_table(fits)["note"]) == {"too few cells"}
    picture = exponents(fits)
    assert picture.data["message"].to_list() == ["No exponent has an interval: too few cells."]


def test_held_out_cells_are_those_of_the_response(whole):
    _, fits = whole
    cells = holdout_cells(fits, "loss")
    expected = [c["observed"] for h in fits["holdout"] if h["response"] == "loss" for c in h["cells"]]
    assert sorted(cells["observed"]) == sorted(expected)


def test_the_largest_held_out_cells_are_told_from_the_smaller_ones():
    def cell(params, images, predicted):
        return {"params": params, "images": images, "observed": 0.5, "predicted": predicted, "persistence": 0.6}

    part = {"family": "vit", "response": "loss", "origin": "images"}
    fits = {"holdout": [part | {"cells": [cell(9e3, 900, 0.5), cell(9e3, 400, 0.5), cell(3e3, 900, 0.5)]}]}
    assert holdout_cells(fits, "loss")["largest"].to_list() == [True, False, True]


def test_families_are_ordered_by_the_skill_that_the_verdict_gives():
    runs = synthetic_runs(("mlp", "vgg", "vit"), noise=0.02)
    fits = fit_study(runs, classes=10, bootstrap=20)
    shown = skill_by_family(holdout_cells(fits, "loss"))
    assert shown == pytest.approx({verdict["family"]: verdict["skill"] for verdict in fits["verdicts"]})
    assert list(shown.values()) == sorted(shown.values(), reverse=True)


def test_residuals_are_logs_of_observed_over_predicted(whole):
    runs, fits = whole
    table = residual_table(runs, fits)
    assert len(table) == len(runs) - 2
    assert abs(table["residual"].mean()) < 0.01
    assert 0.01 < table["residual"].std() < 0.04


def test_outliers_are_marked_among_the_residuals(whole):
    runs, fits = whole
    marked = residual_table(runs, fits).filter(pl.col("outlier"))
    (one,) = next(fit["outliers"]["rows"] for fit in fits["fits"] if fit["family"] == "mlp")
    assert marked.select("family", "params", "images").rows() == [("mlp", one["N"], one["D"])]


def test_frontiers_stay_with_their_family(whole):
    _, fits = whole
    table = frontiers(fits, ["vit"])
    assert table["family"].unique().to_list() == ["vit"]
    assert len(table) == 30


def test_candidates_know_the_best_and_the_lost(whole):
    runs = runs_table(families=("vgg",))
    tuning = tuning_of(runs)
    table = candidate_table(tuning)
    best = best_rates(tuning)
    assert best["rate"].to_list() == [a["best_rate"] for a in tuning["vgg"]["anchors"]]
    assert table.join(best, on=["family", "width", "rate"])["excess"].to_list() == [0, 0]
    assert table["excess"].null_count() == 2
    line = rule_lines(tuning, table)
    np.testing.assert_allclose(line["rate"], 0.02 * (line["width"].to_numpy() / 4) ** -0.5)


def test_an_anchor_whose_candidates_all_diverged_is_drawn_as_lost():
    tuning = tuning_of(runs_table(families=("mlp",)))
    for anchor in tuning["mlp"]["anchors"]:
        anchor["best_rate"] = None
        for candidate in anchor["candidates"]:
            candidate |= {"validation_loss": float("nan"), "status": "diverged"}
    table = candidate_table(tuning)
    assert table["excess"].null_count() == len(table)
    picture = io.BytesIO()
    learning_rates(tuning).save(picture, format="svg", verbose=False)
    assert picture.getvalue()
