"""What a run would cost before it starts: cells new and stored, FLOP, hours on this machine, jobs."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling.jobs.calibration import Calibration, CalibrationError, read_calibration, usable_calibration
from scaling.jobs.estimates import EVALUATION_SHARE, JOB_SECONDS, Estimates
from scaling.jobs.foreseen import Foreseen, LookedAt, foresee, unforeseen
from scaling.jobs.made_from import Origins
from scaling.jobs.packing import packs_of
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.runs.derived import WrongFile, read_seal
from scaling.runs.grid import Cell, Pack, ResolvedCell
from scaling.runs.resolve import Tuning, resolve
from scaling.runs.store import ForeignRecord, Store
from scaling.study.declared import BENCHMARKS
from scaling.study.layout import Layout
from scaling.study.schema import Move, Study
from scaling.study.study_images import image_spec, look_at_images


@dataclass(frozen=True)
class FamilyPlan:
    """One family's part of a plan. ``seconds`` is None where this machine's speed was never measured."""

    family: str
    rungs: tuple[dict[str, Any], ...]
    rate: str
    cells: int
    stored: int
    flop: float
    seconds: float | None
    tuning_seconds: float | None
    packs: int
    job_seconds: float | None
    """of its longest job, from nothing, at the job's cores"""
    job_memory_mb: int
    """of its largest job, as it is asked for"""
    backbones: int = 0
    """nets to be pre-trained, those for tuning left out; ``flop`` and ``seconds`` hold those that are new"""
    backbones_stored: int = 0
    candidates: int = 0
    """runs that its tuning has to make before the rate is known; widening may add to them"""
    anchors: tuple[int, ...] = ()
    """N at which its learning rate is tuned; none where the recipe fixes the rate"""
    moves: tuple[Move, ...] = ()
    """sizes and anchors that it cannot have for these images, and what they became"""


@dataclass(frozen=True)
class Plan:
    """What running a study would do now."""

    study: str
    families: tuple[FamilyPlan, ...]
    benchmark_seconds: float | None = 0.0
    """of the rule that times, alone on the machine; None where it is not known"""
    own_sizes: tuple[str, ...] = ()
    """entries on which the grid's sizes have no effect: they have their own"""

    @property
    def new(self) -> int:
        """Cells that would be trained."""
        return sum(part.cells - part.stored for part in self.families)

    @property
    def stored(self) -> int:
        """Cells that have a result in the store."""
        return sum(part.stored for part in self.families)

    @property
    def tuning_jobs(self) -> int:
        """Jobs of tuning that have something to train; where all candidates are stored, the rate is read off them."""
        return sum(part.candidates > 0 for part in self.families)

    @property
    def candidates(self) -> int:
        """Runs that tuning has to make."""
        return sum(part.candidates for part in self.families)

    @property
    def flop(self) -> float:
        """FLOP of the new cells."""
        return sum(part.flop for part in self.families)

    @property
    def jobs(self) -> int:
        """Jobs of training, those included of which nothing is left to do, and of tuning where it has something to train."""
        return sum(part.packs for part in self.families) + self.tuning_jobs

    @property
    def core_seconds(self) -> float | None:
        """Seconds of one core (or device) for new cells and tuning; None where a speed is unknown."""
        parts = [part.seconds for part in self.families] + [part.tuning_seconds for part in self.families]
        return None if any(part is None for part in parts) else math.fsum(part for part in parts if part is not None)


def known_speeds(study: Study, layout: Layout, image: ImageSpec) -> Calibration | None:
    """The calibration to plan by: the pinned one where it has the speed of every entry, else what this machine measured for
    itself, else None."""
    with suppress(CalibrationError):
        return usable_calibration(study, image)
    with suppress(CalibrationError):
        found = read_calibration(layout.speed)
        return found if found is not None and found.suits(study) and not found.lacking(study, image) else None
    return None


