"""Training recipes: how a family is trained, by name (``modern``, ``historical``) and family.

A recipe holds everything that changes what a cell means, except its place in the grid. Its keys, and the figures that decided
the modern defaults, are in docs/recipe.md.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, create_model, field_validator

from scaling.models.outside import facts_of
from scaling.study.brought import FIELDS, WITH_MOMENTUM, rates_of

RECIPE_VERSION: Final = 1
"""Bumped when training changes meaning in a way that no field of the recipe says; part of every cell's key."""

LENGTHS: Final = (("images_floor", "images_factor"), ("epochs",), ("images_seen",))
"""The ways to say how long a run trains; where a study says one, it takes the place of what stood there before."""

WARMUPS: Final = (("warmup",), ("warmup_images",))
"""The ways to say how long the rate rises, alike."""


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


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


Positive = Annotated[Integer, Field(gt=0)]
OneOrMore = Annotated[
    list[Positive],
    BeforeValidator(_listed, json_schema_input_type=Positive | list[Positive]),
    Field(min_length=1, max_length=100),
]
"""A number, or a list of them."""


class Anchors(Strict):
    """Where a family's learning rate is tuned: two or more sizes at one or more data sizes, apart from the grid on purpose."""

    params: Annotated[list[Annotated[Integer, Field(gt=0)]], Field(min_length=1, max_length=100)] = Field(
        description="N of the models that are tuned; the rate between and beyond them follows a power of the width"
    )
    images: OneOrMore = Field(
        default=[800],
        description="D at which they are tuned; with several the rate follows a power of D too, else it is one for all D",
    )
    seed: Integer = Field(default=0, description="seed of the tuning runs")
    rates: Annotated[list[Annotated[Number, Field(gt=0)]], Field(min_length=2, max_length=100)] = Field(
        description="candidate peak learning rates, ascending, evenly spaced in their logarithm"
    )
    widen: Annotated[Integer, Field(ge=0, le=100)] = Field(
        default=2, description="how many more candidates an optimum at the edge may add"
    )

    @property
    def places(self) -> list[tuple[int, int]]:
        """(N, D) of each anchor, ascending: every size at every data size."""
        return [(target, images) for target in sorted(set(self.params)) for images in sorted(set(self.images))]


