"""Checking a study: all that can be found wrong with it is said at once, before any job starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml.comments import CommentedMap

from scaling.data import DataError, SourceFacts, describe
from scaling.models.architecture import Architecture
from scaling.models.family import ImageSpec, Regularisation
from scaling.models.ladder import Ladders, SizeError
from scaling.models.outside import is_outside
from scaling.study.declared import BENCHMARKS
from scaling.study.family_settings import FamilySettings
from scaling.study.image_settings import Data
from scaling.study.in_range import into_range, moved_into_range, size_range
from scaling.study.layout import Layout
from scaling.study.outside_models import why_not
from scaling.study.pretraining_settings import Pretraining
from scaling.study.schema import Study
from scaling.study.several_gpus import gpu_problems
from scaling.study.spaced import as_list
from scaling.study.study_file import parse, plain, read_tree
from scaling.study.study_messages import line_of
from scaling.study.study_problems import Problem, StudyError, by_line

Check = Callable[[Study, Path, CommentedMap, ImageSpec], list[Problem]]
"""(study, its path, its YAML tree, the shape of its images) -> what is wrong with it."""


def checked_study(path: Path, ladders: Ladders | None = None, checks: Sequence[Check] = ()) -> Study:
    """The study at ``path``, valid in itself and against its data and the sizes of its families.

    Its anchors, and its sizes if it asks for that, are moved into those sizes (see ``in_range``).

    Args:
        path: the study file.
        ladders: the sizes that families have; None for those of the shared cache.
        checks: further checks.

    Raises:
        StudyError: with every problem found; those of data and sizes too, if the parts that they need are valid.
    """
    tree = read_tree(path)
    study, problems = parse(tree)
    if any(problem.beyond for problem in problems):
        raise StudyError(path, problems)
    raw = plain(tree)
    facts = _facts(raw, tree, problems)
    if facts is not None:
        problems += _images_problems(raw, tree, facts)
        ladders = ladders or Ladders(Layout("").ladders)
        problems += _size_problems(raw, tree, facts, ladders)
        if study is not None:
            study = moved_into_range(study, ladders, ImageSpec(facts.side, facts.channels, facts.classes))
            problems += _added_problems(study, tree, facts, ladders)
            problems += _anchor_problems(study, tree, facts, ladders)
            problems += _rate_problems(study, tree, facts, ladders)
            problems += _benchmark_problems(study, tree, facts, ladders)
            problems += gpu_problems(study, tree)
            image = ImageSpec(facts.side, facts.channels, facts.classes)
            problems += [problem for check in checks for problem in check(study, path, tree, image)]
    if problems or study is None:
        raise StudyError(path, sorted(problems, key=by_line))
    return study


def _facts(raw: dict[str, Any], tree: CommentedMap, problems: list[Problem]) -> SourceFacts | None:
    """What is known of the study's images without decoding them; problems with them are added to ``problems``."""
    try:
        data = Data.model_validate(raw.get("data", {}))
    except ValidationError:
        return None  # parse has said so
    try:
        return describe(data.settings())
    except DataError as error:
        problems.append(Problem(("data",), str(error), line_of(tree, ("data",))))
        return None


def _images_problems(raw: dict[str, Any], tree: CommentedMap, facts: SourceFacts) -> list[Problem]:
    """Data sizes, of the grid and of tuning, that exceed the training images less those for validation."""
    if facts.train_images is None:
        return []
    validation = raw.get("data", {}).get("validation", Data().validation)
    if not _is_count(validation):
        return []
    most = facts.train_images - int(validation)
    source = f"{facts.train_images} training images less {validation} for validation"
    if most <= 0:
        keys = ("data", "validation")
        return [Problem(keys, f"received {validation}; the source has {facts.train_images} training images")]
    values: list[tuple[tuple[str | int, ...], Any]] = []
    grid = raw.get("grid")
    if isinstance(grid, dict):
        values += [(("grid", "images", i), value) for i, value in enumerate(as_list(grid.get("images")))]
    if isinstance(grid, dict) and isinstance(grid.get("added"), list):
        for index, one in enumerate(grid["added"]):
            values.append((("grid", "added", index, "images"), one.get("images") if isinstance(one, dict) else None))
    families = raw.get("families")
    blocks: list[tuple[tuple[str, ...], Any]] = [(("recipe",), raw.get("recipe"))]
    if isinstance(families, dict):
        for name, own in families.items():
            if not isinstance(own, dict):
                continue
            blocks.append((("families", name, "recipe"), own.get("recipe")))
            if isinstance(own.get("pretrain"), dict):
                unlabelled = own["pretrain"].get("images", Pretraining.model_fields["images"].default)
                values.append((("families", name, "pretrain", "images"), unlabelled))
            values += [(("families", name, "images", i), value) for i, value in enumerate(as_list(own.get("images")))]
    for keys, recipe in blocks:
        anchors = recipe.get("anchors") if isinstance(recipe, dict) else None
        if isinstance(anchors, dict):
            said = anchors.get("images")
            listed = [((*keys, "anchors", "images", i), value) for i, value in enumerate(as_list(said))]
            values += listed or [((*keys, "anchors", "images"), said)]
    return [
        Problem(keys, f"received {value}; allowed: at most {most} ({source})", line_of(tree, keys))
        for keys, value in values
        if _is_count(value) and value > most
    ]