def make_plan(
    study: Study, layout: Layout, from_nothing: bool = False, warn: Callable[[str], None] = lambda message: None
) -> Plan:
    """The plan of ``study`` as things stand, or as if nothing were stored or tuned yet.

    What is found damaged in the store is told through ``warn`` and left as it is. Raises ForeignRecord where tuning would.
    """
    image, images = image_spec(study), look_at_images(study, layout)
    speeds, ladders = known_speeds(study, layout, image), Ladders(layout.ladders)
    estimates = Estimates(study, speeds, ladders, image)
    jobs: dict[str, list[Pack]] = {family: [] for family in study.families}
    for pack in packs_of(study, layout).values():
        jobs[pack.family].append(pack)
    stored = set() if from_nothing else _stored(layout.store)
    store = LookedAt(Store(layout.store), warn)
    devices = [] if from_nothing else _devices(study, layout, speeds)

    def known(family: str) -> Foreseen:
        if from_nothing:
            return unforeseen(study, family)
        return foresee(study, layout, family, devices, ladders, image, images, warn)

    parts = [_family_plan(study, family, jobs[family], known(family), estimates, stored, store) for family in study.families]
    timed = study.benchmarks is not None and (from_nothing or not _is_benchmarked(study, layout))
    seconds = benchmark_seconds(study, estimates) if timed else 0.0
    return Plan(study.name, tuple(parts), seconds, tuple(study.with_own_sizes()))


def _is_benchmarked(study: Study, layout: Layout) -> bool:
    """Whether the table of benchmarks is there, whole, and as the study asks now."""
    expected = Origins(study, layout, {}).benchmarks
    try:
        return read_seal(layout.benchmarks, expected).same_origin(expected)
    except (FileNotFoundError, WrongFile):
        return False


def _devices(study: Study, layout: Layout, speeds: Calibration | None) -> list[tuple[str, str]]:
    """Device class and precision of the jobs: as the plan's calibration has them, or else what was measured on this machine."""
    own = None
    with suppress(CalibrationError):
        own = read_calibration(layout.speed)
    found = [(one.device, one.precision) for one in (speeds, own) if one is not None and one.suits(study)]
    return list(dict.fromkeys(found))


def _stored(store: Path) -> set[str]:
    """Keys in the store that have a record."""
    try:
        with os.scandir(store) as entries:
            return {entry.name for entry in entries if os.path.exists(os.path.join(entry.path, "record.json"))}
    except FileNotFoundError:
        return set()


def _family_plan(
    study: Study,
    family: str,
    jobs: list[Pack],
    foreseen: Foreseen,
    estimates: Estimates,
    stored: set[str],
    store: LookedAt,
) -> FamilyPlan:
    cells, recipe = [cell for job in jobs for cell in job.cells], study.family_recipe(family)
    tuning = foreseen.tuning
    resolved = _resolved(study, cells, tuning, estimates) if stored else {}
    new = [cell for cell in cells if not _has_result(store, resolved.get(cell), stored)]
    backbones = _backbones(study, family, cells, resolved, stored)
    new_backbones = [target for (target, _), is_stored in backbones.items() if not is_stored]
    longest = [estimates.job_seconds(job.cells) for job in jobs]
    of_tuning = estimates.tuning_core_seconds(family)
    share = foreseen.candidates / max(1, unforeseen(study, family).candidates)
    return FamilyPlan(
        family=family,
        rungs=_rungs(study, family, estimates),
        rate="unknown until tuned" if tuning is None else str(tuning.rule or "tuning failed"),
        cells=len(cells),
        stored=len(cells) - len(new),
        flop=_flop(study, family, new, new_backbones, estimates),
        seconds=_seconds(family, new, new_backbones, estimates),
        tuning_seconds=share and of_tuning and share * of_tuning,
        packs=len(jobs),
        job_seconds=None if None in longest else max((one for one in longest if one is not None), default=0.0),
        job_memory_mb=max(estimates.memory_mb(family, {cell.target for cell in job.cells}, len(job.cells)) for job in jobs),
        backbones=len(backbones),
        backbones_stored=sum(backbones.values()),
        candidates=foreseen.candidates,
        anchors=tuple(sorted(recipe.anchors.params)) if recipe.learning_rate == "tuned" else (),
        moves=study.moves(family),
    )


