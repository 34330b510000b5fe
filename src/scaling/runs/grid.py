"""From a study to its cells, from cells to packs (jobs), and the keys of both.

A cell is known in two stages: *unresolved*, by what the study says (target N, recipe); and *resolved*, once the ladder has
met the target, tuning has chosen the rate, and the device is known. Snakemake sees the first, the store is keyed by the
second.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from scaling.models.architecture import Architecture
from scaling.models.outside import identity
from scaling.models.registry import Option
from scaling.runs.deciding_code import backbone_code, benchmarks_code, probe_code, run_code, started_run_code, tuning_code
from scaling.study.pretraining_settings import REFERENCE_WIDTH, Pretraining
from scaling.study.recipe import RECIPE_VERSION, Recipe
from scaling.study.schema import Repeat, Study


def digest(value: Any) -> str:
    """24 hex digits that name ``value`` (anything JSON can say), the same on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Cell:
    """One training run as the study says it: family, target N, D, seed."""

    family: str
    target: int
    images: int
    seed: int


@dataclass(frozen=True)
class Pack:
    """The cells that one job trains."""

    name: str
    family: str
    cells: tuple[Cell, ...]


class Run(Protocol):
    """What is trained into the store: a cell on labels, or a backbone without. Both answer the same questions.

    ``width`` and ``depth`` are what is built of ``family`` with ``options``, ``params`` its N; ``images`` is D;
    ``validation`` are the images that are kept out of training to choose by; ``checksum`` is that of the prepared data.
    """

    @property
    def family(self) -> str: ...  # noqa: D102
    @property
    def options(self) -> tuple[tuple[str, Option], ...]: ...  # noqa: D102
    @property
    def width(self) -> float: ...  # noqa: D102
    @property
    def depth(self) -> int: ...  # noqa: D102
    @property
    def params(self) -> int: ...  # noqa: D102
    @property
    def images(self) -> int: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def recipe(self) -> Recipe: ...  # noqa: D102
    @property
    def learning_rate(self) -> float: ...  # noqa: D102
    @property
    def device(self) -> str: ...  # noqa: D102
    @property
    def precision(self) -> str: ...  # noqa: D102
    @property
    def checksum(self) -> str: ...  # noqa: D102
    @property
    def validation(self) -> int: ...  # noqa: D102

    @property
    def objective(self) -> str:
        """What it is trained on without labels (mae, dino), so that its weights are what is wanted of it; "" on labels."""
        ...

    @property
    def backbone(self) -> Backbone | None:
        """What it starts from; None where it starts from chance."""
        ...

    def settings(self) -> dict[str, Any]:
        """Everything that the key is a hash of."""
        ...

    @property
    def key(self) -> str:
        """Its name in the store."""
        ...


@dataclass(frozen=True)
class Backbone:
    """A net trained without labels, a cell of its own in the store, which the cells of its size and seed start from.

    ``images`` are unlabelled; ``params`` and ``width`` are those of the cells.
    """

    pretraining: Pretraining
    family: str
    width: float
    depth: int
    params: int
    seed: int
    device: str
    precision: str
    checksum: str
    validation: int
    options: tuple[tuple[str, Option], ...] = ()

    @property
    def objective(self) -> str:
        """What it is trained on instead of labels."""
        return self.pretraining.objective

    @property
    def backbone(self) -> None:
        """It starts from chance."""
        return None

    @property
    def images(self) -> int:
        """D of the pre-training: unlabelled images."""
        return self.pretraining.images

    @property
    def recipe(self) -> Recipe:
        """How it is trained."""
        return self.pretraining.full_recipe(self.family)

    @property
    def learning_rate(self) -> float:
        """Peak rate."""
        return self.pretraining.rate(self.width)

    def settings(self) -> dict[str, Any]:
        """Everything that the key is a hash of."""
        code = backbone_code(self.family, self.pretraining.objective)
        return _trained_settings(self) | {"pretraining": self.pretraining.settings(self.family), "code": code}

    @property
    def key(self) -> str:
        """The backbone's name in the store."""
        return digest(self.settings())


@dataclass(frozen=True)
class ResolvedCell:
    """A cell with every setting resolved: nothing else decides its result.

    ``learning_rate`` is the peak rate; ``device`` a class (cpu, cuda, mps); ``checksum`` that of the prepared data.
    """

    family: str
    width: float
    depth: int
    params: int
    images: int
    seed: int
    learning_rate: float
    recipe: Recipe
    device: str
    precision: str
    checksum: str
    validation: int
    options: tuple[tuple[str, Option], ...] = ()
    """of the architecture, where they are not the usual ones; ``family`` is the one that is built, whatever its arm's name"""
    backbone: Backbone | None = None
    """what it starts from; None where it starts from chance"""

    @property
    def objective(self) -> str:
        """Empty: it is trained on labels."""
        return ""

    def settings(self) -> dict[str, Any]:
        """Everything that the key is a hash of."""
        start = {"backbone": self.backbone.key} if self.backbone else {}
        code = started_run_code(self.family) if self.backbone else run_code(self.family)
        return _trained_settings(self) | start | {"recipe": self.recipe.settings(), "code": code}

    @property
    def key(self) -> str:
        """The cell's name in the store."""
        return digest(self.settings())


