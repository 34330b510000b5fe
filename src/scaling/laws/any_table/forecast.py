"""Three questions to a fitted law of N and D: which loss here, which N and D for this budget, which budget for this loss."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from scipy.stats import t as student

from scaling.laws.any_table.read_table import (
    CLASSES,
    ROW,
    TableError,
    group_ceiling,
    number_of,
    numbers,
    read_table,
    require_apart,
    require_distinct,
    without_largest,
)
from scaling.laws.compute_optimal.frontier import Compute, SixND, best_use, tabled_compute
from scaling.laws.compute_optimal.isoflop import describe_isoflop
from scaling.laws.fitting.fitted import Fit, noise_scale
from scaling.laws.fitting.selection import stack
from scaling.laws.fitting.solver import fit
from scaling.laws.forms.catalogue import law_for
from scaling.laws.forms.law import Law
from scaling.laws.forms.terms import Floats
from scaling.laws.intervals.bootstrap import pairs, residual_draws, shortened
from scaling.laws.intervals.profile import prediction_intervals
from scaling.laws.law_errors import InputError, require_count, require_positive

FAR = 10.0
"""Factor beyond the data from which on a forecast has a warning (assumption)."""
SEARCH = 1e4
"""Factor beyond the data to which N is searched where C = 6 N D (assumption)."""
SAME_PRICE = 0.01
"""Relative deviation up to which a column of compute counts as a multiple of N D (assumption): it may be rounded."""
MOST_LEVELS = 400
"""Most distinct N and D together from which a price is read (assumption): its least squares take a column for each."""
RESAMPLES = 200
"""Resamples for the intervals of budgets and targets (assumption)."""
SEARCHED_BUDGETS = 100
"""Budgets at which the least one for a target is searched (assumption); lines join them."""
LEVEL = 0.95
"""Coverage of the intervals."""


def forecast_table(
    path: str | Path,
    *,
    n: str,
    d: str,
    y: str,
    law: str = "chinchilla",
    ceiling: float | str | None = None,
    flop: str | None = None,
    at: Sequence[tuple[float, float]] = (),
    budgets: Sequence[float] = (),
    targets: Sequence[float] = (),
    delta: float | None = None,
    drop_largest: int = 0,
    seed: int = 42,
) -> dict[str, Any]:
    """Fit a table and answer the questions.

    Args:
        path: CSV or Parquet.
        n, d, y: columns of N, D and the response.
        law: of N and D; ceiling: for a bounded one; "classes" for chance among the column of that name.
        flop: column of training compute, from which the price of (N, D) is read; None for C = 6 N D.
        at: (N, D) at which the response is wanted.
        budgets: FLOP for which the best N and D are wanted.
        targets: responses for which the least FLOP are wanted.
        delta: Huber's; None for 1.345 times the spread of the residuals.
        drop_largest: number of rows with the largest responses to leave out; they are listed.
        seed: of starts and resamples.

    Returns:
        ``{"law", "parameters", "status", "compute", "rows", "dropped", "at": [...], "budgets": [...],
        "targets": [...], "isoflop"}``. Every answer has an interval or the reason why there is none, and warnings.
        ``isoflop`` is what ``describe_isoflop`` returns.

    Raises:
        TableError: for a bad table.
        InputError: for no question or one that is not positive, a law of one variable, or rows that determine no law.
    """
    if not (at or budgets or targets):
        raise InputError("no question: give at (N, D), a budget or a target")
    require_count("seed", seed)
    require_count("drop_largest", drop_largest)
    if delta is not None:
        require_positive("delta", delta)
    by_classes = ceiling == CLASSES
    form = law_for(law, {"N": n, "D": d}, 1.0 if by_classes else number_of(ceiling))
    for name, values in (("at", [v for pair in at for v in pair]), ("budget", budgets), ("target", targets)):
        for value in values:
            require_positive(name, value)
    require_apart(n=n, d=d, y=y, flop=flop)
    table = read_table(path, [n, d, y, *([flop] if flop else []), *([CLASSES] if by_classes else [])])
    if by_classes:
        form = law_for(law, {"N": n, "D": d}, group_ceiling(ceiling, table.frame, y))
    for column in (n, d):
        require_distinct(table, column)
    if drop_largest >= table.frame.height:
        raise TableError(f"{path}: drop_largest is {drop_largest}, which leaves none of {table.frame.height} rows")
    kept, dropped = without_largest(table.frame, y, drop_largest)
    params, images, response = (numbers(kept, column) for column in (n, d, y))
    found = fit(form, {"N": params, "D": images}, response, delta=delta, seed=seed)
    if not found.parameters:
        raise TableError(f"{path}: {'; '.join(found.reasons.values())}")
    spent = numbers(kept, flop) if flop else 6.0 * params * images
    compute = _price(path, params, images, spent if flop else None)
    short, rows = shortened(found)
    draws = form.internal(pairs(short, RESAMPLES, seed), found.centre) if budgets or targets else found.theta[None]
    return {
        "law": form.name,
        "parameters": found.parameters,
        "status": found.status,
        "compute": f"column {flop}" if flop else "6 N D",
        "rows": found.rows,
        "dropped": dropped.select(pl.col(ROW).alias("row"), y).to_dicts(),
        "at": _with_honest(responses_at(found, at), found, form, params, images, response, seed),
        "budgets": [_answer_to_budget(found, draws, compute, budget) for budget in budgets],
        "targets": [_answer_to_target(found, draws, compute, target) for target in targets],
        "isoflop": describe_isoflop(
            short, params[rows], images[rows], spent[rows], compute, residual_draws(short, RESAMPLES, seed)
        ),
    }


def _six_nd(params: Floats, images: Floats, factor: float = 6.0) -> SixND:
    """C = factor N D, searched to SEARCH times beyond the data in N and as far in D."""
    slack = np.log(SEARCH)
    low, high = float(np.log(params.min()) - slack), float(np.log(params.max()) + slack)
    cheap, dear = np.log(factor * params.min() * images.min()), np.log(factor * params.max() * images.max())
    return SixND((low, high), (float(cheap - slack), float(dear + 2.0 * slack)), factor)


def _price(path: str | Path, params: Floats, images: Floats, flop: Floats | None) -> Compute:
    """Price of (N, D): 6 N D, another multiple of N D, or a sum over the levels of a grid.

    Raises:
        TableError: if the table's compute is no multiple of N D, and N and D form no grid that shows it.
    """
    if flop is None:
        return _six_nd(params, images)
    ratio = flop / (params * images)
    middle = float(np.median(ratio))
    if np.abs(ratio / middle - 1.0).max() <= SAME_PRICE:
        return _six_nd(params, images, middle)
    levels = len(np.unique(params)) + len(np.unique(images))
    if levels > min(MOST_LEVELS, len(flop)):
        raise TableError(
            f"{path}: the flop column is no multiple of N D, and {levels} levels of N and D in {len(flop)} rows form no grid "
            "that would show the price; leave the column out for 6 N D"
        )
    return tabled_compute(params, images, flop)


def responses_at(found: Fit, places: Sequence[tuple[float, float]]) -> list[dict[str, Any]]:
    """Predicted response at each (N, D), with the interval in which one new run is expected, and warnings."""
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


def _with_honest(
    answers: list[dict[str, Any]], found: Fit, form: Law, params: Floats, images: Floats, response: Floats, seed: int
) -> list[dict[str, Any]]:
    """The answers with an interval that includes the law's own error at rolling origins; None if there are too few rows."""
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


