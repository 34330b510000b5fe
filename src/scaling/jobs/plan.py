"""What a run would cost before it starts: cells new and stored, FLOP, hours on this machine, jobs."""

from __future__ import annotations

import math
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling.jobs.calibration import Calibration, CalibrationError, read_calibration, usable_calibration
from scaling.jobs.estimates import EVALUATION_SHARE, JOB_SECONDS, Estimates
from scaling.jobs.packing import packs_of
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.runs.grid import Pack
from scaling.runs.resolve import Tuning, read_tuning, resolve
from scaling.study.declared import BENCHMARKS
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_images import image_spec


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


@dataclass(frozen=True)
class Plan:
    """What running a study would do now."""

    study: str
    families: tuple[FamilyPlan, ...]
    timing_seconds: float | None = 0.0
    """of the rule that times, alone on the machine; None where it is not known"""

    @property
    def new(self) -> int:
        """Cells that would be trained."""
        return sum(part.cells - part.stored for part in self.families)

    @property
    def flop(self) -> float:
        """FLOP of the new cells."""
        return sum(part.flop for part in self.families)

    @property
    def jobs(self) -> int:
        """Jobs of training and tuning, those included of which nothing is left to do."""
        return sum(part.packs + 1 for part in self.families)

    @property
    def core_seconds(self) -> float | None:
        """Seconds of one core (or device) for new cells and tuning; None where a speed is unknown."""
        parts = [part.seconds for part in self.families] + [part.tuning_seconds for part in self.families]
        return None if any(part is None for part in parts) else math.fsum(part for part in parts if part is not None)


def known_paces(study: Study, layout: Layout, image: ImageSpec) -> Calibration | None:
    """The calibration to plan by: the pinned one where it has the pace of every entry, else what this machine measured for
    itself, else None."""
    with suppress(CalibrationError):
        return usable_calibration(study, image)
    with suppress(CalibrationError):
        found = read_calibration(layout.speed)
        return found if found is not None and found.suits(study) and not found.lacking(study, image) else None
    return None


def make_plan(study: Study, layout: Layout, from_nothing: bool = False) -> Plan:
    """The plan of ``study`` as things stand, or as if nothing were stored or tuned yet."""
    image = image_spec(study)
    estimates = Estimates(study, known_paces(study, layout, image), Ladders(layout.ladders), image)
    stored = set() if from_nothing else _stored(layout.store)
    jobs: dict[str, list[Pack]] = {family: [] for family in study.families}
    for pack in packs_of(study, layout).values():
        jobs[pack.family].append(pack)
    parts = [
        _family_plan(
            study, family, jobs[family], None if from_nothing else read_tuning(study, layout, family), estimates, stored
        )
        for family in study.families
    ]
    timed = from_nothing or not layout.measures.exists()
    return Plan(study.name, tuple(parts), timing_seconds(study, estimates) if timed and study.timings else 0.0)


def _stored(store: Path) -> set[str]:
    """Keys in the store that have a record."""
    try:
        with os.scandir(store) as entries:
            return {entry.name for entry in entries if os.path.exists(os.path.join(entry.path, "record.json"))}
    except FileNotFoundError:
        return set()


def _family_plan(
    study: Study, family: str, jobs: list[Pack], tuning: Tuning | None, estimates: Estimates, stored: set[str]
) -> FamilyPlan:
    recipe, architecture = study.family_recipe(family), study.architecture(family)
    rungs = {target: estimates.ladders.rung(architecture, target, estimates.image) for target in study.sizes(family)}
    done, total, flop, seconds, known = 0, 0, 0.0, 0.0, True
    pretraining = study.entry(family).pretrain
    backbones: dict[tuple[int, int], bool] = {}
    """by (target, seed), which share one over all D: whether it is stored"""
    known_rule = tuning if stored and tuning is not None and tuning.rule is not None else None
    for cell in (cell for job in jobs for cell in job.cells):
        total += 1
        resolved = resolve(study, cell, known_rule, estimates.ladders, estimates.image) if known_rule else None
        if pretraining is not None and (cell.target, cell.seed) not in backbones:
            kept = resolved is not None and resolved.backbone is not None and resolved.backbone.key in stored
            backbones[cell.target, cell.seed] = kept
            if not kept:
                flop += rungs[cell.target].flop_forward * estimates.backbone_passes(family)
                own = estimates.backbone_seconds(family, cell.target)
                known, seconds = known and own is not None, seconds + (own or 0.0)
        if resolved is not None and resolved.key in stored:
            done += 1
            continue
        flop += 3.0 * rungs[cell.target].flop_forward * recipe.images_seen(cell.images)
        own = estimates.cell_seconds(family, cell.target, cell.images)
        known, seconds = known and own is not None, seconds + (own or 0.0)
    longest = [estimates.job_seconds(job.cells) for job in jobs]
    tuned = tuning is not None or recipe.learning_rate != "tuned"
    return FamilyPlan(
        family,
        tuple(
            {
                "target": t,
                "params": r.params,
                "width": r.width,
                "depth": r.depth,
                "flop": r.flop_forward,
                "note": r.note,
            }
            for t, r in rungs.items()
        ),
        str(tuning.rule) if tuning and tuning.rule else "unknown until tuned",
        total,
        done,
        flop,
        seconds if known else None,
        0.0 if tuned else estimates.tuning_core_seconds(family),
        len(jobs),
        None if None in longest else max((one for one in longest if one is not None), default=0.0),
        max(estimates.memory_mb(family, {cell.target for cell in job.cells}, len(job.cells)) for job in jobs),
        len(backbones),
        sum(backbones.values()),
    )


def timing_seconds(study: Study, estimates: Estimates) -> float | None:
    """Seconds of the rule `measure`, which has the machine to itself; None where a pace is not known."""
    assert study.timings is not None
    rounds, total = study.timings.rounds, 0.0
    for measure in study.timings.measures:
        if seconds := BENCHMARKS[measure].get("seconds"):
            once, each = seconds
            total += once + rounds * each
            continue
        for family in study.timed():
            for target in study.timed_sizes(family):
                image = estimates.image_seconds(family, target)
                if image is None:
                    return None
                step = image * study.family_recipe(next(iter(study.families))).batch
                # A phase repeats its step three times, or for 40 ms; a prediction is a third of a training step.
                total += (rounds + 1) * sum(max(0.04, 3 * share * step) for share in (1.0, EVALUATION_SHARE))
    return JOB_SECONDS + total
