"""From images with labels, and perhaps splits, to classes and to rows for training and for testing.

The training images are those of the split ``train`` (or ``training``). The test images are those of ``test`` where these have
labels, else those of ``validation`` (or ``val``, ``valid``, ``dev``); a split beside these is passed over. Where there is no
split to test on, one image in five of each class (at least one) is a test image: those whose names have the lowest sha256, so
that the choice depends on names alone. Classes are those of the training images, in the order of their numbers where all are
numbers, else of their names.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scaling.data.data_errors import DataError

logger = logging.getLogger(__name__)

TEST_SHARE: Final = 5
"""Without a split to test on, one image in this many of each class is a test image."""

SPLITS: Final = {
    "train": "train", "training": "train", "test": "test", "testing": "test",
    "validation": "validation", "val": "validation", "valid": "validation", "dev": "validation",
}  # fmt: skip
"""What splits are called."""

IMAGE_COLUMNS: Final = (
    "file", "filename", "file_name", "filepath", "file_path", "image", "img", "path", "image_id", "imageid", "name", "id",
)  # fmt: skip
LABEL_COLUMNS: Final = ("label", "labels", "class", "target", "category", "class_name", "cls", "fine_label")
SPLIT_COLUMNS: Final = ("split", "subset", "partition", "set")
"""Names of columns that are guessed, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """An image by name, its label as text (None: it has none) and its split (empty: none is said)."""

    name: str
    label: str | None
    split: str = ""


@dataclass(frozen=True)
class Rows:
    """Classes, and the rows of each split: pairs of (name, label)."""

    classes: tuple[str, ...]
    train: tuple[tuple[str, int], ...]
    test: tuple[tuple[str, int], ...]


def rows_of(images: Sequence[Labelled], where: str) -> Rows:
    """Divide ``images``, in their order, by the rules at the head of this file.

    Raises DataError, which begins with ``where``, for fewer than two classes, images without labels, and a test class that
    has no training image.
    """
    chosen = _splits(images, where)
    splits = set(chosen)
    train = [image for image in images if image.split == chosen["train"]]
    missing = [image for image in train if image.label is None]
    if missing:
        raise DataError(f"{where}: {len(missing)} of {len(train)} training images have no label, first {missing[0].name!r}")
    if "test" in splits:
        test = [image for image in images if image.split == chosen["test"]]
    else:
        held_out = held_out_names(train)
        test = [image for image in train if image.name in held_out]
        train = [image for image in train if image.name not in held_out]
    classes = class_order({image.label for image in (*train, *test) if image.label is not None})
    if len(classes) < 2:
        raise DataError(f"{where}: {len(classes)} class ({', '.join(classes)}), at least 2 are needed")
    trained = {image.label for image in train}
    for name in classes:
        if name not in trained:
            raise DataError(f"{where}: class {name!r} has no training image")
    number = {name: label for label, name in enumerate(classes)}
    rows = (
        ((image.name, number[str(image.label)]) for image in train),
        ((image.name, number[str(image.label)]) for image in test),
    )
    return Rows(classes, *map(tuple, rows))


def held_out_names(images: Iterable[Labelled]) -> set[str]:
    """Names of the images that are held out for testing where no split is."""
    by_class: dict[str | None, list[str]] = {}
    for image in images:
        by_class.setdefault(image.label, []).append(image.name)
    found: set[str] = set()
    for names in by_class.values():
        names.sort(key=lambda name: hashlib.sha256(os.fsencode(name)).digest())
        found.update(names[: max(1, len(names) // TEST_SHARE)])
    return found


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Classes in the order of their numbers where all are numbers, else of their names."""
    found = set(names)
    if all(re.fullmatch(r"\d+", name) for name in found):
        return tuple(sorted(found, key=lambda name: (int(name), name)))
    return tuple(sorted(found))


def label_text(value: Any) -> str | None:
    """A label as text; None for what says that there is none: null, an empty text, NaN, a negative whole number.

    Raises ValueError for what is no label (a list, say).
    """
    if isinstance(value, float) and (value != value or value == int(value)):
        value = None if value != value else int(value)
    if value is None or (isinstance(value, int) and value < 0):
        return None
    if isinstance(value, bytes):
        value = value.decode()
    if not isinstance(value, str | int):
        raise ValueError(f"{value!r} is no label: a text or a whole number is")
    text = str(value).strip()
    return text if text and not re.fullmatch(r"-\d+", text) else None


def split_of_file(path: str) -> str:
    """The split that a file's name says, or else its folder's: ``train-00000-of-00014.parquet`` -> train; empty: none."""
    for part in (Path(path).name, Path(path).parent.name):
        found = re.search(rf"(?<![a-z])({'|'.join(SPLITS)})(?![a-z])", part.lower())
        if found:
            return SPLITS[found[1]]
    return ""


def column(columns: Sequence[str], said: str | None, usual: Sequence[str], key: str, where: str) -> str:
    """The column that a study names, or the one with the likeliest of its usual names.

    Args:
        columns: of the table.
        said: what the study names; None where it names none.
        usual: names to look for then, in lower case, the likeliest first.
        key: of the study; where: the table, for messages.

    Raises:
        DataError: there is no such column.
    """
    if said is not None:
        if said in columns:
            return said
        raise DataError(f"{where}: {key} {said!r} is no column; allowed: {', '.join(columns)}")
    lower = {name.lower(): name for name in reversed(columns)}
    for name in usual:
        if name in lower:
            return lower[name]
    raise DataError(f"{where}: no column called {', '.join(usual[:4])} ...; its columns are {', '.join(columns)}: say {key}")


def _splits(images: Sequence[Labelled], where: str) -> Mapping[str, str]:
    """Which of the splits are trained and tested on: "train" and, where there is one, "test" -> split of the images."""
    labelled: dict[str, bool] = {}
    for image in images:
        labelled[image.split] = labelled.get(image.split, False) or image.label is not None
    if not labelled:
        raise DataError(f"{where}: no image")
    if set(labelled) == {""}:
        return {"train": ""}
    unnamed = next((image.name for image in images if not image.split), None)
    if unnamed is not None:
        raise DataError(f"{where}: no split is said of {unnamed!r}, but of others; allowed: train, test, validation")
    if "train" not in labelled:
        raise DataError(f"{where}: no training images, only {', '.join(sorted(labelled))}; one split must be called train")
    usable = [split for split in ("test", "validation") if labelled.get(split)]
    for split in sorted(set(labelled) - {"train", *usable[:1]}):
        reason = f"{usable[0]} is tested on" if labelled[split] else "its images have no labels"
        logger.warning("%s: split %r is not used, %s", where, split, reason)
    if not usable:
        return {"train": "train"}
    missing = next((image.name for image in images if image.split == usable[0] and image.label is None), None)
    if missing is not None:
        raise DataError(f"{where}: some {usable[0]} images have no label, first {missing!r}")
    return {"train": "train", "test": usable[0]}
