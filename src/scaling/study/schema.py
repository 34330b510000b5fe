"""What a study may say: the model behind ``config.yaml``.

``workflow/schemas/study.schema.json`` is generated from here (``scaling schema``); reading a file, with its errors, is
in ``study_file.py``; what depends on data and ladders is checked in ``check.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from scaling.data import DEFAULT_SOURCE, SOURCES, DataSettings
from scaling.models.architecture import Architecture, unusual_options
from scaling.models.outside import facts_of
from scaling.models.registry import FAMILIES, Kind, Option
from scaling.study.declared import BENCHMARKS, PROBES, described
from scaling.study.layout import LONGEST_NAME, RESERVED
from scaling.study.outside_models import Moves, OutsideName, check_own, moved_options, only_from_outside, only_of_timm
from scaling.study.pretraining_settings import Pretraining
from scaling.study.recipe import Integer, Number, Recipe, RecipeChanges, Strict, recipe_for
from scaling.study.spaced import MOST_SIZES, Count, Counts

ArmName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=LONGEST_NAME)]
RecipeName = Literal["modern", "historical"]
if TYPE_CHECKING:
    FamilyName = str
else:
    FamilyName = Literal[tuple(FAMILIES)]

if TYPE_CHECKING:
    ProbeName = str
    BenchmarkName = str
    SourceName = str
else:
    ProbeName = Literal[tuple(PROBES)]
    BenchmarkName = Literal[tuple(BENCHMARKS)]
    SourceName = Literal[tuple(SOURCES)]

SomeCounts = Annotated[list[Count], Field(max_length=MOST_SIZES)]
MOST_CELLS: Final = 1_000_000
"""Cells of a study; a hundred thousand are planned in seconds."""
Seed = Annotated[Integer, Field(ge=0)]


OLD_NAMES: Final = {"probes": "measures", "benchmarks": "timings", "names": "measures"}
"""What keys were called in older study files, which are still read."""


def _renamed(said: Any, key: str) -> Any:
    """``said`` with ``key`` in place of its older name; where both stand, the older one is an unknown key."""
    old = OLD_NAMES[key]
    if not isinstance(said, dict) or old not in said or key in said:
        return said
    return {key if name == old else name: value for name, value in said.items()}


def _distinct(values: list[Any] | None) -> list[Any] | None:
    twice = sorted(value for value, times in Counter(values or ()).items() if times > 1)
    if twice:
        more = f" and {len(twice) - 5} more" if len(twice) > 5 else ""
        raise ValueError(f"must not list a value twice: {', '.join(map(str, twice[:5]))}{more}")
    return values


def _short_names(path: Path) -> Path:
    for part in path.parts:
        if len(part.encode()) > LONGEST_PART:
            raise ValueError(f"no file's name is longer than {LONGEST_PART} bytes, this one has {len(part.encode())}")
    return path


LONGEST_PART: Final = 255
FilePath = Annotated[Path, AfterValidator(_short_names)]
FilePattern = Annotated[str, Field(min_length=1), AfterValidator(lambda pattern: str(_short_names(Path(pattern))))]


class Data(Strict):
    """The images a study trains and tests on."""

    source: SourceName = Field(default=DEFAULT_SOURCE, description="where the images come from")
    side: Annotated[Integer, Field(ge=28, le=1024)] | None = Field(
        default=None, description="side length in pixels; null = the source's own (images that are decoded must say it)"
    )
    channels: Literal[1, 3] | None = Field(
        default=None, description="images that are decoded: 3 for colour (null too), 1 for grey"
    )
    folder: FilePath | None = Field(
        default=None, description="image-folder: a folder of class folders, or of the images of `labels`; cifar: of its files"
    )
    labels: FilePath | None = Field(
        default=None, description="image-folder: a table (.csv, .tsv, .parquet) of the images' names and labels"
    )
    files: FilePattern | None = Field(default=None, description="parquet: a pattern of files, such as data/*.parquet")
    shards: FilePattern | None = Field(default=None, description="webdataset: a pattern of tar shards, such as data/*.tar")
    image_column: str | None = Field(default=None, description="the column of images, or of their names; null = by usual names")
    label_column: str | None = Field(
        default=None, description="the column, or key of the JSON, of labels; null = by usual names"
    )
    split_column: str | None = Field(
        default=None, description="the column of splits in `labels`; null = by usual names, if any"
    )
    unreadable: Literal["refuse", "skip"] = Field(
        default="refuse", description="what an image that cannot be decoded does: end the preparation, or be left out"
    )
    validation: Count = Field(default=2000, description="images split off the training images to choose checkpoints and rates")

    def settings(self) -> DataSettings:
        """What the data package takes. Raises DataError where its keys do not go together."""
        return DataSettings(**{name: value for name, value in self if name != "validation"})

    @model_serializer(mode="wrap")
    def _without_unsaid(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Keys that were added later are left out where a study does not say them: what was made without them stays good."""
        return {name: value for name, value in whole(self).items() if name not in ADDED_KEYS or value is not None}

    def __str__(self) -> str:
        return " ".join(f"{name}={getattr(self, name)!r}" for name in self.model_dump())


