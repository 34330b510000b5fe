import io

import numpy as np
import polars as pl
import pytest
from drawn import points_and_words
from example_study import runs_table

from scaling.report.asked_images import AskedImages
from scaling.report.figures.figure_data import figure_csv
from scaling.report.figures.sample_answers import answer_table, best_and_worst, sample_answers
from scaling.runs.answers import Answer, asked_images

CLASSES = ("Bag", "Trouser", "a class with a long name", "Coat")


@pytest.fixture
def runs():
    return runs_table(families=("mlp", "resnet"), lost={3: "diverged"})


def asked_of(runs, keys, channels=1, side=28, count=12):
    """Images of which each run of ``keys`` says the class that follows its number."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (count, channels, side, side), dtype=np.uint8)
    places = asked_images(100)[:count]
    answers = {key: [Answer(place, (n + turn) % 4, 0.9) for turn, place in enumerate(places)] for n, key in enumerate(keys)}
    return AskedImages(pixels, tuple(CLASSES[place % 4] for place in range(count)), CLASSES, answers)


def test_the_models_of_least_and_largest_loss_are_asked(runs):
    done = runs.filter(pl.col("status") == "done").sort("loss")
    asked = asked_of(runs, done["key"])
    assert [run["key"] for run in best_and_worst(runs, asked).values()] == [done["key"][0], done["key"][-1]]
    some = asked_of(runs, done["key"][2:4])
    assert [run["key"] for run in best_and_worst(runs, some).values()] == done["key"][2:4].to_list()
    assert list(best_and_worst(runs, asked_of(runs, done["key"][:1]))) == ["best"]
    diverged = asked_of(runs, runs.filter(pl.col("status") == "diverged")["key"])
    assert best_and_worst(runs, diverged) == {}


def test_each_image_shows_its_class_and_what_both_say(runs):
    done = runs.filter(pl.col("status") == "done").sort("loss")
    asked = asked_of(runs, [done["key"][0], done["key"][-1]])
    table = answer_table(best_and_worst(runs, asked), asked)
    assert table.group_by("model").agg(pl.col("right").sum()).sort("model")["right"].to_list() == [12, 0]
    figure = sample_answers(runs, asked)
    _, words = points_and_words(figure.draw())
    assert {"✓ best: Bag 90 %", "✕ worst: Trouser 90 %", "Coat", "✓ best: a class wit… 90 %"} <= words
    assert any(f"key {done['key'][0][:8]}" in line and "loss" in line for line in words)
    table = figure_csv(figure)
    assert "said" in table
    assert "pixel" not in table


def test_large_images_in_colour_are_shrunk(runs):
    asked = asked_of(runs, runs["key"][:2], channels=3, side=224, count=2)
    figure = sample_answers(runs, asked)
    pixels = figure.layers[0]._data
    assert len(pixels) == 2 * 96 * 96
    assert len(pixels["pixel"].iloc[0]) == 7
    figure.draw().savefig(io.BytesIO(), format="svg")


def test_without_answers_it_says_so(runs):
    for asked in (None, asked_of(runs, [])):
        points, words = points_and_words(sample_answers(runs, asked).draw())
        assert points == 0
        assert "No answer of a finished run on single images is kept." in words
