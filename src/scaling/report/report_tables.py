"""The report's tables, as rows of plain values: what the page shows and what the CSV files hold."""

from __future__ import annotations

import math
from typing import Any

import polars as pl

from scaling.laws.fitting.fitted import status_in_words
from scaling.report import data_package
from scaling.report.figures.curves import law_of
from scaling.report.figures.labels import count, significant
from scaling.report.figures.theme import family_order
from scaling.runs.records import DIVERGED, DONE, STATUSES
from scaling.runs.resolve import RateRule

ORIGINS = {"params": "N", "images": "D", "both": "N and D"}
PARAMETERS = ("E", "A", "alpha", "B", "beta")


def progress(runs: pl.DataFrame) -> dict[str, int]:
    """Number of runs per status (every status is a key), and their sum as ``all``."""
    counts = dict(runs.group_by("status").len().iter_rows())
    return {status: counts.get(status, 0) for status in STATUSES} | {"all": len(runs)}


def holes(runs: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows of the runs that failed or are missing: the next call trains them again."""
    return _listed(runs.filter(~pl.col("status").is_in([DONE, DIVERGED])))


def diverged(runs: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows of the runs whose training diverged: results, but kept out of the fits."""
    return _listed(runs.filter(pl.col("status") == DIVERGED))


def _listed(runs: pl.DataFrame) -> list[dict[str, Any]]:
    columns = ("family", "params", "target_params", "images", "seed", "learning_rate", "status", "reason", "key")
    return runs.sort("family", "target_params", "images", "seed").select(columns).to_dicts()


def families(runs: pl.DataFrame, fits: dict) -> list[dict[str, Any]]:
    """One row per family: runs, ranges of N and D, what its law predicts (by origin), its law, its verdict.

    ``parameters`` holds for each parameter of the law the estimate, the interval or None, and the reason where there is
    no interval; ``holdout`` the scores by origin.
    """
    named = [fit["family"] for fit in fits.get("fits", [])]
    rows = []
    for family in family_order([*runs["family"].drop_nulls(), *named]):
        own = runs.filter(pl.col("family") == family)
        done = own.filter(pl.col("status") == DONE)
        fit = law_of(fits, family)
        verdict = next((v for v in fits.get("verdicts", []) if v["family"] == family), None)
        rows.append(
            {
                "family": family,
                "kind": own["kind"].drop_nulls().first() if len(own) else (fit or {}).get("kind", ""),
                "cells": len(own),
                "done": len(done),
                "params": _range(done, "params"),
                "images": _range(done, "images"),
                "loss": done["loss"].min() if len(done) else None,
                "error": done["error"].min() if len(done) else None,
                "flop": done["flop"].sum() if len(done) else 0.0,
                "seconds": done["seconds"].sum() if len(done) else 0.0,
                "fit": fit,
                "parameters": {name: parameter(fit, name) for name in parameter_names(fits)},
                "holdout": {origin: _holdout(fits, family, origin) for origin in ORIGINS},
                "verdict": verdict,
            }
        )
    return rows


def parameter_names(fits: dict, response: str = "loss") -> list[str]:
    """The parameters of all laws of ``response`` in ``fits``, the literature's names first."""
    found = {name for fit in fits.get("fits", []) if fit["response"] == response for name in fit.get("parameters") or {}}
    return [name for name in PARAMETERS if name in found] + sorted(found - set(PARAMETERS))


def parameter(fit: dict | None, name: str) -> dict[str, Any]:
    """estimate, interval and reason (why there is no interval, else empty) of one parameter of ``fit``."""
    if fit is None:
        return {"estimate": None, "interval": None, "reason": "no law was fitted"}
    estimate = (fit.get("parameters") or {}).get(name)
    interval = (fit.get("intervals") or {}).get(name)
    reason = "" if interval else (fit.get("reasons") or {}).get(name) or _no_reason(fit, name)
    return {"estimate": estimate, "interval": interval, "reason": reason}


def _no_reason(fit: dict, name: str) -> str:
    if fit.get("parameters") and name not in fit["parameters"]:
        return f"not in the law {fit['law']}"
    return status_in_words(fit["status"])


def _why_none(fit: dict) -> str:
    reasons = fit.get("reasons") or {}
    return reasons.get("all") or "; ".join(dict.fromkeys(reasons.values())) or status_in_words(fit["status"])


def _holdout(fits: dict, family: str, origin: str) -> dict[str, Any] | None:
    return next(
        (
            part
            for part in fits.get("holdout", [])
            if part["family"] == family and part["origin"] == origin and part["response"] == "loss"
        ),
        None,
    )


def _range(runs: pl.DataFrame, column: str) -> tuple[int, int] | None:
    values = runs[column].drop_nulls()
    return (min(values), max(values)) if len(values) else None


def laws_csv(fits: dict) -> pl.DataFrame:
    """laws.csv: one row per (family, response, parameter) with its estimate, standard error and 95 % interval."""
    rows = []
    for fit in fits.get("fits", []):
        for name in fit.get("parameters") or {"": None}:
            own = parameter(fit, name)
            low, high = own["interval"] or (None, None)
            rows.append(
                {
                    **{column: fit.get(column) for column in ("family", "kind", "response", "law", "formula", "status")},
                    "cells": fit["rows"],
                    "parameter": name or None,
                    "estimate": own["estimate"],
                    "standard_error": (fit.get("standard_errors") or {}).get(name),
                    "low": low,
                    "high": high,
                    "reason": own["reason"] if name else _why_none(fit),
                    "residual_rms_log": fit.get("residual_rms"),
                    "noise_rms_log": fit.get("noise_rms"),
                }
            )
    return pl.DataFrame(rows, schema=data_package.schema("laws"))


def compute_optimal(fits: dict) -> list[dict[str, Any]]:
    """One row per family with a frontier: slices, and the exponents of N* and D* by each way (``isoflop``).

    ``ways`` holds way -> (value, interval) of the exponent of N*, or None; ``images`` that of D* by the surface; ``departs``
    whether the interval of (slice by slice) minus (surface) excludes 0, None where that is not known.
    """
    entries = {entry["family"]: entry["isoflop"] for entry in fits.get("frontier", []) if entry.get("isoflop")}
    rows = []
    for family in family_order(entries):
        own = entries[family]
        a, b = (own["exponents"].get(name, {}) for name in ("a", "b"))
        departure = own["departure"].get("a")
        rows.append(
            {
                "family": family,
                "slices": len(own["slices"]),
                "ways": {way: a.get(way) for way in ("surface", "slices", "parabola")},
                "images": b.get("surface"),
                "departs": None if departure is None else departure["interval"][0] > 0 or departure["interval"][1] < 0,
                "reason": own["reason"],
            }
        )
    return rows


def outliers(runs: pl.DataFrame, fits: dict) -> list[dict[str, Any]]:
    """One row per family whose law of the loss has outliers: the models, and the law's parameters with and without them.

    ``models`` holds N, D, seed, observed, predicted, z, the furthest first; ``parameters`` name -> (with, without), empty
    where ``reason`` says why there is no law without them; ``change`` is the largest of a prediction, as a share.
    """
    seeds = dict(runs.select("key", "seed").iter_rows())
    rows = []
    for family in family_order(fit["family"] for fit in fits.get("fits", [])):
        outliers = (law_of(fits, family) or {}).get("outliers")
        if not outliers or not outliers["rows"]:
            continue
        without = outliers["parameters_without"]
        change = outliers["largest_change"]
        rows.append(
            {
                "family": family,
                "models": [one | {"seed": seeds.get(one["row"])} for one in outliers["rows"]],
                "parameters": {name: (value, without[name]) for name, value in outliers["parameters"].items() if without},
                "change": None if change is None else math.expm1(change),
                "reason": outliers["reason"],
            }
        )
    return rows


def outlier_threshold(fits: dict) -> float | None:
    """Robust standard deviations beyond which the laws in ``fits`` call a model an outlier."""
    known = [fit["outliers"]["threshold"] for fit in fits.get("fits", []) if fit.get("outliers")]
    return known[0] if known else None


def checklist(fits: dict) -> list[dict[str, Any]]:
    """The checklist of the laws of the loss: part, question, and each distinct answer with the families that gave it.

    ``families`` is empty where all gave the same.
    """
    named = [fit for fit in fits.get("fits", []) if fit["response"] == "loss" and fit.get("checklist")]
    ordered = [fit for family in family_order(fit["family"] for fit in named) if (fit := law_of(fits, family))]
    rows = []
    for items in zip(*(fit["checklist"] for fit in ordered), strict=True):
        given: dict[str, list[str]] = {}
        for fit, item in zip(ordered, items, strict=True):
            given.setdefault(item["answer"], []).append(fit["family"])
        answers = [{"families": who if len(given) > 1 else [], "answer": text} for text, who in given.items()]
        rows.append({"part": items[0]["part"], "question": items[0]["question"], "answers": answers})
    return rows


def span(limits: tuple[float, float] | None) -> str:
    """A range of counts: 5k – 130k, one number where both ends agree, a dash for None."""
    if limits is None:
        return "–"
    low, high = count(limits[0]), count(limits[1])
    return low if low == high else f"{low} – {high}"


def interval(limits: list[float] | tuple[float, float] | None, digits: int = 3) -> str:
    """An interval with its limits in ``digits`` significant digits, or empty."""
    return f"[{significant(limits[0], digits)}, {significant(limits[1], digits)}]" if limits else ""


def duration(seconds: float | None) -> str:
    """Seconds as a reader says them: 40 s, 12 min, 3.5 h, 2.1 days."""
    if seconds is None:
        return "–"
    for size, unit in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def rate_rule(rule: dict[str, float] | None) -> str:
    """A family's rule for the learning rate at width w and D: 0.02 (w/4)^-0.50 (D/800)^-0.10; a dash for None."""
    return "–" if rule is None else str(RateRule(**rule))
