"""Training recipes: how a family is trained, by name (``modern``, ``historical``) and family.

A recipe holds everything that changes what a cell means, except its place in the grid. The figures that decided the
modern defaults are in docs/recipe.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from scaling.models.outside import facts_of

RECIPE_VERSION: Final = 1
"""Bumped when training changes meaning in a way that no field of the recipe says; part of every cell's key."""


def _number(value: Any) -> Any:
    # YAML's true is an int to Python, and "1e-3" in quotes is text: both are slips of the pen, not numbers.
    if isinstance(value, bool | str):
        raise ValueError("must be a number")
    return value


Integer = Annotated[int, BeforeValidator(_number)]
Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Share = Annotated[Number, Field(ge=0, lt=1)]


class Strict(BaseModel):
    """A frozen model that refuses unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Anchors(Strict):
    """Where a family's learning rate is tuned: two or more sizes at one data size, apart from the grid on purpose."""

    params: Annotated[list[Annotated[Integer, Field(gt=0)]], Field(min_length=1, max_length=100)] = Field(
        description="N of the models that are tuned; the rate between and beyond them follows a power of the width"
    )
    images: Annotated[Integer, Field(gt=0)] = Field(default=800, description="D at which they are tuned")
    seed: Integer = Field(default=0, description="seed of the tuning runs")
    rates: Annotated[list[Annotated[Number, Field(gt=0)]], Field(min_length=2, max_length=100)] = Field(
        description="candidate peak learning rates, ascending, evenly spaced in their logarithm"
    )
    widen: Annotated[Integer, Field(ge=0, le=100)] = Field(
        default=2, description="how many more candidates an optimum at the edge may add"
    )


class Recipe(Strict):
    """How one cell is trained. Every field is part of the cell's key, except ``anchors``."""

    name: Literal["modern", "historical"] = "modern"
    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: Literal["tuned"] | Annotated[Number, Field(gt=0)] = Field(
        default="tuned", description="'tuned' on validation images at the anchors, or a fixed peak rate"
    )
    batch: Annotated[Integer, Field(gt=0)] = Field(default=64, description="images per step")
    images_floor: Annotated[Integer, Field(gt=0)] = Field(
        default=16_000, description="images seen at least: T = max(images_floor, images_factor x D)"
    )
    images_factor: Annotated[Number, Field(gt=0, le=1e6)] = Field(default=24, description="images seen for each unique image")
    warmup: Share = Field(default=0.1, description="share of the steps in which the rate rises linearly")
    schedule: Literal["cosine", "step", "constant"] = Field(
        default="cosine", description="fall of the rate after warm-up: to 0 by a cosine, or by 10 at 1/2 and 3/4"
    )
    weight_decay: Annotated[Number, Field(ge=0)] = 0.05
    beta1: Share = Field(default=0.9, description="AdamW's beta1; momentum of SGD")
    beta2: Share = 0.98
    clip: Annotated[Number, Field(ge=0)] = Field(default=1.0, description="norm to which gradients are clipped; 0 = never")
    average: Annotated[Integer, Field(ge=0)] = Field(
        default=100, description="longest horizon, in steps, of the weight average that is evaluated; 0 = the raw weights"
    )
    label_smoothing: Share = 0.0
    dropout: Share = 0.0
    stochastic_depth: Share = 0.0
    auxiliary_weight: Annotated[Number, Field(ge=0)] = Field(default=0.3, description="weight of GoogLeNet's auxiliary losses")
    flip: bool = Field(default=True, description="mirror training images at random")
    shift: Annotated[Integer, Field(ge=0)] = Field(default=1, description="shift training images by up to this many pixels")
    evaluations: Annotated[Integer, Field(gt=0, le=1000)] = Field(
        default=8, description="evaluations, evenly spaced in log steps"
    )
    first_evaluation: Annotated[Number, Field(gt=0, le=1)] = Field(
        default=0.15, description="share of the steps after which the first evaluation stands"
    )
    patience: Annotated[Integer, Field(ge=0)] = Field(
        default=3, description="evaluations without a better validation loss that end a run; 0 = never"
    )
    anchors: Anchors

    def images_seen(self, images: int) -> int:
        """T = max(floor, factor x D): training must grow with D, or the law gets an offset at large D."""
        return max(self.images_floor, round(self.images_factor * images))

    def steps(self, images: int) -> int:
        """Optimiser steps of a cell with D = ``images`` that is not stopped early."""
        return math.ceil(self.images_seen(images) / self.batch)

    def settings(self) -> dict[str, Any]:
        """The recipe's part of a cell's key: all fields but the anchors and the rate, which the cell resolves."""
        return self.model_dump(exclude={"anchors", "learning_rate"})


def _changes(model: type[Strict], name: str, doc: str, **replaced: Any) -> Any:
    """``model`` with every field optional, validated as there: what a study may change in it."""
    fields: dict[str, Any] = {}
    for field, info in model.model_fields.items():
        annotation: Any = Annotated[(info.annotation, *info.metadata, "as there")]
        fields[field] = (annotation | None, Field(default=None, description=info.description))
    return create_model(name, __base__=Strict, __doc__=doc, **(fields | replaced))


if TYPE_CHECKING:

    class RecipeChanges(Strict):
        """What a study changes in a recipe: the fields of ``Recipe``, each of which may be None."""

        learning_rate: Literal["tuned"] | float | None = None
else:
    AnchorChanges = _changes(Anchors, "AnchorChanges", "What a study changes in where a learning rate is tuned.")
    RecipeChanges = _changes(
        Recipe,
        "RecipeChanges",
        "What a study changes in a recipe.",
        anchors=(AnchorChanges | None, Field(default=None, description="where the learning rate is tuned, and its candidates")),
    )

HISTORICAL_SGD_RATES: Final = [1e-2, 3e-2, 1e-1, 3e-1]
"""Candidate rates of families whose papers trained them with SGD (He et al. 2016 began at 0.1; a step of 3 around it)."""


def recipe_for(name: str, family: str, *changes: dict[str, Any]) -> Recipe:
    """The recipe ``name`` of ``family`` with ``changes`` laid over it, the later ones first in rank.

    Raises pydantic.ValidationError where a change makes a field invalid.
    """
    facts = facts_of(family)
    fields: dict[str, Any] = dict(facts.recipe)
    if name == "historical":
        anchors = dict(fields["anchors"])
        if facts.historical.get("optimizer") == "sgd":
            anchors["rates"] = HISTORICAL_SGD_RATES
        # No weight average: the papers report the last weights. Batches that would be the whole set at small D are cut.
        fields = {"average": 0, "anchors": anchors} | dict(facts.historical)
    for change in changes:
        anchors = dict(fields["anchors"]) | (change.get("anchors") or {})
        fields |= change
        fields["anchors"] = anchors
    return Recipe.model_validate({"name": name} | fields)
