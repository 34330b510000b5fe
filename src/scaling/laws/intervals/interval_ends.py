"""Where intervals end: how far the objective can be followed until it has risen as far as it may, for many ends at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scaling.laws.forms.terms import Floats

Solve = Callable[[np.ndarray, Floats, Floats], tuple[Floats, Floats]]
"""(rows, steps, warm starts) -> rise of the objective and theta with the quantity moved by the steps."""
MOST_STEPS_TO_END = 40
"""Most steps towards an end (assumption); an end that is not met by then counts as not reached."""
RELATIVE_END = 1e-3
"""An end is found once the root of the rise is this close to its target, relatively: an error of 0.1 % of the half width."""
CLOSED = 1e-4
"""Relative distance of the two steps around an end below which nothing is left to search."""
INNER_SHARES = (0.02, 0.98)
"""A step between two others keeps this share of their distance from either (assumption)."""
NO_ROOM = 1e-9
"""Room to a bound, and relative distance from it, that is rounding."""


@dataclass
class _Brackets:
    """Two steps around each of E ends: one too short, and one too long once it is known (NaN before), with their excess.

    The excess is the root of the rise minus the root of the rise that is wanted. It is nearly linear in the step, so that few
    steps suffice: regula falsi, by the Illinois rule (Dowell and Jarratt 1971), which halves the excess of a side that stays
    twice in a row and so keeps both sides moving.
    """

    short: Floats
    short_excess: Floats
    long: Floats
    long_excess: Floats
    last_was_long: Floats

    @classmethod
    def at_the_optimum(cls, target: Floats) -> _Brackets:
        """Before the first step: the optimum itself is too short, by the whole root ``target`` [E]."""
        unknown = np.full(len(target), np.nan)
        return cls(np.zeros(len(target)), -target, unknown, unknown.copy(), unknown.copy())

    def narrow(self, rows: np.ndarray, steps: Floats, excess: Floats) -> None:
        """Take in what the steps of some ends showed."""
        is_short = excess < 0
        now_short, now_long = rows[is_short], rows[~is_short]
        self.long_excess[now_short[self.last_was_long[now_short] == 0]] *= 0.5
        self.short_excess[now_long[self.last_was_long[now_long] == 1]] *= 0.5
        self.short[now_short], self.short_excess[now_short] = steps[is_short], excess[is_short]
        self.long[now_long], self.long_excess[now_long] = steps[~is_short], excess[~is_short]
        self.last_was_long[rows] = ~is_short

    def closed(self, rows: np.ndarray) -> np.ndarray:
        """Whether the two steps of an end are the same for all purposes."""
        return self.long[rows] - self.short[rows] < CLOSED * self.long[rows]

    def next_steps(self, rows: np.ndarray, guess: Floats, room: Floats) -> Floats:
        """Between the two steps where both are known; else twice as far, within the room."""
        short, long = self.short[rows], self.long[rows]
        share = -self.short_excess[rows] / (self.long_excess[rows] - self.short_excess[rows])
        between = short + np.clip(share, *INNER_SHARES) * (long - short)
        further = np.minimum(np.maximum(2.0 * short, guess), room)
        return np.where(np.isfinite(long), between, further)


def find_ends(
    solve: Solve, optimum: Floats, rise: Floats, guess: Floats, room: Floats, follow: Floats | None = None
) -> tuple[Floats, Floats]:
    """Steps [E] at which the objective has risen as far as it may, infinite beyond the room, and theta [E, p] there.

    Args:
        solve: what a step does to some of the ends.
        optimum: theta at step 0 [E, p].
        rise: by how much the objective may rise [E].
        guess: first steps [E]; room: largest steps [E].
        follow: first guess of the change of theta per unit step [E, p], replaced by what is seen; None for no change.
    """
    target = np.sqrt(rise)
    brackets = _Brackets.at_the_optimum(target)
    steps, found = np.minimum(guess, room), np.full(len(optimum), np.inf)
    theta, warm = optimum.copy(), optimum.copy()
    follow = np.zeros_like(optimum) if follow is None else follow.copy()
    searching = np.flatnonzero((room > NO_ROOM) & (rise > 0))
    for _ in range(MOST_STEPS_TO_END):
        if not len(searching):
            break
        tried = steps[searching]
        ahead = (tried - brackets.short[searching])[:, None] * follow[searching]
        risen, theta[searching] = solve(searching, tried, warm[searching] + ahead)
        excess = np.sqrt(np.maximum(risen, 0.0)) - target[searching]
        brackets.narrow(searching, tried, excess)

        # The next solution is sought from the furthest one that is not too far.
        is_short = excess < 0
        inner = searching[is_short]
        warm[inner] = theta[inner]
        moved = inner[follow[inner].any(axis=1) & (steps[inner] > 0)]
        follow[moved] = (theta[moved] - optimum[moved]) / steps[moved, None]

        no_end = is_short & (tried >= room[searching] * (1 - NO_ROOM))
        close = np.abs(excess) <= RELATIVE_END * target[searching]
        ended = (close | brackets.closed(searching)) & ~no_end
        found[searching[ended]] = tried[ended]
        searching = searching[~(ended | no_end)]
        steps[searching] = brackets.next_steps(searching, guess[searching], room[searching])
    return found, theta