def _answer_to_budget(found: Fit, draws: Floats, compute: Compute, budget: float) -> dict[str, Any]:
    """N*, D* and the response that a budget reaches."""
    answer: dict[str, Any] = {"flop": budget, "N": None, "D": None, "response": None}
    best = best_use(found.law, found.theta[None], found.centre, compute, budget)
    spread = best_use(found.law, draws, found.centre, compute, budget)
    if best is None or spread is None:
        return answer | {"reason": "the budget pays for no run in the range of the table"}
    size, data = float(np.exp(best.log_params[0])), float(np.exp(best.log_images[0]))
    answer |= {"N": size, "D": data, "response": float(np.exp(best.log_response[0]))}
    edges = float(np.mean(spread.edge))
    tail = (1 - LEVEL) / 2
    for name, column in (("N", spread.log_params), ("D", spread.log_images), ("response", spread.log_response)):
        answer[f"{name}_interval"] = np.exp(np.quantile(column, [tail, 1 - tail])).tolist()
    answer["warnings"] = _warnings(found, size, data)
    if best.edge[0] or edges > tail:
        answer["warnings"].append(f"the best N lies at the end of the range searched in {max(edges, tail):.0%} of resamples")
    return answer


def _answer_to_target(found: Fit, draws: Floats, compute: Compute, target: float) -> dict[str, Any]:
    """The smallest budget whose best response is the target."""
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
    tail = (1 - LEVEL) / 2
    ends = np.quantile(np.where(np.isfinite(costs[1:]), costs[1:], 1e9), [tail, 1 - tail])
    best = best_use(found.law, found.theta[None], found.centre, compute, float(np.exp(costs[0])))
    if best is None:
        return answer | {"reason": "the budget pays for no run in the range of the table"}
    size, data = float(np.exp(best.log_params[0])), float(np.exp(best.log_images[0]))
    return answer | {
        "flop": float(np.exp(costs[0])),
        "interval": [float(np.exp(end)) if end < 700 else None for end in ends],
        "N": size,
        "D": data,
        "warnings": _warnings(found, size, data),
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
