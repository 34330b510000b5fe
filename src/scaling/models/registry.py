"""Names of the families, their kinds and their options, readable without torch; each is built in ``scaling.models``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["fully-connected", "convolutional", "transformer"]
Option = bool | str

KINDS: Final[dict[str, Kind]] = {
    "mlp": "fully-connected",
    "alexnet": "convolutional",
    "vgg": "convolutional",
    "googlenet": "convolutional",
    "plain": "convolutional",
    "resnet": "convolutional",
    "vit": "transformer",
    "swin": "transformer",
}
"""Every family a study may name, with its kind, in the order in which the architectures were published."""

OPTIONS: Final[dict[str, dict[str, tuple[Option, ...]]]] = {
    "alexnet": {"activation": ("relu", "tanh"), "lrn": (True, False)},
    "plain": {"norm": ("batch", "none"), "downsample": ("stride", "pool")},
    "resnet": {"norm": ("batch", "none"), "downsample": ("stride", "pool")},
    "swin": {"shift": (True, False)},
}
"""Family -> option -> what it may be, the usual first. A family's file takes them as keywords of its builder."""


@dataclass(frozen=True)
class Architecture:
    """What is made in a size: a family, its options where they differ from the usual, a depth of its own.

    Attributes:
        family: a key of KINDS.
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
        parts = [f"{name}={str(value).lower()}" for name, value in self.options]
        parts += [f"depth={self.depth}"] * (self.depth is not None) + [f"match={self.match}"] * (self.match != "params")
        return " ".join([self.family, *parts])

    @property
    def variant(self) -> str:
        """How it differs from its family, or an empty string."""
        return str(self).removeprefix(self.family).lstrip()


def unusual_options(family: str, options: Mapping[str, Option]) -> tuple[tuple[str, Option], ...]:
    """``options`` of a family without those that have their usual value, by name.

    Raises:
        ValueError: the family has no such option, or the option no such value.
    """
    allowed = OPTIONS.get(family, {})
    for name, value in options.items():
        if name not in allowed:
            has = "; it has ".join([f"{family} has no option {name}", ", ".join(allowed) or "none"])
            raise ValueError(has)
        if not any(value is choice or (isinstance(value, str) and value == choice) for choice in allowed[name]):
            choices = ", ".join(str(choice).lower() for choice in allowed[name])
            raise ValueError(f"option {name} of {family} is {str(value).lower()}; allowed: {choices}")
    return tuple(sorted((name, value) for name, value in options.items() if value != allowed[name][0]))
