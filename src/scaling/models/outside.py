"""Families from outside of this folder: ``timm/NAME``, and ``PATH.py:NAME`` for a user's own. No torch.

What is known of them before any model is built; building them is in ``timm_family.py`` and ``own_family.py``. They are called
by what a study says, so that whoever has such a name can build the family without anything else being set up.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from scaling.models.registry import FAMILIES, Facts
from scaling.models.timm_rules import rule_of

TIMM: Final = "timm/"
SEPARATOR: Final = ".py:"

BY_WIDTH: Final = "by_width"
BY_DEPTH: Final = "by_depth"
"""Options of a family of timm, as JSON: which of its arguments a study says that width and depth move."""

ANCHORS: Final = {"params": [5000, 40000], "rates": [0.0025, 0.005, 0.01, 0.02]}
"""Those of the transformers and convolutional families here, a little lower; tuning adds rates where the best is at an edge."""


def is_outside(family: str) -> bool:
    """Whether ``family`` is timm's or a user's own."""
    return family.startswith(TIMM) or SEPARATOR in family


def own_place(family: str) -> tuple[Path, str] | None:
    """File and name of a user's own family; None where it is none."""
    if SEPARATOR not in family or family.startswith(TIMM):
        return None
    path, _, name = family.rpartition(":")
    return Path(path), name


def facts_of(family: str) -> Facts:
    """What is known of ``family``, one of the registry or from outside.

    Raises:
        KeyError: it is neither.
    """
    return _facts(family) if is_outside(family) else FAMILIES[family]


@cache
def _facts(family: str) -> Facts:
    rule = rule_of(family.removeprefix(TIMM)) if family.startswith(TIMM) else None
    return Facts(
        name=family,
        kind=rule.kind if rule else "other",
        published="",
        reference="timm" if family.startswith(TIMM) else "a study's own",
        recipe={"anchors": ANCHORS},
        historical={},
        colour="",
        colour_on_dark="",
        shape="",
    )


def identity(family: str) -> str:
    """What keys and random streams call ``family``: of a user's own its name alone, so that its file may lie anywhere."""
    place = own_place(family)
    return f"own:{place[1]}" if place else family
