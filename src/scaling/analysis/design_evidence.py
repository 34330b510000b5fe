"""What a study knows of each family's law, as the design of further runs needs it: the fit, and the noise of its runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scaling.analysis.family_evidence import ENOUGH_REPEATS, fit_families, left_over
from scaling.analysis.usable_runs import Cells
from scaling.laws.design.asked import Goal
from scaling.laws.design.run_noise import RunNoise, Runs
from scaling.laws.fitting.fitted import Fit
from scaling.laws.forms.law import Law
from scaling.laws.intervals.noise import Noise, seed_variance, true_variance
from scaling.laws.intervals.profile import profile_intervals

BORROWED = 5
"""Degrees of freedom with which the median of all families counts in the variance of one (assumption): most have about ten."""
UNKNOWN_PLACE = 0.5
"""Share of the variance that more seeds of one place do not average out, where too few repeats tell (assumption)."""
MOST_PLACE = 0.9
"""The same at most (assumption): seeds always differ by something."""


@dataclass(frozen=True)
class KnownLaw:
    """A family's law before further runs.

    Attributes:
        cells: the runs that it was fitted to.
        found: the fit; noise: of its runs.
        unsure: why its parameters are not all determined; empty if they are.
    """

    cells: Cells
    found: Fit
    noise: RunNoise
    unsure: str

    @property
    def runs(self) -> Runs:
        """Its runs, as a design sees them."""
        return Runs(self.cells.logs, self.cells.seeds)


def known_laws(families: Sequence[Cells], law: Law, *, seed: int, goal: Goal) -> tuple[list[KnownLaw], dict[str, str]]:
    """The laws of those families that have one, and for each other family the reason why it has none.

    For a contrast the noise that families share at one (seed, D) is left out: it cancels in their difference.

    Args:
        families: one response of each; law: of N and D, the same for all.
        seed: of starts; goal: what is asked.
    """
    fits, noise = fit_families(families, law, seed)
    reasons = {
        cells.family: next(iter(found.reasons.values()), found.status)
        for cells, found in zip(families, fits, strict=True)
        if not found.parameters
    }
    pairs = [(cells, found) for cells, found in zip(families, fits, strict=True) if found.parameters]
    if not pairs:
        return [], reasons
    groups = [left_over(cells, found) for cells, found in pairs]
    totals = np.array([true_variance(group, noise) for group in groups])
    spare = np.array([max(len(group.residuals) - len(law.parameters), 1) for group in groups])
    variances = (spare * totals + BORROWED * np.median(totals)) / (spare + BORROWED)
    between = [seed_variance(group, cells.params, noise) for group, (cells, _) in zip(groups, pairs, strict=True)]
    told = [1.0 - own / total for (own, freedom), total in zip(between, totals, strict=True) if freedom >= ENOUGH_REPEATS]
    place = float(np.clip(np.median(told), 0.0, MOST_PLACE)) if told else UNKNOWN_PLACE
    return [
        KnownLaw(cells, found, _run_noise(cells, float(variance), noise, place, goal), _why_unsure(found))
        for (cells, found), variance in zip(pairs, variances, strict=True)
    ], reasons


def _run_noise(cells: Cells, variance: float, noise: Noise, place: float, goal: Goal) -> RunNoise:
    """The noise of a family's runs, given the ``variance`` of a standardised error."""
    log_images = np.log(cells.images)
    reference = float(log_images.mean())
    # The weights of the noise model have mean 1 over the rows.
    at_reference = variance * float(np.mean(np.exp(-noise.slope * (log_images - reference))))
    if goal == "contrast":
        left = 1.0 - noise.shared
        return RunNoise(at_reference * left, noise.slope, reference, 0.0, min(place / left, MOST_PLACE))
    return RunNoise(at_reference, noise.slope, reference, noise.shared, place)


def _why_unsure(found: Fit) -> str:
    """Which parameters the runs do not determine, with the reasons."""
    intervals, reasons = profile_intervals(found)
    open_ends = [name for name, ends in intervals.items() if ends is None]
    if not open_ends:
        return ""
    why = dict.fromkeys(found.reasons.get("all") or reasons[name].removeprefix("not identifiable: ") for name in open_ends)
    return f"{', '.join(open_ends)} not identifiable ({'; '.join(why)})"
