"""What tuning would find for a family without training anything: the shared store may hold its candidates already.

A study that was renamed, or that shares its recipe and images with another, has no tuning file of its own yet. What its job
would find in the store is computed here by the code that the job runs, and nothing is written. No torch.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from scaling.data import DataError, Look, load, prepared_path
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.runs.grid import ResolvedCell
from scaling.runs.resolve import DamagedTuning, Tuning, read_tuning
from scaling.runs.store import DamagedRecord, Record, Store
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_images import data_settings
from scaling.training.device import Device
from scaling.training.tuning import tune


@dataclass(frozen=True)
class Foreseen:
    """What tuning of a family has found, or would find; or None, and how many candidates it has to train first."""

    tuning: Tuning | None
    candidates: int


class _Untrained(Exception):
    """Tuning would have to train now."""

    def __init__(self, candidates: int) -> None:
        self.candidates = candidates


class LookedAt(Store):
    """A store that is only read: a damaged record stays where it is, and counts as missing."""

    def __init__(self, store: Store, warn: Callable[[str], None]) -> None:
        super().__init__(store.root)
        self.warn = warn

    def read(self, key: str) -> Record | None:
        """The record of ``key``, or None; damage is told through ``warn``. Raises ForeignRecord."""
        try:
            return super().read(key)
        except DamagedRecord as error:
            self.warn(f"{error}; the run is trained again")
            return None


def foresee(
    study: Study,
    layout: Layout,
    family: str,
    devices: list[tuple[str, str]],
    ladders: Ladders,
    image: ImageSpec,
    images: Look,
    warn: Callable[[str], None],
) -> Foreseen:
    """What the tuning of ``family`` has found, or would find without training.

    Args:
        study, layout, ladders, image: the study, its paths, the sizes of its models, the shape of its images.
        family: an entry of the study.
        devices: classes and precisions on which it may be trained; the first for which all candidates are stored counts.
        images: what a look at the images found; results of other images are of no use.
        warn: is told of damaged records.

    Raises:
        ForeignRecord: a candidate was stored by a newer version of the program.
    """
    with suppress(DamagedTuning):  # its job makes it again, from the same candidates
        known = read_tuning(study, layout, family, images)
        if known is not None and known.rule is not None:
            return Foreseen(known, 0)
    if images.changed:
        return unforeseen(study, family)
    try:
        checksum = load(prepared_path(data_settings(study), layout.data), verify=False).checksum
    except (DataError, OSError):
        return unforeseen(study, family)  # without prepared images there is no key to look for
    store = LookedAt(Store(layout.store), warn)

    def look_for(cells: list[ResolvedCell]) -> None:
        untrained = {cell.key for cell in cells if store.read(cell.key) is None}
        if untrained:
            raise _Untrained(len(untrained))

    found = []
    for kind, precision in devices:
        device = Device(kind, precision, 1, "")
        try:
            tuning = tune(
                study, family, device=device, checksum=checksum, image=image, ladders=ladders, store=store, train=look_for
            )
            return Foreseen(tuning, 0)
        except _Untrained as error:
            found.append(Foreseen(None, error.candidates))
    return found[0] if found else unforeseen(study, family)


def unforeseen(study: Study, family: str) -> Foreseen:
    """What is known of the tuning of ``family`` if nothing is stored."""
    recipe = study.family_recipe(family)
    return Foreseen(None, len(recipe.anchors.places) * len(recipe.anchors.rates) if recipe.is_tuned else 0)
