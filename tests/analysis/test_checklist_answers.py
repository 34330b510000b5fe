"""A study tells the checklist of its fits how its models were trained, measured, left out and held out."""

from __future__ import annotations

import polars as pl
import pytest
from synthetic_runs import synthetic_runs

from scaling.analysis import fit_study
from scaling.analysis.checklist_answers import trained_as
from scaling.laws.any_table.checklist import QUESTIONS, UNKNOWN


@pytest.fixture(scope="module")
def runs() -> pl.DataFrame:
    drawn = synthetic_runs(("vgg", "vit"), noise=0.01)
    spoilt = drawn["key"][6]
    lost = drawn["key"][2]
    return drawn.with_columns(
        pl.when(pl.col("key") == spoilt).then(pl.col("loss") * 1.3).otherwise("loss").alias("loss"),
        pl.when(pl.col("key") == lost).then(pl.lit("diverged")).otherwise("status").alias("status"),
    )


@pytest.fixture(scope="module")
def fits(runs: pl.DataFrame) -> list[dict]:
    return fit_study(runs, classes=10, bootstrap=10)["fits"]


def test_every_question_of_every_fit_is_answered(fits: list[dict]) -> None:
    assert len(fits) == 4
    for entry in fits:
        given = {item["item"]: item["answer"] for item in entry["checklist"]}
        assert list(given) == list(QUESTIONS)
        assert UNKNOWN not in given.values()
        assert given["form"] == entry["formula"]


def test_what_is_told_is_what_happened(fits: list[dict]) -> None:
    given = {item["item"]: item["answer"] for item in fits[0]["checklist"]}
    assert fits[0]["family"] == "vgg"
    assert given["left out"] == "1 (diverged); listed under excluded"
    assert given["models"].startswith("15 points; 4 values of N from 5,000 to 73,000; 16 models planned, 1 seed")
    assert "16 to 160 times" in given["data"]
    assert "predictions of larger N and D" in given["validation"]
    assert "10 refits" in given["intervals"]


def test_outliers_carry_the_cell_s_key(runs: pl.DataFrame, fits: list[dict]) -> None:
    by_response = {entry["response"]: entry for entry in fits if entry["family"] == "vgg"}
    far = by_response["loss"]["outliers"]["rows"]
    assert far[0]["row"] == runs["key"][6]
    assert far[0]["observed"] == pytest.approx(runs["loss"][6])
    assert by_response["loss"]["outliers"]["parameters_without"].keys() == by_response["loss"]["parameters"].keys()


def test_columns_that_are_absent_tell_nothing(runs: pl.DataFrame) -> None:
    told = trained_as(runs.drop("learning_rate", "images_seen"), "vgg", "loss")
    assert "settings" not in told
    assert "data" not in told
