"""An entry of a study's block ``families``: a family, or a variant of one, and what it does differently."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from scaling.models.architecture import Architecture, unusual_options
from scaling.models.outside import facts_of
from scaling.models.registry import FAMILIES, Kind, Option
from scaling.study.declared import PROBES, described
from scaling.study.grid_settings import Seed, distinct
from scaling.study.older_keys import renamed
from scaling.study.outside_models import Moves, OutsideName, check_own, moved_options, only_from_outside, only_of_timm
from scaling.study.pretraining_settings import Pretraining
from scaling.study.recipe import Integer, RecipeChanges, Strict
from scaling.study.spaced import Counts

RecipeName = Literal["modern", "historical"]
if TYPE_CHECKING:
    FamilyName = str
    ProbeName = str
else:
    FamilyName = Literal[tuple(FAMILIES)]
    ProbeName = Literal[tuple(PROBES)]


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

    _distinct = field_validator("params", "images", "seeds", "probes")(distinct)

    @model_validator(mode="before")
    @classmethod
    def _of_older_files(cls, said: Any) -> Any:
        return renamed(said, "probes")

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