ADDED_KEYS: Final = ("channels", "labels", "files", "shards", "image_column", "label_column", "split_column")


class Repeat(Strict):
    """More seeds for a part of the grid."""

    params: SomeCounts | None = Field(default=None, description="sizes concerned; null = all")
    images: SomeCounts | None = Field(default=None, description="data sizes concerned; null = all")
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(description="seeds added there")


class Added(Strict):
    """Runs of one family at one size and data size, beside those of the grid."""

    family: ArmName = Field(description="an entry of `families`")
    params: Count = Field(description="N, as it is built: it does not move into the family's range")
    images: Count = Field(description="D")
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(description="seeds added there")

    _distinct = field_validator("seeds")(_distinct)


class Grid(Strict):
    """The cells: every size with every data size and seed."""

    params: Counts = Field(description="N of every family that has no sizes of its own: a list, or from, to and count")
    images: Counts = Field(description="D: unique training images: a list, or from, to and count")
    out_of_range: Literal["refuse", "move"] = Field(
        default="refuse",
        description="what sizes do that a family cannot have for the images at hand: refuse = an error; move = all sizes of "
        "that family are multiplied by the factor that brings them into its range (docs/studies.md)",
    )
    seeds: Annotated[list[Seed], Field(min_length=1)] = Field(default=[0], description="seeds of every size and data size")
    repeats: list[Repeat] = Field(default=[], description="more seeds for a part of the grid")
    added: list[Added] = Field(
        default=[], description="single runs beside the grid, in the form in which `scaling next` prints them"
    )

    _distinct = field_validator("params", "images", "seeds")(_distinct)


class FamilySettings(Strict):
    """What one entry of ``families`` does differently: a family, or under a name of its own a variant of one."""

    model: FamilyName | OutsideName | None = Field(
        default=None,
        description="the family that it is a variant of, timm/NAME, or PATH.py:NAME for a class or function of your own "
        "(docs/own_models.md), its path relative to the study's; null = its name is a family's",
    )
    kind: Kind | None = Field(
        default=None, description="of a model of timm or of your own: its class of architectures; null = by a table, or other"
    )
    options: dict[str, bool | int | float | str] = Field(
        default={},
        description="parts of the architecture: alexnet activation (relu, tanh), lrn (true, false); plain and resnet norm "
        "(batch, none), downsample (stride, pool); swin shift (true, false); of a model of timm or of your own, any keyword",
    )
    width: Moves | None = Field(
        default=None,
        description="of a model of timm: the arguments that its width moves, as multiples; null = by a table",
    )
    depth: Annotated[Integer, Field(gt=0, le=1000)] | Moves | None = Field(
        default=None,
        description="its depth in every size, in the family's own unit; null = the family's rule; of a model of timm also the "
        "arguments that the depth moves, as multiples of it",
    )
    match: Literal["params", "flop"] = Field(
        default="params", description="what meets N: its own parameters, or the FLOP that the family by its own rule has at N"
    )
    params: Counts | None = Field(default=None, description="its own sizes N, in place of the grid's")
    images: Counts | None = Field(default=None, description="its own data sizes D, in place of the grid's")
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = Field(default=None, description="its own seeds; then no repeats")
    recipe_name: RecipeName | None = Field(default=None, description="its own recipe; null = the study's")
    recipe: RecipeChanges = Field(default=RecipeChanges(), description="what its training changes in the recipe")
    probes: list[ProbeName] = Field(
        default=[],
        description=f"what is read off its models: {described(PROBES)}",
    )
    pretrain: Pretraining | None = Field(
        default=None, description="vit only: a backbone trained without labels, from which its runs start; null = none"
    )

    _distinct = field_validator("params", "images", "seeds", "probes")(_distinct)

    @model_validator(mode="before")
    @classmethod
    def _of_older_files(cls, said: Any) -> Any:
        return _renamed(said, "probes")

    @field_validator("pretrain")
    @classmethod
    def _can_be_pretrained(cls, pretrain: Pretraining | None, info: ValidationInfo) -> Pretraining | None:
        model = info.data.get("model")
        if pretrain is not None and model is not None and not facts_of(model).pretrainable:
            allowed = ", ".join(name for name, facts in FAMILIES.items() if facts.pretrainable)
            raise ValueError(f"{model} cannot be pre-trained; allowed: {allowed}")
        return pretrain

    @model_validator(mode="after")
    def _probes_find_what_they_read(self) -> FamilySettings:
        for name in self.probes:
            objective = PROBES[name].get("objective")
            if objective and (self.pretrain is None or self.pretrain.objective != objective):
                needs = f"give it `pretrain: {{objective: {objective}}}`"
                raise ValueError(f"probes: {name} is read off what {objective} pre-trained; {needs}")
        return self

    @field_validator("options")
    @classmethod
    def _known_options(cls, options: dict[str, Option], info: ValidationInfo) -> dict[str, Option]:
        if info.data.get("model") is not None:
            unusual_options(info.data["model"], options)
        return options

    _own_is_there = field_validator("model")(check_own)

    @field_validator("width", "depth")
    @classmethod
    def _of_timm(cls, said: Any, info: ValidationInfo) -> Any:
        return only_of_timm(said, info.data.get("model"))

    @field_validator("kind")
    @classmethod
    def _from_outside(cls, kind: Kind | None, info: ValidationInfo) -> Kind | None:
        return only_from_outside(kind, info.data.get("model"))

    def architecture(self, name: str) -> Architecture:
        """What the entry called ``name`` builds."""
        model = self.model or name
        depth = self.depth if isinstance(self.depth, int) else None
        moved = moved_options(self.width, self.depth if isinstance(self.depth, dict) else None)
        return Architecture(model, unusual_options(model, self.options | moved), depth, self.match)


