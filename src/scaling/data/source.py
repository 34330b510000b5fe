"""What a source of images is: its facts, known before any image is decoded, and how it fills a prepared file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from scaling.data.arrays import Arrays
from scaling.data.listing import Watched
from scaling.data.meter import Meter
from scaling.data.prepared import Draft
from scaling.data.seen import Seen

if TYPE_CHECKING:
    from scaling.data.source_registry import DataSettings


@dataclass(frozen=True)
class SourceFacts:
    """What is known before preparing: channels, side in pixels, number of classes, number of training images.

    ``train_images`` counts the images that validation and training share. Where unreadable images are skipped it is the
    number of all, an upper bound.
    """

    channels: int
    side: int
    classes: int
    train_images: int


@dataclass(frozen=True)
class Target:
    """The prepared file that a source fills.

    Attributes:
        path: where it is written.
        name: of the data set, as the prepared file says it.
        origin: names the contents of the files that the study names; empty for sources that name none.
        downloads: a folder in which downloads are kept.
        meter: shows how far the work is.
    """

    path: Path
    name: str
    origin: str
    downloads: Path
    meter: Meter


@dataclass(frozen=True)
class AnySource(ABC):
    """A source under the ``name`` that studies give it; ``side`` is None where a study must say it."""

    name: str
    channels: int
    side: int | None

    @property
    def keys(self) -> Mapping[str, bool]:
        """The keys of ``data`` that it takes, beside source, side and validation -> whether a study must say it."""
        return {}

    @abstractmethod
    def facts(self, settings: DataSettings) -> SourceFacts:
        """What is known of it without decoding an image. Raises DataError."""

    @abstractmethod
    def write(self, settings: DataSettings, target: Target) -> Seen | None:
        """Fill the prepared file; of files that may change, return what was seen of them. Raises DataError."""

    def watched(self, settings: DataSettings) -> Watched | None:
        """The files that the study names, which may change; None where it names none, or they are gone. Raises DataError."""
        del settings
        return None


@dataclass(frozen=True)
class Source(AnySource):
    """A data set that fits in memory.

    Attributes:
        side: of its images, in pixels; a study may ask for another one, to which they are scaled.
        classes: how many there are.
        train_images: how many there are, those for validation included.
        read: folder of downloads -> Arrays. Raises DataError.
    """

    side: int
    classes: int
    train_images: int
    read: Callable[[Path], Arrays]

    def facts(self, settings: DataSettings) -> SourceFacts:
        """Its own facts, with the side that the study asks for."""
        return SourceFacts(self.channels, settings.side or self.side, self.classes, self.train_images)

    def write(self, settings: DataSettings, target: Target) -> Seen | None:
        """Write its arrays, the images scaled to the study's side where that is not their own. Raises DataError."""
        write_arrays(self.read(target.downloads), settings.side or self.side, target)


def write_arrays(arrays: Arrays, side: int, target: Target) -> None:
    """Write a whole source to ``target``, its images scaled to ``side`` pixels where that is not their own."""
    advance = target.meter.steps(target.name, len(arrays.train_images) + len(arrays.test_images))
    draft = Draft(
        target.path,
        name=target.name,
        classes=arrays.classes,
        shape=(arrays.train_images.shape[1], side, side),
        train_images=len(arrays.train_images),
        test_images=len(arrays.test_images),
        origin=target.origin,
    )
    for split, images, labels in (
        ("train", arrays.train_images, arrays.train_labels),
        ("test", arrays.test_images, arrays.test_labels),
    ):
        draft.arrays[f"{split}_labels"][:] = labels
        rows = draft.arrays[f"{split}_images"]
        if images.shape == rows.shape:
            rows[:] = images
            advance(len(images))
            continue
        for row, image in zip(rows, images, strict=True):
            for channel, plane in zip(row, image, strict=True):
                channel[:] = Image.fromarray(plane).resize((side, side), Image.Resampling.BICUBIC)
            advance(1)
    draft.finish()
