"""Pre-training without labels as a study says it: the objective, how much of an image it hides, its images, its recipe.

The defaults were tuned by hand; the figures are in docs/pretraining.md.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from scaling.study.brought import SCHEDULE_FREE
from scaling.study.recipe import Integer, Number, Recipe, RecipeChanges, Strict, recipe_for

PRETRAINING_VERSION: Final = 1
"""Bumped when pre-training changes meaning in a way that no field says; part of every backbone's key."""

_SHARED: Final = {"patience": 0, "average": 0, "batch": 128, "images_factor": 1.0, "evaluations": 6}
OBJECTIVES: Final[dict[str, dict[str, Any]]] = {
    "mae": _SHARED | {"images_floor": 200_000, "beta2": 0.95},
    "dino": _SHARED | {"images_floor": 60_000, "flip": False, "shift": 0},
}
"""What each objective changes in the modern recipe; DINO's views flip and shift of themselves."""

RATES: Final = {"mae": 0.015, "dino": 0.01}
"""Peak rate at width REFERENCE_WIDTH; it falls with the square root of the width."""
REFERENCE_WIDTH: Final = 16.0


class Pretraining(Strict):
    """How the backbone of an entry is trained before it sees a label."""

    objective: Literal["mae", "dino"] = Field(
        description="mae: hidden patches are reconstructed; dino: self-distillation between two views"
    )
    mask: Annotated[Number, Field(gt=0, lt=1)] | None = Field(
        default=None, description="mae only: share of the patches that is hidden; null = 0.75"
    )
    images: Annotated[Integer, Field(gt=0)] = Field(
        default=10_000, description="unlabelled training images; the labelled ones of the same seed are among them"
    )
    recipe: RecipeChanges = Field(
        default=RecipeChanges(),
        description="changes to the objective's recipe; learning_rate: the peak rate, which is not tuned",
    )

    @model_validator(mode="after")
    def _fits(self) -> Pretraining:
        if self.mask is not None and self.objective != "mae":
            raise ValueError(f"mask: {self.objective} hides no patches; leave it out")
        if self.recipe.learning_rate == "tuned":
            raise ValueError("recipe.learning_rate: the rate of pre-training is not tuned; give a number or leave it out")
        for name in ("mixup", "cutmix"):
            if getattr(self.recipe, name):
                raise ValueError(f"recipe.{name}: pre-training has no labels to mix; leave it out")
        if self.recipe.layer_decay is not None and self.recipe.layer_decay != 1:
            raise ValueError("recipe.layer_decay: pre-training starts from random weights; say it in the entry's own recipe")
        if self.recipe.optimizer == SCHEDULE_FREE:
            raise ValueError(f"recipe.optimizer: {SCHEDULE_FREE} does not pre-train; choose another")
        return self

    @property
    def masked(self) -> float | None:
        """Share of the patches that is hidden; None where the objective hides none."""
        return (0.75 if self.mask is None else self.mask) if self.objective == "mae" else None

    def full_recipe(self, family: str) -> Recipe:
        """The recipe of pre-training ``family``: the modern one, the objective's changes, the study's."""
        return recipe_for("modern", family, OBJECTIVES[self.objective], self.recipe.model_dump(exclude_none=True))

    def rate(self, width: float) -> float:
        """Peak learning rate at ``width``, to three digits."""
        if isinstance(self.recipe.learning_rate, float | int):
            return float(self.recipe.learning_rate)
        return float(f"{RATES[self.objective] * (REFERENCE_WIDTH / width) ** 0.5:.3g}")

    @property
    def cost(self) -> float:
        """Roughly, what pre-training does with an image, in forward passes of the encoder; records hold the exact count.

        MAE: three passes of the visible patches and of a decoder of a third; DINO: eight, see `training.pretraining`.
        """
        return 8.4 if self.masked is None else 3 * (1 - self.masked + 1 / 3)

    def settings(self, family: str) -> dict[str, Any]:
        """What a backbone's key says of it beside size, seed and rate: equal meanings, equal settings."""
        return {
            "objective": self.objective,
            "mask": self.masked,
            "recipe": self.full_recipe(family).settings(),
            "pretraining_version": PRETRAINING_VERSION,
        }
