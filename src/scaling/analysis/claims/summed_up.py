"""A claim summed up from the verdicts on its parts: in how many of them it was seen, and at which N and D."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl

from scaling.analysis.claims.claim import (
    CANNOT_TELL,
    NOT_SEEN,
    NOT_TESTABLE,
    OPPOSITE,
    PART_VERDICTS,
    REFUTED,
    SEEN,
    SEEN_IN_PART,
    Claim,
)

Parts = list[dict[str, Any]]

MOST_NAMED = 8
"""Parts with one verdict that a sentence names; of more it gives the number in each group (assumption)."""
MOST_PERCENT = 1900
"""Changes above it, which is 20 times as much, are said as ratios (assumption)."""


def claim_verdict(parts: Parts) -> str:
    """One of ``CLAIM_VERDICTS``, from the deciding ones of a claim's parts as they are in claims.json.

    It is refuted only where the opposite is seen of just those nets and data of which the statement speaks.
    """
    deciding = [part for part in parts if part["decides"]]
    verdicts = {part["verdict"] for part in deciding}
    if verdicts <= {NOT_TESTABLE}:  # or there are none
        return NOT_TESTABLE
    if any(part["in_scope"] and part["verdict"] == OPPOSITE for part in deciding):
        return REFUTED
    if verdicts == {SEEN}:
        return SEEN
    if SEEN in verdicts:
        return SEEN_IN_PART
    return CANNOT_TELL if verdicts <= {CANNOT_TELL, NOT_TESTABLE} else NOT_SEEN


def sentence(claim: Claim, parts: Parts) -> str:
    """The verdict on a claim in one line: "seen in 2 of 4 parts" and, by verdict, the parts with their effects."""
    if not claim.parts:
        return f"Not testable: {claim.not_testable}."
    deciding = [part for part in parts if part["decides"]]
    seen = sum(part["verdict"] == SEEN for part in deciding)
    count = f"Seen in {seen} of {len(deciding)} part{'s' * (len(deciding) > 1)}"
    reasons = list(dict.fromkeys(part["lacks"] for part in deciding if part["lacks"]))
    if {part["verdict"] for part in deciding} <= {CANNOT_TELL, NOT_TESTABLE} and reasons:
        return f"{count}; cannot tell: {'; '.join(reasons)}."
    found = [count + _listed(deciding, SEEN)]
    for verdict in PART_VERDICTS[1:]:
        for in_scope in (True, False) if verdict == OPPOSITE else (None,):
            own = [part for part in deciding if in_scope is None or part["in_scope"] == in_scope]
            if listed := _listed(own, verdict):
                found.append((REFUTED if in_scope else verdict).capitalize() + listed)
    return ". ".join(found) + "."


def _listed(parts: Parts, verdict: str) -> str:
    """Text: ": name (effect), ..." of the parts with this verdict, or nothing; of many parts, how many of each group."""
    own = [part for part in parts if part["verdict"] == verdict]
    groups = Counter(part["group"] for part in own)
    if len(own) > MOST_NAMED and "" not in groups:
        return ": " + ", ".join(f"{group} ({count} parts)" for group, count in groups.items())
    return f": {', '.join(_named(part) for part in own)}" if own else ""


def _named(part: dict[str, Any]) -> str:
    effect = part["effect"]
    if effect is None:
        return part["name"]
    if part["unit"] != "%":
        return f"{part['name']} ({f'{effect:.2g}'.replace('-', '−')})"
    if effect > MOST_PERCENT:
        return f"{part['name']} ({1 + effect / 100:.2g} times)"
    return f"{part['name']} ({'−' if effect < 0 else '+'}{abs(effect):.0f} %)"


def scale_of(runs: pl.DataFrame, parts: Parts) -> str:
    """At which N, D and images seen the runs behind the deciding parts were trained: "N = 13,000, D = 500 to 4,000, ..."."""
    deciding = [part for part in parts if part["decides"]]
    if all(part["effect"] is None for part in deciding):
        return "nothing was measured"
    rows = runs.filter(pl.col("key").is_in(list({key for part in deciding for key in part["keys"]})))
    if rows.is_empty():
        return "counted or timed: no training runs"
    shown = []
    for name, column in (("N", "params"), ("D", "images"), ("images seen", "images_seen")):
        values = rows[column].drop_nulls()
        if len(values):
            low, high = int(values.to_numpy().min()), int(values.to_numpy().max())
            shown.append(f"{name} = {low:,}" if low == high else f"{name} = {low:,} to {high:,}")
    return ", ".join(shown) + f"; {len(rows)} runs, {rows['seed'].n_unique()} seed{'s' * (rows['seed'].n_unique() > 1)}"
