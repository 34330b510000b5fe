"""Stacks predict larger cells, weigh candidates by what they predicted, and never need the rows to be predicted."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws import fit
from scaling.laws.fitting.selection import choose, stack
from scaling.laws.forms import known_laws as forms


def bent_curve(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A curve that is a power with a floor for large x only, as error rates near chance are."""
    x = np.geomspace(1e4, 1e7, 60)
    clean = forms.power_bounded(1.0, 2.0).predict({"E": 0.15, "B": 60.0, "c": 0.35}, x=x)
    return x, clean * np.exp(0.005 * np.random.default_rng(seed).normal(size=60))


def test_a_stack_predicts_beyond_its_rows_better_than_a_power_law() -> None:
    x, y = bent_curve()
    known = x < 2e6
    model = stack({"x": x[known]}, y[known], ceiling=1.0)
    plain = fit(forms.power(), {"x": x[known]}, y[known], delta=None)
    errors = [np.sqrt(np.mean(np.log(p / y[~known]) ** 2)) for p in (model.predict(x=x[~known]), plain.predict(x=x[~known]))]
    assert errors[0] < 0.03
    assert errors[0] < 0.5 * errors[1]


def test_shares_sum_to_one_and_favour_what_predicted_better() -> None:
    x, y = bent_curve()
    model = stack({"x": x}, y, ceiling=1.0)
    shares = np.array([c.share for c in model.candidates])
    scores = np.array([c.rmse_log for c in model.candidates])
    assert shares.sum() == pytest.approx(1.0)
    assert (np.diff(shares[np.argsort(scores)]) <= 1e-12).all()
    assert model.origins == 4
    assert 0 < model.rmse_log < 0.05


def test_a_bounded_grid_is_extrapolated_in_both_directions() -> None:
    law, truth = forms.bounded(0.999), {"E": 0.12, "A": 400.0, "alpha": 0.45, "B": 900.0, "beta": 0.6}
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(5e6, 5e7, 4), np.geomspace(1e3, 3e5, 6)))
    rng = np.random.default_rng(3)
    y = law.predict(truth, N=n, D=d) * np.exp(0.003 * rng.normal(size=len(n)))
    model = stack({"N": n, "D": d}, y, ceiling=0.999)
    places = {"N": np.array([1e6, 2e7, 1e8]), "D": np.full(3, 1.28e6)}
    assert np.abs(np.log(model.predict(**places) / law.predict(truth, **places))).max() < 0.1


def test_too_few_rows_for_any_form() -> None:
    with pytest.raises(ValueError, match="2 rows; at least 3 are needed"):
        stack({"x": np.array([1.0, 2.0])}, np.array([0.5, 0.4]))


def test_without_origins_all_candidates_count_the_same() -> None:
    x = np.array([1e3, 1.1e3, 1.2e3, 1.3e3, 1.35e3])
    model = stack({"x": x}, 0.2 + 5 * x**-0.5)
    assert {round(c.share, 12) for c in model.candidates} == {round(1 / len(model.candidates), 12)}
    assert model.rmse_log is None


@pytest.mark.parametrize(
    ("law", "truth"),
    [
        (forms.power_floor(), {"E": 0.2, "B": 30.0, "c": 0.5}),
        (forms.exponential(), {"E": 0.2, "A": 1.0, "tau": 2e5}),
        (forms.power(), {"B": 4.0, "c": 0.2}),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_the_law_that_made_the_data_predicts_as_well_as_the_chosen_one(law: forms.Law, truth: dict[str, float]) -> None:
    x = np.geomspace(1e4, 1e6, 60)
    y = law.predict(truth, x=x) * np.exp(0.003 * np.random.default_rng(2).normal(size=60))
    (chosen, *_), scores = choose({"x": x}, y)
    assert scores[chosen.name] == min(score for score in scores.values() if score is not None)
    assert scores[law.name] < 2.0 * scores[chosen.name] + 0.003
    wrong = "power" if law.name == "exponential" else "exponential"
    assert scores[wrong] > 2 * scores[law.name]
