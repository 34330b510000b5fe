"""What a check finds: that all is well, that something fails and what mends it, or that there is nothing to look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal

Status = Literal["pass", "fail", "absent"]
PASS: Final = "pass"
FAIL: Final = "fail"
ABSENT: Final = "absent"


@dataclass(frozen=True)
class Finding:
    """The ``status`` of a check, what was ``found``, and for a failure its ``mend``."""

    status: Status
    found: str
    mend: str = ""


@dataclass(frozen=True)
class Check:
    """A check of a ``group`` (gpu, node, filesystem, login node) by ``name``; ``look`` makes it."""

    group: str
    name: str
    look: Callable[[], Finding]


@dataclass(frozen=True)
class Checked:
    """A check that was made."""

    group: str
    name: str
    status: Status
    found: str
    mend: str


def make(checks: Iterable[Check]) -> list[Checked]:
    """Make all ``checks`` in their order; one that breaks down has failed, and the others are made all the same."""
    made = []
    for check in checks:
        try:
            finding = check.look()
        except Exception as error:
            said = " ".join(f"{type(error).__name__}: {error}".split())
            finding = Finding(FAIL, f"could not be looked at ({said})", "see the message")
        made.append(Checked(check.group, check.name, finding.status, finding.found, finding.mend))
    return made
