"""Hashes of what each job of a study depends on; as parameters of its rule they rerun the jobs that an edit touches, no others.

They are taken of unresolved settings, before any model is laid out or any learning rate tuned.
"""

from __future__ import annotations

from typing import Any

from scaling.files import digest
from scaling.models.architecture import Architecture
from scaling.runs.deciding_code import backbone_code, benchmarks_code, probe_code, run_code, started_run_code, tuning_code
from scaling.runs.grid import Pack
from scaling.study.pretraining_settings import REFERENCE_WIDTH
from scaling.study.recipe import RECIPE_VERSION
from scaling.study.schema import Study


def _shared_settings(study: Study, family: str) -> dict[str, Any]:
    """The unresolved settings that all cells of ``family`` share: a change here touches each of them."""
    recipe, architecture = study.family_recipe(family), study.architecture(family)
    # Only a variant adds its architecture, so that hashes of families are the same as before there were variants.
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
    """Hash of the unresolved settings of a job that trains. Raises CodeError."""
    points = [(cell.target, cell.images, cell.seed) for cell in pack.cells]
    # A new probe is read off models that are trained already; without probes the hash is the same as before there were any.
    probes = [(name, probe_code(name)) for name in sorted(study.entry(pack.family).probes)]
    return digest([pack.family, points, _shared_settings(study, pack.family), *([probes] if probes else [])])


def benchmarks_hash(study: Study) -> str:
    """Hash of what the benchmarks depend on. Raises CodeError."""
    benchmarks = study.benchmarks.model_dump() if study.benchmarks else None
    entries = [
        (name, str(study.architecture(name)), study.family_recipe(name).batch, study.benchmarked_sizes(name))
        for name in sorted(study.benchmarked())
    ]
    families = {study.architecture(name).family for name in study.benchmarked()}
    code = benchmarks_code(study.benchmarks.names, families) if study.benchmarks else None
    return digest([benchmarks, code, entries, study.data.model_dump(mode="json"), study.device, study.precision])


def tuning_hash(study: Study, family: str) -> str:
    """Hash of what the tuning of ``family`` depends on: its recipe and anchors, not the grid. Raises CodeError."""
    recipe = study.family_recipe(family)
    chosen = [tuning_code()] if recipe.is_tuned else []
    return digest([family, recipe.learning_rate, recipe.anchors.model_dump(), _shared_settings(study, family), *chosen])
