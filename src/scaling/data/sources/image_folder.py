"""Any folder of class folders as a source; its layout and how its images are decoded: ``scaling.data.class_folders``."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling.data.class_folders import Irregular, Listing, UnreadableImage, decode_all, list_images
from scaling.data.data_errors import DataError
from scaling.data.prepared import Draft, read_metadata
from scaling.data.seen import Seen
from scaling.data.source import AnySource, SourceFacts, Target

if TYPE_CHECKING:
    from scaling.data.source_registry import DataSettings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ImageFolder(AnySource):
    """Folders of images, which may be too many to be read into memory: they are decoded into the prepared file itself."""

    takes_folder = True

    def facts(self, settings: DataSettings) -> SourceFacts:
        """From the names of folders and files. Raises DataError, as ``list_images`` does, and for what is no image."""
        listing = _listing(settings)
        assert settings.side is not None  # DataSettings refuses it
        return SourceFacts(self.channels, settings.side, len(listing.classes), len(listing.train))

    def write(self, settings: DataSettings, target: Target) -> Seen:
        """Decode the images; leave out or refuse those that cannot be read. Raises DataError."""
        listing = _listing(settings)
        # Stamps first: an image that is changed from now on differs from them, and is looked at again.
        stamps = listing.stamps()
        kept = target.path.with_suffix(".kept")
        try:
            digests = _decode(listing, settings, (self.channels, settings.side, settings.side), target, kept)
        finally:
            kept.unlink(missing_ok=True)
        images = {name: (stamp, digests.get(name, "")) for name, stamp in stamps.items()}
        return Seen(target.origin, read_metadata(target.path)["checksum"], images)


def _listing(settings: DataSettings) -> Listing:
    assert settings.folder is not None  # DataSettings refuses it
    listing = list_images(settings.folder)
    if settings.unreadable == "refuse":
        _refuse(listing, listing.irregular)
    return listing


def _decode(
    listing: Listing, settings: DataSettings, shape: tuple[int, int | None, int | None], target: Target, kept_path: Path
) -> dict[str, str]:
    """Decode an image folder into the file; where images are left out, ``kept_path`` is in use. Returns their sha256."""
    splits = {"train": listing.train, "test": listing.test}
    facts = {"name": target.name, "classes": listing.classes, "shape": shape, "origin": target.origin}
    advance = target.steps(len(listing.train) + len(listing.test))
    draft = Draft(target.path, train_images=len(listing.train), test_images=len(listing.test), **facts)
    unreadable: dict[str, list[UnreadableImage]] = {}
    digests: dict[str, str] = {}
    for split, images in splits.items():
        draft.arrays[f"{split}_labels"][:] = [label for _, label in images]
        names = [image for image, _ in images]
        decoded = decode_all(listing.folder, names, draft.slots[f"{split}_images"], advance)
        unreadable[split] = decoded.unreadable
        digests |= decoded.digests
    failures = [*listing.irregular, *(failure for split in splits for failure in unreadable[split])]
    if not failures:
        draft.finish()
        return digests
    if settings.unreadable == "refuse":
        _refuse(listing, failures)
    logger.warning("%s; left out", listing.describe(failures))
    _without(draft, kept_path, {split: [bad.row for bad in unreadable[split]] for split in splits}, failures, facts).finish()
    os.replace(kept_path, target.path)
    return digests


def _without(
    draft: Draft, path: Path, bad_rows: dict[str, list[int]], failures: list[Irregular], facts: dict[str, Any]
) -> Draft:
    """A copy of the draft at ``path`` without the given rows, made row by row since it may not fit in memory."""
    kept = {}
    for split, rows in bad_rows.items():
        kept[split] = np.delete(np.arange(len(draft.arrays[f"{split}_labels"])), rows)
    smaller = Draft(
        path,
        train_images=len(kept["train"]),
        test_images=len(kept["test"]),
        skipped=tuple(failure.name for failure in failures),
        **facts,
    )
    for split, rows in kept.items():
        smaller.arrays[f"{split}_labels"][:] = draft.arrays[f"{split}_labels"][rows]
        for target, row in enumerate(rows):
            smaller.arrays[f"{split}_images"][target] = draft.arrays[f"{split}_images"][row]
    empty = np.flatnonzero(np.bincount(smaller.arrays["train_labels"], minlength=len(facts["classes"])) == 0)
    if len(empty):
        raise DataError(f"class {facts['classes'][empty[0]]!r} has no readable training image")
    return smaller


def _refuse(listing: Listing, unreadable: Sequence[Irregular]) -> None:
    """Raise DataError, naming what cannot be read, where there is any such thing."""
    if unreadable:
        raise DataError(f"{listing.describe(unreadable)}; unreadable: skip leaves them out")


source = ImageFolder(name="image-folder", channels=3, side=None)
