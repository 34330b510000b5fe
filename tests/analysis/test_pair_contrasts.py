"""Contrasts of families: Holm's correction, pairing, and what noise explains."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_runs import synthetic_runs

from scaling.analysis import fit_study
from scaling.analysis.pair_contrasts import (
    Measured,
    conclude,
    contrasts,
    holm,
    measured_exponent,
    measured_skill,
    p_values_without,
)


def skilled(value: float, log_draws: np.ndarray, spreads: np.ndarray) -> Measured:
    """A family whose refits end at the same optimum wherever they start."""
    return measured_skill(value, log_draws, np.concatenate([[np.log(1 - value)], log_draws]), spreads)


def test_holm_is_the_textbook_example() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_lowers_no_p(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(0 <= p <= q <= 1 for p, q in zip(p_values, adjusted, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()


def test_paired_contrasts_see_what_unpaired_would_not() -> None:
    rng = np.random.default_rng(0)
    common = np.exp(rng.normal(0, 0.5, 2000))
    a, b = (0.75 * common * np.exp(rng.normal(0, 0.01, 2000)) for _ in range(2))
    rows = contrasts("alpha", {"a": measured_exponent(0.8, a, 20), "b": measured_exponent(0.7, b, 20)})
    (row,) = conclude(rows)
    assert row["p_holm"] < 1e-4
    assert row["verdict"].startswith("the alpha of a is larger than that of b, by 0.10 [")
    rows = contrasts("alpha", {"a": measured_exponent(0.7, a, 20), "b": measured_exponent(0.705, b, 20)})
    assert conclude(rows)[0]["verdict"].startswith("cannot tell whether b and a differ in alpha: difference")


def test_a_lower_skill_that_noise_explains_is_no_difference() -> None:
    """Two families that follow their laws, one with five times the noise: what they are expected to score differs."""
    rng = np.random.default_rng(1)
    quiet, noisy = (np.log(scale) + rng.normal(0, 0.3, 500) for scale in (0.06, 0.3))
    sure = np.zeros(500)
    rows = contrasts("skill", {"quiet": skilled(0.95, quiet, sure), "noisy": skilled(0.72, noisy, sure)})
    assert rows[0]["p"] > 0.3
    rows = contrasts("skill", {"quiet": skilled(0.95, quiet, sure), "noisy": skilled(-1.5, noisy, sure)})
    assert rows[0]["p"] < 0.01


def test_a_skill_lost_by_one_jump_to_an_optimum_far_away_is_no_difference() -> None:
    """One family's runs jumped, which lowers its skill; its score, from refits that cannot jump, is as expected."""
    rng = np.random.default_rng(3)
    steady, jumped = (np.log(0.1) + rng.normal(0, 0.1, 500) for _ in range(2))
    near = np.concatenate([[np.log(0.1)], jumped])
    both = {"steady": skilled(0.9, steady, np.zeros(500)), "jumped": measured_skill(0.5, jumped, near, np.zeros(500))}
    (row,) = contrasts("skill", both)
    assert row["difference"] == pytest.approx(0.4)
    assert row["p"] > 0.5


def test_noise_known_from_few_seeds_makes_a_contrast_less_sure() -> None:
    rng = np.random.default_rng(2)
    first, second = (np.log(0.1) + rng.normal(0, 0.3, 2000) for _ in range(2))
    spreads = [rng.normal(0, 0.4, 2000) for _ in range(2)]
    known = contrasts("skill", {"a": skilled(0.9, first, 0 * first), "b": skilled(0.7, second, 0 * second)})
    unsure = contrasts("skill", {"a": skilled(0.9, first, spreads[0]), "b": skilled(0.7, second, spreads[1])})
    assert known[0]["p"] < 0.02 < 0.05 < unsure[0]["p"]
    assert known[0]["interval"] == unsure[0]["interval"]


@pytest.mark.parametrize("what", ["skill", "alpha"])
def test_pairs_that_are_not_listed_have_the_p_that_they_would_have_if_they_were(what: str) -> None:
    rng = np.random.default_rng(6)
    common = rng.normal(0, 0.2, 400)
    measured = {}
    for index, name in enumerate("abcde"):
        draws = np.log(0.2 + 0.05 * index) + common + rng.normal(0, 0.1 + 0.1 * index, 400)
        skill = skilled(0.8 - 0.1 * index, draws, rng.normal(0, 0.2, 400))
        measured[name] = skill if what == "skill" else measured_exponent(0.4 + 0.1 * index, np.exp(draws), 10 + index)
    listed = {(row["first"], row["second"]): row["p"] for row in contrasts(what, measured)}
    without = [p for pair, p in listed.items() if "c" not in pair]
    assert p_values_without(measured, "c") == pytest.approx(without, rel=1e-12)
    assert len(set(listed.values())) == 10


def test_a_pair_whose_draws_never_differ_cannot_be_told_apart() -> None:
    draws = np.random.default_rng(0).normal(0.5, 0.1, 50)
    (row,) = contrasts("alpha", {"a": measured_exponent(0.5, draws, 9), "b": measured_exponent(0.6, draws, 9)})
    assert row["p"] == 1.0


def test_the_headline_keeps_most_of_the_level() -> None:
    rows = [{"contrast": what, "first": "a", "second": "b", "difference": 1.0, "interval": [0.5, 1.5], "p": 0.01}
            for what in ("skill", "alpha", "beta")]  # fmt: skip
    assert [row["p_holm"] for row in conclude(rows)] == pytest.approx([0.01 / 0.8, 0.02 / 0.2, 0.02 / 0.2])
    assert not any("p_holm" in row for row in rows)


@pytest.mark.slow
def test_kinds_are_contrasted_where_two_families_stand_for_each() -> None:
    runs = synthetic_runs(("mlp", "vgg", "resnet", "vit", "swin"), sizes=4, data_sizes=4, seeds=2, noise=0.01, seed=5)
    bumped = pl.col("family").is_in(["vit", "swin"]) & (pl.col("images") == runs["images"].max())
    report = fit_study(runs.with_columns(pl.col("loss") * pl.when(bumped).then(1.25).otherwise(1.0)), classes=10, bootstrap=100)
    (kinds,) = [pair for pair in report["pairs"] if "(" in pair["first"]]
    assert {kinds["first"], kinds["second"]} == {"convolutional families (vgg, resnet)", "transformer families (vit, swin)"}
    assert kinds["p_holm"] < 0.05
    assert "the skill of convolutional families (vgg, resnet) is larger than that of" in kinds["verdict"]
