"""Honest intervals of floors and exponents: those of all forms that predict equally well, widened by their errors.

An interval from one law contains the truth if that law is true. Another law that predicts larger rows from smaller ones equally
well may have a different floor, or none. The honest interval is the hull over those laws of estimate +- t k s, where s is the
standard error and k is the factor by which the law's errors at rolling origins exceeded the errors that it expected. A floor is
also a prediction of what lies far beyond the rows, so its interval includes the law's own error at that distance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import t as student

from scaling.laws.fitting.fitted import Fit
from scaling.laws.fitting.trials import Trial, trials_of
from scaling.laws.forms import known_laws as forms
from scaling.laws.forms.law import Law
from scaling.laws.intervals.curvature import public_errors

AS_GOOD = 1.15
"""Laws whose error at the origins is within this factor of the smallest predict equally well (assumption): a dozen origins of
one table do not show a difference of 10 %."""
EMPHASES = (0.0, 1.0)
"""Emphases on large rows with which laws are fitted (assumption): if the law has a break, only large rows show its end."""
FLOOR_SPREADS = 2.0
"""Standard deviations of the law's own error by which the ends of a floor's interval are moved outwards (assumption)."""
FLATTEST = 0.02
"""Exponent below which a term is taken not to fall any faster (assumption): its floor would lie out of all reach."""
SAME = {"alpha": ("alpha",), "beta": ("beta", "alpha"), "c": ("c",), "E": ("E",)}
"""Parameter -> its names in other laws, of which the first that exists is taken: tied laws have one exponent for both."""
COMPARED = ("chinchilla", "tied", "kaplan-floor", "powers", "power-floor", "power-shifted", "power")
"""Laws whose exponents have the same meaning; of other laws only the floor is compared."""


def honest_intervals(
    found: Fit,
    data: Mapping[str, ArrayLike],
    response: ArrayLike,
    own: Mapping[str, Sequence[float] | None],
    *,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Honest intervals of a fit's floor and exponents.

    Args:
        found: the fit.
        data: its table, one array [n] per variable; response: [n].
        own: its intervals if the law holds. Honest ones are no narrower, and are missing where these are.
        level: coverage.
        seed: of the starts.

    Returns:
        ``{"intervals": {parameter: [low, high] or None}, "reasons": {parameter or "all": why}, "laws": [names of the laws that
        predict equally well], "inflation": k of the fitted law}``.

    Raises:
        ValueError: for a value of the table that is not positive and finite.
    """
    wanted = [name for name in ("E", "alpha", "beta", "c") if name in found.law.parameters]
    answer: dict[str, Any] = {"intervals": dict.fromkeys(wanted), "reasons": {}, "laws": [], "inflation": None}
    if not found.parameters:
        return answer | {"reasons": {"all": "nothing was fitted"}}
    scored = [trial for law in _rivals(found.law) for trial in trials_of(law, data, response, EMPHASES, seed)]
    if not scored or scored[0].fit.law.name != found.law.name:
        return answer | {"reasons": {"all": "too few rows to predict larger rows from smaller ones"}}
    least = min(trial.score for trial in scored)
    good = [trial for trial in scored if trial.score <= AS_GOOD * least or trial is scored[0]]
    ends = [_ends(trial, level) for trial in good]
    largest = float(np.min(np.asarray(response, float)) * np.exp(2.0 * scored[0].fit.noise))
    for name in wanted:
        spans = [span for trial, each in zip(good, ends, strict=True) if (span := _span(name, trial.fit.law, each)) is not None]
        own_ends = own.get(name)
        if own_ends is None:
            answer["reasons"][name] = "no interval even if the law holds"
            continue
        spans.append((own_ends[0], own_ends[1]))
        low, high = min(span[0] for span in spans), max(span[1] for span in spans)
        if name == "E":
            with np.errstate(over="ignore"):  # beyond all bounds where a row is: the interval is then cut to what E can be
                unsure = np.exp(FLOOR_SPREADS * scored[0].drift * _way_to_the_floor(found))
            low, high = max(0.0, low / unsure), min(high * unsure, largest)
        answer["intervals"][name] = [float(max(low, 0.0)), float(high)]
        if name == "E" and high - low > 0.95 * largest:
            answer["intervals"][name] = None
            answer["reasons"][name] = f"laws that predict as well put it anywhere from {low:.3g} to {high:.3g}"
    laws = list(dict.fromkeys(trial.fit.law.name for trial in good))
    if scored[0].score > AS_GOOD * least:
        better = min(scored, key=lambda trial: trial.score)
        off = f"off by {better.score:.2g}, not {scored[0].score:.2g}"
        answer["reasons"]["all"] = f"{better.fit.law.name} predicts larger rows better: {off}"
    return answer | {"laws": laws, "inflation": scored[0].inflation}


def _way_to_the_floor(found: Fit) -> float:
    """Distance in log units from the rows to where the law has lost nine tenths of its excess over the floor."""
    exponents = [found.parameters[name] for name in ("alpha", "beta", "c", "gamma") if name in found.parameters]
    if "beta" not in found.parameters and len(found.law.variables) > 1:
        exponents = exponents * 2
    return float(np.sqrt(sum((np.log(10.0) / max(exponent, FLATTEST)) ** 2 for exponent in exponents)))


def _rivals(law: Law) -> list[Law]:
    """The law, and others of its variables or of the first two of them."""
    if law.variables == ("x",):
        others = [forms.power_floor(), forms.power_shifted(), forms.power()]
    else:
        others = [forms.chinchilla(), forms.tied(), forms.kaplan_floor(), forms.powers()]
    return [law, *(other for other in others if other.name != law.name)]


def _ends(trial: Trial, level: float) -> dict[str, tuple[float, float]]:
    """Ends of the interval of each public parameter, symmetric about its estimate."""
    law, theta, centre = trial.fit.law, trial.fit.theta, trial.fit.centre
    value = law.publish(theta[None], centre)[0]
    errors = public_errors(law, theta, centre, trial.fit.covariance)
    half = student.ppf(0.5 + level / 2, max(trial.rows - len(theta), 1)) * trial.inflation * errors
    return {name: (float(value[i] - half[i]), float(value[i] + half[i])) for i, name in enumerate(law.parameters)}


def _span(name: str, law: Law, ends: Mapping[str, tuple[float, float]]) -> tuple[float, float] | None:
    """Ends of a parameter's interval in a law, where a missing floor is 0; None if the law has no counterpart of it."""
    if name == "E":
        return ends.get("E", (0.0, 0.0))
    if law.name not in COMPARED and name not in ends:
        return None
    return next((ends[called] for called in SAME[name] if called in ends), None)
