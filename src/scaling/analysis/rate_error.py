"""What an error of half an octave in the learning rate would do to a family's law: to alpha, beta, skill and verdict.

Tuning gives each family a law of its best rate (``scaling.laws.learning.rate_law``). A rate that is wrong by half an octave
costs curvature / 2 (half log 2)^2 of log loss. Evenly spread over the grid, this moves A, B and E alone. It is worst if it
comes in along the grid: here the rate is off by half an octave at one end of N or of D and right at the other end, with an
error that grows with the log between them, so that the cost grows with its square. The losses are corrected by that cost, the
law is fitted to them again, and the larger runs are predicted again. Rates that are too high cost as much as rates that are
too low, so there are four such errors: at the largest or smallest N, at the largest or smallest D.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from scaling.analysis.family_evidence import fit_families
from scaling.analysis.family_verdict import gate
from scaling.analysis.misfit import measure_misfit
from scaling.analysis.usable_runs import Cells, cells_of
from scaling.laws.fitting.fitted import Fit
from scaling.laws.fitting.holdout import ORIGINS, predict_splits, rolling_splits
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.bootstrap import refit
from scaling.laws.intervals.noise import Noise
from scaling.laws.learning.rate_law import Anchor, RateLaw, fit_rate_law, study_noise

OCTAVES: Final = 0.5
"""Error in the rate whose effect is asked: half a factor of 2 (candidates lie a factor of 2 apart)."""
ENDS: Final = ("largest N", "smallest N", "largest D", "smallest D")
"""Where the rate is off by all of it."""


@dataclass(frozen=True)
class Judgement:
    """A family's law and verdict.

    Attributes:
        parameters: of the law.
        skill: over all origins; None where none could be made.
        verdicts: what is said of the family by name: whether it scales here, predicts its larger runs, fits within the margin.
    """

    parameters: dict[str, float]
    skill: float | None
    verdicts: dict[str, str]


@dataclass(frozen=True)
class RateError:
    """What is known of a family's learning rate, and what an error in it would do.

    Attributes:
        family: its name.
        law: of the best rate, or the reason why there is none.
        judged: the family as it is; moved: the same by the end (``ENDS``) at which the rate is taken to be off; None and empty
            where there is no law of the rate or none of the loss.
    """

    family: str
    law: RateLaw | str
    judged: Judgement | None
    moved: dict[str, Judgement]

    def shift(self, parameter: str) -> float | None:
        """The largest change of a parameter, or of the "skill", with its sign; None where there is none."""
        if self.judged is None or not self.moved:
            return None
        before, *after = (
            one.skill if parameter == "skill" else one.parameters.get(parameter) for one in (self.judged, *self.moved.values())
        )
        changes = [value - before for value in after if value is not None and before is not None]
        return max(changes, key=abs) if changes else None

    def changed(self) -> list[str]:
        """Each verdict that an error would change, in words."""
        if self.judged is None:
            return []
        return [
            f"{name}: {now} would be {then} (rate off at the {end})"
            for name, now in self.judged.verdicts.items()
            for end, other in self.moved.items()
            if (then := other.verdicts[name]) != now
        ]


def rate_errors(
    runs: pl.DataFrame, tuning: Mapping[str, dict[str, Any]], fits: dict[str, Any], *, seed: int
) -> list[RateError]:
    """One entry per family with a verdict that was tuned.

    Args:
        runs: the runs table of the study.
        tuning: by family, the record of its tuning.
        fits: contents of fits.json, made from these runs.
        seed: of the fits' starts, as for ``fit_study``.
    """
    verdicts = {verdict["family"]: verdict for verdict in fits.get("verdicts", [])}
    anchors = {f: [Anchor.of(a) for a in record["anchors"]] for f, record in tuning.items() if record["anchors"]}
    noise_of_rates = study_noise(list(anchors.values()))
    names = list(verdicts)
    families = [cells_of(runs, name, "loss") for name in names]
    found, noise = fit_families(families, forms.chinchilla(), seed)
    entries = []
    for cells, fitted in zip(families, found, strict=True):
        if cells.family not in anchors:
            continue
        law = fit_rate_law(anchors[cells.family], noise_of_rates)
        if isinstance(law, str) or not fitted.parameters:
            entries.append(RateError(cells.family, law, None, {}))
            continue
        costs = cost_along(cells, law.penalty(OCTAVES).value)
        first, *moved = judge_costs(cells, fitted, noise, list(costs.values()), verdicts[cells.family]["skill_interval"])
        entries.append(RateError(cells.family, law, first, dict(zip(costs, moved, strict=True))))
    return entries


def cost_along(cells: Cells, penalty: float) -> dict[str, Floats]:
    """Log loss [n] that the error costs each run, by the end at which it is ``penalty``; without axes of one value."""
    costs = {}
    for axis, logs in zip(("N", "D"), cells.logs.T, strict=True):
        if np.ptp(logs) > 0:
            share = (logs - logs.min()) / np.ptp(logs)
            costs[f"largest {axis}"] = penalty * share**2
            costs[f"smallest {axis}"] = penalty * (1.0 - share) ** 2
    return costs


def judge_costs(
    cells: Cells, found: Fit, noise: Noise, costs: Sequence[Floats], interval: Sequence[float] | None
) -> list[Judgement]:
    """The family as it is, then without each of the costs.

    Args:
        cells: its runs [n]; found: their fit; noise: of the study.
        costs: log loss [n] that is taken off.
        interval: of its skill as it is. Noise is not simulated again: on the scale log(1 - skill), on which its errors are
            symmetric, the interval moves with the skill.
    """
    log_y = found.log_y - np.array([np.zeros(found.rows), *costs])
    theta = np.concatenate([found.theta[None], refit(found, log_y[1:])]) if costs else found.theta[None]
    public = found.law.publish(theta, found.centre)
    ratios = _error_ratios(cells, found, log_y)
    judgements = []
    for logs, own, values, ratio in zip(log_y, theta, public, ratios, strict=True):
        residuals = logs - found.law.log_values(own[None], found.logs)[0]
        weights = noise.weights(cells.images)
        misfit = measure_misfit(residuals, cells.params, cells.images, cells.seeds, weights, len(own))
        moved = None if interval is None else [1.0 - (1.0 - end) * float(np.exp(ratio - ratios[0])) for end in interval]
        judgements.append(
            Judgement(
                dict(zip(found.law.parameters, values.tolist(), strict=True)),
                None if np.isnan(ratio) else 1.0 - float(np.exp(ratio)),
                {
                    "scales": "yes" if gate(cells.params, cells.images, logs).scales else "not shown",
                    "predicts larger runs": _predicts(moved),
                    "misfit": "unknown" if misfit is None else misfit.verdict,
                },
            )
        )
    return judgements


def _error_ratios(cells: Cells, found: Fit, log_y: Floats) -> Floats:
    """log(1 - skill) over all origins for each of several log responses [B, n]; NaN where no origin is possible [B]."""
    squares = np.zeros((2, len(log_y)))
    for origin in ORIGINS:
        splits = rolling_splits(found.law, cells.params, cells.images, cells.seeds, origin)
        if not splits:
            continue
        rows, nearest = (np.concatenate([getattr(split, part) for split in splits]) for part in ("test", "nearest"))
        # From random starts too, as the skill that is reported.
        predicted = predict_splits(found, cells.logs, log_y, splits, delta=found.delta)
        squares += [np.sum((guess - log_y[:, rows]) ** 2, axis=1) for guess in (predicted, log_y[:, nearest])]
    with np.errstate(divide="ignore", invalid="ignore"):
        return 0.5 * np.log(squares[0] / squares[1])


def _predicts(interval: Sequence[float] | None) -> str:
    if interval is None or interval[0] <= 0 <= interval[1]:
        return "cannot tell"
    return "yes" if interval[0] > 0 else "no"
