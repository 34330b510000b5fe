"""Honest intervals of floors: held where the fitted law is wrong, never narrower than where it is taken to be true."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws import fit
from scaling.laws.forms import known_laws as forms
from scaling.laws.intervals.agreement import honest_intervals
from scaling.laws.intervals.profile import profile_intervals

N, D = (a.ravel() for a in np.meshgrid(np.geomspace(1e6, 3e7, 5), np.geomspace(1e6, 3e7, 5)))
FLOOR = 1.0


def reports(extra: np.ndarray | float, seed: int) -> tuple[dict, dict]:
    """Intervals if Chinchilla's law holds, and honestly, of a table with a floor of 1."""
    n, d = N / 1e6, D / 1e6
    loss = (FLOOR + 0.8 * n**-0.35 + 1.2 * d**-0.4 * extra) * np.exp(0.01 * np.random.default_rng(seed).normal(size=len(N)))
    found = fit(forms.chinchilla(), {"N": N, "D": D}, loss, delta=None)
    own, _ = profile_intervals(found)
    return own, honest_intervals(found, {"N": N, "D": D}, loss, own)


@pytest.mark.parametrize("extra", [1.0, (1 + D / 8e6) ** 0.2], ids=["the law holds", "a break towards the end"])
def test_floors_are_held_and_intervals_are_no_narrower(extra: np.ndarray | float) -> None:
    held = []
    for seed in range(8):
        own, honest = reports(extra, seed)
        ends = honest["intervals"]["E"]
        held.append(ends is None or ends[0] <= FLOOR <= ends[1])
        for name in ("E", "alpha", "beta"):
            mine, theirs = own[name], honest["intervals"][name]
            if mine is None:
                assert theirs is None
                assert name in honest["reasons"]
            elif theirs is not None:
                assert theirs[0] <= mine[0] + 1e-12
                assert theirs[1] >= min(mine[1], 1.0) - 1e-12
    assert sum(held) >= 7


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a third power", "an exponent that drifts", "noise that shrinks with D"])
def test_floors_of_laws_that_are_no_candidates_are_held(kind: str) -> None:
    n, d = N / 1e6, D / 1e6
    clean = FLOOR + 0.8 * n**-0.35 + 1.2 * d ** -(0.4 + 0.03 * np.log(n) * (kind == "an exponent that drifts"))
    clean = clean + 0.4 * (n * d) ** -0.12 * (kind == "a third power")
    spread = 0.03 * d**-0.5 if kind == "noise that shrinks with D" else 0.01
    held, widths = [], []
    for seed in range(8):
        loss = clean * np.exp(spread * np.random.default_rng(seed).normal(size=len(N)))
        found = fit(forms.chinchilla(), {"N": N, "D": D}, loss, delta=None)
        own, _ = profile_intervals(found)
        honest = honest_intervals(found, {"N": N, "D": D}, loss, own)["intervals"]["E"]
        if honest is not None:
            held.append(honest[0] <= FLOOR <= honest[1])
            widths.append(honest[1] - honest[0])
    # A floor that is always refused would be held too.
    assert len(held) >= 4
    assert sum(held) >= len(held) - 1
    assert np.median(widths) < 1.5 * FLOOR


def test_no_floor_lies_above_losses_that_were_seen() -> None:
    for seed in range(4):
        _, honest = reports(1.0, seed)
        if honest["intervals"]["E"] is not None:
            assert honest["intervals"]["E"][0] < FLOOR + 0.35


def test_a_law_that_predicts_worse_is_told_of_a_better_one() -> None:
    loss = 1.0 + 2.0 * (N / 1e6) ** -0.3 + 2.0 * (D / 1e6) ** -0.3
    loss = loss * np.exp(0.003 * np.random.default_rng(0).normal(size=len(N)))
    found = fit(forms.logarithms(), {"N": N, "D": D}, loss, delta=None)
    honest = honest_intervals(found, {"N": N, "D": D}, loss, {})
    assert "predicts larger rows better" in honest["reasons"]["all"]


def test_too_few_rows_to_try_other_laws() -> None:
    found = fit(forms.tied(), {"N": N[[0, 1, 2, 6, 12]], "D": D[[0, 6, 12, 18, 24]]}, np.array([5.0, 4.0, 3.5, 3.2, 3.0]))
    table = {"N": N[[0, 1, 2, 6, 12]], "D": D[[0, 6, 12, 18, 24]]}
    honest = honest_intervals(found, table, np.array([5.0, 4.0, 3.5, 3.2, 3.0]), {})
    assert honest["reasons"]["all"].startswith(("too few rows", "nothing was fitted"))
