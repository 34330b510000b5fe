"""What a study may say: the model behind ``config.yaml``. Its blocks stand in ``image_settings.py``, ``grid_settings.py``,
``family_settings.py``, ``recipe.py`` and ``job_settings.py``.

``workflow/schemas/study.schema.json`` is generated from here (``scaling schema``); reading a file, with its errors, is
in ``study_file.py``; what depends on data and ladders is checked in ``check.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from scaling.models.architecture import Architecture
from scaling.models.outside import facts_of
from scaling.models.registry import Kind
from scaling.study.declared import BENCHMARKS, described
from scaling.study.family_settings import FamilySettings, RecipeName
from scaling.study.grid_settings import Added, EntryName, Grid, Seed, SomeCounts
from scaling.study.image_settings import Data
from scaling.study.job_settings import Jobs
from scaling.study.layout import LONGEST_NAME, RESERVED
from scaling.study.older_keys import renamed
from scaling.study.recipe import Integer, Recipe, RecipeChanges, Strict, recipe_for
from scaling.study.spaced import Count

if TYPE_CHECKING:
    BenchmarkName = str
else:
    BenchmarkName = Literal[tuple(BENCHMARKS)]


class Laws(Strict):
    """How laws are fitted."""

    families: list[EntryName] | None = Field(
        default=None, description="the entries of `families` that get laws; null = those that train on the whole grid"
    )

    bootstrap: Annotated[Integer, Field(ge=0, le=100_000)] = Field(default=500, description="bootstrap resamples")
    seed: Seed = Field(default=0, description="seed of the resampling")


class Benchmarks(Strict):
    """What is timed and counted, alone on the machine; nothing here changes a run."""

    names: Annotated[list[BenchmarkName], Field(min_length=1)] = Field(
        default=list(BENCHMARKS), description=f"what is timed or counted: {described(BENCHMARKS)}"
    )
    families: list[EntryName] | None = Field(
        default=None, description="entries of `families` that are timed; null = those with laws"
    )
    params: SomeCounts | None = Field(default=None, description="N at which they are timed; null = each entry's own sizes")
    transformer_params: Count = Field(default=24_000, description="N of the ViT, Swin and LSTM whose images are made larger")
    rounds: Annotated[Integer, Field(ge=2, le=1000)] = Field(
        default=7, description="how often each setting is timed, round after round; the spread of the times is the noise"
    )

    @model_validator(mode="before")
    @classmethod
    def _of_older_files(cls, said: Any) -> Any:
        return renamed(said, "names")


def _with_model(name: Any, own: Any) -> Any:
    if own is None:
        return {"model": name}
    return own | {"model": name} if isinstance(own, dict) and own.get("model") is None else own


@dataclass(frozen=True)
class Move:
    """Sizes of an entry of a study as its file or its recipe says them, and moved into the range of what it builds.

    ``said`` and ``used`` are ascending and of one length; ``least`` and ``largest`` N are those of its architecture.
    """

    what: Literal["sizes", "anchors"]
    said: tuple[int, ...]
    used: tuple[int, ...]
    least: int
    largest: int


class Study(Strict):
    """A scaling study: data, families, grid, recipe, laws."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=LONGEST_NAME)] = Field(
        description=f"names the folders of results and reports; lower-case letters, digits, - and _; not {', '.join(RESERVED)}",
        json_schema_extra={"not": {"enum": list(RESERVED)}},
    )
    title: str = Field(default="", description="heads the report; empty = the name")
    description: str = Field(default="", description="what the study is for, in a sentence or two; shown in the report")
    data: Data = Data()
    families: Annotated[dict[EntryName, FamilySettings | None], Field(min_length=1)] = Field(
        description="what is compared: families, each with what it does differently (or nothing), and variants of families, "
        "under names of their own, each with its `model`"
    )
    grid: Grid
    recipe: RecipeChanges = Field(default=RecipeChanges(), description="changes to the recipe, for every family")
    recipe_name: RecipeName = Field(
        default="modern", description="modern: one recipe for all; historical: each family as its paper trained it"
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(default="auto", description="where runs are trained")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto", description="auto: bf16 on GPUs that have it, in studies with a size from 2 million on; else fp32"
    )
    laws: Laws = Laws()
    benchmarks: Benchmarks | None = Field(
        default=None, description="what is timed and counted on the idle machine; null = nothing"
    )
    claims: Literal["all"] | list[str] = Field(
        default=[], description="what is said of these models and put to a test, by name (src/scaling/analysis/claims), or all"
    )
    jobs: Jobs = Jobs()

    _moves: dict[str, tuple[Move, ...]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _of_older_files(cls, said: Any) -> Any:
        return renamed(said, "benchmarks")

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError(f"all studies share a folder of that name; allowed: any other than {', '.join(RESERVED)}")
        return name

    @field_validator("families", mode="before")
    @classmethod
    def _named_models(cls, families: Any) -> Any:
        """An entry that names no model is the family of its own name."""
        if not isinstance(families, dict):
            return families
        return {name: _with_model(name, own) for name, own in families.items()}

    def entry(self, family: str) -> FamilySettings:
        """What the study says of ``family``."""
        return self.families[family] or FamilySettings.model_validate({"model": family})

    def architecture(self, family: str) -> Architecture:
        """What the entry ``family`` builds."""
        return self.entry(family).architecture(family)

    def kind(self, family: str) -> Kind:
        """The kind of ``family``."""
        return self.entry(family).kind or facts_of(self.architecture(family).family).kind

    def moved(self, moves: Mapping[str, tuple[Move, ...]]) -> Study:
        """The study with the sizes and anchors of some entries as ``moves`` has them, by the rule of ``in_range``."""
        found = self.model_copy()
        found._moves = dict(moves)
        return found

    def moves(self, family: str) -> tuple[Move, ...]:
        """What was moved of the sizes and anchors of ``family``."""
        return self._moves.get(family, ())

    def _move(self, family: str, what: str) -> Move | None:
        return next((move for move in self.moves(family) if move.what == what), None)

    def sizes(self, family: str) -> list[int]:
        """The target N of ``family``, ascending."""
        move = self._move(family, "sizes")
        return sorted(set(move.used)) if move else sorted(self.entry(family).params or self.grid.params)

    def said_sizes(self, family: str, target: int) -> list[int]:
        """The sizes in the study's file that became the ``target`` N of ``family``: itself, where nothing was moved."""
        move = self._move(family, "sizes")
        return [said for said, used in zip(move.said, move.used, strict=True) if used == target] if move else [target]

    def with_own_sizes(self) -> list[str]:
        """The entries of ``families`` on which `grid.params` has no effect."""
        return [name for name in self.families if self.entry(name).params is not None]

    def data_sizes(self, family: str) -> list[int]:
        """The D of ``family``, ascending."""
        return sorted(self.entry(family).images or self.grid.images)

    def grid_cells(self, family: str) -> int:
        """Most cells that ``family`` may have, counted without making them: each seed of `repeats` counts as new everywhere."""
        own = self.entry(family).seeds
        seeds = len(own) if own else len(self.grid.seeds) + sum(len(repeat.seeds) for repeat in self.grid.repeats)
        added = sum(len(one.seeds) for one in self.added(family))
        return len(self.sizes(family)) * len(self.data_sizes(family)) * seeds + added

    def added(self, family: str) -> list[Added]:
        """The runs of ``family`` beside the grid."""
        return [one for one in self.grid.added if one.family == family]

    def all_sizes(self, family: str) -> list[int]:
        """The target N of all runs of ``family``, those beside the grid included, ascending."""
        return sorted({*self.sizes(family), *(one.params for one in self.added(family))})

    def benchmarked(self) -> list[str]:
        """The entries of ``families`` that are timed."""
        if self.benchmarks is None:
            return []
        return self.with_laws() if self.benchmarks.families is None else self.benchmarks.families

    def benchmarked_sizes(self, family: str) -> list[int]:
        """The target N at which ``family`` is timed, ascending."""
        own = self.benchmarks.params if self.benchmarks else None
        return sorted(own) if own else self.sizes(family)

    def with_laws(self) -> list[str]:
        """The entries of ``families`` that get laws and are compared by them."""
        if self.laws.families is not None:
            return [name for name in self.families if name in self.laws.families]
        return [name for name in self.families if self.entry(name).images is None and self.entry(name).seeds is None]

    def family_recipe(self, family: str) -> Recipe:
        """The recipe of ``family``: the named one, then the study's changes, then the family's."""
        own = self.entry(family)
        changes: list[dict[str, Any]] = [part.model_dump(exclude_none=True) for part in (self.recipe, own.recipe)]
        if move := self._move(family, "anchors"):
            changes.append({"anchors": {"params": list(dict.fromkeys(move.used))}})
        return recipe_for(own.recipe_name or self.recipe_name, own.model or family, *changes)
