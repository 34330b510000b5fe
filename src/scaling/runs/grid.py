"""From a study to its cells, from cells to packs (jobs), and from a cell to the run whose key names it in the store.

A cell is known in two stages: *unresolved*, by what the study says (target N, recipe); and *resolved*, once the ladder has
met the target, tuning has chosen the learning rate, and the device is known. Snakemake compares hashes of the first
(``job_hashes.py``); the store is keyed by the second.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from scaling.files import digest
from scaling.models.outside import identity
from scaling.models.registry import Option
from scaling.runs.deciding_code import backbone_code, run_code, started_run_code
from scaling.study.grid_settings import Repeat
from scaling.study.pretraining_settings import Pretraining
from scaling.study.recipe import RECIPE_VERSION, Recipe
from scaling.study.schema import Study


@dataclass(frozen=True)
class Cell:
    """A point of the grid, as the study gives it: family, target N, D, seed."""

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
    """What is trained into the store: a cell, on labels, or a backbone, without. Both have the same attributes.

    A model of ``family`` is built with ``width``, ``depth`` and ``options``; ``params`` is its N and ``images`` is D;
    ``validation`` counts the images that are kept out of training to choose by; ``checksum`` is that of the prepared images.
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
        """The objective without labels (mae, dino) of a backbone; empty for a cell, which is trained on labels."""
        ...

    @property
    def backbone(self) -> Backbone | None:
        """The backbone that it starts from; None if it starts from random weights."""
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
    """A net that is trained without labels, from which the cells of its size and seed start; it has a record of its own.

    ``params`` and ``width`` are those of the cells.
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
        """What it is trained on instead of labels: mae or dino."""
        return self.pretraining.objective

    @property
    def backbone(self) -> None:
        """None: it starts from random weights."""
        return None

    @property
    def images(self) -> int:
        """D of the pre-training: unlabelled images."""
        return self.pretraining.images

    @property
    def recipe(self) -> Recipe:
        """The recipe of its pre-training."""
        return self.pretraining.full_recipe(self.family)

    @property
    def learning_rate(self) -> float:
        """Peak learning rate."""
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

    ``learning_rate`` is the peak rate; ``device`` a class (cpu, cuda, mps); ``checksum`` that of the prepared images.
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
    """those of the architecture that are not the usual ones; ``family`` is what is built, whatever the entry is called"""
    backbone: Backbone | None = None
    """what it starts from; None if it starts from random weights"""

    @property
    def objective(self) -> str:
        """Empty, since it is trained on labels."""
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
    """The settings that backbones and cells share: model, images, seed, learning rate, device and precision."""
    # Usual options are left out, so that keys are the same as before there were options.
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
    """The cells of ``family``, of the grid and beside it, each once, in the order N, D, seed."""
    found = set()
    for target in study.sizes(family):
        for images in study.data_sizes(family):
            for seed in _seeds(study, family, target, images):
                found.add((target, images, seed))
    found |= {(one.params, one.images, seed) for one in study.added(family) for seed in one.seeds}
    return [Cell(family, *place) for place in sorted(found)]


def _seeds(study: Study, family: str, target: int, images: int) -> Iterable[int]:
    own = study.entry(family).seeds
    if own is not None:
        return own
    seeds = set(study.grid.seeds)
    for repeat in study.grid.repeats:
        if _holds(repeat, study.said_sizes(family, target), images):
            seeds |= set(repeat.seeds)
    return seeds


def _holds(repeat: Repeat, targets: list[int], images: int) -> bool:
    of_size = repeat.params is None or any(target in repeat.params for target in targets)
    return of_size and (repeat.images is None or images in repeat.images)


def packs(study: Study) -> dict[str, Pack]:
    """The jobs of ``study`` by name, as its `jobs.pack` sizes them (``jobs/packing.py`` sizes them in minutes)."""
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
