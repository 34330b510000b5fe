"""Whether the files that were prepared still hold what they held then.

Names, sizes and times of all files are looked at each time; where these differ from those that were seen last, the contents
of the files that differ are read and compared. What was seen lies beside the prepared file, as ``NAME.images.json``.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scaling.data.data_errors import DataError
from scaling.data.listing import Stamp, Watched, content_digest, fingerprint
from scaling.data.prepared import read_metadata
from scaling.files import write_atomic

_NAMED: Final = 5
"""How many files that differ a message names."""
_READERS: Final = 8
"""Files that are read at a time to compare their contents: hashing holds no lock, and network disks like company."""


@dataclass(frozen=True)
class Look:
    """What a look at the images of a study found.

    ``origin`` names the contents of the files that a study names, and is the same for as long as they are; it is empty for
    sources that name none. ``checksum`` is that of the prepared images, None where they are not prepared. ``changed`` says what
    differs between the files and what was prepared of them, and is empty where nothing does.
    """

    origin: str = ""
    checksum: str | None = None
    changed: str = ""

    def fits(self, checksum: str) -> bool:
        """Whether what was made with images of ``checksum`` may be of the images as they are now."""
        return not self.changed and self.checksum in (None, checksum)


@dataclass(frozen=True)
class Seen:
    """What was seen of the files: of each one its stamp and the digest of its contents, and what was made of them."""

    origin: str
    checksum: str
    images: Mapping[str, tuple[Stamp, str]]

    def write(self, path: Path) -> None:
        """Write it to ``path``, all or nothing."""
        body = {"origin": self.origin, "checksum": self.checksum, "images": self.images}
        write_atomic(path, json.dumps(body).encode(), durable=False)  # a lost one is made again, with the prepared file


def seen_path(prepared: Path) -> Path:
    """Where it stands what was seen when ``prepared`` was made."""
    return prepared.with_suffix(".images.json")


def look(prepared: Path, watched: Watched | None) -> Look:
    """Look at the files (None: they are gone, or the source has none) of which the file ``prepared`` is or was made.

    Raises DataError where one goes while they are looked at.
    """
    origin, checksum = _header(prepared)
    seen = _read(seen_path(prepared))
    if seen is not None and checksum is not None and (seen.origin, seen.checksum) != (origin, checksum):
        seen = None  # its writer was killed, or it is another file's
    if seen is not None:
        origin, checksum = seen.origin, seen.checksum
    if watched is None:
        return Look(origin, checksum)  # a folder that is gone leaves its prepared file good
    stamps = watched.stamps()
    now = fingerprint(stamps)
    if checksum is None or now == origin:
        return Look(now, checksum)
    if seen is None:
        return Look(now, checksum, f"the {watched.what}s in {watched.where!r} are not those that were prepared")
    differing = _differing(watched.folder, stamps, seen)
    if differing:
        return Look(now, checksum, _describe(differing, watched))
    if stamps != {name: stamp for name, (stamp, _) in seen.images.items()}:
        # Lest they be read at each look. It is as well where the disk refuses: they are read again.
        with contextlib.suppress(OSError):
            images = {name: (stamp, seen.images[name][1]) for name, stamp in stamps.items()}
            Seen(origin, checksum, images).write(seen_path(prepared))
    return Look(origin, checksum)


def _header(prepared: Path) -> tuple[str, str | None]:
    """Origin and checksum that a prepared file names, or an empty string and None where it is not there or damaged."""
    try:
        metadata = read_metadata(prepared)
        return metadata.get("origin", ""), metadata["checksum"]
    except (DataError, OSError, KeyError):
        return "", None


def _read(path: Path) -> Seen | None:
    """What is written at ``path``; None where it is not there or cannot be read: then the images are prepared anew."""
    try:
        body: dict[str, Any] = json.loads(path.read_bytes())
        images = {name: (tuple(stamp), str(digest)) for name, (stamp, digest) in body["images"].items()}
        return Seen(str(body["origin"]), str(body["checksum"]), images)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _differing(folder: Path, stamps: Mapping[str, Stamp], seen: Seen) -> list[str]:
    """Files that were added, removed or have other contents, by name."""
    known = {name for name, stamp in stamps.items() if name in seen.images and seen.images[name][0] == stamp}
    doubtful = [name for name in stamps if name in seen.images and name not in known]
    with ThreadPoolExecutor(_READERS) as readers:
        digests = dict(zip(doubtful, readers.map(lambda name: _digest(folder / name), doubtful), strict=True))
    other = {name for name, digest in digests.items() if digest != seen.images[name][1]}
    return sorted(other | (stamps.keys() ^ seen.images.keys()))


def _digest(path: Path) -> str:
    """Of a file's contents; of what cannot be read, an empty string, as when it was prepared."""
    try:
        return content_digest(path)
    except (OSError, ValueError):
        return ""


def _describe(differing: list[str], watched: Watched) -> str:
    named = ", ".join(map(repr, differing[:_NAMED]))
    more = f" and {len(differing) - _NAMED} more" if len(differing) > _NAMED else ""
    files, are = (watched.what, "is") if len(differing) == 1 else (f"{watched.what}s", "are")
    return f"{len(differing)} {files} of {watched.where!r} {are} not what was prepared: {named}{more}"
