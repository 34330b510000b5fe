"""The checklist is answered from the fit, and says what nobody told it."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws import fit
from scaling.laws.any_table.checklist import QUESTIONS, UNKNOWN, checklist
from scaling.laws.any_table.describe import describe_fit
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.catalogue import NAMES, law_named
from scaling.laws.intervals.outliers import describe_outliers

X = np.geomspace(100, 1e5, 24)


def answers(found, told=None) -> dict[str, str]:
    items = checklist(found, describe_outliers(found), told)
    assert [item["item"] for item in items] == list(QUESTIONS)
    return {item["item"]: item["answer"] for item in items}


def test_the_fit_answers_what_it_knows() -> None:
    y = (0.2 + 30 * X**-0.5) * np.exp(0.01 * np.random.default_rng(0).normal(size=24))
    y[5] *= 1.4
    found = fit(forms.power_floor(), {"x": X}, y, delta=0.02, starts=9)
    given = answers(found)
    assert given["form"] == "y = E + B / x^c"
    assert given["parameters"] == "3: E, B, c"
    assert given["models"] == "24 points"
    assert given["data"] == "24 values of x from 100 to 100,000"
    assert given["delta"].startswith("delta = 0.02 in log units")
    assert given["weights"] == "yes"
    assert given["starts"].startswith("9 random starts")
    assert given["certificate"].startswith("100% of the starts")
    without = describe_outliers(found)["parameters_without"]
    assert given["outliers"].startswith("1 beyond 4 robust standard deviations, kept; without it: ")
    assert f"c {without['c']:.4g} instead of {found.parameters['c']:.4g}" in given["outliers"]


def test_what_nobody_told_is_unknown() -> None:
    found = fit(forms.power_floor(), {"x": X}, 0.2 + 30 * X**-0.5)
    given = answers(found, {"code": "here", "delta": "as a friend chose it"})
    assert given["settings"] == given["checkpoints"] == UNKNOWN
    assert given["code"] == "here"
    assert given["delta"].endswith("; as a friend chose it")


def test_an_item_that_is_not_asked_is_refused() -> None:
    found = fit(forms.power(), {"x": X}, 30 * X**-0.5)
    with pytest.raises(ValueError, match="checklist item 'colour' is not on the list; allowed: form, "):
        checklist(found, None, {"colour": "red"})


def test_a_fit_that_failed_says_why() -> None:
    found = fit(forms.chinchilla(), {"N": [1.0, 2.0], "D": [1.0, 2.0]}, [1.0, 2.0])
    given = answers(found)
    assert "nothing was fitted: 2 rows; 6 are needed" in given["certificate"]
    assert given["outliers"] == "nothing was fitted"


@pytest.mark.parametrize("name", NAMES)
def test_every_law_has_its_assumptions(name: str) -> None:
    law = law_named(name, 1.0)
    y = 0.9 * X**-0.1 * np.exp(0.02 * np.random.default_rng(0).normal(size=24))  # a fit without noise takes ten times as long
    found = fit(law, {v: X for v in law.variables}, y, starts=2)
    assert answers(found)["assumptions"] != UNKNOWN


def test_parameters_without_an_interval_are_named() -> None:
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(3e3, 9e3, 4), np.geomspace(300, 900, 4)))
    y = (0.2 + 9 * n**-0.46 + 10 * d**-0.45) * np.exp(0.03 * np.random.default_rng(0).normal(size=16))
    entry = describe_fit(fit(forms.chinchilla(), {"N": n, "D": d}, y, delta=None))
    lacking = [name for name, ends in entry["intervals"].items() if ends is None]
    assert lacking
    identified = next(item["answer"] for item in entry["checklist"] if item["item"] == "identified")
    assert f"without an interval: {', '.join(lacking)}" in identified
