"""What a claim is: a statement, what is measured for it, and the rule, fixed beforehand, by which it is judged.

A claim has parts. Each part asserts that an effect lies above a threshold; the claim as a whole holds where all of its
deciding parts do. A claim that these machines and data cannot test has no parts and says why.
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
    """What a part needs is not there; the message says what: an arm, a measure, a seed."""


@dataclass(frozen=True)
class Finding:
    """What was measured for a part.

    Attributes:
        effect: positive where it speaks for the claim; of scale log, the logarithm of a ratio.
        se: standard error; None where there is none (one seed, a count).
        freedom: degrees of freedom of ``se``.
        interval: 95 % limits, where they are not effect -+ t x se.
        p: two-sided p of "the effect is the part's threshold", where it is not that of a t test and cannot be read off
            ``interval``.
        keys: of the cells it rests on.
        note: what a reader must know of it.
        lacks: why there is no interval, where there is none.
        rows: for the figure, see ``Curves``.
        exact: a count, which has no noise: compared with the threshold as it is.
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
        asserts: what holds if the effect lies above ``threshold``, as a sentence.
        statistic: what the effect is, in words, with the direction.
        measure: reads the effect off the evidence; raises MissingEvidence.
        scale: log effects are shown as changes in per cent.
        unit: of the effect, where its scale is plain.
        threshold: effects above it support the part. Below 0: "no worse by more than that".
        negligible: an interval that lies below it refutes the part: such an effect would not matter.
        decides: whether the claim depends on it; others are reported beside.
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

    Rows are dicts with panel, series, x, y and, where known, low and high. ``panels`` are those of this figure; none named:
    all that no other figure of the claim names.
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
    """A claim of the text.

    Attributes:
        number: in the list of claims; the file's name begins with it.
        title: short.
        statement: in our own words.
        source: where it comes from.
        otherwise: why the verdict could be otherwise: what was not varied, what a larger study would change.
        primary: decided at the level of 0.05 over all primary claims together (Holm), from at least six seeds. The
            verdicts of others "suggest".
        parts: none where the claim is not testable here.
        not_testable: why not, or an empty string.
        curves: how its rows are drawn, a figure each.
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
            "A part is supported where its effect lies above its threshold and refuted where it lies below, by a two-sided "
            f"test at {level}; also refuted where the 95 % interval lies below what would matter. The claim is supported where "
            "all its deciding parts are, refuted where one of them is."
        )
