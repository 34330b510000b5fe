"""What jobs take as given: the driver has looked at a study's files and had them prepared, so no job does either again.

Without this each job would list an image folder two or three times and read the whole prepared file, minutes to half an hour
for a million images. A prepared file is verified when it is built; a stamp beside it then tells by size and time whether it is
still that file. An edit of an image is found by whoever looks: `scaling plan`, the driver, `scaling prepare`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from scaling.data import source_registry
from scaling.data.listing import Watched
from scaling.data.prepare import prepared_path
from scaling.data.prepared import load
from scaling.data.source import SourceFacts
from scaling.data.source_registry import DataSettings
from scaling.data.verified import is_verified

_trusted: ContextVar[Path | None] = ContextVar("trusted", default=None)


@contextmanager
def prepared_files_trusted(root: Path) -> Iterator[None]:
    """Within the block, images that are prepared in the folder ``root`` are taken for those of the study's files."""
    token = _trusted.set(root)
    try:
        yield
    finally:
        _trusted.reset(token)


def trust_prepared_files(root: Path) -> None:
    """The same for the rest of this process."""
    _trusted.set(root)


def trusted_file(settings: DataSettings) -> Path | None:
    """The prepared file of ``settings``, where this process trusts it and it is the file that was verified; else None."""
    root = _trusted.get()
    path = prepared_path(settings, root) if root is not None else None
    return path if path is not None and is_verified(path) else None


def describe(settings: DataSettings) -> SourceFacts:
    """The facts of a source without decoding an image: of its trusted file, else as its files are now.

    Raises DataError when what the study names is missing or not laid out as its source says, or holds what is named like an
    image and is none, unless that is to be skipped.
    """
    path = trusted_file(settings)
    if path is None:
        return source_registry.describe(settings)
    data = load(path, verify=False)
    return SourceFacts(data.channels, data.side, len(data.classes), len(data.train_labels))


def watched(settings: DataSettings) -> Watched | None:
    """The files that a study names, which may change; None where it names none, they are gone, or what was prepared of them
    is trusted. Raises DataError."""
    return None if trusted_file(settings) is not None else source_registry.watched(settings)
