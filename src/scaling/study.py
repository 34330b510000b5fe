"""What a study may say: the model behind ``config.yaml``.

``workflow/schemas/study.schema.json`` is generated from here (``scaling schema``); reading a file, with its errors, is
in ``study_file.py``; what depends on data and ladders is checked in ``check.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator

from scaling.families import KINDS, Kind
from scaling.recipe import Integer, Number, Recipe, RecipeChanges, Strict, recipe_for

FamilyName = Literal["mlp", "alexnet", "vgg", "googlenet", "plain", "resnet", "vit", "swin"]
SOURCE_NAMES: Final = ("fashion-mnist", "fashion-mnist-full", "cifar10", "cifar100", "image-folder")

Count = Annotated[Integer, Field(gt=0)]
Seed = Annotated[Integer, Field(ge=0)]


def _distinct(values: list[int] | None) -> list[int] | None:
    if values is not None and len(set(values)) < len(values):
        twice = sorted({value for value in values if values.count(value) > 1})
        raise ValueError(f"must not list a value twice: {', '.join(map(str, twice))}")
    return values


class Data(Strict):
    """The images a study trains and tests on."""

    source: Literal["fashion-mnist", "fashion-mnist-full", "cifar10", "cifar100", "image-folder"] = Field(
        "fashion-mnist", description="where the images come from"
    )
    side: Annotated[Integer, Field(ge=28, le=1024)] | None = Field(
        None, description="side length in pixels; null = the source's own (image-folder must say it)"
    )
    folder: Path | None = Field(None, description="image-folder only: a folder of class folders")
    unreadable: Literal["refuse", "skip"] = Field(
        "refuse", description="image-folder only: what an image that cannot be decoded does"
    )
    validation: Count = Field(2000, description="images split off the training images to choose checkpoints and rates")


class Slice(Strict):
    """More seeds for a part of the grid."""

    params: list[Count] | None = Field(None, description="sizes concerned; null = all")
    images: list[Count] | None = Field(None, description="data sizes concerned; null = all")
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(description="seeds added there")


class Grid(Strict):
    """The cells: every size with every data size and seed."""

    params: Annotated[list[Count], Field(min_length=1)] = Field(description="N of every family that names none itself")
    images: Annotated[list[Count], Field(min_length=1)] = Field(description="D: unique training images")
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field([0], description="seeds of every cell")
    repeats: list[Slice] = Field([], description="more seeds for a part of the grid")

    _distinct = field_validator("params", "images", "seeds")(_distinct)


class FamilySettings(Strict):
    """What one family does differently from the others."""

    params: Annotated[list[Count], Field(min_length=1)] | None = Field(None, description="its own sizes N")
    recipe: RecipeChanges = Field(RecipeChanges(), description="what its training changes in the recipe")

    _distinct = field_validator("params")(_distinct)


class Laws(Strict):
    """How laws are fitted."""

    bootstrap: Annotated[Integer, Field(ge=0, le=100_000)] = Field(500, description="bootstrap resamples")
    seed: Seed = Field(0, description="seed of the resampling")


class Jobs(Strict):
    """How cells are bundled into jobs. Nothing here changes a result."""

    pack: Literal["family", "size", "cell"] = Field(
        "family", description="one job trains all of a family, all of a (family, N), or one cell"
    )
    cores: Count = Field(1, description="cores of a training job: it trains as many cells at a time")
    checkpoint_seconds: Annotated[Number, Field(gt=0)] = Field(60, description="seconds between checkpoints of a cell")


class Study(Strict):
    """A scaling study: data, families, grid, recipe, laws."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")] = Field(
        description="names the folders of results and reports; lower-case letters, digits, - and _"
    )
    description: str = Field("", description="what the study is for, in a sentence or two; shown in the report")
    data: Data = Data()
    families: Annotated[dict[FamilyName, FamilySettings | None], Field(min_length=1)] = Field(
        description="the families compared, each with what it does differently (or nothing)"
    )
    grid: Grid
    recipe: RecipeChanges = Field(RecipeChanges(), description="changes to the recipe, for every family")
    recipe_name: Literal["modern", "historical"] = Field(
        "modern", description="modern: one recipe for all; historical: each family as its paper trained it"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field("auto", description="where cells are trained")
    precision: Literal["auto", "fp32", "bf16"] = Field("auto", description="auto: bf16 on GPUs that have it, else fp32")
    laws: Laws = Laws()
    jobs: Jobs = Jobs()

    def kind(self, family: str) -> Kind:
        """The kind of ``family``."""
        return KINDS[family]

    def sizes(self, family: str) -> list[int]:
        """The target N of ``family``, ascending."""
        own = self.families[family]
        return sorted(own.params if own and own.params else self.grid.params)

    def family_recipe(self, family: str) -> Recipe:
        """The recipe of ``family``: the named one, then the study's changes, then the family's."""
        own = self.families[family]
        changes: list[dict[str, Any]] = [self.recipe.model_dump(exclude_none=True)]
        if own:
            changes.append(own.recipe.model_dump(exclude_none=True))
        return recipe_for(self.recipe_name, family, *changes)
