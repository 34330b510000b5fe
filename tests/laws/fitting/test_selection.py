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


def crossed(kind: str, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, dict[str, np.ndarray], np.ndarray]:
    """Data and responses of a 6 x 6 grid of a law that is not among the candidates, and of places 3 and 10 times beyond it."""
    rng = np.random.default_rng(seed)
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(1.0, 50.0, 6), np.geomspace(1.0, 50.0, 6)))
    a, b, c = rng.uniform(0.25, 0.5, 3)

    def truth(n: np.ndarray, d: np.ndarray) -> np.ndarray:
        if kind == "three powers":
            return 0.8 + n**-a + d**-b + 0.5 * (n * d) ** (-c / 2)
        if kind == "a break":
            return 0.8 + n**-a + 1.5 * d**-b * (1 + d / 15) ** (b / 2)
        return 0.8 + n**-a + d ** -(b + 0.02 * np.log(n))

    far = [50.0 * np.array([3.0, 1.0, 3.0, 10.0, 1.0, 10.0]), 50.0 * np.array([1.0, 3.0, 3.0, 1.0, 10.0, 10.0])]
    seen, new = truth(n, d), truth(*far)
    noise = np.exp(0.01 * rng.normal(size=len(seen) + len(new)))
    scale = 1e6
    places = {"N": far[0] * scale, "D": far[1] * scale}
    return {"N": n * scale, "D": d * scale}, seen * noise[: len(seen)], places, new * noise[len(seen) :]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["three powers", "a break", "a drifting exponent"])
def test_honest_intervals_hold_new_runs_where_no_candidate_is_true(kind: str) -> None:
    held, widths = [], []
    for seed in range(4):
        data, y, places, new = crossed(kind, seed)
        model = stack(data, y)
        honest, true = model.intervals(**places)
        held.append((honest.low <= new) & (new <= honest.high))
        widths.append(np.median(np.log(honest.high / honest.low)) / 2)
        assert (honest.high / honest.low)[3:].min() > (honest.high / honest.low)[:3].min()
        assert (true.high / true.low > 1).all()
    assert np.mean(held) >= 0.9
    assert max(widths) < 0.25


@pytest.mark.slow
def test_tied_exponents_and_priors_serve_a_small_table() -> None:
    """Nine rows of a law with one exponent: free exponents are wild there, the stack is not."""
    truth = {"E": 1.7, "A": 400.0, "B": 900.0, "alpha": 0.32}
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e8, 3), np.geomspace(2e8, 2e9, 3)))
    far = {"N": np.array([1e9]), "D": np.array([2e10])}
    errors = []
    for seed in range(10):
        y = forms.tied().predict(truth, N=n, D=d) * np.exp(0.005 * np.random.default_rng(seed).normal(size=9))
        free = fit(forms.chinchilla(), {"N": n, "D": d}, y, delta=None)
        predictions = stack({"N": n, "D": d}, y).predict(**far), free.predict(**far)
        errors.append([abs(float(np.log(p / forms.tied().predict(truth, **far))[0])) for p in predictions])
    ours, plain = np.sqrt(np.mean(np.square(errors), axis=0))
    assert ours < 0.05
    assert ours < plain


def test_unique_data_is_a_third_variable() -> None:
    rng = np.random.default_rng(1)
    n = np.exp(rng.uniform(np.log(1e7), np.log(1e9), 60))
    u = np.exp(rng.uniform(np.log(1e8), np.log(1e10), 60))
    d = u * np.exp(rng.uniform(0.0, 3.0, 60))
    truth = {"E": 1.7, "A": 400.0, "alpha": 0.32, "B": 900.0, "beta": 0.3, "R_star": 5.0}
    y = forms.repeated().predict(truth, N=n, D=d, U=u) * np.exp(0.004 * rng.normal(size=60))
    known = n * d < np.quantile(n * d, 0.75)
    data = {"N": n, "D": d, "U": u}
    three = stack({name: column[known] for name, column in data.items()}, y[known])
    two = stack({name: data[name][known] for name in "ND"}, y[known])
    errors = [
        np.sqrt(np.mean(np.log(model.predict(**{name: column[~known] for name, column in data.items()}) / y[~known]) ** 2))
        for model in (three, two)
    ]
    assert errors[0] < 0.02
    assert errors[0] < 0.7 * errors[1]


def test_nothing_is_guessed_from_responses_below_one() -> None:
    """Bits per byte are no error rates: a table divided by a hundred is extrapolated as before, a hundredth of it."""
    n, d = (a.ravel() for a in np.meshgrid(np.geomspace(1e7, 1e8, 4), np.geomspace(2e8, 2e9, 4)))
    y = 1.7 + 400 * n**-0.32 + 900 * d**-0.32
    far = {"N": [1e9], "D": [1e10]}
    whole, small = (stack({"N": n, "D": d}, y * factor).predict(**far)[0] for factor in (1.0, 0.01))
    assert small == pytest.approx(0.01 * whole, rel=1e-4)
