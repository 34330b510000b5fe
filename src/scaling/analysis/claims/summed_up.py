"""A claim summed up from the verdicts on its parts: in how many of them it was seen, and at which N and D."""

from __future__ import annotations

import math
from typing import Any, Final

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
from scaling.analysis.claims.evidence import UNTRAINED

Parts = list[dict[str, Any]]

LEAST_PERCENT: Final = -90.0
MOST_PERCENT: Final = 100.0
"""Changes beyond them, a tenth and twice as much, are said as ratios (assumption)."""


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
    if {part["verdict"] for part in deciding} <= {CANNOT_TELL, NOT_TESTABLE} and (reasons := _reasons(deciding)):
        return f"{count}; cannot tell: {'; '.join(reasons)}."
    found = [count + _listed(deciding, SEEN)]
    for verdict in PART_VERDICTS[1:]:
        for half in (True, False) if verdict in (OPPOSITE, CANNOT_TELL) else (None,):
            own = deciding if half is None else [part for part in deciding if _HALVES[verdict](part) == half]
            if listed := _listed(own, verdict):
                found.append((_SAID.get((verdict, half)) or verdict).capitalize() + listed)
    return ". ".join(found) + "."


_HALVES: Final = {OPPOSITE: lambda part: part["in_scope"], CANNOT_TELL: lambda part: part["effect"] is not None}
_SAID: Final[dict[tuple[str, bool | None], str]] = {
    (OPPOSITE, True): REFUTED,
    (OPPOSITE, False): f"{OPPOSITE} of",
    (CANNOT_TELL, False): "not judged for lack of data",
}


def _reasons(parts: Parts) -> list[str]:
    """Why parts have no verdict, each reason once; what is not trained yet in one list."""
    reasons = list(dict.fromkeys(part["lacks"] for part in parts if part["lacks"]))
    untrained = [reason.removesuffix(UNTRAINED) for reason in reasons if reason.endswith(UNTRAINED)]
    others = [reason for reason in reasons if not reason.endswith(UNTRAINED)]
    return [f"not trained yet: {', '.join(untrained)}"] * bool(untrained) + others


def _listed(parts: Parts, verdict: str) -> str:
    """Text: ": name (effect), ..." of the parts with this verdict, or nothing; a stem that parts share is said once."""
    stems: dict[str, list[str]] = {}
    for part in parts:
        if part["verdict"] == verdict:
            # Parts without a stem stand alone, in their place.
            key = part["stem"] or part["name"]
            stems.setdefault(key, []).append(_named(part, part["name"].removeprefix(part["stem"]).strip()))
    shared = {part["stem"] for part in parts} - {""}
    said = [f"{stem} {', '.join(own)}" if stem in shared else own[0] for stem, own in stems.items()]
    between = "; " if shared & set(stems) else ", "
    return f": {between.join(said)}" if said else ""


def _named(part: dict[str, Any], name: str) -> str:
    effect, unit = part["effect"], part["unit"]
    if effect is None:
        return name
    if unit == "%":
        return f"{name} ({change(effect)})"
    value = f"{effect:.2g}".replace("-", "−")
    # A unit of several words would be longer than what it says; the table has it.
    return f"{name} ({f'{value} {unit}' if unit == 'times' else f'{unit} {value}' if unit and ' ' not in unit else value})"


_SUPERSCRIPTS: Final = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def change(percent: float) -> str:
    """A change in per cent as a reader says it: +47 %, −30 %; from twice or down to a tenth as much as a ratio: 2.1 times."""
    if percent <= LEAST_PERCENT:
        return f"{max(1 + percent / 100, 0.0):.2g} times"
    if percent >= MOST_PERCENT:
        ratio = 1 + percent / 100
        return f"{ratio:.2g} times" if ratio < 1000 else f"10{str(round(math.log10(ratio))).translate(_SUPERSCRIPTS)} times"
    return f"{'−' if percent < 0 else '+'}{abs(percent):.0f} %"


def scale_of(runs: pl.DataFrame, parts: Parts) -> str:
    """At which N, D and images seen the runs behind the deciding parts were trained: "N = 13,000, D = 500 to 4,000, ..."."""
    deciding = [part for part in parts if part["decides"]]
    if all(part["effect"] is None for part in deciding):
        return "nothing yet"
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
