"""What runs of several lengths have in common: with `warmup-stable-decay`, all of training until the rate falls.

Runs that differ in nothing but their length take the same steps up to there, so a run leaves its state where another of them
will need it (Hägele et al. 2024, arXiv:2405.18392). A run may start from any such state that is not beyond its own part; since
the state is the one that it would reach itself, its result is the same, bit for bit. A state that is lost costs time.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scaling.files import digest
from scaling.runs.grid import ResolvedCell
from scaling.runs.store import Store
from scaling.study.recipe import LENGTHS
from scaling.training.schedule import evaluation_steps, fall_begins


@dataclass(frozen=True)
class Trunk:
    """The common part of some runs.

    Attributes:
        settings: all that decides it; their digest is its place in the store.
        leaves: key of a run -> the step after which it goes on alone.
    """

    settings: dict[str, Any]
    leaves: dict[str, int]

    @property
    def key(self) -> str:
        """Its name in the store."""
        return digest(self.settings)

    def saves(self, run: str) -> set[int]:
        """The steps at which ``run`` passes a state that another run may start from."""
        own = self.leaves[run]
        return {min(own, step) for other, step in self.leaves.items() if other != run} - {0}

    def is_wanted(self, store: Store, run: str, step: int) -> bool:
        """Whether another run than ``run``, not finished yet, may start from the state after ``step``, which is not stored."""
        others = [other for other, own in self.leaves.items() if other != run and own >= step]
        return step not in store.trunk_steps(self.key) and any(not store.record_path(other).exists() for other in others)

    def starts(self, store: Store, run: str) -> list[int]:
        """The steps after which stored states stand that ``run`` may start from, the longest first."""
        return [step for step in reversed(store.trunk_steps(self.key)) if step <= self.leaves[run]]

    def tidy(self, store: Store) -> None:
        """Remove the states that no unfinished run would start from."""
        steps = store.trunk_steps(self.key)
        unfinished = [own for run, own in self.leaves.items() if not store.record_path(run).exists()]
        needed = {max((step for step in steps if step <= own), default=0) for own in unfinished}
        with contextlib.suppress(OSError):  # what cannot be removed now is removed after the next run
            for step in set(steps) - needed:
                store.trunk_path(self.key, step).unlink(missing_ok=True)
            if steps and not needed:
                store.folder(self.key).rmdir()


def trunks_among(cells: Iterable[ResolvedCell]) -> list[Trunk]:
    """The common parts of ``cells``; those of a run that shares nothing are there too, with it alone."""
    found: dict[str, Trunk] = {}
    for cell in cells:
        settings = _common_settings(cell)
        if settings is not None:
            found.setdefault(digest(settings), Trunk(settings, {})).leaves[cell.key] = _common_steps(cell)
    return list(found.values())


def _common_settings(cell: ResolvedCell) -> dict[str, Any] | None:
    """All of a run's settings but its length; None where its length matters from the first step on."""
    recipe = cell.recipe
    if recipe.schedule != "warmup-stable-decay" or (recipe.warmup and recipe.warmup_images is None):
        return None
    settings = cell.settings()
    lengths = {name for way in LENGTHS for name in way}
    return settings | {"recipe": {name: value for name, value in settings["recipe"].items() if name not in lengths}}


def _common_steps(cell: ResolvedCell) -> int:
    """Steps of a run before its rate falls, and before its first evaluation, whose place depends on its length."""
    steps = cell.recipe.steps(cell.images)
    return min(math.ceil(fall_begins(cell.recipe, steps)), evaluation_steps(cell.recipe, steps)[0] - 1)
