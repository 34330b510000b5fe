"""The checklist of Li, Kudugunta and Zettlemoyer 2025, "(Mis)Fitting: A Survey of Scaling Laws", filled in for a fit.

The survey found that most papers omit what is needed to repeat a fit. Its four parts (the form, how the models were trained,
how they were measured, how the law was fitted) are asked here in our own words, with a fifth part on how sure the fit is.
Answers come from the fit where it has them. What only the owner of the table knows comes from the caller, or is said to be
unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from scaling.laws.fitting.fitted import Fit, status_in_words
from scaling.laws.fitting.newton import HUBER_EFFICIENCY
from scaling.laws.fitting.solver import SAME_OPTIMUM
from scaling.laws.forms.terms import EXPONENT_LIMIT

QUESTIONS: Final[dict[str, tuple[str, str]]] = {
    "form": ("law", "Which formula is fitted?"),
    "variables": ("law", "Which quantities does it relate?"),
    "parameters": ("law", "Which parameters are fitted?"),
    "origin": ("law", "Where does the formula come from?"),
    "assumptions": ("law", "What does it assume about how the quantities act together?"),
    "choice": ("law", "How was it chosen?"),
    "models": ("training", "How many models were trained, in which sizes?"),
    "data": ("training", "On how much data, and was any of it repeated?"),
    "counting": ("training", "How are model size, data and compute counted?"),
    "settings": ("training", "How were the learning rate and other settings chosen?"),
    "code": ("training", "Where are the code and the raw results?"),
    "response": ("measurement", "What was measured, on what?"),
    "checkpoints": ("measurement", "How many checkpoints of each model are used?"),
    "transformed": ("measurement", "Were the measured values changed before the fit?"),
    "left out": ("measurement", "Were any points left out?"),
    "objective": ("fit", "What is minimised?"),
    "delta": ("fit", "How robust is it against outliers?"),
    "weights": ("fit", "Do all points have the same weight?"),
    "algorithm": ("fit", "Which algorithm is used?"),
    "starts": ("fit", "Where does it start?"),
    "bounds": ("fit", "Which values may the parameters take?"),
    "certificate": ("fit", "Is it the optimum?"),
    "identified": ("confidence", "Do the points determine the parameters?"),
    "intervals": ("confidence", "How were the intervals computed?"),
    "validation": ("confidence", "How was the law tested?"),
    "outliers": ("confidence", "Which points lie far from the law, and what would change without them?"),
}
"""Item -> its part and question, in the order of the list."""
UNKNOWN = "unknown: the table does not say"
ASSUMPTIONS: Final = {
    "chinchilla": "N and D have separate terms that add up above a floor; neither changes the other's exponent",
    "tied": "N and D have separate terms with one exponent, above a floor",
    "drifting": "the exponent of D changes linearly with the logarithm of N, above a floor",
    "kaplan-floor": "N and D share one bottleneck: the larger of two terms dominates, above a floor",
    "repeated": "N and D have separate terms; each repetition of the data is worth less than the one before",
    "overfitting": "N and D have separate terms; the cost of repeated data is added, and grows with the model",
    "unique-power": "N, D and the unique data have separate terms that add up above a floor",
    "unique-tied": "N, D and the unique data have separate terms with one exponent, above a floor",
    "rated": "N and D have separate terms above a floor; a rate that is not the best one raises both by the same factor",
    "rated-tied": "as rated, with one exponent for N and D",
    "rated-kaplan": "N and D share one bottleneck above a floor, which a rate that is not the best one raises by a factor",
    "bounded": "N and D have separate terms that add up above a floor and below a known ceiling",
    "interaction": "N, D and their product have terms that add up above a floor",
    "powers": "N and D have separate terms that add up; without a floor, the response goes to 0",
    "exponentials": "N and D have separate terms that vanish exponentially, above a floor",
    "logarithms": "each factor in N or D lowers the response by a fixed amount, without end",
    "kaplan": "N and D share one bottleneck: the larger of two terms dominates; without a floor, the response goes to 0",
}


def checklist(found: Fit, outliers: Mapping[str, Any] | None, told: Mapping[str, str] | None = None) -> list[dict[str, str]]:
    """``{"item", "part", "question", "answer"}`` of every question, in order.

    Args:
        found: the fit.
        outliers: its account by ``describe_outliers``.
        told: item -> what the caller knows; it is added to the fit's own answer if there is one.

    Raises:
        ValueError: if ``told`` has an item that is not on the list.
    """
    told = told or {}
    for item in told:
        if item not in QUESTIONS:
            raise ValueError(f"checklist item {item!r} is not on the list; allowed: {', '.join(QUESTIONS)}")
    own = _from_law(found) | _from_points(found) | _from_solver(found)
    own["outliers"] = outlier_sentence(outliers)
    answers = {item: "; ".join(filter(None, (own.get(item), told.get(item)))) or UNKNOWN for item in QUESTIONS}
    return [
        {"item": item, "part": part, "question": question, "answer": answers[item]}
        for item, (part, question) in QUESTIONS.items()
    ]


def _from_law(found: Fit) -> dict[str, str]:
    law = found.law
    one = "one variable; everything else is the same for all points"
    return {
        "form": law.formula,
        "variables": f"the response and {', '.join(law.variables)}",
        "parameters": f"{len(law.parameters)}: {', '.join(law.parameters)}",
        "origin": law.reference,
        "assumptions": ASSUMPTIONS.get(law.name, one if len(law.variables) == 1 else ""),
    }


def _from_points(found: Fit) -> dict[str, str]:
    values = np.exp(found.logs + found.centre)
    spans = {}
    for column, name in enumerate(found.law.variables):
        levels = np.unique(values[:, column].round(6))
        if len(levels):
            spans[name] = f"{len(levels)} values of {name} from {_amount(levels[0])} to {_amount(levels[-1])}"
    answers = {
        "models": "; ".join(filter(None, (f"{found.rows} points", spans.get("N")))),
        "transformed": "only the logarithm was taken",
        "weights": "yes" if len(np.unique(found.weights)) <= 1 else _weights(found),
    }
    data = spans.get("D") or spans.get("x")
    return answers | ({"data": data} if data else {})


def _amount(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= value < 1e7 else f"{value:.4g}"


def _weights(found: Fit) -> str:
    return f"no: weights from {found.weights.min():.3g} to {found.weights.max():.3g}, with mean {found.weights.mean():.3g}"


def _from_solver(found: Fit) -> dict[str, str]:
    law, certificate = found.law, found.certificate
    answers = {
        "objective": "the sum of Huber's loss over residuals of the logarithm (Hoffmann et al. 2022, equation 3)",
        "algorithm": "damped Newton's method with first and second derivatives, followed down from a wide delta",
        "bounds": f"exponents of powers in [0, {EXPONENT_LIMIT:g}], amplitudes positive, a floor at most the largest response",
    }
    if certificate is None or not found.parameters:
        why = "; ".join(dict.fromkeys(found.reasons.values()))
        return answers | dict.fromkeys(("certificate", "identified"), f"nothing was fitted: {why}")
    powers = all(term.heads for term in law.terms)
    drawn = (
        "exponents drawn from [0.05, 1.5], amplitudes by non-negative least squares" if powers else "drawn from stated ranges"
    )
    fixed = [f"{name} is {why}" for name, why in found.reasons.items() if why.startswith("at its")]
    spread = float(np.sqrt(np.mean(found.residuals**2)))
    answers |= {
        "delta": f"delta = {found.delta:.3g} in log units, where the residuals' root mean square is {spread:.3g}",
        "starts": f"{certificate.starts} random starts: {drawn}"
        + (f"; tried on {certificate.sample}, then from the best one on all rows" if certificate.sample else ""),
        "certificate": f"{certificate.share:.0%} of the starts reached the same optimum to {SAME_OPTIMUM:g} of the objective "
        f"({found.objective:.6g}); norm of the gradient {certificate.gradient:.1e}",
        "identified": f"{status_in_words(found.status)}; condition of the scaled Hessian {certificate.condition:.1e}"
        + "".join(f"; {text}" for text in fixed),
    }
    return answers


AUTOMATIC_DELTA: Final = f"Huber's delta is {HUBER_EFFICIENCY} times the robust spread of the residuals (Huber 1964)"
"""The caller's answer where delta was left to the fit."""


def outlier_sentence(account: Mapping[str, Any] | None) -> str:
    """What ``describe_outliers`` found, as a phrase; None stands for a fit without parameters."""
    if account is None:
        return "nothing was fitted"
    count, limit = len(account["rows"]), f"beyond {account['threshold']:g} robust standard deviations"
    if not count:
        return f"none {limit}"
    return f"{count} {limit}, kept; {outlier_change(account)}"


def outlier_change(account: Mapping[str, Any]) -> str:
    """What a law would be without its outliers, as a phrase; ``account`` as ``describe_outliers`` gives it, with rows."""
    they = "it" if len(account["rows"]) == 1 else "them"
    if account["reason"] is not None:
        return f"without {they} no law could be fitted: {account['reason']}"
    moved = ", ".join(
        f"{name} {account['parameters_without'][name]:.4g} instead of {value:.4g}"
        for name, value in account["parameters"].items()
    )
    # Beyond a factor of 100 a percentage says less than the factor's power of ten.
    change = account["largest_change"]
    shown = f"{np.expm1(change):.1%}" if change < np.log(100.0) else f"a factor of 10^{change / np.log(10.0):.0f}"
    return f"without {they}: {moved}; predictions on the table would change by at most {shown}"