def _trained_settings(job: Run) -> dict[str, Any]:
    """The part of the settings that backbones and cells have alike: model, images, seed, rate and where it is trained."""
    # What most do not have is not said, so that their keys are what they were before there was such a thing.
    options = {"options": dict(job.options)} if job.options else {}
    return options | {
        "family": identity(job.family),
        "width": job.width,
        "depth": job.depth,
        "params": job.params,
        "images": job.images,
        "seed": job.seed,
        "learning_rate": job.learning_rate,
        "device": job.device,
        "precision": job.precision,
        "data": job.checksum,
        "validation": job.validation,
        "recipe_version": RECIPE_VERSION,
    }


def cells(study: Study, family: str) -> list[Cell]:
    """The cells of ``family``, each once, in the order N, D, seed."""
    found = set()
    for target in study.sizes(family):
        for images in study.data_sizes(family):
            for seed in _seeds(study, family, target, images):
                found.add((target, images, seed))
    return [Cell(family, *place) for place in sorted(found)]


def _seeds(study: Study, family: str, target: int, images: int) -> Iterable[int]:
    own = study.entry(family).seeds
    if own is not None:
        return own
    seeds = set(study.grid.seeds)
    for repeat in study.grid.repeats:
        if _holds(repeat, target, images):
            seeds |= set(repeat.seeds)
    return seeds


def _holds(repeat: Repeat, target: int, images: int) -> bool:
    return (repeat.params is None or target in repeat.params) and (repeat.images is None or images in repeat.images)


def packs(study: Study) -> dict[str, Pack]:
    """The jobs of ``study`` by name, where it says by `jobs.pack` what a job is (else see ``packing``)."""
    found: dict[str, list[Cell]] = {}
    for family in study.families:
        for cell in cells(study, family):
            found.setdefault(_pack_name(study, cell), []).append(cell)
    return {name: Pack(name, members[0].family, tuple(members)) for name, members in found.items()}


def _pack_name(study: Study, cell: Cell) -> str:
    parts = [cell.family]
    if study.jobs.pack in ("size", "cell"):
        parts.append(f"n{cell.target}")
    if study.jobs.pack == "cell":
        parts += [f"d{cell.images}", f"s{cell.seed}"]
    return "-".join(parts)


def _shared_settings(study: Study, family: str) -> dict[str, Any]:
    """What all cells of ``family`` share, unresolved: a change here touches each of them."""
    recipe, architecture = study.family_recipe(family), study.architecture(family)
    # A family as it is says nothing more: its hash is what it was before there were variants.
    variant: dict[str, Any] = {} if architecture == Architecture(family) else {"architecture": str(architecture)}
    pretrain = study.entry(family).pretrain
    if pretrain is not None:
        model = architecture.family
        variant["objective_code"] = [
            started_run_code(architecture.family),
            backbone_code(architecture.family, pretrain.objective),
        ]
        variant["pretraining"] = [pretrain.settings(model), pretrain.images, pretrain.rate(REFERENCE_WIDTH)]
    return variant | {
        "recipe": recipe.settings(),
        "data": study.data.model_dump(mode="json"),
        "device": study.device,
        "precision": study.precision,
        "recipe_version": RECIPE_VERSION,
        "code": run_code(architecture.family),
    }


def pack_hash(study: Study, pack: Pack) -> str:
    """Hash of a pack's own unresolved settings: as a rule's parameter it reruns just the packs that an edit touches."""
    points = [(cell.target, cell.images, cell.seed) for cell in pack.cells]
    # A probe that is new here is read off what is trained already; without any, the hash is what it was before.
    probes = [(name, probe_code(name)) for name in sorted(study.entry(pack.family).probes)]
    return digest([pack.family, points, _shared_settings(study, pack.family), *([probes] if probes else [])])


def benchmarks_hash(study: Study) -> str:
    """Hash of what is timed: as a rule's parameter it times again what an edit touches, and nothing else does."""
    benchmarks = study.benchmarks.model_dump() if study.benchmarks else None
    entries = [
        (name, str(study.architecture(name)), study.family_recipe(name).batch, study.benchmarked_sizes(name))
        for name in sorted(study.benchmarked())
    ]
    families = {study.architecture(name).family for name in study.benchmarked()}
    code = benchmarks_code(study.benchmarks.names, families) if study.benchmarks else None
    return digest([benchmarks, code, entries, study.data.model_dump(mode="json"), study.device, study.precision])


def tuning_hash(study: Study, family: str) -> str:
    """Hash of what tuning of ``family`` depends on: its recipe and anchors, not the grid."""
    recipe = study.family_recipe(family)
    chosen = [tuning_code()] if recipe.learning_rate == "tuned" else []
    return digest([family, recipe.learning_rate, recipe.anchors.model_dump(), _shared_settings(study, family), *chosen])
