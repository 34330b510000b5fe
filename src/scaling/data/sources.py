"""The sources that a study may name, and what is known of them before any image is decoded."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from scaling.data import cifar, fashion_mnist
from scaling.data.arrays import Arrays
from scaling.data.data_errors import DataError
from scaling.data.image_folder import Irregular, Listing, list_images

Unreadable = Literal["refuse", "skip"]


@dataclass(frozen=True)
class Source:
    """A named data set: its facts, and a reader ``downloads folder -> Arrays``.

    An image folder has no facts of its own: its images are too many to be read into arrays, and are listed
    and decoded by ``scaling.data.image_folder``.
    """

    channels: int
    side: int | None = None
    classes: int | None = None
    train_images: int | None = None
    read: Callable[[Path], Arrays] | None = None


SOURCES: Final[dict[str, Source]] = {
    "fashion-mnist": Source(1, 28, 10, 20_000, fashion_mnist.read_embedded),
    "fashion-mnist-full": Source(1, 28, 10, 60_000, fashion_mnist.read_full),
    "cifar10": Source(3, 32, 10, 50_000, cifar.read_cifar10),
    "cifar100": Source(3, 32, 100, 50_000, cifar.read_cifar100),
    "image-folder": Source(3),
}
"""Every source by its name in a study file."""


@dataclass(frozen=True)
class DataSettings:
    """Which images a study uses.

    ``side``: pixels a side; None is the source's own, and an image folder needs one. ``folder``: the image
    folder, for that source alone. ``unreadable``: whether an image folder with unreadable images is refused
    or used without them. Raises DataError when these do not go together.
    """

    source: str
    side: int | None = None
    folder: Path | None = None
    unreadable: Unreadable = "refuse"

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            near = difflib.get_close_matches(self.source, SOURCES, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(f"source {self.source!r} is unknown, allowed: {', '.join(SOURCES)}{hint}")
        if self.side is not None and (not isinstance(self.side, int) or isinstance(self.side, bool) or self.side < 1):
            raise DataError(f"side {self.side!r} is not allowed: a whole number of pixels, at least 1")
        if self.unreadable not in get_args(Unreadable):
            raise DataError(f"unreadable {self.unreadable!r} is not allowed: {' or '.join(get_args(Unreadable))}")
        own_folder = SOURCES[self.source].read is None
        if own_folder and (self.side is None or self.folder is None):
            raise DataError(f"source {self.source!r} needs side and folder, got side {self.side}, folder {self.folder}")
        if not own_folder and self.folder is not None:
            raise DataError(f"folder {str(self.folder)!r} is for source 'image-folder', not for {self.source!r}")


@dataclass(frozen=True)
class SourceFacts:
    """What is known before preparing: channels, side in pixels, number of classes, number of training images.

    ``train_images`` counts the images that validation and training share. For an image folder whose
    unreadable images are skipped it is the number of files, an upper bound.
    """

    channels: int
    side: int
    classes: int
    train_images: int


def describe(settings: DataSettings) -> SourceFacts:
    """The facts of a source without decoding an image: from the table above, or an image folder's names.

    Raises DataError when an image folder is missing or not laid out as ``image_folder`` says, or holds what is
    named like an image and is none, unless that is to be skipped.
    """
    source = SOURCES[settings.source]
    if source.read is None:
        assert settings.folder is not None  # DataSettings refuses it
        assert settings.side is not None
        listing = list_images(settings.folder)
        if settings.unreadable == "refuse":
            refuse(listing, listing.irregular)
        return SourceFacts(source.channels, settings.side, len(listing.classes), len(listing.train))
    side = settings.side or source.side
    # Whatever is read into arrays says all of it in the table above.
    assert side is not None
    assert source.classes is not None
    assert source.train_images is not None
    return SourceFacts(source.channels, side, source.classes, source.train_images)


def refuse(listing: Listing, unreadable: Sequence[Irregular]) -> None:
    """Raise DataError, naming what cannot be read, where there is any such thing."""
    if unreadable:
        raise DataError(f"{listing.describe(unreadable)}; unreadable: skip leaves them out")
