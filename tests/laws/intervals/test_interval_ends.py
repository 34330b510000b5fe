"""The search for interval ends meets a rise that is known, and says where there is no end."""

from __future__ import annotations

import numpy as np
import pytest

from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.interval_ends import RELATIVE_END, find_ends

SLOPES = np.array([2.0, 0.5, 0.01])


def bent(rows: np.ndarray, steps: Floats, warm: Floats) -> tuple[Floats, Floats]:
    """A rise whose root grows a little faster than the step, and one coordinate that follows it."""
    return (SLOPES[rows] * steps * (1 + 0.3 * steps / (1 + steps))) ** 2, steps[:, None]


def test_the_rise_at_an_end_is_the_one_that_was_asked_for() -> None:
    steps, theta = find_ends(bent, np.zeros((3, 1)), np.full(3, 4.0), np.array([5.0, 0.1, 1.0]), np.full(3, np.inf))
    risen, _ = bent(np.arange(3), steps, theta)
    assert np.sqrt(risen) == pytest.approx(2.0, rel=RELATIVE_END)
    assert theta[:, 0] == pytest.approx(steps)


def test_there_is_no_end_beyond_the_room() -> None:
    room = np.array([0.5, 100.0, 0.0])
    steps, _ = find_ends(bent, np.zeros((3, 1)), np.full(3, 4.0), np.ones(3), room)
    assert np.isfinite(steps).tolist() == [False, True, False]
