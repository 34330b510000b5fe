"""Build a source's prepared file once, however many jobs ask for it."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

from filelock import FileLock

from scaling.data.data_errors import DamagedData, Unfinished
from scaling.data.meter import Meter
from scaling.data.seen import look, seen_path
from scaling.data.source import Target
from scaling.data.source_registry import SOURCES, DataSettings, watched
from scaling.data.verified import is_verified, verify
from scaling.files import flush

logger = logging.getLogger(__name__)


def prepared_path(settings: DataSettings, root: Path) -> Path:
    """Where ``prepare`` puts these settings' file: ``root/SOURCE-SIDE.safetensors``, with a hash where they name files.

    The hash is of the files' place (seen from here, where it is below), the policy for unreadable images and the other keys, so
    that different settings never share a file, and a repository that is moved with its images finds its file again.
    """
    side = settings.side or SOURCES[settings.source].side
    name = f"{settings.source}-{side}"
    said = settings.said()
    if said:
        parts = [_place(settings.folder) if settings.folder else b"", settings.unreadable.encode()]
        others = {key: value for key, value in said.items() if key not in ("folder", "unreadable")}
        for key, value in others.items():
            place = _place(Path(str(value))) if key in ("labels", "files", "shards") else str(value).encode()
            parts.append(key.encode() + b"=" + place)
        name += f"-{hashlib.sha256(bytes(1).join(parts)).hexdigest()[:12]}"
    return Path(root) / f"{name}.safetensors"


def _place(path: Path) -> bytes:
    """A path or pattern as it is called from here, where it lies below, else in full."""
    whole, here = path.resolve(), Path.cwd()
    return os.fsencode(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def prepare(settings: DataSettings, root: Path, *, progress: bool = True, trust: bool = False) -> Path:
    """Return the path of the prepared file, building it when it is absent, damaged, or the files that the study names have
    changed.

    The file appears whole or not at all; of several processes that ask at once, one builds and the others wait. A build that
    was killed goes on where it ended. With ``trust``, as in jobs, a file that is by its stamp the one that was verified is
    taken as it is: neither its contents nor the study's files are looked at. ``progress`` shows on standard error how far it
    is. Downloads are kept in ``root/downloads``.

    Raises DataError when the source cannot be had or, under ``unreadable="refuse"``, an image cannot be read.
    """
    path = prepared_path(settings, root)

    def is_good() -> bool:
        return (trust and is_verified(path)) or _usable(path, settings)

    if is_good():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    # The lock is the kernel's: it falls when its holder dies, so a killed build blocks nobody.
    with FileLock(path.with_suffix(".lock")):
        if not is_good():
            _build(settings, path, progress)
    return path


def _usable(path: Path, settings: DataSettings) -> bool:
    """Whether the file is there, whole, and still what the study's files hold."""
    if not path.exists():
        return False
    try:
        verify(path)
    except DamagedData as error:
        logger.warning("%s", error)
        return False
    changed = look(path, watched(settings)).changed
    if changed:
        logger.warning("%s: building it anew, %s", path, changed)
    return not changed


def _build(settings: DataSettings, path: Path, progress: bool) -> None:
    """Write beside the target, then rename."""
    # One name, not one per process: what a killed build has left is gone on with or written over, and no second build runs
    # beside this one.
    partial, journal = path.with_suffix(".partial"), path.with_suffix(".journal")
    try:
        with Meter(progress) as meter:
            origin = look(path, watched(settings)).origin
            target = Target(partial, path.stem, origin, path.parent / "downloads", meter)
            seen = SOURCES[settings.source].write(settings, target)
        os.replace(partial, path)
        if seen is not None:
            seen.write(seen_path(path))
        flush(path.parent)
        verify(path)
    except (KeyboardInterrupt, SystemExit, Unfinished):
        if not journal.exists():
            partial.unlink(missing_ok=True)
        raise  # else the next build goes on, as after a kill
    except BaseException:
        partial.unlink(missing_ok=True)
        journal.unlink(missing_ok=True)
        raise
    journal.unlink(missing_ok=True)
