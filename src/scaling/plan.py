"""What a run would cost before it starts: cells new and stored, FLOP, hours on this machine, jobs."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling.grid import cells, packs
from scaling.layout import Layout
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.recipe import Recipe
from scaling.resolve import Tuning, image_spec, read_tuning, resolve
from scaling.study import Study


@dataclass(frozen=True)
class Speed:
    """Measured speed of a family on this machine: seconds an image (forward and backward) at two sizes.

    Between and beyond them the seconds follow ``overhead + params x slope``: at small sizes the calls cost, not the sums.
    """

    overhead: float
    slope: float

    def seconds(self, flop: float) -> float:
        """Seconds to train on one image with a model of ``flop`` FLOP a forward pass."""
        return max(0.0, self.overhead + self.slope * flop)


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
    backbones: int = 0
    """nets to be pre-trained, those for tuning left out; ``flop`` and ``seconds`` hold those that are new"""
    backbones_stored: int = 0


@dataclass(frozen=True)
class Plan:
    """What running a study would do now."""

    study: str
    families: tuple[FamilyPlan, ...]

    @property
    def new(self) -> int:
        """Cells that would be trained."""
        return sum(part.cells - part.stored for part in self.families)

    @property
    def flop(self) -> float:
        """FLOP of the new cells."""
        return sum(part.flop for part in self.families)

    @property
    def core_seconds(self) -> float | None:
        """Seconds of one core (or device) for new cells and tuning; None where a speed is unknown."""
        parts = [part.seconds for part in self.families] + [part.tuning_seconds for part in self.families]
        return None if any(part is None for part in parts) else math.fsum(part for part in parts if part is not None)


def read_speed(path: Path) -> dict[str, Speed]:
    """The calibration at ``path`` by architecture; empty where there is none."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return {family: Speed(**values) for family, values in found["families"].items()}


EVALUATION_SHARE = 1 / 3
"""Cost of an evaluated image against a trained one: the forward pass alone."""


def evaluation_images(recipe: Recipe, validation: int, test: int) -> int:
    """Images that one cell evaluates on, over all its evaluations."""
    return recipe.evaluations * validation + test


def make_plan(study: Study, layout: Layout, from_nothing: bool = False) -> Plan:
    """The plan of ``study`` as things stand, or as if nothing were stored or tuned yet."""
    ladders, image = Ladders(layout.ladders), image_spec(study)
    stored = set() if from_nothing else {path.parent.name for path in layout.store.glob("*/record.json")}
    speeds = read_speed(layout.speed)
    jobs = packs(study)
    parts = []
    for family in study.families:
        tuning = None if from_nothing else read_tuning(study, layout, family)
        names = [pack for pack in jobs.values() if pack.family == family]
        parts.append(
            _family_plan(study, family, len(names), tuning, ladders, image, stored, speeds.get(str(study.architecture(family))))
        )
    return Plan(study.name, tuple(parts))


def _family_plan(
    study: Study,
    family: str,
    jobs: int,
    tuning: Tuning | None,
    ladders: Ladders,
    image: ImageSpec,
    stored: set[str],
    speed: Speed | None,
) -> FamilyPlan:
    recipe, architecture = study.family_recipe(family), study.architecture(family)
    rungs = {target: ladders.rung(architecture, target, image) for target in study.sizes(family)}
    members = cells(study, family)
    done, flop, seconds = 0, 0.0, 0.0
    pretraining = study.entry(family).pretrain
    backbones: dict[tuple[int, int], bool] = {}
    """by (target, seed), which share one over all D: whether it is stored"""
    for cell in members:
        resolved = None
        if tuning is not None and tuning.rule is not None:
            resolved = resolve(study, cell, tuning, ladders, image)
        if pretraining is not None and (cell.target, cell.seed) not in backbones:
            kept = resolved is not None and resolved.backbone is not None and resolved.backbone.key in stored
            backbones[cell.target, cell.seed] = kept
            if not kept:
                forward = rungs[cell.target].flop_forward
                passes = pretraining.cost * pretraining.full_recipe(architecture.family).images_seen(pretraining.images)
                flop += forward * passes
                seconds += speed.seconds(forward) * passes / 3 if speed else 0.0
        if resolved is not None and resolved.key in stored:
            done += 1
            continue
        forward = rungs[cell.target].flop_forward
        seen = recipe.images_seen(cell.images)
        flop += 3.0 * forward * seen
        if speed:
            seconds += _cell_seconds(recipe, seen, forward, study.data.validation, speed)
    tuning_seconds = 0.0 if tuning is not None or recipe.learning_rate != "tuned" else None
    if tuning_seconds is None and speed:
        anchors = recipe.anchors
        seen = recipe.images_seen(anchors.images)
        tuning_seconds = sum(
            len(anchors.rates)
            * _cell_seconds(recipe, seen, ladders.rung(architecture, target, image).flop_forward, study.data.validation, speed)
            for target in anchors.params
        )
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
        len(members),
        done,
        flop,
        seconds if speed or (done == len(members) and all(backbones.values())) else None,
        tuning_seconds,
        jobs,
        len(backbones),
        sum(backbones.values()),
    )


def _cell_seconds(recipe: Recipe, seen: int, forward: float, validation: int, speed: Speed) -> float:
    evaluated = EVALUATION_SHARE * evaluation_images(recipe, validation, TEST_IMAGES)
    return (seen + evaluated) * speed.seconds(forward)


TEST_IMAGES = 10_000
"""Test images assumed for the cost of the last evaluation; every built-in source has as many."""
