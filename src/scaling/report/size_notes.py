"""What a study's sizes became: moved into a family's range, or without effect; as sentences for the plan and the page."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from scaling.study.schema import Study

MOVED: Final = {"sizes": "sizes", "anchors": "sizes at which the learning rate is tuned"}
"""What moves into a family's range, in words."""


def size_notes(study: Study) -> list[str]:
    """A line for each family and kind of sizes that it cannot have for these images, and one on sizes without effect."""
    notes = [
        f"{family}: {MOVED[move.what]} moved from {_listed(move.said)} to {_listed(move.used)}; for these images it has "
        f"{short(move.least)} to {short(move.largest)} parameters"
        for family in study.families
        for move in study.moves(family)
    ]
    own = study.with_own_sizes()
    if own and len(own) == len(study.families):
        notes.append("grid.params has no effect: every family has its own sizes")
    elif own:
        notes.append(f"grid.params has no effect on {', '.join(own)}: own sizes")
    return notes


def short(params: int) -> str:
    """A number of parameters to three digits: 13k, 1.04M."""
    return f"{params / 1e6:.3g}M" if params >= 999_500 else f"{params / 1e3:.3g}k"


def _listed(sizes: Iterable[int]) -> str:
    return ", ".join(map(short, sizes))
