"""A claim: a statement, what is measured for it, and the rule, fixed beforehand, by which it is judged.

A claim has parts. Each part asserts that an effect is above a threshold; the claim as a whole holds if all of its deciding
parts hold. A claim that these machines and data cannot test has no parts, and says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from scaling.analysis.claims.evidence import Evidence

SUPPORTED: Final = "supported"
REFUTED: Final = "refuted"
CANNOT_TELL: Final = "cannot tell here"
NOT_TESTABLE: Final = "not testable here"

Scale = Literal["plain", "log"]


class MissingEvidence(Exception):
    """Evidence that a part needs is missing; the message names it: an arm, a measurement, a seed."""


@dataclass(frozen=True)
class Finding:
    """What was measured for a part.

    Attributes:
        effect: positive if it supports the claim; on the scale log, the logarithm of a ratio.
        se: standard error; None if there is none (one seed, a count).
        freedom: degrees of freedom of ``se``.
        interval: 95 % limits, if they are not effect -+ t x se.
        p: two-sided p of "the effect equals the part's threshold", if it follows neither from a t test nor from
            ``interval``.
        keys: of the runs that it is based on.
        note: what a reader must know about it.
        lacks: why there is no interval, if there is none.
        rows: for the figure, see ``Curves``.
        exact: whether it is a count, which has no noise and is compared with the threshold as it is.
    """

    effect: float
    se: float | None = None
    freedom: float = float("inf")
    interval: tuple[float, float] | None = None
    p: float | None = None
    keys: tuple[str, ...] = ()
    note: str = ""
    lacks: str = ""
    rows: tuple[dict[str, Any], ...] = ()
    exact: bool = False


@dataclass(frozen=True)
class Part:
    """One assertion of a claim.

    Attributes:
        name: short; a row's label in table and figure.
        asserts: what holds if the effect is above ``threshold``, as a sentence.
        statistic: what the effect is, in words, with its direction.
        measure: computes the effect from the evidence; raises MissingEvidence.
        scale: effects on the scale log are shown as changes in per cent.
        unit: of an effect on the scale plain.
        threshold: effects above it support the part. A threshold below 0 means "not worse by more than that".
        negligible: an interval below it refutes the part, since such an effect would not matter.
        decides: whether the claim depends on it; other parts are only reported.
    """

    name: str
    asserts: str
    statistic: str
    measure: Callable[[Evidence], Finding]
    scale: Scale = "log"
    unit: str = ""
    threshold: float = 0.0
    negligible: float | None = None
    decides: bool = True


@dataclass(frozen=True)
class Curves:
    """How the rows of a claim's findings are drawn: points (x, y) with bars (low, high) and lines by ``series``.

    Rows are dicts with panel, series, x, y and, if known, low and high. ``panels`` are those of this figure; without any it
    shows all panels that no other figure of the claim names.
    """

    title: str
    caption: str
    x: str
    y: str
    log_x: bool = False
    log_y: bool = False
    panels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Claim:
    """A claim about these architectures.

    Attributes:
        number: in the list of claims; the file name begins with it.
        title: short.
        statement: in our own words.
        source: where it comes from.
        otherwise: why the verdict could be different: what was not varied, what a larger study would change.
        primary: whether it is decided at the level of 0.05 over all primary claims together (Holm), from at least six seeds.
            The verdicts on other claims only "suggest".
        parts: none if the claim is not testable here.
        not_testable: why not, or an empty string.
        curves: how its rows are drawn, one entry per figure.
    """

    number: int
    title: str
    statement: str
    source: str
    otherwise: str = ""
    primary: bool = False
    parts: tuple[Part, ...] = ()
    not_testable: str = ""
    curves: tuple[Curves, ...] = ()
    name: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if bool(self.parts) == bool(self.not_testable):
            raise ValueError(f"claim {self.number}: has either parts or a reason why it is not testable")
        if self.parts and not any(part.decides for part in self.parts):
            raise ValueError(f"claim {self.number}: no part decides it")

    @property
    def rule(self) -> str:
        """The decision rule, in words."""
        if not self.parts:
            return "None: " + self.not_testable
        level = "0.05 after Holm's correction over the parts of all primary claims" if self.primary else "0.05"
        return (
            "A part is supported if its effect is above its threshold, and refuted if it is below, by a two-sided "
            f"test at {level}. It is also refuted if the 95 % interval lies below what would matter. The claim is supported if "
            "all its deciding parts are, and refuted if one of them is."
        )
