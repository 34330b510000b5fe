"""The batches of a run, augmented: what each holds depends on the seed and the step alone.

A batch comes in two parts. What is drawn and read on the host (``inputs``) is done before a step; what is computed from that
(``make``) is a function of tensors on the run's device, so that it can be a part of a captured step.
"""

from __future__ import annotations

from torch import Tensor

from scaling.data.augment import Augment, normalise
from scaling.data.random_changes import Mix, RandomChanges
from scaling.study.recipe import Recipe
from scaling.training.feed import Feed
from scaling.training.images import CellImages
from scaling.training.schedule import Order
from scaling.training.streams import generator, stream


class Batches:
    """Batches of the training images of ``images``, as ``recipe`` augments them."""

    def __init__(self, images: CellImages, recipe: Recipe, seed: int, steps: int, classes: int) -> None:
        self.seed, self.size, self._images = seed, recipe.batch, images
        self._order = Order(len(images.train), recipe.batch, stream(seed, "order"))
        self.feed = Feed(images.train, self._order, steps)
        self.augment = Augment(recipe.flip, recipe.shift, vertical_flip=recipe.vertical_flip)
        colour = tuple((255 * images.mean).round().tolist())
        self.changes = RandomChanges(recipe.crop, recipe.policy, recipe.magnitude, recipe.erase, colour)
        self.mix = Mix(recipe.mixup, recipe.cutmix, classes)

    def inputs(self, step: int) -> dict[str, Tensor]:
        """What ``make`` needs for the batch of ``step``, by name: draws on the host, and images that are not at hand.

        torchvision's changes and mixtures look at what they draw, so a batch that has any is finished here.
        """
        drawn = self.augment.draw(self.size, generator(self.seed, "augment", step))
        if self._images.train.in_memory and not self.changes and not self.mix:
            return {"positions": self._order.indices(step)} | drawn
        images, labels = self.feed.batch(step)
        if not self.changes and not self.mix:
            return {"images": images, "labels": labels} | drawn
        images = self.augment.apply(images, {name: tensor.to(images.device) for name, tensor in drawn.items()})
        images = self.changes(images, generator(self.seed, "changes", step))
        if self.mix:
            # Mixed before it is cut, so that micro-batches mix the same images.
            images = normalise(images, self._images.mean, self._images.std)
            images, labels = self.mix(images, labels, generator(self.seed, "mix", step))
        return {"images": images, "labels": labels}

    def make(self, inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Images [b, c, h, w] uint8 and labels [b] of ``inputs``; mixed images are floats, normalised, and their labels shares
        [b, classes].
        """
        if "positions" in inputs:
            images, labels = self._images.train.at(inputs["positions"])
        else:
            images, labels = inputs["images"], inputs["labels"]
        if self.changes or self.mix:
            return images, labels
        return self.augment.apply(images, inputs), labels
