"""A design that is followed reaches the accuracy of the whole grid for a fraction of its cost."""

import numpy as np
import pytest

from scaling.laws import fit
from scaling.laws.design.asked import BEYOND, Asked, asked_of, gradients
from scaling.laws.design.narrowing import WIDTH, Narrowing
from scaling.laws.design.run_noise import RunNoise, Runs
from scaling.laws.design.spending import Aim, Block, in_order, spend, variances_of
from scaling.laws.forms import known_laws as forms

TRUTH = {"E": 0.22, "A": 9.0, "alpha": 0.46, "B": 10.0, "beta": 0.45}
LAW = forms.chinchilla()
NOISE = 0.02


def grid(sizes, data, seeds):
    n, d, s = (a.ravel() for a in np.meshgrid(sizes, data, np.array(list(seeds), float)))
    return Runs(np.log(np.column_stack([n, d])), s)


def prices(runs):
    return np.exp(runs.logs.sum(axis=1))


def joined(first, second, rows):
    return Runs(np.vstack([first.logs, second.logs[rows]]), np.append(first.seeds, second.seeds[rows]))


def fitted(runs, rng=None):
    n, d = np.exp(runs.logs).T
    error = 0.0 if rng is None else NOISE * rng.normal(size=len(n))
    return fit(LAW, {"N": n, "D": d}, LAW.predict(TRUTH, N=n, D=d) * np.exp(error), delta=None)


SIZES, DATA = np.geomspace(5e3, 5e5, 6), np.geomspace(300, 3e4, 6)
WHOLE = grid(SIZES, DATA, [0])
PILOT = grid(SIZES[:4], DATA[:4], [0])
ALL = grid(SIZES, DATA, range(1, 13))


@pytest.fixture(scope="module")
def pilot():
    found = fitted(PILOT)
    return Narrowing(found, RunNoise(NOISE**2), PILOT, ALL, asked_of(found, "prediction"))


def test_the_budget_holds_and_more_of_it_narrows_more(pilot):
    costs, widths = prices(ALL), []
    for share in (0.05, 0.1, 0.2):
        budget = share * prices(WHOLE).sum()
        choices = spend([pilot], [costs], budget, Aim([pilot], paired=False))
        chosen = [choice.candidate for choice in choices]
        assert len(set(chosen)) == len(chosen) > 0
        assert costs[chosen].sum() <= budget
        after = pilot.copy()
        for candidate in chosen:
            after.take(candidate)
        widths.append(after.variance)
    assert pilot.variance > widths[0] > widths[1] > widths[2]
    assert not pilot.taken.any()


def test_nothing_is_chosen_that_cannot_be_paid(pilot):
    assert spend([pilot], [prices(ALL)], 0.5 * prices(ALL).min(), Aim([pilot], paired=False)) == []


def test_rows_are_in_the_order_of_their_gain_and_their_widths_join(pilot):
    costs, aim = prices(ALL), Aim([pilot], paired=False)
    blocks = [Block(0, (i, i + 1), float(costs[i] + costs[i + 1])) for i in (0, 180, 360)]
    told = in_order([pilot], blocks, aim)
    assert told[0].before == pytest.approx(WIDTH * pilot.variance**0.5)
    assert [one.after for one in told[:-1]] == pytest.approx([one.before for one in told[1:]])
    best = max(in_order([pilot], [block], aim)[0].gain for block in blocks)
    assert told[0].gain == pytest.approx(best)
    assert told[0].gain == pytest.approx((told[0].before - told[0].after) / told[0].before / told[0].block.cost)


def test_a_contrast_is_as_wide_as_its_families_together(pilot):
    other = pilot.copy()
    other.take(300)
    variances = variances_of([pilot, other])
    expected = WIDTH * np.sqrt(variances.sum())
    np.testing.assert_allclose(Aim([pilot, other], paired=True).start, [expected, expected])
    # Of two families the wider one gets the only run.
    (first,) = spend([pilot, other], [np.full(len(ALL.seeds), 1.0)] * 2, 1.0, Aim([pilot, other], paired=True))
    assert first.family == int(np.argmax(variances))


@pytest.mark.slow
def test_a_design_that_is_followed_predicts_as_the_whole_grid_at_a_fraction_of_its_cost():
    """24 simulated studies; the design is chosen from a fit to a noisy pilot, not from the truth."""
    whole_cost, shares, errors = prices(WHOLE).sum(), [], []
    far = np.exp(WHOLE.logs.max(axis=0)) * BEYOND
    truth = np.log(LAW.predict(TRUTH, N=far[0], D=far[1]))
    for seed in range(24):
        rng = np.random.default_rng(seed)
        n, d = np.exp(PILOT.logs).T
        shown = LAW.predict(TRUTH, N=n, D=d) * np.exp(NOISE * rng.normal(size=len(n)))
        found = fit(LAW, {"N": n, "D": d}, shown, delta=None)
        family = Narrowing(
            found,
            RunNoise(NOISE**2),
            PILOT,
            ALL,
            Asked(gradients(found, np.log(far)[None] - found.centre), "", np.log(far)[None]),
        )
        budget = 0.25 * whole_cost - prices(PILOT).sum()
        chosen = [c.candidate for c in spend([family], [prices(ALL)], budget, Aim([family], paired=False))]
        runs = joined(PILOT, ALL, chosen)
        n, d = np.exp(runs.logs).T
        new = LAW.predict(TRUTH, N=n, D=d) * np.exp(NOISE * rng.normal(size=len(n)))
        new[: len(shown)] = shown
        shares.append(prices(runs).sum() / whole_cost)
        of_design = fit(LAW, {"N": n, "D": d}, new, delta=None).predict(N=far[0], D=far[1])
        of_whole = fitted(WHOLE, rng).predict(N=far[0], D=far[1])
        errors.append(np.log([of_design, of_whole]) - truth)
    design, whole = np.sqrt(np.mean(np.square(errors), axis=0))
    assert max(shares) <= 0.25 + 1e-9
    assert design <= whole
