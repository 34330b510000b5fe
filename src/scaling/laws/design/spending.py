"""Spending a budget on runs: greedily by what each narrows for its cost, with two rivals for the last word.

Greedy by narrowing per cost may fill the budget with cheap runs where one large run would have told more; greedy by narrowing
alone does the opposite. Both are tried, and one between them, and the one that ends narrowest is taken (for the first two,
Khuller, Moss and Naor 1999, "The budgeted maximum coverage problem").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from scaling.laws.design.narrowing import WIDTH, Narrowing
from scaling.laws.forms.terms import Floats

COST_POWERS: Final = (1.0, 0.5, 0.0)
"""Narrowing is divided by the cost to each of these powers in turn."""


WORTH = 0.01
"""Share of the width at the start below which the rest of a budget is not worth spending (assumption)."""


class Choice(NamedTuple):
    """A candidate: the number of its family, and its own number there."""

    family: int
    candidate: int


class Aim:
    """What is to be small: the mean over F families of the width of what is asked, as a share of that at the start.

    Args:
        families: what is known of each at the start.
        paired: whether what is asked is the difference of two families; a width is then the mean over the pairs of a family.
    """

    def __init__(self, families: Sequence[Narrowing], paired: bool) -> None:
        self._paired = paired and len(families) > 1
        self.start = self.widths(variances_of(families))

    def widths(self, variances: Floats) -> Floats:
        """Width of each family's 95 % interval [..., F] from the variances of what is asked [..., F]."""
        if not self._paired:
            return WIDTH * np.sqrt(variances)
        pairs = np.sqrt(variances[..., :, None] + variances[..., None, :])
        own = np.diagonal(pairs, axis1=-2, axis2=-1)
        return WIDTH * (pairs.sum(axis=-1) - own) / (variances.shape[-1] - 1)

    def of(self, variances: Floats) -> Floats:
        """The aim [...] from variances [..., F]; 1 at the start."""
        return np.mean(self.widths(variances) / np.maximum(self.start, 1e-300), axis=-1)


def variances_of(families: Sequence[Narrowing]) -> Floats:
    """Mean variance of what is asked of each family [F]."""
    return np.array([family.variance for family in families])


def spend(families: Sequence[Narrowing], costs: Sequence[Floats], budget: float, aim: Aim) -> list[Choice]:
    """The candidates to train; their costs are at most ``budget`` together.

    Args:
        families: what is known of each; they are not changed.
        costs: of each family's candidates [m], positive, in the unit of ``budget``.
        aim: what is to be small.
    """
    best: tuple[float, list[Choice]] = (np.inf, [])
    for power in COST_POWERS:
        own = [family.copy() for family in families]
        choices = _greedy(own, costs, budget, aim, power)
        reached = float(aim.of(variances_of(own)))
        if reached < best[0] * (1 - 1e-9):
            best = (reached, choices)
    return best[1]


def _greedy(families: Sequence[Narrowing], costs: Sequence[Floats], budget: float, aim: Aim, power: float) -> list[Choice]:
    """Take the candidate that narrows most for its cost to the ``power``, while one is affordable and narrows anything.

    It ends early where even the best rate of narrowing, kept up for all that is left, would come to less than ``WORTH``.
    """
    choices: list[Choice] = []
    left = budget
    while True:
        variances = variances_of(families)
        now = float(aim.of(variances))
        best, chosen, rate = 0.0, None, 0.0
        for index, (family, cost) in enumerate(zip(families, costs, strict=True)):
            if not len(cost):
                continue
            after = np.repeat(variances[None], len(cost), axis=0)
            after[:, index] = family.narrowed()
            falls = np.where(family.open & (cost <= left), now - aim.of(after), 0.0)
            rate = max(rate, float(np.max(falls / cost)))
            gains = falls / cost**power
            # Of equal ones the first: rounding must not choose a seed.
            candidate = int(np.argmax(gains >= gains.max() * (1 - 1e-9)))
            if gains[candidate] > best:
                best, chosen = float(gains[candidate]), Choice(index, candidate)
        if chosen is None or rate * left < WORTH:
            return choices
        families[chosen.family].take(chosen.candidate)
        left -= float(costs[chosen.family][chosen.candidate])
        choices.append(chosen)


class Block(NamedTuple):
    """Candidates of one family that are told as one row, and what they cost together."""

    family: int
    candidates: tuple[int, ...]
    cost: float


class Told(NamedTuple):
    """A block in its place in the order.

    Attributes:
        block: the block.
        gain: share of the width at the start by which it narrows the mean over families, per unit of cost.
        before, after: width of its own family, once all blocks before it are trained, and once it is too.
    """

    block: Block
    gain: float
    before: float
    after: float


def in_order(families: Sequence[Narrowing], blocks: Sequence[Block], aim: Aim) -> list[Told]:
    """The blocks, at each step the one that then narrows most for its cost; ``families`` are not changed.

    Where a block makes a later one worth more, both are given the gain that they have together.
    """
    own = [family.copy() for family in families]
    left, told = list(blocks), []
    while left:
        before = variances_of(own)
        tried = []
        for block in left:
            family = own[block.family].copy()
            for candidate in block.candidates:
                family.take(candidate)
            after = before.copy()
            after[block.family] = family.variance
            tried.append((float(aim.of(before) - aim.of(after)) / block.cost, family, after))
        best = max(range(len(left)), key=lambda i: tried[i][0])
        gain, family, after = tried[best]
        block = left.pop(best)
        own[block.family] = family
        told.append(Told(block, gain, *(float(aim.widths(v)[block.family]) for v in (before, after))))
    return _pooled(told)


def _pooled(told: Sequence[Told]) -> list[Told]:
    """The same with gains that never rise: rows that pay only together have the gain of all of them."""
    groups: list[list[Told]] = []
    for one in told:
        groups.append([one])
        while len(groups) > 1 and _gain(groups[-1]) > _gain(groups[-2]):
            last = groups.pop()
            groups[-1] += last
    return [one._replace(gain=_gain(group)) for group in groups for one in group]


def _gain(group: Sequence[Told]) -> float:
    """Gain of blocks together, per unit of cost."""
    return sum(one.gain * one.block.cost for one in group) / sum(one.block.cost for one in group)
