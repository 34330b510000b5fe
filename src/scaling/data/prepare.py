"""Build a source's prepared file once, however many jobs ask for it."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from filelock import FileLock
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scaling.data.data_errors import DamagedData
from scaling.data.prepared import load
from scaling.data.seen import look, seen_path
from scaling.data.source import Target
from scaling.data.source_registry import SOURCES, DataSettings

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
    # One name, not one per process: what a killed build has left is written over, and no second build runs beside this one.
    partial = path.with_suffix(".partial")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True), disable=not progress) as bar:
            origin = look(path, settings.folder).origin
            target = Target(partial, path.stem, origin, path.parent / "downloads", bar)
            seen = SOURCES[settings.source].write(settings, target)
        os.replace(partial, path)
        if seen is not None:
            seen.write(seen_path(path))
        _sync_folder(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Make a rename outlast a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
