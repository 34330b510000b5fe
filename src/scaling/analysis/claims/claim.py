"""A claim: a statement, what is measured for it, and the rule, fixed beforehand, by which it is judged.

A claim has parts. Each part asserts that an effect lies beyond a threshold, and has a verdict of its own; the claim is summed
up by how many of its deciding parts were seen. Its statement and its deciding parts say the same thing. A claim that these
machines and data cannot test has no parts, and says why.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from scaling.analysis.claims.evidence import Evidence

SEEN: Final = "seen"
SMALLER: Final = "smaller than claimed"
NO_EFFECT: Final = "no effect that matters"
OPPOSITE: Final = "the opposite is seen"
CANNOT_TELL: Final = "cannot tell"
NOT_TESTABLE: Final = "not testable"
PART_VERDICTS: Final = (SEEN, SMALLER, NO_EFFECT, OPPOSITE, CANNOT_TELL, NOT_TESTABLE)

SEEN_IN_PART: Final = "seen in part"
NOT_SEEN: Final = "not seen"
REFUTED: Final = "refuted"
CLAIM_VERDICTS: Final = (SEEN, SEEN_IN_PART, NOT_SEEN, REFUTED, CANNOT_TELL, NOT_TESTABLE)

Scale = Literal["plain", "log"]


class MissingEvidence(Exception):
    """Evidence that a part needs is missing; the message names it: an arm, a measurement, a seed."""


class NotTestable(Exception):
    """This machine, or what was trained, can show nothing about a part, however often it is run; the message says why."""


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
        asserts: what holds if the effect is beyond ``threshold``, as a sentence.
        statistic: what the effect is, in words, with its direction.
        measure: computes the effect from the evidence; raises MissingEvidence or NotTestable.
        scale: effects on the scale log are shown as changes in per cent.
        unit: of an effect on the scale plain.
        threshold: what is claimed: the part is seen if the effect is above it (below it, with ``below``). A threshold below
            ``none`` means "not worse by more than that".
        below: whether effects below the threshold are those that are claimed.
        none: the effect where there is none, such as 0, or a share of one half.
        margin: effects within this distance of ``none`` do not matter; None where any effect does.
        decides: whether the claim depends on it; other parts are only reported.
        in_scope: whether the statement speaks of just these nets and data, so that the opposite refutes it.
        group: parts of one group share a panel of the figure; an empty string for the group of their unit.
        stem: the words with which the name begins and which the parts next to it share; sentences and figures say them once.
    """

    name: str
    asserts: str
    statistic: str
    measure: Callable[[Evidence], Finding]
    scale: Scale = "log"
    unit: str = ""
    threshold: float = 0.0
    below: bool = False
    none: float = 0.0
    margin: float | None = None
    decides: bool = True
    in_scope: bool = False
    group: str = ""
    stem: str = ""

    def __post_init__(self) -> None:
        if not self.name.startswith(self.stem):
            raise ValueError(f"part {self.name!r}: its name does not begin with its stem {self.stem!r}")


@dataclass(frozen=True)
class Curves:
    """How the rows of a claim's findings are drawn: points (x, y) with bars (low, high) and lines by ``series``.

    Rows are dicts with panel, series, x, y and, if known, low and high. A row with ``bound`` is drawn as a cross: the value
    lies at y or beyond; on a logarithmic axis a y of 0 is drawn so too, at the edge. ``panels`` are those of this figure;
    without any it shows all panels that no other figure of the claim names. ``marked`` is a y that is drawn as a line, such as
    1 for "equal".
    """

    title: str
    caption: str
    x: str
    y: str
    log_x: bool = False
    log_y: bool = False
    panels: tuple[str, ...] = ()
    marked: float | None = None


@dataclass(frozen=True)
class Claim:
    """A claim about these architectures.

    Attributes:
        number: in the list of claims; the file name begins with it.
        title: short.
        statement: in our own words.
        source: where it comes from.
        scope: of which nets and data the statement speaks, as against what was tested.
        otherwise: why the verdict could be different: what was not varied, what a larger study would change.
        primary: whether it is decided at the level of 0.05 over all primary claims together (Holm), from at least six seeds.
        parts: none if the claim is not testable here.
        not_testable: why not, or an empty string.
        curves: how its rows are drawn, one entry per figure.
    """

    number: int
    title: str
    statement: str
    source: str
    scope: str = ""
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
        level = "0.05 after Holm's correction over the deciding parts of all primary claims" if self.primary else "0.05"
        return (
            f"A part is {SEEN} if its effect is beyond its threshold by a two-sided test at {level}; it shows "
            f"{NO_EFFECT} if its whole 95 % interval lies within its margin, even where that excludes zero. "
            f"{OPPOSITE.capitalize()} if the effect is on the other side of no effect, and it is {SMALLER} if it falls short "
            "of the threshold, by the same test. The claim is refuted only if the opposite is seen of just those nets and "
            "data of which it speaks."
        )
