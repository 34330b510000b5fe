"""One family's part of a plan: its sizes, what is stored, and what the rest would cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scaling.jobs.estimates import Estimates
from scaling.jobs.foreseen import Foreseen, LookedAt, unforeseen
from scaling.runs.grid import Cell, Pack, ResolvedCell
from scaling.runs.resolve import Tuning, resolve
from scaling.runs.store import ForeignRecord
from scaling.study.schema import Move, Study


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
    """nets to be pre-trained, those for tuning left out; ``flop`` and ``seconds`` include those that are new"""
    backbones_stored: int = 0
    candidates: int = 0
    """runs that its tuning has to make before the rate is known; widening may add to them"""
    anchors: tuple[int, ...] = ()
    """N at which its learning rate is tuned; none where the recipe fixes the rate"""
    moves: tuple[Move, ...] = ()
    """sizes and anchors that it cannot have for these images, and what they became"""


@dataclass(frozen=True)
class Known:
    """What a plan knows of a study before it looks at a family.

    Attributes:
        study: its settings.
        estimates: FLOP, seconds and memory of its runs.
        keys: names of the folders of the store that hold a record; empty for a plan from nothing.
        store: the store, to read those records.
    """

    study: Study
    estimates: Estimates
    keys: frozenset[str]
    store: LookedAt

    def has_result(self, run: ResolvedCell | None) -> bool:
        """Whether the store holds a record of ``run`` that will be used; None stands for a run whose key is not known."""
        if run is None or run.key not in self.keys:
            return False
        try:
            return self.store.read(run.key) is not None
        except ForeignRecord:
            return True  # of a newer version: it is not read, and not trained again either


def plan_family(known: Known, family: str, jobs: list[Pack], foreseen: Foreseen) -> FamilyPlan:
    """The plan of one family.

    Args:
        known: what the plans of all families have in common: study, estimates, keys in the store.
        family: an entry of the study.
        jobs: those that train its runs.
        foreseen: what its tuning has found or will have to train.
    """
    study, estimates, tuning = known.study, known.estimates, foreseen.tuning
    cells, recipe = [cell for job in jobs for cell in job.cells], study.family_recipe(family)
    resolved = _resolved(known, cells, tuning)
    new = [cell for cell in cells if not known.has_result(resolved.get(cell))]
    backbones = _backbones(known, family, cells, resolved)
    new_backbones = [target for (target, _), is_stored in backbones.items() if not is_stored]
    longest = [estimates.job_seconds(job.cells) for job in jobs]
    of_tuning = estimates.tuning_core_seconds(family)
    share = foreseen.candidates / max(1, unforeseen(study, family).candidates)
    return FamilyPlan(
        family=family,
        rungs=_rungs(study, family, estimates),
        rate="not yet tuned" if tuning is None else str(tuning.rule or "tuning failed"),
        cells=len(cells),
        stored=len(cells) - len(new),
        flop=_flop(study, family, new, new_backbones, estimates),
        seconds=_seconds(family, new, new_backbones, estimates),
        tuning_seconds=share and of_tuning and share * of_tuning,
        packs=len(jobs),
        job_seconds=None if None in longest else max((one for one in longest if one is not None), default=0.0),
        job_memory_mb=max(_memory(estimates, family, job) for job in jobs),
        backbones=len(backbones),
        backbones_stored=sum(backbones.values()),
        candidates=foreseen.candidates,
        anchors=tuple(sorted(recipe.anchors.params)) if recipe.is_tuned else (),
        moves=study.moves(family),
    )


def _rungs(study: Study, family: str, estimates: Estimates) -> tuple[dict[str, Any], ...]:
    """The model at each size of ``family``."""
    architecture = study.architecture(family)
    rungs = {target: estimates.ladders.rung(architecture, target, estimates.image) for target in study.all_sizes(family)}
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


def _resolved(known: Known, cells: list[Cell], tuning: Tuning | None) -> dict[Cell, ResolvedCell]:
    """The run of each cell; empty where nothing is stored, or while the learning rate, and so the key, is not known."""
    if not known.keys or tuning is None or tuning.rule is None:
        return {}
    return {cell: resolve(known.study, cell, tuning, known.estimates.ladders, known.estimates.image) for cell in cells}


def _backbones(known: Known, family: str, cells: list[Cell], resolved: dict[Cell, ResolvedCell]) -> dict[tuple[int, int], bool]:
    """(target, seed), whose cells share a backbone at every D -> whether the backbone is stored."""
    found: dict[tuple[int, int], bool] = {}
    if known.study.entry(family).pretrain is None:
        return found
    for cell in cells:
        run = resolved.get(cell)
        is_stored = run is not None and run.backbone is not None and run.backbone.key in known.keys
        found.setdefault((cell.target, cell.seed), is_stored)
    return found


def _flop(study: Study, family: str, cells: list[Cell], backbones: list[int], estimates: Estimates) -> float:
    """FLOP to train ``cells``, and ``backbones`` of these sizes."""
    recipe, passes = study.family_recipe(family), estimates.backbone_passes(family)
    of_cells = [3.0 * estimates.flop(family, cell.target) * recipe.length(cell.images) for cell in cells]
    return math.fsum([*of_cells, *(estimates.flop(family, target) * passes for target in backbones)])


def _seconds(family: str, cells: list[Cell], backbones: list[int], estimates: Estimates) -> float | None:
    """The same in seconds of one core; None where the family's speed is not known."""
    parts = [estimates.cell_seconds(family, cell.target, cell.images) for cell in cells]
    parts += [estimates.backbone_seconds(family, target) for target in backbones]
    return None if None in parts else math.fsum(part for part in parts if part is not None)


def _memory(estimates: Estimates, family: str, job: Pack) -> int:
    """What ``job`` asks for, in MB."""
    images = max(cell.images for cell in job.cells)
    return estimates.memory_mb(family, {cell.target for cell in job.cells}, len(job.cells), images)
