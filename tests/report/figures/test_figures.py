import io

import numpy as np
import polars as pl
import pytest
from drawn import points_and_words
from example_study import TRUTHS, curves_of, fits_of, runs_table, tuning_of
from synthetic_runs import synthetic_runs

from scaling.analysis import fit_study
from scaling.report.figures.best_sizes import best_sizes
from scaling.report.figures.beyond import REACH, beyond, beyond_table
from scaling.report.figures.curve_collapse import collapse_of, collapse_table, curve_collapse, panel_title
from scaling.report.figures.curves import finished, law_curves, panel_titles
from scaling.report.figures.exponents import exponent_table, exponents
from scaling.report.figures.held_out import holdout, holdout_cells, skill_by_family
from scaling.report.figures.isoflop_curves import isoflop_curves, isoflop_table
from scaling.report.figures.learning_rates import (
    best_rates,
    candidate_table,
    learning_rates,
    panel_of_each_anchor,
    rule_lines,
    rule_title,
)
from scaling.report.figures.loss_by_flop import BEYOND, INSIDE, frontiers, loss_by_flop, measured_frontier
from scaling.report.figures.loss_by_images import loss_by_images
from scaling.report.figures.loss_by_params import loss_by_params
from scaling.report.figures.loss_contours import contour_table, loss_contours
from scaling.report.figures.ranks_by_compute import rank_table, ranks_by_compute
from scaling.report.figures.residuals import noise_bands, residual_table, residuals
from scaling.report.figures.skill_forest import forest_table, skill_forest
from scaling.report.figures.training_curves import curve_table, training_curves

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
    "learning rates": lambda runs, fits, tuning: learning_rates(tuning, runs),
    "skill forest": lambda runs, fits, tuning: skill_forest(fits),
    "isoflop curves": lambda runs, fits, tuning: isoflop_curves(runs, fits),
    "best sizes": lambda runs, fits, tuning: best_sizes(runs, fits),
    "ranks by compute": lambda runs, fits, tuning: ranks_by_compute(runs, fits),
    "loss contours": lambda runs, fits, tuning: loss_contours(runs, fits),
    "beyond the images": lambda runs, fits, tuning: beyond(runs, fits, along="images"),
    "beyond the params": lambda runs, fits, tuning: beyond(runs, fits, along="params"),
    "training curves": lambda runs, fits, tuning: training_curves(runs, curves_of(runs)),
    "curve collapse": lambda runs, fits, tuning: curve_collapse(runs, curves_of(runs), fits),
}