class Recipe(Strict):
    """How one cell is trained. Every field is part of the cell's key, except ``anchors``."""

    name: Literal["modern", "historical"] = "modern"
    optimizer: Literal["adamw", "adam", "sgd", "sgd-nesterov", "muon", "schedule-free-adamw"] = "adamw"
    learning_rate: Literal["tuned"] | Annotated[Number, Field(gt=0)] = Field(
        default="tuned", description="'tuned' on validation images at the anchors, or a fixed peak rate"
    )
    batch: Annotated[Integer, Field(gt=0)] = Field(default=64, description="images per step")
    batch_power: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=0.0, description="the batch grows as D or N to this power, and is `batch` at batch_at; 0 = the same for all"
    )
    batch_of: Literal["images", "params"] = Field(default="images", description="what the batch grows with: D or N")
    batch_at: Annotated[Integer, Field(gt=0)] = Field(default=1000, description="the D or N at which the batch is `batch`")
    images_floor: Annotated[Integer, Field(gt=0)] = Field(
        default=16_000, description="images seen at least: T = max(images_floor, images_factor x D)"
    )
    images_factor: Annotated[Number, Field(gt=0, le=1e6)] = Field(default=24, description="images seen for each unique image")
    epochs: Annotated[Number, Field(gt=0, le=1e6)] | None = Field(
        default=None, description="instead of images_floor and images_factor: T = epochs x D"
    )
    images_seen: Annotated[Integer, Field(gt=0)] | None = Field(
        default=None, description="instead of these: T, the same for every D"
    )
    warmup: Share = Field(default=0.1, description="share of the steps in which the rate rises linearly")
    warmup_images: Annotated[Integer, Field(gt=0)] | None = Field(
        default=None, description="instead of warmup: images seen while the rate rises, however long the run is"
    )
    schedule: Literal["cosine", "step", "constant", "linear", "warmup-stable-decay"] = Field(
        default="cosine",
        description="fall of the rate after warm-up: to 0 by a cosine or a line; by 10 at 1/2 and 3/4 (step); not at all; or "
        "in the last steps only (warmup-stable-decay)",
    )
    cooldown: Annotated[Number, Field(gt=0, le=1)] = Field(
        default=0.2, description="warmup-stable-decay only: share of the steps, the last ones, in which the rate falls"
    )
    layer_decay: Annotated[Number, Field(gt=0, le=1)] = Field(
        default=1.0,
        description="a block's learning rate as a share of the next one's, up to the classifier; 1 = all the same",
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
    vertical_flip: bool = Field(default=False, description="turn training images upside down at random")
    shift: Annotated[Integer, Field(ge=0)] = Field(default=1, description="shift training images by up to this many pixels")
    crop: Annotated[Number, Field(gt=0, le=1)] = Field(
        default=1.0, description="least share of an image's area in a random crop that is resized to the whole; 1 = no crop"
    )
    policy: Literal["none", "randaugment", "trivialaugment"] = Field(
        default="none", description="random changes of shape and colour, drawn for each image"
    )
    magnitude: Annotated[Integer, Field(ge=0, le=30)] = Field(default=9, description="strength of RandAugment, of 30")
    erase: Annotated[Number, Field(ge=0, le=1)] = Field(
        default=0.0, description="share of the training images in which a random rectangle is erased"
    )
    mixup: Annotated[Number, Field(ge=0, le=100)] = Field(
        default=0.0, description="alpha of mixup: pairs of images and their labels are mixed, by Beta(alpha, alpha); 0 = never"
    )
    cutmix: Annotated[Number, Field(ge=0, le=100)] = Field(
        default=0.0,
        description="alpha of CutMix: a rectangle is pasted from another image; beside mixup, each batch draws one of the two",
    )
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

    @field_validator("schedule", "average")
    @classmethod
    def _suits_the_optimizer(cls, value: Any, info: ValidationInfo) -> Any:
        optimizer = info.data.get("optimizer", "")
        needed = FIELDS.get(optimizer, {}).get(info.field_name or "", value)
        if value != needed:
            raise ValueError(f"{optimizer} needs {info.field_name}: {needed}; leave it out, or choose another optimizer")
        return value

    @field_validator("beta1")
    @classmethod
    def _has_momentum(cls, beta1: float, info: ValidationInfo) -> float:
        optimizer = info.data.get("optimizer", "")
        if beta1 == 0 and optimizer in WITH_MOMENTUM:
            raise ValueError(f"{optimizer} needs a beta1 above 0")
        return beta1

    @property
    def is_tuned(self) -> bool:
        """Whether the learning rate is tuned, and not a fixed number."""
        return self.learning_rate == "tuned"

    def of_run(self, params: int, images: int) -> Recipe:
        """The recipe of a run with N = ``params`` and D = ``images``: its batch is a number, as if the study had named it.

        The batch is rounded to the nearest whole number, and at least 1.
        """
        if self.batch_power == 0:
            return self
        ratio = {"images": images, "params": params}[self.batch_of] / self.batch_at
        fixed = {name: Recipe.model_fields[name].default for name in ("batch_power", "batch_of", "batch_at")}
        return self.model_copy(update=fixed | {"batch": max(1, round(self.batch * ratio**self.batch_power))})

    def length(self, images: int) -> int:
        """T, images seen, at D = ``images``: training must grow with D, or the law gets an offset at large D."""
        if self.images_seen is not None:
            return self.images_seen
        if self.epochs is not None:
            return max(1, round(self.epochs * images))
        return max(self.images_floor, round(self.images_factor * images))

    def steps(self, images: int) -> int:
        """Optimiser steps of a cell with D = ``images`` that is not stopped early."""
        return math.ceil(self.length(images) / self.batch)

    def warmup_steps(self, steps: int) -> float:
        """How many of the ``steps`` of a run the rate rises; not a whole number."""
        return self.warmup * steps if self.warmup_images is None else self.warmup_images / self.batch

    def settings(self) -> dict[str, Any]:
        """The recipe's part of a cell's key: all fields but the anchors and the rate, which the cell resolves.

        Fields that were added later are left out at their defaults, so that the settings of older recipes stay the same.
        """
        whole = self.model_dump(exclude={"anchors", "learning_rate"})
        usual = {name: Recipe.model_fields[name].default for name in ADDED_FIELDS}
        return {name: value for name, value in whole.items() if name not in usual or value != usual[name]}


ADDED_FIELDS: Final = (
    "epochs",
    "images_seen",
    "cooldown",
    "vertical_flip",
    "crop",
    "policy",
    "magnitude",
    "erase",
    "mixup",
    "cutmix",
    "batch_power",
    "batch_of",
    "batch_at",
    "layer_decay",
    "warmup_images",
)


class _SaidOnce(Strict):
    """Refuses a length of training, or of the warm-up, that is said in two ways."""

    @field_validator("epochs", "images_seen", "warmup_images", check_fields=False)
    @classmethod
    def _once(cls, value: Any, info: ValidationInfo) -> Any:
        what, ways = ("warm-up", WARMUPS) if info.field_name == "warmup_images" else ("length of training", LENGTHS)
        others = [name for way in ways if info.field_name not in way for name in way]
        said = [name for name in others if info.data.get(name) is not None]
        if value is not None and said:
            raise ValueError(f"the {what} is given twice, by {' and '.join(said)} and by {info.field_name}; keep one")
        return value


def _changes(model: type[Strict], name: str, doc: str, base: type[Strict] = Strict, **replaced: Any) -> Any:
    """``model`` with every field optional, validated as there: what a study may change in it."""
    fields: dict[str, Any] = {}
    for field, info in model.model_fields.items():
        if field == "name":  # a study says it by `recipe_name`
            continue
        annotation: Any = Annotated[(info.annotation, *info.metadata, "as there")]
        fields[field] = (annotation | None, Field(default=None, description=info.description))
    return create_model(name, __base__=base, __doc__=doc, **(fields | replaced))


if TYPE_CHECKING:

    class RecipeChanges(Strict):
        """What a study changes in a recipe: the fields of ``Recipe``, each of which may be None."""

        learning_rate: Literal["tuned"] | float | None = None
        optimizer: str | None = None
        mixup: float | None = None
        cutmix: float | None = None
        layer_decay: float | None = None
else:
    AnchorChanges = _changes(Anchors, "AnchorChanges", "What a study changes in where a learning rate is tuned.")
    RecipeChanges = _changes(
        Recipe,
        "RecipeChanges",
        "What a study changes in a recipe.",
        _SaidOnce,
        anchors=(AnchorChanges | None, Field(default=None, description="where the learning rate is tuned, and its candidates")),
    )


def recipe_for(name: str, family: str, *changes: dict[str, Any]) -> Recipe:
    """The recipe ``name`` of ``family`` with ``changes`` laid over it, the later ones first in rank.

    Raises pydantic.ValidationError where a change makes a field invalid.
    """
    facts = facts_of(family)
    fields: dict[str, Any] = dict(facts.recipe)
    if name == "historical":
        # No weight average: the papers report the last weights. Batches that would be the whole set at small D are cut.
        fields = {"average": 0, "anchors": fields["anchors"]} | dict(facts.historical)
    optimizer = next((change["optimizer"] for change in reversed(changes) if "optimizer" in change), None)
    optimizer = optimizer or fields.get("optimizer", "adamw")
    anchors = dict(fields["anchors"])
    fields |= FIELDS.get(optimizer, {}) | {"anchors": anchors | {"rates": rates_of(optimizer, anchors["rates"])}}
    for change in changes:
        for ways in (LENGTHS, WARMUPS):
            if any(field in change for way in ways for field in way):
                fields = {field: value for field, value in fields.items() if not _other_way(field, change, ways)}
        fields |= change | {"anchors": dict(fields["anchors"]) | (change.get("anchors") or {})}
    return Recipe.model_validate({"name": name} | fields)


def _other_way(field: str, change: dict[str, Any], ways: tuple[tuple[str, ...], ...]) -> bool:
    """Whether ``field`` is another of the ``ways`` to say something than the one in ``change``."""
    return any(field in way and not any(said in change for said in way) for way in ways)
