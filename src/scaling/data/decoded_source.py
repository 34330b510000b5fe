"""A source of encoded images, which may be too many for memory: they are decoded into the prepared file itself."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from scaling.data.data_errors import DataError
from scaling.data.decoding import Decoded, Journal, decode_all
from scaling.data.listing import NO_IMAGE, Irregular, Listing, Stamp, Watched, content_digest
from scaling.data.prepared import Draft, in_words, read_metadata, room_for
from scaling.data.seen import Seen
from scaling.data.source import AnySource, SourceFacts, Target

if TYPE_CHECKING:
    from scaling.data.source_registry import DataSettings

logger = logging.getLogger(__name__)

_READERS: Final = 8
"""Files that are read at a time to take their digests: hashing holds no lock, and network disks like company."""


@dataclass(frozen=True)
class DecodedSource(AnySource):
    """Images of any size in files; ``side`` must be said. ``taken`` are the keys of ``data`` that it takes -> must be said.

    ``list_images`` finds the images of a study without decoding one; it raises DataError.
    """

    taken: Mapping[str, bool]
    list_images: Callable[[DataSettings], Listing]

    @property
    def keys(self) -> Mapping[str, bool]:
        """Its own, and those of all sources that decode."""
        return {"unreadable": False, "channels": False, **self.taken}

    def facts(self, settings: DataSettings) -> SourceFacts:
        """From the listing. Raises DataError, also for what is named like an image and is none."""
        listing = self._listing(settings)
        assert settings.side is not None  # DataSettings refuses it
        return SourceFacts(settings.channels or self.channels, settings.side, len(listing.classes), len(listing.train))

    def watched(self, settings: DataSettings) -> Watched | None:
        """The files of the listing; None where their folder is gone. Raises DataError."""
        if settings.folder is not None and not settings.folder.is_dir():
            return None
        return self.list_images(settings).watched

    def write(self, settings: DataSettings, target: Target) -> Seen:
        """Decode the images; leave out or refuse those that cannot be read. Raises DataError."""
        listing = self._listing(settings)
        # Stamps first: a file that is changed from now on differs from them, and is looked at again.
        stamps = listing.watched.stamps() | dict(listing.read_as)
        shape = (settings.channels or self.channels, settings.side or 0, settings.side or 0)
        kept = target.path.with_suffix(".kept")
        try:
            decoded = _decode(listing, stamps, settings.unreadable == "skip", shape, target, kept)
        finally:
            kept.unlink(missing_ok=True)
        digests = decoded.digests | _digests(listing.watched, stamps, decoded.digests)
        images = {name: (stamp, digests.get(name, "")) for name, stamp in stamps.items()}
        return Seen(target.origin, read_metadata(target.path)["checksum"], images)

    def _listing(self, settings: DataSettings) -> Listing:
        listing = self.list_images(settings)
        if settings.unreadable == "refuse":
            _refuse(listing, listing.irregular)
        return listing


def _decode(
    listing: Listing, stamps: Mapping[str, Stamp], skip: bool, shape: tuple[int, int, int], target: Target, kept_path: Path
) -> Decoded:
    """Decode all images into the file; where images are left out, ``kept_path`` is in use."""
    counts = {"train": len(listing.train), "test": len(listing.test)}
    facts = {"name": target.name, "classes": listing.classes, "shape": shape, "origin": target.origin}
    images = sum(counts.values())
    size = images * (int(np.prod(shape)) + 8) * (2 if skip else 1)
    twice = ", twice as unreadable images are left out" if skip else ""
    pixels = " x ".join(map(str, shape))
    target.meter.say(f"{listing.watched.where}: {images:,} images to {pixels} pixels need {in_words(size)} of disk{twice}")
    journal = Journal(target.path.with_suffix(".journal"), json.dumps([counts, shape, listing.classes]))
    if not journal.done:
        target.path.unlink(missing_ok=True)
    # What lies there of an earlier attempt has its blocks already.
    room_for(target.path, size - (target.path.stat().st_size if target.path.exists() else 0))
    draft = Draft(target.path, train_images=counts["train"], test_images=counts["test"], go_on=bool(journal.done), **facts)
    if not draft.went_on:
        journal.start()
    elif journal.done:
        target.meter.say(f"{listing.watched.where}: going on where an earlier attempt ended")
    for split, rows in (("train", listing.train), ("test", listing.test)):
        draft.arrays[f"{split}_labels"][:] = [label for _, label in rows]
    advance = target.meter.steps(target.name, images)
    decoded = decode_all(listing.chunks, stamps, draft.slots, journal, advance, listing.watched.where)
    decoded.unreadable.sort(key=lambda bad: (bad.split == "test", bad.row))
    failures: list[Irregular] = [*listing.irregular, *decoded.unreadable]
    if not failures:
        draft.finish()
        return decoded
    if not skip:
        _refuse(listing, failures)
    logger.warning("%s; left out", listing.describe(failures))
    bad = {split: [one.row for one in decoded.unreadable if one.split == split] for split in counts}
    _without(draft, kept_path, bad, failures, facts).finish()
    os.replace(kept_path, target.path)
    return decoded


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


def _digests(watched: Watched, stamps: Mapping[str, Stamp], known: Mapping[str, str]) -> dict[str, str]:
    """sha256 of the files whose digests are not ``known``. Raises DataError where one changed since its stamp was taken."""
    names = [name for name, stamp in stamps.items() if name not in known and stamp != NO_IMAGE]
    with ThreadPoolExecutor(_READERS) as readers:
        found = dict(zip(names, readers.map(lambda name: content_digest(watched.folder / name), names), strict=True))
    now = Watched(watched.where, watched.folder, names, watched.what).stamps()
    changed = [name for name in names if now[name] != stamps[name]]
    if changed:
        raise DataError(f"{watched.folder / changed[0]}: was changed while it was being prepared; prepare it again")
    return found


def _refuse(listing: Listing, unreadable: Sequence[Irregular]) -> None:
    """Raise DataError, naming what cannot be read, where there is any such thing."""
    if unreadable:
        raise DataError(f"{listing.describe(unreadable)}; unreadable: skip leaves them out")
