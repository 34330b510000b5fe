"""What a trained model says of a few test images, kept beside its record for the pictures of a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from scaling.runs.store import Store

ASKED: Final = 12
"""Test images of which each model says what it sees (assumption: a picture that fits a screen; below 1 kB per run)."""

_NAME, _VERSION = "test-answers", "1"


@dataclass(frozen=True)
class Answer:
    """The likeliest class of one test image by a model, and the probability that the model gives it.

    ``image`` is a position among the test images, ``label`` one among the classes.
    """

    image: int
    label: int
    probability: float


def asked_images(count: int) -> list[int]:
    """The positions of ASKED images among ``count``, evenly spread, since some sources hold their images sorted by class."""
    return sorted({place * count // ASKED for place in range(ASKED)})


def keep_answers(store: Store, key: str, answers: list[Answer]) -> None:
    """Store what the model of the run ``key`` says. Raises LostLease, OSError."""
    row = {
        "images": [answer.image for answer in answers],
        "labels": [answer.label for answer in answers],
        "probabilities": [round(answer.probability, 4) for answer in answers],
    }
    store.write_probe(key, _NAME, _VERSION, [row])


def kept_answers(store: Store, key: str) -> list[Answer]:
    """What the model of the run ``key`` said; empty for runs that kept nothing, or whose file is damaged."""
    rows = store.probe_rows(key, _NAME, _VERSION) or []
    return [Answer(*one) for row in rows for one in zip(row["images"], row["labels"], row["probabilities"], strict=True)]
