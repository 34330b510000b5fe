import pytest

from scaling.study.recipe import RecipeChanges
from scaling.study.suggestions import suggest

KEYS = list(RecipeChanges.model_fields)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("lr", "learning_rate"),
        ("learning-rate", "learning_rate"),
        ("momentum", "beta1"),
        ("ema", "average"),
        ("batchsize", "batch"),
        ("epoch", "epochs"),
        ("scheduler", "schedule"),
        ("mix_up", "mixup"),
        ("Optimiser", "optimizer"),
        ("random_erasing", "erase"),
    ],
)
def test_slips_and_other_programs_names_are_understood(word, meant):
    assert suggest(word, KEYS) == f"; did you mean {meant!r}?"


@pytest.mark.parametrize("word", ["loss", "device", "seeds", "width", "gamma", "num_workers"])
def test_other_words_are_answered_by_all_keys(word):
    said = suggest(word, KEYS)
    assert "did you mean" not in said
    assert said == "; allowed: " + ", ".join(KEYS)


def test_of_very_many_words_the_first_are_named():
    assert suggest("zzz", [f"a{i}" for i in range(150)]).endswith(", a99, ... (150 in all)")
    assert suggest("zzz", []) == ""