class Laws(Strict):
    """How laws are fitted."""

    families: list[ArmName] | None = Field(
        default=None, description="the entries of `families` that get laws; null = those that train on the whole grid"
    )

    bootstrap: Annotated[Integer, Field(ge=0, le=100_000)] = Field(default=500, description="bootstrap resamples")
    seed: Seed = Field(default=0, description="seed of the resampling")


class Benchmarks(Strict):
    """What is timed and counted, alone on the machine; nothing here changes a run."""

    names: Annotated[list[BenchmarkName], Field(min_length=1)] = Field(
        default=list(BENCHMARKS), description=f"what is timed or counted: {described(BENCHMARKS)}"
    )
    families: list[ArmName] | None = Field(
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
        return _renamed(said, "names")


class Jobs(Strict):
    """How runs are bundled into jobs. Nothing here changes a result."""

    pack: Literal["family", "size", "cell"] | None = Field(
        default=None, description="one job trains all runs of a family (null too), all of a (family, N), or one run (cell)"
    )
    minutes: Annotated[Number, Field(ge=1)] | None = Field(
        default=None,
        description="instead of `pack`: a job is as many runs as take this many minutes, by a calibration, its start included",
    )
    calibration: FilePath = Field(
        default=Path("calibration.json"),
        description="the file that `scaling calibrate` writes: how fast the jobs' machine trains",
    )
    cores: Count | None = Field(
        default=None,
        description="cores of a training job: it trains as many runs at a time; null = one here, on a cluster as many as its "
        "profile gives a job",
    )
    checkpoint_seconds: Annotated[Number, Field(gt=0)] = Field(default=60, description="seconds between checkpoints of a run")

    @property
    def at_a_time(self) -> int:
        """Runs that a job is taken to train at a time."""
        return self.cores or 1

    @field_validator("minutes")
    @classmethod
    def _one_size(cls, minutes: float | None, info: ValidationInfo) -> float | None:
        if minutes is not None and info.data.get("pack") is not None:
            raise ValueError(f"a job's size is given twice, by pack: {info.data['pack']} and by minutes; keep one")
        return minutes


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
    description: str = Field(default="", description="what the study is for, in a sentence or two; shown in the report")
    data: Data = Data()
    families: Annotated[dict[ArmName, FamilySettings | None], Field(min_length=1)] = Field(
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
        return _renamed(said, "benchmarks")

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
