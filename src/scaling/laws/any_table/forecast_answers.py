"""Answers of a fitted law of N and D: the response at a place, the best N and D of a budget, the budget for a response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.stats import t as student

from scaling.laws.compute_optimal.frontier import Compute, best_use
from scaling.laws.fitting.fitted import Fit, noise_scale
from scaling.laws.fitting.selection import stack
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.profile import prediction_intervals
from scaling.laws.law_errors import InputError

FAR = 10.0
"""Factor beyond the data from which on a forecast has a warning (assumption)."""
SEARCHED_BUDGETS = 100
"""Budgets at which the least one for a target is searched (assumption); lines join them."""
LEVEL = 0.95
"""Coverage of the intervals."""
TAIL = (1 - LEVEL) / 2
"""Share of the resamples beyond each end of an interval."""


def responses_at(found: Fit, places: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    """Predicted response at each place, with the interval in which one new run is expected, and warnings.

    Args:
        found: a fit of a law of N and D.
        places: (N, D) of each question.
    """
    if not places:
        return []
    params, images = np.array(places, float).T
    value = found.predict(N=params, D=images)
    low, high = prediction_intervals(found, LEVEL, N=params, D=images)
    noise = np.sqrt(noise_scale(found)) * student.ppf(0.5 + LEVEL / 2, max(found.rows - len(found.theta), 1))
    answers = []
    for i, (size, data) in enumerate(places):
        down = np.hypot(np.log(value[i]) - np.log(max(low[i], 1e-300)), noise)
        up = np.hypot(np.log(high[i]) - np.log(value[i]), noise) if np.isfinite(high[i]) else np.inf
        answers.append(
            {
                "N": size,
                "D": data,
                "response": float(value[i]),
                "interval": [float(value[i] * np.exp(-down)), float(value[i] * np.exp(up)) if np.isfinite(up) else None],
                "warnings": _warnings(found, size, data),
            }
        )
    return answers


def with_honest(
    answers: list[dict[str, Any]], found: Fit, form: Law, params: Floats, images: Floats, response: Floats, seed: int
) -> list[dict[str, Any]]:
    """The answers with ``honest_interval``, which includes the law's own error at rolling origins; None with too few rows.

    Args:
        answers: those of ``responses_at``.
        found: the fit; form: its law.
        params, images, response: the table [n] that it was fitted to.
        seed: of random starts.
    """
    if not answers:
        return answers
    try:
        model = stack({"N": params, "D": images}, response, laws=(form,), seed=seed).refitted(found)
    except InputError:
        return [answer | {"honest_interval": None} for answer in answers]
    places = {name: np.array([answer[name] for answer in answers]) for name in ("N", "D")}
    honest, _ = model.intervals(LEVEL, **places)
    # They are no narrower than if the law holds.
    return [
        answer
        | {
            "honest_interval": [
                min(float(honest.low[i]), answer["interval"][0]),
                None if answer["interval"][1] is None else max(float(honest.high[i]), answer["interval"][1]),
            ]
        }
        for i, answer in enumerate(answers)
    ]


def answer_to_budget(found: Fit, draws: Floats, compute: Compute, budget: float) -> dict[str, Any]:
    """N*, D* and the response that a budget reaches, with intervals; a reason where it pays for no run.

    Args:
        found: a fit of a law of N and D; draws: coordinates [B, p] of its refits to resamples.
        compute: the price of (N, D).
        budget: FLOP.
    """
    answer: dict[str, Any] = {"flop": budget, "N": None, "D": None, "response": None}
    best = best_use(found.law, found.theta[None], found.centre, compute, budget)
    spread = best_use(found.law, draws, found.centre, compute, budget)
    if best is None or spread is None:
        return answer | {"reason": "the budget pays for no run in the range of the table"}
    size, data = float(np.exp(best.log_params[0])), float(np.exp(best.log_images[0]))
    answer |= {"N": size, "D": data, "response": float(np.exp(best.log_response[0]))}
    at_edge = bool(best.edge[0])
    for name, column in (("N", spread.log_params), ("D", spread.log_images)):
        answer[f"{name}_interval"] = None if at_edge else _open_ends(column, spread.edge)
    answer["response_interval"] = np.exp(np.quantile(spread.log_response, [TAIL, 1 - TAIL])).tolist()
    answer["warnings"] = _warnings(found, size, data)
    edges = float(np.mean(spread.edge))
    if at_edge:
        answer["warnings"].append("the best N lies at the end of the range searched, so that N and D have no interval")
    elif edges > TAIL:
        answer["warnings"].append(
            f"the best N lies at the end of the range searched in {edges:.0%} of resamples: their intervals are open there"
        )
    return answer


def _open_ends(logs: Floats, edge: np.ndarray) -> list[float | None] | None:
    """The interval of a size by its logs in the resamples [B]; an end at which the search stopped is None.

    ``edge`` [B]: whether a resample's value lies at an end of the range searched. None if both ends do.
    """
    middle = float(np.median(logs))
    low, high = np.exp(np.quantile(logs, [TAIL, 1 - TAIL])).tolist()
    ends = [
        None if np.mean(edge & (logs <= middle)) > TAIL else low,
        None if np.mean(edge & (logs >= middle)) > TAIL else high,
    ]
    return None if ends == [None, None] else ends


def answer_to_target(found: Fit, draws: Floats, compute: Compute, target: float) -> dict[str, Any]:
    """The smallest budget, in FLOP, whose best response is the target; a reason where there is none.

    Args:
        found: a fit of a law of N and D; draws: coordinates [B, p] of its refits to resamples.
        compute: the price of (N, D).
        target: a response.
    """
    budgets = np.linspace(*compute.log_flop, SEARCHED_BUDGETS)
    columns = [best_use(found.law, np.vstack([found.theta, draws]), found.centre, compute, b) for b in np.exp(budgets)]
    known = [(b, c.log_response) for b, c in zip(budgets, columns, strict=True) if c is not None]
    answer: dict[str, Any] = {"response": target, "flop": None, "interval": None}
    if not known:
        return answer | {"reason": "no budget pays for a run in the range of the table"}
    place, curves = np.array([b for b, _ in known]), np.minimum.accumulate(np.array([c for _, c in known]), axis=0)
    costs = np.array([_crossing(place, curve, np.log(target)) for curve in curves.T])
    if not np.isfinite(costs[0]):
        floor = float(np.exp(curves[-1, 0]))
        return answer | {"reason": f"not reached: the law's response at the largest budget searched is {floor:.4g}"}
    ends = np.quantile(np.where(np.isfinite(costs[1:]), costs[1:], 1e9), [TAIL, 1 - TAIL])
    cheapest = float(place[0])
    interval = [float(np.exp(end)) if cheapest < end < 700 else None for end in ends]
    best = best_use(found.law, found.theta[None], found.centre, compute, float(np.exp(costs[0])))
    if best is None:
        return answer | {"reason": "the budget pays for no run in the range of the table"}
    size, data = float(np.exp(best.log_params[0])), float(np.exp(best.log_images[0]))
    return answer | {
        "flop": float(np.exp(costs[0])),
        "interval": None if costs[0] <= cheapest or interval == [None, None] else interval,
        "N": size,
        "D": data,
        "warnings": _warnings(found, size, data)
        + (["it is reached at the smallest budget searched: the least may be smaller"] if costs[0] <= cheapest else []),
    }


def _crossing(place: Floats, curve: Floats, level: float) -> float:
    """Log budget at which a falling curve reaches a level: infinite if it does not, the first one if it starts below."""
    if curve[-1] > level:
        return np.inf
    return float(np.interp(-level, -curve, place)) if curve[0] > level else float(place[0])


def _warnings(found: Fit, size: float, data: float) -> list[str]:
    """Warnings about N and D that lie beyond the data by more than a factor FAR."""
    raw = found.logs + found.centre
    warnings = []
    for name, value, column in (("N", size, raw[:, 0]), ("D", data, raw[:, 1])):
        beyond = max(np.log(value) - column.max(), column.min() - np.log(value))
        if beyond > np.log(FAR):
            side = "above" if np.log(value) > column.max() else "below"
            warnings.append(f"{name} = {value:.3g} is {side} the data by a factor of {np.exp(beyond):.0f}")
    return warnings
