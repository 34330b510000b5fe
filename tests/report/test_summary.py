from example_study import fits_of, runs_table
from test_page import SMALL, inputs

from scaling.report.first_screen import answer
from scaling.report.summary import summary


def test_it_says_the_answer_and_every_skill():
    runs = runs_table(families=("mlp", "vit"))
    text = summary(inputs(runs, partial=True))
    assert text.startswith("# example\n")
    assert f"**{answer(fits_of(runs))}**" in text
    assert "Partial: not every model" in text
    assert "| vit | transformer | predicts: 0.83 [0.70, 0.90] |" in text


def test_too_few_runs_have_reasons_and_names_stay_text():
    runs = runs_table(**SMALL)
    run = inputs(runs)
    run.study["title"] = "<b>a|b</b>"
    text = summary(run)
    assert text.startswith("# &lt;b>a\\|b&lt;/b>\n")
    assert "No law could be judged" in text
    assert "too few cells: 2 sizes, 4 are needed" in text
