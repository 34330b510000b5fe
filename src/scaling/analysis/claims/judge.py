"""From claims and evidence to verdicts: a t test per part, Holm's correction over the primary claims, a sentence per claim."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scipy.stats import norm
from scipy.stats import t as student

from scaling.analysis.claims.claim import CANNOT_TELL, NOT_TESTABLE, REFUTED, SUPPORTED, Claim, Finding, MissingEvidence, Part
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.fits_rows import jsonable
from scaling.analysis.pair_contrasts import holm
from scaling.analysis.significance import SIGNIFICANCE


def judge_claims(claims: Sequence[Claim], evidence: Evidence) -> list[dict[str, Any]]:
    """The verdict on each claim, as plain JSON.

    Returns:
        For each claim: its declaration, ``verdict``, ``sentence``, ``parts`` (declaration, effect, low, high, p, p_adjusted,
        verdict, cells, keys, note) and ``rows`` for its figure. Effects on the scale log are given in per cent.
    """
    found = [[(part, *_measured(part, evidence)) for part in claim.parts] for claim in claims]
    decided = {
        (i, j): p
        for i, claim in enumerate(claims)
        if claim.primary
        for j, (part, finding, _) in enumerate(found[i])
        if part.decides and finding is not None and (p := p_value(part, finding)) is not None
    }
    adjusted = dict(zip(decided, holm(list(decided.values())), strict=True))
    entries = []
    for i, claim in enumerate(claims):
        parts = [
            _part_entry(claim, part, finding, reason, adjusted.get((i, j)))
            for j, (part, finding, reason) in enumerate(found[i])
        ]
        verdict = _verdict(claim, parts)
        rows = [row for _, finding, _ in found[i] if finding is not None for row in finding.rows]
        entries.append(
            {
                "number": claim.number,
                "name": claim.name,
                "title": claim.title,
                "statement": claim.statement,
                "source": claim.source,
                "primary": claim.primary,
                "rule": claim.rule,
                "otherwise": claim.otherwise,
                "verdict": verdict,
                "sentence": _sentence(claim, parts, verdict),
                "parts": parts,
                "curves": [vars(curves) for curves in claim.curves],
                "rows": rows,
            }
        )
    return jsonable(entries)


def _measured(part: Part, evidence: Evidence) -> tuple[Finding | None, str]:
    try:
        return part.measure(evidence), ""
    except MissingEvidence as lack:
        return None, str(lack)


def limits(finding: Finding) -> tuple[float, float] | None:
    """The 95 % interval of a finding, on its own scale; None if it has none."""
    if finding.interval is not None:
        return finding.interval
    if finding.se is None or not math.isfinite(finding.se):
        return None
    half = float(student.ppf(1 - SIGNIFICANCE / 2, finding.freedom)) * finding.se
    return finding.effect - half, finding.effect + half


def p_value(part: Part, finding: Finding) -> float | None:
    """Two-sided p of "the effect equals the threshold"; None without a standard error or an interval.

    If an interval is given, its side towards the threshold counts as 1.96 standard errors, so that p is below 0.05 exactly if
    the interval excludes the threshold, however asymmetric it is.
    """
    if finding.p is not None:
        return finding.p
    distance, se, freedom = abs(finding.effect - part.threshold), finding.se, finding.freedom
    if finding.interval is not None:
        low, high = finding.interval
        arm = finding.effect - low if finding.effect > part.threshold else high - finding.effect
        se, freedom = arm / float(norm.ppf(1 - SIGNIFICANCE / 2)), math.inf
    if se is None or not math.isfinite(se):
        return None
    if se <= 0:
        return 1.0 if distance == 0 else 0.0
    return float(2 * student.sf(distance / se, freedom))


def part_verdict(part: Part, finding: Finding, p: float | None) -> str:
    """Supported, refuted or cannot tell here, by the rule that ``Claim.rule`` states in words; ``p`` is the decisive one."""
    if finding.exact:
        return SUPPORTED if finding.effect > part.threshold else REFUTED
    ends = limits(finding)
    if ends is None or p is None:
        return CANNOT_TELL
    if p < SIGNIFICANCE and finding.effect > part.threshold:
        return SUPPORTED
    if p < SIGNIFICANCE and finding.effect < part.threshold:
        return REFUTED
    if part.negligible is not None and ends[1] < part.negligible:
        return REFUTED
    return CANNOT_TELL


def _part_entry(claim: Claim, part: Part, finding: Finding | None, reason: str, adjusted: float | None) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": part.name,
        "asserts": part.asserts,
        "statistic": part.statistic,
        "unit": "%" if part.scale == "log" else part.unit,
        "threshold": _shown(part, part.threshold),
        "negligible": _shown(part, part.negligible),
        "decides": part.decides,
        "effect": None,
        "low": None,
        "high": None,
        "p": None,
        "p_adjusted": None,
        "verdict": CANNOT_TELL,
        "cells": 0,
        "keys": [],
        "note": reason,
        "lacks": reason,
    }
    if finding is None:
        return entry
    p = p_value(part, finding)
    decisive = adjusted if claim.primary and part.decides else p
    ends = limits(finding) or (None, None)
    return entry | {
        "effect": _shown(part, finding.effect),
        "low": _shown(part, ends[0]),
        "high": _shown(part, ends[1]),
        "p": p,
        "p_adjusted": adjusted,
        "verdict": part_verdict(part, finding, decisive),
        "cells": len(set(finding.keys)),
        "keys": list(dict.fromkeys(finding.keys)),
        "note": "; ".join(filter(None, [finding.note, finding.lacks])),
        "lacks": finding.lacks,
    }


def _shown(part: Part, value: float | None) -> float | None:
    """A value on the scale that is shown: the logarithm of a ratio becomes a change in per cent."""
    if value is None or part.scale == "plain":
        return value
    return 100 * math.expm1(value) if value < 700 else math.inf


def _verdict(claim: Claim, parts: list[dict[str, Any]]) -> str:
    if not claim.parts:
        return NOT_TESTABLE
    verdicts = [part["verdict"] for part in parts if part["decides"]]
    if all(verdict == SUPPORTED for verdict in verdicts):
        return SUPPORTED
    return REFUTED if REFUTED in verdicts else CANNOT_TELL


def _sentence(claim: Claim, parts: list[dict[str, Any]], verdict: str) -> str:
    """The verdict on a claim in one line; for a claim that is not primary, what its figures suggest."""
    if not claim.parts:
        return f"Not testable here: {claim.not_testable}."
    by_verdict: dict[str, list[str]] = {}
    for part in parts:
        if part["decides"]:
            by_verdict.setdefault(part["verdict"], []).append(part["name"])
    if len(by_verdict) == 1 and verdict != CANNOT_TELL:
        text = verdict
    else:
        order = [state for state in (SUPPORTED, REFUTED, CANNOT_TELL) if state in by_verdict]
        text = verdict + ": " + "; ".join(f"{state} for {', '.join(by_verdict[state])}" for state in order)
    if verdict == CANNOT_TELL and set(by_verdict) == {CANNOT_TELL}:
        reasons = list(dict.fromkeys(part["lacks"] for part in parts if part["decides"] and part["lacks"]))
        text = verdict + (f" ({'; '.join(reasons)})" if reasons else "")
    if not claim.primary and verdict != CANNOT_TELL:
        text = f"suggests: {text}"
    return text[0].upper() + text[1:] + "."