NO_COMPUTE = "No law has been fitted yet, or compute is not known."
NOTHING = {
    "holdout": {"No family has enough runs to hold some out."},
    "exponents": {"No law has been fitted yet.", "No exponent has an interval: too few cells."},
    "residuals": {"No law has been fitted yet."},
    "learning rates": {"No learning rate was tuned."},
    "skill forest": {"No family has enough runs to hold some out."},
    "isoflop curves": {NO_COMPUTE},
    "best sizes": {NO_COMPUTE},
    "ranks by compute": {"Fewer than two families have a law over a common range of compute."},
    "loss contours": {"No law has been fitted yet."},
    "beyond the images": {"No law has been fitted yet."},
    "beyond the params": {"No law has been fitted yet."},
    "training curves": {"No learning curve is at hand."},
    "curve collapse": {"No learning curve is at hand."},
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
    figure = DRAW[name](*study).draw()
    figure.savefig(picture, format="svg")
    assert picture.getvalue().rstrip().endswith(b"</svg>")
    points, words = points_and_words(figure)
    done = finished(runs)
    if name in ("loss by images", "loss by params"):
        assert points == len(done)
    if not points:
        assert words & NOTHING.get(name, {"No run has finished yet."})
        assert name in NOTHING or not len(done)
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


@pytest.mark.slow
def test_families_are_ordered_by_the_skill_that_the_verdict_gives():
    runs = synthetic_runs(("mlp", "vit"), noise=0.02)
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


def test_frontiers_stay_with_their_family_and_say_where_they_leave_what_was_trained(whole):
    runs, fits = whole
    cells = finished(runs).filter(pl.col("family") == "vit")
    table = frontiers(fits, cells)
    assert table["family"].unique().to_list() == ["vit"]
    assert table["flop"].n_unique() == 30
    assert table["where"].unique().to_list() == [INSIDE]
    own = next(entry for entry in fits["frontier"] if entry["family"] == "vit")
    further = {"frontier": [own | {"flop": [3 * flop for flop in own["flop"]]}]}
    table = frontiers(further, cells)
    outside = table.filter(pl.col("where") == BEYOND)
    # A line that is solid and then dashed has no gap: the last solid point is the first dashed one.
    assert outside["flop"].min() == table.filter(pl.col("where") == INSIDE)["flop"].max() <= cells["flop"].max()
    assert len(table) == 31


def test_the_measured_frontier_holds_what_no_cheaper_model_beats():
    means = pl.DataFrame({"family": ["vit"] * 4, "flop": [1.0, 2.0, 3.0, 4.0], "loss": [0.9, 0.95, 0.7, 0.8]})
    assert measured_frontier(means)["flop"].to_list() == [1.0, 3.0]


def test_curves_of_equal_compute_cost_the_same_and_lie_inside_what_was_trained(whole):
    runs, fits = whole
    cells = finished(runs).filter(pl.col("family") == "mlp")
    table = isoflop_table(cells, fits)
    E, A, alpha, B, beta = TRUTHS["mlp"]
    expected = E + A / table["params"].to_numpy() ** alpha + B / table["images"].to_numpy() ** beta
    np.testing.assert_allclose(table["loss"], expected)
    assert table["images"].min() >= 500
    assert table["images"].max() <= 10_000
    # Above the least number of images seen (16,000 = 16 x 1,000), D falls as N grows at equal compute.
    above = table.filter(pl.col("images") > 1_000).group_by("flop").agg(pl.corr("params", "images").alias("r"), pl.len())
    assert above.filter(pl.col("len") > 2)["r"].max() < 0


def test_ranks_are_in_the_order_of_the_losses_and_say_which_bands_meet():
    def line(family, loss, half):
        own = {"family": family, "flop": [1.0, 10.0], "loss": [loss] * 2, "low": [loss - half] * 2, "high": [loss + half] * 2}
        return pl.DataFrame(own)

    table = rank_table(pl.concat([line("vit", 0.5, 0.02), line("mlp", 0.4, 0.02), line("vgg", 0.43, 0.02)]))
    first = table.filter(pl.col("flop") == table["flop"].min()).sort("rank")
    assert first.select("family", "rank", "apart").rows() == [("mlp", 1, False), ("vgg", 2, False), ("vit", 3, True)]


def test_points_of_a_contour_have_its_loss(whole):
    runs, fits = whole
    lines, boxes = contour_table(finished(runs), fits)
    own = lines.filter(pl.col("family") == "vit")
    E, A, alpha, B, beta = TRUTHS["vit"]
    loss = E + A / own["params"].to_numpy() ** alpha + B / own["images"].to_numpy() ** beta
    # The lines are interpolated on a grid of 40 x 40 sizes.
    np.testing.assert_allclose(loss, own["level"], rtol=0.01)
    assert boxes.row(by_predicate=pl.col("family") == "vit", named=True)["top"] == 10_000


def test_the_law_is_carried_on_beyond_the_largest_size(whole):
    runs, fits = whole
    table = beyond_table(finished(runs), fits, "params").filter(pl.col("family") == "vit")
    edge = finished(runs).filter(pl.col("family") == "vit")["params"].max()
    assert table["x"].max() == pytest.approx(REACH * edge)
    assert table.filter("inside")["x"].max() == edge
    E, A, alpha, B, beta = TRUTHS["vit"]
    np.testing.assert_allclose(table["loss"], E + A / table["x"].to_numpy() ** alpha + B / 10_000**beta)


def test_noise_bands_follow_the_noise_model(whole):
    runs, fits = whole
    flat = noise_bands(runs, fits).filter(pl.col("family") == "mlp")
    np.testing.assert_allclose(flat["high"], 1.96 * 0.018)
    sloped = {"fits": [fit | {"noise_slope": -1.0} for fit in fits["fits"]]}
    band = noise_bands(runs, sloped).filter(pl.col("family") == "mlp")
    # The variance falls as 1 / D: the band as its root.
    np.testing.assert_allclose(band["high"] * band["images"].sqrt(), band["high"][0] * band["images"][0] ** 0.5)
    assert band["high"][0] > 1.96 * 0.018 > band["high"][-1]


def test_the_forest_has_the_highest_skill_on_top():
    fits = fits_of(runs_table(families=("mlp", "vit")))
    for verdict, skill in zip(fits["verdicts"], (0.3, 0.6), strict=True):
        verdict["skill"] = skill
    table = forest_table(fits)
    assert table["family"].to_list() == ["vit"] * 3 + ["mlp"] * 3
    assert table.select("skill", "low", "high").row(0) == (0.83, 0.7, 0.9)


def test_training_curves_are_those_of_the_largest_model_at_its_first_seed():
    runs = runs_table(families=("mlp",), seeds=2)
    table = curve_table(runs, curves_of(runs))
    largest = runs.filter((pl.col("params") == runs["params"].max()) & (pl.col("seed") == 0))
    assert set(table["key"]) == set(largest["key"])
    assert table["seen"].to_list()[:2] == [64.0, 128.0]


def test_curves_of_one_shape_collapse_and_those_that_change_with_size_do_not():
    runs = runs_table(families=("mlp", "vit"), seeds=2)
    steps, rng = (1, 2, 4, 8), np.random.default_rng(0)
    rows = []
    for run in runs.iter_rows(named=True):
        slope = 0.5 if run["family"] == "mlp" else 0.1 * np.log(run["params"] / 1e3)
        rows += [(run["key"], s, 1.0, run["loss"] * (8 / s) ** slope * np.exp(0.01 * rng.normal())) for s in steps]
    curves = pl.DataFrame(rows, schema=curves_of(runs).schema, orient="row")
    table = collapse_table(runs, curves, {})
    mlp, vit = (collapse_of(table, family) for family in ("mlp", "vit"))
    assert mlp.ratio < 1.5
    assert vit.ratio > 5
    assert panel_title("vit", vit).splitlines()[2] == f"ratio {vit.ratio:.1f}"
    assert collapse_of(collapse_table(runs.filter(pl.col("seed") == 0), curves, {}), "vit").noise is None


def test_a_rule_says_whether_its_exponent_was_held_at_a_limit():
    record = tuning_of(runs_table(families=("mlp",)))["mlp"]
    assert rule_title("mlp", record) == "mlp\nexponent \u22120.50"
    for anchor, rate in zip(record["anchors"], (0.02, 0.04), strict=True):
        anchor["best_rate"] = rate
    record["rule"]["exponent"] = 0.0
    assert rule_title("mlp", record) == "mlp\nexponent 0.00 (clamped from 0.50)"


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


def test_a_family_tuned_at_two_data_sizes_has_a_panel_for_each():
    runs = runs_table(families=("mlp",))
    tuning = tuning_of(runs)
    record = tuning["mlp"]
    record["anchors"] += [a | {"images": 8000, "best_rate": a["best_rate"] / 2} for a in record["anchors"]]
    record["rule"] |= {"images_reference": 1000, "images_exponent": round(np.log(0.5) / np.log(8), 4)}
    panels = panel_of_each_anchor(tuning, ["mlp"])["panel"].to_list()
    assert panels == [f"mlp\nexponent \u22120.50\nin D \u22120.33\nD = {d}" for d in ("1,000", "8,000")]
    lines = rule_lines(tuning, candidate_table(tuning), runs)
    ends = lines.filter(pl.col("piece") == "inside").group_by("images").agg(pl.col("rate").max()).sort("images")
    np.testing.assert_allclose(ends["rate"], [0.02, 0.01], rtol=1e-3)
    picture = io.BytesIO()
    learning_rates(tuning, runs).save(picture, format="svg", verbose=False)
    assert picture.getvalue().count(b"in D") == 2


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
