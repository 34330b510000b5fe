"""The batches of a run, augmented: what each holds depends on the seed and the step alone."""

from __future__ import annotations

from torch import Tensor

from scaling.data.augment import Augment
from scaling.data.random_changes import Mix, RandomChanges
from scaling.study.recipe import Recipe
from scaling.training.feed import Feed
from scaling.training.images import CellImages
from scaling.training.schedule import Order
from scaling.training.streams import generator, stream


class Batches:
    """Batches of the training images of ``images``, as ``recipe`` augments them."""

    def __init__(self, images: CellImages, recipe: Recipe, seed: int, steps: int, classes: int) -> None:
        self.seed = seed
        self.feed = Feed(images.train, Order(len(images.train), recipe.batch, stream(seed, "order")), steps)
        self.augment = Augment(recipe.flip, recipe.shift, vertical_flip=recipe.vertical_flip)
        colour = tuple((255 * images.mean).round().tolist())
        self.changes = RandomChanges(recipe.crop, recipe.policy, recipe.magnitude, recipe.erase, colour)
        self.mix = Mix(recipe.mixup, recipe.cutmix, classes)

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Images [b, c, h, w] uint8 and labels [b] of ``step``, each image augmented by itself."""
        images, labels = self.feed.batch(step)
        images = self.augment(images, generator(self.seed, "augment", step))
        return self.changes(images, generator(self.seed, "changes", step)), labels

    def mixed(self, images: Tensor, labels: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """The batch of ``step``, normalised, with images mixed with each other; labels become shares [b, classes]."""
        return self.mix(images, labels, generator(self.seed, "mix", step))
