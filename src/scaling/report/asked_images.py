"""The test images of which every model said what it sees, with the answers that the store keeps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from scaling.data import ImageData
from scaling.runs.answers import Answer, asked_images, kept_answers
from scaling.runs.store import Store


@dataclass(frozen=True)
class AskedImages:
    """Some test images, what they show, and what models said of them.

    Attributes:
        images: uint8 [n, channels, side, side].
        truths: the class of each, in words.
        classes: the names of all classes, in the order of their labels.
        answers: key of a run -> its answer on each image; runs that kept none are left out.
    """

    images: np.ndarray
    truths: tuple[str, ...]
    classes: tuple[str, ...]
    answers: dict[str, list[Answer]]


def gather_answers(data: ImageData, store: Store, keys: Iterable[str]) -> AskedImages:
    """The asked images of ``data`` with what the runs ``keys`` said of them."""
    places = asked_images(len(data.test_images))
    kept = {key: kept_answers(store, key) for key in keys}
    return AskedImages(
        images=data.test_images[places].copy(),
        truths=tuple(data.classes[label] for label in data.test_labels[places]),
        classes=data.classes,
        answers={key: said for key, said in kept.items() if [one.image for one in said] == places},
    )
