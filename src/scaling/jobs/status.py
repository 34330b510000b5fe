"""What the runs of a study are doing now, read from the store alone: jobs are neither asked nor disturbed, so any machine that
sees the folder of results can look.

A look costs one listing of the store, and one of each run that has begun and not ended. Keys are computed once, and a finished
record is read once. No torch.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from scaling.data import Look
from scaling.jobs.packing import packs_of
from scaling.laws.learning.final_loss import Curve, FinalLoss, final_loss
from scaling.models.ladder import Ladders
from scaling.runs.grid import Pack, ResolvedCell
from scaling.runs.lease import Lease
from scaling.runs.progress import ProgressReport, read_progress
from scaling.runs.records import DIVERGED, DONE, FAILED
from scaling.runs.resolve import DamagedTuning, last_line, read_tuning, resolve
from scaling.runs.store import DamagedRecord, ForeignRecord, Store
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_images import image_spec, look_at_images
from scaling.training.tuning import candidate, possible_rates

WAITING: Final = "waiting"
RUNNING: Final = "running"
STOPPED: Final = "stopped"
STATES: Final = (DONE, DIVERGED, RUNNING, STOPPED, FAILED, WAITING)
"""States of a run. Stopped: it has begun, and no job trains it now; the next call goes on from its checkpoint."""

CLOCKS_DIFFER: Final = 900.0
"""Seconds by which the clocks of two hosts may differ (assumption). Only what is shown depends on it."""

UNTUNED: Final = "its learning rate is not tuned yet"


@dataclass(frozen=True)
class CellStatus:
    """One run: its place in the grid, its state, why it is not done, how far it is, and on which machine."""

    family: str
    target: int
    images: int
    seed: int
    key: str = ""
    state: str = WAITING
    reason: str = ""
    machine: str = ""
    rate: float | None = None
    progress: ProgressReport | None = None
    loss: float | None = None
    """of a run that is done: test cross-entropy, in nats"""
    forecast: FinalLoss | None = None
    """of a run that is trained now: the loss with which it will end; None until enough runs of its family have ended"""


@dataclass(frozen=True)
class PackStatus:
    """The runs of one job; of tuning, those that have begun."""

    name: str
    family: str
    cells: tuple[CellStatus, ...]

    @property
    def counts(self) -> Counter[str]:
        """State -> number of runs."""
        return Counter(cell.state for cell in self.cells)


@dataclass(frozen=True)
class StudyStatus:
    """All jobs of a study at one moment."""

    study: str
    packs: tuple[PackStatus, ...]
    tuning: tuple[PackStatus, ...]
    pretraining: tuple[PackStatus, ...] = ()
    """the backbones of each entry that has any, as far as their keys are known"""

    @property
    def counts(self) -> Counter[str]:
        """State -> number of runs of the grid."""
        return sum((pack.counts for pack in self.packs), Counter())

    @property
    def ended(self) -> bool:
        """Whether every run has a result."""
        counts = self.counts
        return counts[DONE] + counts[DIVERGED] == counts.total()


class Watcher:
    """Looks at the store for one study, again and again."""

    def __init__(self, study: Study, layout: Layout) -> None:
        self.study, self.layout, self.store = study, layout, Store(layout.store)
        self._ladders, self._image = Ladders(layout.ladders), image_spec(study)
        self._packs = packs_of(study, layout)
        self._images = Look()
        self._tuned: dict[str, tuple[Any, bool]] = {}
        self._cells: dict[str, list[CellStatus]] = {name: _waiting(pack) for name, pack in self._packs.items()}
        self._candidates: dict[str, list[CellStatus]] = {}
        self._backbones: dict[str, dict[str, CellStatus]] = {}
        self._leases: dict[str, Lease] = {}
        self._curves: dict[str, dict[str, Curve]] = {}
        """family -> key -> learning curve of each run of the grid that is done"""
        self._of_grid: set[str] = set()

    def look(self) -> StudyStatus:
        """The study as it is now. Raises OSError if the store cannot be read."""
        begun, images = _names(self.layout.store), look_at_images(self.study, self.layout)
        if images != self._images:
            self._images, self._candidates = images, {}
        for family in self.study.families:
            self._resolve(family)
        found = []
        for name in self._packs:
            self._cells[name] = [self._seen(cell, begun) for cell in self._cells[name]]
        for name, pack in self._packs.items():
            found.append(PackStatus(name, pack.family, tuple(self._foreseen(cell) for cell in self._cells[name])))
        tuning = tuple(self._tuning(begun))
        for family, known in self._backbones.items():
            self._backbones[family] = {key: self._seen(cell, begun) for key, cell in known.items()}
        pretraining = [PackStatus(f"pretrain {name}", name, tuple(known.values())) for name, known in self._backbones.items()]
        return StudyStatus(self.study.name, tuple(found), tuning, tuple(pretraining))

    def _add_backbone(self, family: str, target: int, cell: ResolvedCell) -> None:
        """Remember the backbone that ``cell``, of that family and size, starts from."""
        backbone = cell.backbone
        if backbone is not None:
            known = self._backbones.setdefault(family, {})
            place = CellStatus(family, target, backbone.images, backbone.seed, backbone.key, rate=backbone.learning_rate)
            known.setdefault(backbone.key, place)

    def _resolve(self, family: str) -> None:
        """Find the keys of a family's runs, once for each state of its tuning file and of the images."""
        stamp = _stamp(self.layout.tuning(family)), self._images
        if family in self._tuned and self._tuned[family][0] == stamp:
            return
        tuning, damage = None, UNTUNED
        try:
            tuning = read_tuning(self.study, self.layout, family, self._images)
        except DamagedTuning as error:
            damage = str(error)
        self._tuned[family] = (stamp, tuning is not None)
        for name, pack in self._packs.items():
            if pack.family != family:
                continue
            cells = [replace(cell, reason=damage) for cell in _waiting(pack)]
            if tuning is not None and tuning.rule is None:
                cells = [replace(cell, state=FAILED, reason=tuning.failure) for cell in cells]
            elif tuning is not None:
                resolved = [resolve(self.study, cell, tuning, self._ladders, self._image) for cell in pack.cells]
                for place, one in zip(pack.cells, resolved, strict=True):
                    self._add_backbone(family, place.target, one)
                cells = [
                    replace(cell, key=found.key, rate=found.learning_rate, reason="")
                    for cell, found in zip(cells, resolved, strict=True)
                ]
            self._cells[name] = cells
            self._of_grid |= {cell.key for cell in cells if cell.key}

    def _tuning(self, begun: set[str]) -> Iterator[PackStatus]:
        """The runs that tuning has begun, of each family that has no learning rate yet."""
        for family in self.study.families:
            if self._tuned[family][1]:
                continue
            if not self._candidates.get(family):
                self._candidates[family] = self._possible(family)
            cells = [self._seen(cell, begun) for cell in self._candidates[family]]
            self._candidates[family] = cells
            at_it = tuple(cell for cell in cells if cell.state != WAITING)
            if at_it:
                yield PackStatus(f"tune {family}", family, at_it)

    def _possible(self, family: str) -> list[CellStatus]:
        """The runs that tuning may make; only the job knows on which device it is, so those of all devices are looked for."""
        checksum = self._images.checksum
        recipe = self.study.family_recipe(family)
        if not recipe.is_tuned or checksum is None or self._images.changed:
            return []  # with a fixed rate, the family may have no model of the anchors' sizes
        anchors = recipe.anchors
        devices = ("cpu", "cuda", "mps") if self.study.device == "auto" else (self.study.device,)
        precisions = ("fp32", "bf16") if self.study.precision == "auto" else (self.study.precision,)
        found = []
        for place in anchors.places:
            for rate in possible_rates(anchors):
                for device in devices:
                    for precision in precisions:
                        cell = candidate(
                            self.study, family, place, rate, device, precision, checksum, self._ladders, self._image
                        )
                        found.append(CellStatus(family, *place, anchors.seed, cell.key, rate=rate))
                        if cell.backbone is not None:
                            shared = cell.backbone
                            backbone = CellStatus(family, place[0], shared.images, shared.seed, shared.key)
                            found += [backbone] * (backbone not in found)
        return found

    def _seen(self, cell: CellStatus, begun: set[str]) -> CellStatus:
        if cell.state in (DONE, DIVERGED) or not cell.key:
            return cell
        fresh = replace(cell, state=WAITING, reason="", machine="", progress=None)
        if cell.key not in begun:
            return fresh
        return self._look_into(fresh)

    def _foreseen(self, cell: CellStatus) -> CellStatus:
        """``cell`` with the loss at which it will end, if it is trained now and its family's finished runs can say so."""
        if cell.state != RUNNING or cell.progress is None:
            return cell
        running = Curve.of(cell.target, cell.images, cell.progress.steps, cell.progress.curve)
        return replace(cell, forecast=final_loss(running, list(self._curves.get(cell.family, {}).values())))

    def _look_into(self, cell: CellStatus) -> CellStatus:
        files = _names(self.store.folder(cell.key))
        if self.store.record_path(cell.key).name in files:
            return self._recorded(cell)
        progress = read_progress(self.store.progress_path(cell.key))
        lease = self._leases.setdefault(cell.key, self.store.lease(cell.key))
        holder, alive = lease.owner_now() if lease.path.name in files else (None, False)
        alive = alive and not _is_old(lease.path)
        if holder is not None:
            machine = str(holder.get("host", ""))
            if alive:
                return replace(cell, state=RUNNING, machine=machine, progress=progress)
            reason = f"its trainer on {machine or 'an unknown machine'} is gone"
            return replace(cell, state=STOPPED, machine=machine, progress=progress, reason=reason)
        if progress is not None and progress.stopped:
            return replace(cell, state=STOPPED, progress=progress, reason="its trainer was asked to stop")
        reason = last_line(self.store.log_path(cell.key))
        # A record may have appeared since the listing.
        if self.store.record_path(cell.key).exists():
            return self._recorded(cell)
        return replace(cell, state=FAILED, reason=reason, progress=progress) if reason else cell

    def _recorded(self, cell: CellStatus) -> CellStatus:
        try:
            record = self.store.read(cell.key)
        except ForeignRecord as error:
            return replace(cell, state=FAILED, reason=str(error))
        except DamagedRecord as error:
            return replace(cell, reason=f"{error}; it will be trained again")
        if record is None:
            return cell
        row = record.row
        if row["status"] == DONE and cell.key in self._of_grid:  # runs of tuning and backbones end elsewhere
            steps = self.study.family_recipe(cell.family).of_run(cell.target, cell.images).steps(cell.images)
            curve = Curve.of(cell.target, cell.images, steps, record.curve, row.get("loss"))
            self._curves.setdefault(cell.family, {})[cell.key] = curve
        return replace(cell, state=row["status"], reason=row["reason"], loss=row.get("loss"))


def _waiting(pack: Pack) -> list[CellStatus]:
    return [CellStatus(cell.family, cell.target, cell.images, cell.seed, reason=UNTUNED) for cell in pack.cells]


def _names(folder: Any) -> set[str]:
    try:
        with os.scandir(folder) as entries:
            return {entry.name for entry in entries}
    except (FileNotFoundError, NotADirectoryError):
        return set()


def _is_old(lease: Path) -> bool:
    """Whether a lease was last renewed longer ago than the clocks of hosts may differ: enough for a single look."""
    try:
        return time.time() - lease.stat().st_mtime > CLOCKS_DIFFER
    except FileNotFoundError:
        return False


def _stamp(path: Any) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_ino