def _rungs(study: Study, family: str, estimates: Estimates) -> tuple[dict[str, Any], ...]:
    """What stands at each size of ``family``."""
    architecture = study.architecture(family)
    rungs = {target: estimates.ladders.rung(architecture, target, estimates.image) for target in study.sizes(family)}
    return tuple(
        {
            "target": target,
            "params": rung.params,
            "width": rung.width,
            "depth": rung.depth,
            "flop": rung.flop_forward,
            "note": rung.note,
        }
        for target, rung in rungs.items()
    )


def _resolved(study: Study, cells: list[Cell], tuning: Tuning | None, estimates: Estimates) -> dict[Cell, ResolvedCell]:
    """The run of each cell; nothing while its learning rate is not known, for then no key is."""
    if tuning is None or tuning.rule is None:
        return {}
    return {cell: resolve(study, cell, tuning, estimates.ladders, estimates.image) for cell in cells}


def _backbones(
    study: Study, family: str, cells: list[Cell], resolved: dict[Cell, ResolvedCell], stored: set[str]
) -> dict[tuple[int, int], bool]:
    """By (target, seed), whose cells share a backbone over all D: whether it is stored."""
    found: dict[tuple[int, int], bool] = {}
    if study.entry(family).pretrain is None:
        return found
    for cell in cells:
        run = resolved.get(cell)
        is_stored = run is not None and run.backbone is not None and run.backbone.key in stored
        found.setdefault((cell.target, cell.seed), is_stored)
    return found


def _flop(study: Study, family: str, cells: list[Cell], backbones: list[int], estimates: Estimates) -> float:
    """FLOP of training ``cells``, and ``backbones`` of these sizes."""
    recipe, passes = study.family_recipe(family), estimates.backbone_passes(family)
    of_cells = [3.0 * estimates.flop(family, cell.target) * recipe.images_seen(cell.images) for cell in cells]
    return math.fsum([*of_cells, *(estimates.flop(family, target) * passes for target in backbones)])


def _seconds(family: str, cells: list[Cell], backbones: list[int], estimates: Estimates) -> float | None:
    """The same in seconds of one core; None where the family's speed is not known."""
    parts = [estimates.cell_seconds(family, cell.target, cell.images) for cell in cells]
    parts += [estimates.backbone_seconds(family, target) for target in backbones]
    return None if None in parts else math.fsum(part for part in parts if part is not None)


def _has_result(store: LookedAt, run: ResolvedCell | None, stored: set[str]) -> bool:
    if run is None or run.key not in stored:
        return False
    try:
        return store.read(run.key) is not None
    except ForeignRecord:
        return True  # of a newer version: it is not read, and not trained again either


def benchmark_seconds(study: Study, estimates: Estimates) -> float | None:
    """Seconds of the rule `benchmarks`, which has the machine to itself; None where a speed is not known."""
    assert study.benchmarks is not None
    rounds, total = study.benchmarks.rounds, 0.0
    for name in study.benchmarks.names:
        if seconds := BENCHMARKS[name].get("seconds"):
            once, each = seconds
            total += once + rounds * each
            continue
        for family in study.benchmarked():
            for target in study.benchmarked_sizes(family):
                image = estimates.image_seconds(family, target)
                if image is None:
                    return None
                step = image * study.family_recipe(family).batch
                # A phase repeats its step three times, or for 40 ms; a prediction is a third of a training step.
                total += (rounds + 1) * sum(max(0.04, 3 * share * step) for share in (1.0, EVALUATION_SHARE))
    return JOB_SECONDS + total
