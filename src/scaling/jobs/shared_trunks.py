"""Which runs of a study have the first part of their training in common: those of entries that differ in length alone."""

from __future__ import annotations

from typing import Any, Final

from scaling.models.ladder import Ladders
from scaling.runs.grid import ResolvedCell, cells
from scaling.runs.resolve import DamagedTuning, Tuning, read_tuning, resolve
from scaling.study.layout import Layout
from scaling.study.recipe import LENGTHS
from scaling.study.schema import Study
from scaling.study.study_images import image_spec
from scaling.training.trunk import Trunk, trunks_among

_SAID_BY_LENGTH: Final = {name for way in LENGTHS for name in way}


def trunks_of(study: Study, layout: Layout, family: str, tuning: Tuning) -> list[Trunk]:
    """What the runs of ``family``, whose ``tuning`` this is, and of the entries like it have in common.

    An entry that is not tuned yet is taken to get the rate of ``family``: if it gets another, a state was kept for nothing.
    """
    alike = _alike(study, family)
    if len(alike) == 1:
        return []
    ladders, image = Ladders(layout.ladders), image_spec(study)
    runs: list[ResolvedCell] = []
    for entry in alike:
        found = tuning if entry == family else _known(study, layout, entry) or tuning
        if found.rule is not None:
            runs += [resolve(study, cell, found, ladders, image) for cell in cells(study, entry)]
    return trunks_among(runs)


def _alike(study: Study, family: str) -> list[str]:
    """The entries that differ from ``family`` in the length of their training alone, itself included."""
    return [entry for entry in study.families if _but_length(study, entry) == _but_length(study, family)]


def _but_length(study: Study, family: str) -> list[Any]:
    recipe = study.family_recipe(family)
    settings = {name: value for name, value in recipe.settings().items() if name not in _SAID_BY_LENGTH}
    return [study.architecture(family), study.entry(family).pretrain, recipe.learning_rate, settings]


def _known(study: Study, layout: Layout, family: str) -> Tuning | None:
    try:
        return read_tuning(study, layout, family)
    except DamagedTuning:  # its own job says so, and mends it
        return None