def _size_problems(raw: dict[str, Any], tree: CommentedMap, facts: SourceFacts, ladders: Ladders) -> list[Problem]:
    """Sizes that a family cannot have; where they move, those that it cannot have where they were moved to."""
    families, grid = raw.get("families"), raw.get("grid")
    if not isinstance(families, dict):
        return []
    image = ImageSpec(facts.side, facts.channels, facts.classes)
    shared, moving = (grid.get("params"), grid.get("out_of_range") == "move") if isinstance(grid, dict) else (None, False)
    problems = []
    for family, own in families.items():
        try:
            settings = FamilySettings.model_validate({"model": family} | (own or {}))
            architecture = settings.architecture(family)
            if why_not(architecture.family, settings.width, "modern"):
                continue  # parse has said so
            ladders.range(architecture, image)
        except (ValidationError, TypeError):
            continue  # parse has said so
        except SizeError as error:
            where = ("families", family, "model" if is_outside(settings.architecture(family).family) else "depth")
            problems.append(Problem(where, str(error), line_of(tree, where)))
            continue
        sizes, keys = as_list(shared), ("grid", "params")
        if settings.params is not None:
            sizes, keys = settings.params, ("families", family, "params")
        found = []
        for index, target in _used(sizes, moving, architecture, image, ladders).items():
            try:
                ladders.rung(architecture, target, image)
            except SizeError as error:
                where = (*keys, index)
                found.append(Problem(where, str(error), line_of(tree, where)))
        moved = list(_used(sizes, True, architecture, image, ladders).values())
        if found and moved != sizes:
            would = f"`out_of_range: move` under `grid` would give {family} {', '.join(f'{size:,}' for size in moved)}"
            found[0] = replace(found[0], message=f"{found[0].message}; {would}")
        problems += found
    return problems


def _added_problems(study: Study, tree: CommentedMap, facts: SourceFacts, ladders: Ladders) -> list[Problem]:
    """Sizes of runs beside the grid that their family cannot have."""
    image = ImageSpec(facts.side, facts.channels, facts.classes)
    problems = []
    for index, one in enumerate(study.grid.added):
        try:
            ladders.rung(study.architecture(one.family), one.params, image)
        except SizeError as error:
            keys = ("grid", "added", index, "params")
            problems.append(Problem(keys, str(error), line_of(tree, keys)))
    return problems


def _used(sizes: list[Any], moving: bool, made: Architecture, image: ImageSpec, ladders: Ladders) -> dict[int, int]:
    """Of those ``sizes`` that are whole numbers, by place: what is to be built, in range where they are ``moving``."""
    counts = {index: int(target) for index, target in enumerate(sizes) if _is_count(target)}
    if not (moving and counts):
        return counts
    said = sorted(set(counts.values()))
    used = dict(zip(said, into_range(said, *size_range(made, ladders, image)), strict=True))
    return {index: used[target] for index, target in counts.items()}


def _anchor_problems(study: Study, tree: CommentedMap, facts: SourceFacts, ladders: Ladders) -> list[Problem]:
    """Sizes at which a rate is tuned that an entry cannot have though they lie in its range, since it matches FLOP."""
    image = ImageSpec(facts.side, facts.channels, facts.classes)
    problems = []
    for family in study.families:
        architecture, recipe = study.architecture(family), study.family_recipe(family)
        if architecture.match != "flop" or not recipe.is_tuned:
            continue
        for target in recipe.anchors.params:
            try:
                ladders.rung(architecture, target, image)
            except SizeError as error:
                where = ("families", family, "recipe", "anchors", "params")
                problems.append(Problem(where, str(error), line_of(tree, where)))
    return problems


def _rate_problems(study: Study, tree: CommentedMap, facts: SourceFacts, ladders: Ladders) -> list[Problem]:
    """Rates of dropout or stochastic depth that an entry's model does not take."""
    image = ImageSpec(facts.side, facts.channels, facts.classes)
    problems = []
    for family in study.families:
        recipe = study.family_recipe(family)
        rates = Regularisation(recipe.dropout, recipe.stochastic_depth)
        try:
            refusal = ladders.refusal(study.architecture(family), image, rates) if rates != Regularisation() else ""
        except SizeError:
            continue  # said with its sizes
        if refusal:
            keys = ("families", family, "recipe")
            problems.append(Problem(keys, refusal, line_of(tree, keys)))
    return problems


def _benchmark_problems(study: Study, tree: CommentedMap, facts: SourceFacts, ladders: Ladders) -> list[Problem]:
    """Sizes at which a model is timed and which it cannot have."""
    if study.benchmarks is None:
        return []
    image = ImageSpec(facts.side, facts.channels, facts.classes)
    wanted = [
        (("benchmarks", "params", index), study.architecture(family), target)
        for family in study.benchmarked()
        for index, target in enumerate(study.benchmarks.params or [])
    ]
    transformers = dict.fromkeys(
        family for name in study.benchmarks.names for family in BENCHMARKS[name].get("transformers", ())
    )
    target = study.benchmarks.transformer_params
    wanted += [(("benchmarks", "transformer_params"), Architecture(family), target) for family in transformers]
    problems = []
    for keys, architecture, target in wanted:
        try:
            ladders.rung(architecture, target, image)
        except SizeError as error:
            problems.append(Problem(keys, str(error), line_of(tree, keys)))
    return problems


def _is_count(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return False
    return value > 0 and value == int(value)
