"""From claims and evidence to verdicts: a t test per part, Holm's correction over the primary claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scipy.stats import norm
from scipy.stats import t as student

from scaling.analysis.claims.claim import (
    CANNOT_TELL,
    NO_EFFECT,
    NOT_TESTABLE,
    OPPOSITE,
    SEEN,
    SMALLER,
    Claim,
    Finding,
    MissingEvidence,
    NotTestable,
    Part,
)
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.summed_up import claim_verdict, scale_of, sentence
from scaling.analysis.fits_rows import jsonable
from scaling.analysis.pair_contrasts import holm
from scaling.analysis.significance import SIGNIFICANCE


def judge_claims(claims: Sequence[Claim], evidence: Evidence) -> list[dict[str, Any]]:
    """The verdict on each claim, as plain JSON.

    Returns:
        For each claim: its declaration, ``verdict``, ``sentence``, ``tested`` (at which N and D), ``parts`` (declaration,
        effect, low, high, p, p_adjusted, verdict, cells, keys, note) and ``rows`` for its figure. Effects on the scale log
        are given in per cent.
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
            _part_entry(claim, part, finding, lack, adjusted.get((i, j))) for j, (part, finding, lack) in enumerate(found[i])
        ]
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
                "scope": claim.scope,
                "otherwise": claim.otherwise,
                "verdict": claim_verdict(parts),
                "tested": scale_of(evidence.runs, parts),
                "sentence": sentence(claim, parts),
                "parts": parts,
                "curves": [vars(curves) for curves in claim.curves],
                "rows": rows,
            }
        )
    return jsonable(entries)


def _measured(part: Part, evidence: Evidence) -> tuple[Finding | None, Exception | None]:
    try:
        return part.measure(evidence), None
    except (MissingEvidence, NotTestable) as lack:
        return None, lack


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
    """The verdict on a part by the rule that ``Claim.rule`` states in words.

    Args:
        part: what is claimed.
        finding: what was measured.
        p: of "the effect equals the threshold", corrected where the part is one of many.
    """
    sign = -1.0 if part.below else 1.0
    effect, threshold, none = sign * finding.effect, sign * part.threshold, sign * part.none
    if finding.exact:
        return SEEN if effect > threshold else OPPOSITE if effect <= min(none, threshold) else SMALLER
    ends = limits(finding)
    if ends is None or p is None:
        return CANNOT_TELL
    low, high = sorted(sign * end for end in ends)
    if part.margin is not None and none - part.margin < low and high < none + part.margin and threshold >= none:
        return NO_EFFECT
    if p >= SIGNIFICANCE:
        return CANNOT_TELL
    if effect > threshold:
        return SEEN
    return OPPOSITE if high < none or threshold <= none else SMALLER


def _part_entry(
    claim: Claim, part: Part, finding: Finding | None, lack: Exception | None, adjusted: float | None
) -> dict[str, Any]:
    reason = str(lack or "")
    entry: dict[str, Any] = {
        "name": part.name,
        "asserts": part.asserts,
        "statistic": part.statistic,
        "unit": "%" if part.scale == "log" else part.unit,
        "threshold": _shown(part, part.threshold),
        "below": part.below,
        "none": _shown(part, part.none),
        "margin": None if part.margin is None else [_shown(part, part.none + side * part.margin) for side in (-1, 1)],
        "decides": part.decides,
        "in_scope": part.in_scope,
        "group": part.group,
        "stem": part.stem,
        "effect": None,
        "low": None,
        "high": None,
        "p": None,
        "p_adjusted": None,
        "verdict": NOT_TESTABLE if isinstance(lack, NotTestable) else CANNOT_TELL,
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
