"""An architecture: a family, its options, a depth of its own; what a ladder makes in a size. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from scaling.models.outside import is_outside
from scaling.models.registry import FAMILIES, Option


@dataclass(frozen=True)
class Architecture:
    """What is made in a size: a family, its options where they differ from the usual, a depth of its own.

    Attributes:
        family: one of the registry, or from outside (``scaling.models.outside``).
        options: (name, value), by name; never the usual value, so that equal nets have equal names.
        depth: fixed for all sizes; None for the family's own rule.
        match: what meets the target N: the net's own parameters, or (flop) the compute that the family by its own rule has
            at that N.
    """

    family: str
    options: tuple[tuple[str, Option], ...] = ()
    depth: int | None = None
    match: Literal["params", "flop"] = "params"

    def __str__(self) -> str:
        parts = [f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in self.options]
        parts += [f"depth={self.depth}"] * (self.depth is not None) + [f"match={self.match}"] * (self.match != "params")
        return " ".join([self.family, *parts])

    @property
    def variant(self) -> str:
        """How it differs from its family, or an empty string."""
        return str(self).removeprefix(self.family).lstrip()

    @property
    def usual(self) -> Architecture:
        """Its family by its own rule, whose FLOP a net may match; how a model from outside is scaled stands in its options."""
        return Architecture(self.family, self.options if is_outside(self.family) else ())


def unusual_options(family: str, options: Mapping[str, Option]) -> tuple[tuple[str, Option], ...]:
    """``options`` of a family without those that have their usual value, by name.

    Raises:
        ValueError: the family has no such option, or the option no such value.
    """
    if is_outside(family):
        return tuple(sorted(options.items()))  # which it takes is known when it is built
    allowed = FAMILIES[family].options if family in FAMILIES else {}
    for name, value in options.items():
        if name not in allowed:
            has = "; it has ".join([f"{family} has no option {name}", ", ".join(allowed) or "none"])
            raise ValueError(has)
        if not any(value is choice or (isinstance(value, str) and value == choice) for choice in allowed[name]):
            choices = ", ".join(str(choice).lower() for choice in allowed[name])
            raise ValueError(f"option {name} of {family} is {str(value).lower()}; allowed: {choices}")
    return tuple(sorted((name, value) for name, value in options.items() if value != allowed[name][0]))
