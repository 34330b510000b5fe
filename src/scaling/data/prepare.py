"""Build a source's prepared file once, however many jobs ask for it."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scaling.data.arrays import Arrays
from scaling.data.data_errors import DamagedData, DataError
from scaling.data.image_folder import Irregular, Listing, UnreadableImage, decode_all, list_images
from scaling.data.prepared import Draft, load, read_metadata
from scaling.data.seen import Seen, look, seen_path
from scaling.data.sources import SOURCES, DataSettings, refuse

logger = logging.getLogger(__name__)


def prepared_path(settings: DataSettings, root: Path) -> Path:
    """Where ``prepare`` puts these settings' file: ``root/SOURCE-SIDE.safetensors``, an image folder's with a
    hash.

    The hash is of the folder's place (seen from here, where it is below) and the policy for unreadable images, so that
    different settings never share a file, and a repository that is moved with its images finds its file again.
    """
    side = settings.side or SOURCES[settings.source].side
    name = f"{settings.source}-{side}"
    if settings.folder is not None:
        folder, here = settings.folder.resolve(), Path.cwd()
        folder = folder.relative_to(here) if folder.is_relative_to(here) else folder
        place = os.fsencode(folder) + b"\0" + settings.unreadable.encode()
        name += f"-{hashlib.sha256(place).hexdigest()[:12]}"
    return Path(root) / f"{name}.safetensors"


def prepare(settings: DataSettings, root: Path, *, progress: bool = True) -> Path:
    """Return the path of the prepared file, building it when it is absent, damaged, or its image folder has
    changed.

    The file appears whole or not at all; of several processes that ask at once, one builds and the others
    wait. ``progress`` shows a bar on standard error. Downloads are kept in ``root/downloads``. Raises
    DataError when the source cannot be had or, under ``unreadable="refuse"``, an image cannot be read.
    """
    path = prepared_path(settings, root)
    if _usable(path, settings):
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    # The lock is the kernel's: it falls when its holder dies, so a killed build blocks nobody.
    with FileLock(path.with_suffix(".lock")):
        if not _usable(path, settings):
            _build(settings, path, progress)
    return path


def _usable(path: Path, settings: DataSettings) -> bool:
    """Whether the file is there, whole, and still what the image folder holds."""
    if not path.exists():
        return False
    try:
        load(path)
    except DamagedData as error:
        logger.warning("%s", error)
        return False
    changed = look(path, settings.folder).changed
    if changed:
        logger.warning("%s: building it anew, %s", path, changed)
    return not changed


def _build(settings: DataSettings, path: Path, progress: bool) -> None:
    """Write beside the target, then rename."""
    partial = path.with_suffix(".partial")
    source = SOURCES[settings.source]
    digests: dict[str, str] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
            if source.read is None:
                assert settings.folder is not None  # DataSettings refuses it
                # Stamps first: an image that is changed from now on differs from them, and is looked at again.
                origin, listing = look(path, settings.folder).origin, list_images(settings.folder)
                stamps = listing.stamps()
                task = bar.add_task(path.stem, total=len(listing.train) + len(listing.test))
                digests = _write_folder(listing, settings, path.stem, origin, partial, lambda n: bar.advance(task, n))
            else:
                arrays = source.read(path.parent / "downloads")
                task = bar.add_task(path.stem, total=len(arrays.train_images) + len(arrays.test_images))
                side = settings.side or source.side
                assert side is not None  # all that is read has a side of its own
                _write_arrays(arrays, side, path.stem, partial, lambda n: bar.advance(task, n))
        os.replace(partial, path)
        if settings.folder is not None:
            images = {name: (stamp, digests.get(name, "")) for name, stamp in stamps.items()}
            Seen(origin, read_metadata(path)["checksum"], images).write(seen_path(path))
        _sync_folder(path.parent)
    finally:
        for leftover in (partial, _kept(partial)):
            leftover.unlink(missing_ok=True)


def _write_arrays(arrays: Arrays, side: int, name: str, partial: Path, advance: Callable[[int], None]) -> None:
    """Write a source that is in memory, its images scaled to ``side`` where that is not their own."""
    channels = arrays.train_images.shape[1]
    draft = Draft(
        partial,
        name=name,
        classes=arrays.classes,
        shape=(channels, side, side),
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


def _write_folder(
    listing: Listing, settings: DataSettings, name: str, origin: str, partial: Path, advance: Callable[[int], None]
) -> dict[str, str]:
    """Decode an image folder into the file; leave out or refuse what cannot be read. Returns the sha256 of each image."""
    if settings.unreadable == "refuse":
        refuse(listing, listing.irregular)
    splits = {"train": listing.train, "test": listing.test}
    shape = (SOURCES[settings.source].channels, settings.side, settings.side)
    facts = {"name": name, "classes": listing.classes, "shape": shape, "origin": origin}
    draft = Draft(partial, train_images=len(listing.train), test_images=len(listing.test), **facts)
    unreadable: dict[str, list[UnreadableImage]] = {}
    digests: dict[str, str] = {}
    for split, images in splits.items():
        draft.arrays[f"{split}_labels"][:] = [label for _, label in images]
        names = [image for image, _ in images]
        decoded = decode_all(listing.folder, names, draft.slots[f"{split}_images"], advance)
        unreadable[split] = decoded.unreadable
        digests |= decoded.digests
    failures = [*listing.irregular, *(failure for split in splits for failure in unreadable[split])]
    if failures:
        if settings.unreadable == "refuse":
            refuse(listing, failures)
        logger.warning("%s; left out", listing.describe(failures))
        draft = _without(draft, {split: [bad.row for bad in unreadable[split]] for split in splits}, failures, facts)
    draft.finish()
    if draft.path != partial:
        os.replace(draft.path, partial)
    return digests


def _without(draft: Draft, bad_rows: dict[str, list[int]], failures: list[Irregular], facts: dict[str, Any]) -> Draft:
    """A copy of the draft without the given rows, made row by row since it may not fit in memory."""
    kept = {}
    for split, rows in bad_rows.items():
        kept[split] = np.delete(np.arange(len(draft.arrays[f"{split}_labels"])), rows)
    smaller = Draft(
        _kept(draft.path),
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


def _kept(partial: Path) -> Path:
    """Where the file without unreadable images is written."""
    return partial.with_suffix(".kept")


def _sync_folder(folder: Path) -> None:
    """Make a rename outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
