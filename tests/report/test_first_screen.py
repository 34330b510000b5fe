import polars as pl
import pytest
from example_study import fits_of, runs_table

from scaling.report.first_screen import answer, badge_of, family_skills, limits

GOOD, BAD, UNSURE = [0.2, 0.6], [-0.5, -0.1], [-0.3, 0.4]


@pytest.mark.parametrize(
    ("interval", "badge"), [(GOOD, "predicts"), (BAD, "does not"), (UNSURE, "cannot tell"), (None, "cannot tell")]
)
def test_a_badge_is_the_side_of_zero_on_which_the_interval_lies(interval, badge):
    assert badge_of(interval) == badge


def study(intervals, skills=(0.5, 0.4), p_holm=1.0):
    """Two families; ``intervals``: origin -> the interval of each."""
    fits = fits_of(runs_table(families=("mlp", "vit")))
    for part in fits["holdout"]:
        part["interval"] = intervals[part["origin"]][["mlp", "vit"].index(part["family"])]
    for verdict, skill in zip(fits["verdicts"], skills, strict=True):
        verdict["skill"] = skill
    for pair in fits["pairs"]:
        pair["p_holm"] = p_holm
    return fits


def test_the_answer_says_what_is_predicted_and_what_is_not():
    fits = study({"params": (UNSURE, BAD), "images": (GOOD, GOOD), "both": (GOOD, GOOD)})
    assert answer(fits) == (
        "No family follows its law measurably better than another at this scale: all 2 laws predict what more data brings, "
        "none surely predicts what larger models bring."
    )


def test_the_answer_names_the_families_where_they_are_few():
    fits = study({"params": (UNSURE, GOOD), "images": (GOOD, GOOD), "both": (GOOD, GOOD)}, p_holm=0.01)
    # The first minus the second is above 0.
    assert answer(fits) == (
        "mlp follows its law better than vit: all 2 laws predict what more data brings, 1 of 2 laws (vit) surely predicts "
        "what larger models bring."
    )


def test_the_answer_where_nothing_is_predicted_or_judged():
    nothing = study(dict.fromkeys(("params", "images", "both"), (UNSURE, BAD)))
    assert answer(nothing).endswith("; no law surely predicts what more data or larger models bring.")
    assert answer({}) == ""
    assert answer(study(dict.fromkeys(("params", "images", "both"), (None, None)), skills=(None, None))) == ""


def test_one_family_has_a_sentence_of_its_own():
    fits = fits_of(runs_table(families=("vit",)))
    assert answer(fits) == "The law of vit predicts what more data brings and predicts what larger models bring."


def test_contrasts_of_kinds_are_not_those_of_families():
    fits = study(dict.fromkeys(("params", "images", "both"), (GOOD, GOOD)))
    kinds = {"first": "convolutional families (vgg, resnet)", "second": "transformer families (vit, swin)"}
    fits["pairs"].append(fits["pairs"][0] | kinds | {"p_holm": 0.001})
    assert answer(fits).startswith("No family follows its law measurably better")


def test_families_stand_in_the_order_of_their_skill_and_those_without_come_last():
    fits = fits_of(runs_table(families=("mlp", "vgg", "vit")))
    for verdict, skill in zip(fits["verdicts"], (0.1, None, 0.7), strict=True):
        verdict["skill"] = skill
    assert [row["family"] for row in family_skills(fits)] == ["vit", "mlp", "vgg"]


def test_a_reason_is_said_once_in_a_row():
    fits = fits_of(runs_table(families=("mlp", "vit")))
    fits["verdicts"] = [verdict | {"skill": None} for verdict in fits["verdicts"]]
    fits["holdout"] = [part | {"skill": None, "reason": "too few cells"} for part in fits["holdout"]]
    for row in family_skills(fits):
        assert [part["reason"] for part in row["parts"].values()] == ["too few cells", "–", "–"]
        assert row["overall"]["reason"] == "–"


def test_limits_are_those_of_the_runs_and_the_rivals():
    runs = runs_table(families=("mlp", "vit"), seeds=2)
    form = {"response": "loss", "rival": "exponentials", "ratio": 1.6, "interval": [1.2, 2.0]}
    following = {"rows": [{}], "runs": "12 runs", "minutes": 15.2, "asked": "the exponents"}
    found = limits(runs, {"forms": [form]}, following)
    assert found["range"].endswith("D from 500 to 10k (a factor of 20); nothing is known beyond")
    assert found["seeds"] == "2 seeds per model and D"
    assert found["form"].startswith("an exponential with a floor is excluded: its error is 1.6 times")
    assert found["what would settle it"].startswith("12 runs, 15 minutes of one core or GPU")
    for interval, words in (([0.5, 1.5], "is not excluded"), ([0.3, 0.8], "predicts better"), (None, "could not be compared")):
        assert words in limits(runs, {"forms": [form | {"interval": interval}]}, None)["form"]
    assert limits(runs.filter(pl.lit(False)), {}, None) == {}
