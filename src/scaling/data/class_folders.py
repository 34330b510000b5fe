"""Any folder of class folders: its listing.

Layouts: ``FOLDER/train/CLASS/*`` with ``FOLDER/test/CLASS/*`` or, as ImageNet has it, ``FOLDER/val/CLASS/*``; or
``FOLDER/CLASS/*``, of which ``labelling`` holds some images out. Where both test/ and val/ have class folders, test/ is tested
on. A class is the path below the split, ``dogs/poodle`` say: of nested folders each one that holds images, and each that holds
nothing deeper. Hidden files and files whose ending no image format has are passed over. What is named like an image and is none
(a pipe, a folder, a link to nothing), and a link that loops, counts as an image that cannot be read.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from scaling.data.data_errors import DataError
from scaling.data.folder_entries import LOOPS, entries, identity, kind_of
from scaling.data.labelling import Labelled, held_out_names
from scaling.data.listing import Irregular, Listing, Watched, file_chunks
from scaling.data.other_layouts import what_would_do
from scaling.data.pixels import image_endings

TRAIN: Final = ("train", "training")
TEST: Final = ("test", "val", "validation", "valid")
"""What the folders of splits are called, those for testing in the order in which they are taken."""


def list_images(folder: Path) -> Listing:
    """List the images of a folder and split them into training and test images, without opening one.

    Raises DataError when the folder is missing, has no classes, or a class has no training image.
    """
    where = f"image folder {str(folder)!r}"
    if not folder.is_dir():
        raise DataError(f"{where} is not a folder")
    trains, tests = ([name for name in names if (folder / name).is_dir()] for names in (TRAIN, TEST))
    irregular: list[Irregular] = []
    if trains and tests:
        train, test = _of_splits(folder, trains[0], tests, where, irregular)
    elif trains or tests:
        raise DataError(f"{where} has {(trains or tests)[0]}/ alone; allowed: train/ and test/ (or val/), or class folders")
    else:
        train, test = _held_out(_list_classes(folder, "", irregular))
    classes = tuple(sorted(train))
    if len(classes) < 2:
        raise DataError(f"{where} has {len(classes)} class folders, at least 2 are needed{what_would_do(folder)}")
    for name in classes:
        if not train[name]:
            raise DataError(f"{where}: class {name!r} has no training image")
    labelled_train, labelled_test = (
        tuple((image, label) for label, name in enumerate(classes) for image in split.get(name, ())) for split in (train, test)
    )
    if not labelled_test:
        raise DataError(f"{where} has no test image")
    names = [name for split in (labelled_train, labelled_test) for name, _ in split]
    watched = Watched(str(folder), folder, names, none=[one.name for one in irregular])
    chunks = file_chunks(folder, labelled_train, labelled_test)
    return Listing(watched, classes, labelled_train, labelled_test, chunks, tuple(irregular))


ByClass = dict[str, list[str]]
"""Class name -> its images' paths relative to the folder, sorted by name."""


def _of_splits(folder: Path, train: str, tests: list[str], where: str, irregular: list[Irregular]) -> tuple[ByClass, ByClass]:
    """The images of the folder of training images, and of the first folder of test images that has classes."""
    trained = _list_classes(folder, f"{train}/", irregular)
    tested: ByClass = {}
    for name in tests:
        found: list[Irregular] = []
        tested = _list_classes(folder, f"{name}/", found)
        if any(tested.values()):
            irregular += found
            break
    else:
        name = tests[-1]
        if any(entry.name.lower().endswith(image_endings()) for entry in entries(folder / name)):
            raise DataError(
                f"{where}: {name}/ holds images but no class folders; put each image into its class's folder, "
                f"or name a table of them by labels"
            )
    unknown = sorted(set(tested) - set(trained))
    if unknown:
        raise DataError(f"{where}: {name} class {unknown[0]!r} has no folder in {train}/")
    return trained, tested


def _held_out(by_class: ByClass) -> tuple[ByClass, ByClass]:
    """Training and test images where there are no splits."""
    held_out = held_out_names(Labelled(image, name) for name, images in by_class.items() for image in images)
    train = {name: [image for image in images if image not in held_out] for name, images in by_class.items()}
    test = {name: [image for image in images if image in held_out] for name, images in by_class.items()}
    return train, test


def _list_classes(folder: Path, prefix: str, irregular: list[Irregular]) -> ByClass:
    """The classes below ``folder / prefix``; ``irregular`` is added to."""
    endings = image_endings()
    classes: ByClass = {}

    def walk(below: str, above: frozenset[tuple[int, int]]) -> None:
        """List the folder of the class ``below`` (empty: of all classes); ``above`` are the folders that hold it."""
        place = os.path.join(folder, prefix + below)
        above |= {identity(place)}
        images, deeper = [], []
        for entry in entries(place):
            name = f"{below}/{entry.name}" if below else entry.name
            kind = kind_of(entry, above)
            named_so = entry.name.lower().endswith(endings)
            if kind == "a folder" and not (named_so and below):
                deeper.append(name)
            elif named_so and kind == "a file":
                images.append(prefix + name)
            elif (named_so and below) or kind in LOOPS:
                irregular.append(Irregular(prefix + name, kind))
        if below and (images or not deeper):
            classes[below] = images
        for name in deeper:
            walk(name, above)

    walk("", frozenset())
    return classes
