"""What a source of images is: its facts, known before any image is decoded, and how it fills a prepared file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from PIL import Image
from rich.progress import Progress

from scaling.data.arrays import Arrays
from scaling.data.prepared import Draft
from scaling.data.seen import Seen

if TYPE_CHECKING:
    from scaling.data.source_registry import DataSettings


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


@dataclass(frozen=True)
class Target:
    """The prepared file that a source fills.

    Attributes:
        path: where it is written.
        name: of the data set, as the prepared file says it.
        origin: names the contents of the study's image folder; empty for other sources.
        downloads: a folder in which downloads are kept.
        bar: shows how far the work is.
    """

    path: Path
    name: str
    origin: str
    downloads: Path
    bar: Progress

    def steps(self, images: int) -> Callable[[int], None]:
        """Say that there are ``images`` to write; the function returned is told how many more have been written."""
        task = self.bar.add_task(self.name, total=images)
        return lambda written: self.bar.advance(task, written)


@dataclass(frozen=True)
class AnySource(ABC):
    """A source under the ``name`` that studies give it; ``side`` is None where a study must say it."""

    name: str
    channels: int
    side: int | None

    takes_folder: ClassVar[bool] = False
    """Whether a study must name a folder, and a side, for it; for the others it must not name a folder."""

    @abstractmethod
    def facts(self, settings: DataSettings) -> SourceFacts:
        """What is known of it without decoding an image. Raises DataError."""

    @abstractmethod
    def write(self, settings: DataSettings, target: Target) -> Seen | None:
        """Fill the prepared file; of a folder that may change, return what was seen of it. Raises DataError."""


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

    def write(self, settings: DataSettings, target: Target) -> None:
        """Write its arrays, the images scaled to the study's side where that is not their own. Raises DataError."""
        arrays = self.read(target.downloads)
        side = settings.side or self.side
        advance = target.steps(len(arrays.train_images) + len(arrays.test_images))
        draft = Draft(
            target.path,
            name=target.name,
            classes=arrays.classes,
            shape=(arrays.train_images.shape[1], side, side),
            train_images=len(arrays.train_images),
            test_images=len(arrays.test_images),
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
