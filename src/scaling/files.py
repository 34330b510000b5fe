"""Files that are never seen half-written, and the checksums by which damage to them is found; every room may use these."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside ``path`` to write to; it takes the place of ``path`` when the block ends, and goes where the block fails.

    The folder of ``path`` is made where it is missing. Of several processes that write at once, the last one stays.

    Raises:
        OSError: the folder cannot be made, or the file not renamed.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield draft
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):  # on a read-only disk this fails too, and would hide why
            draft.unlink(missing_ok=True)
        raise


def write_atomic(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write ``content`` to ``path`` so that a reader sees all of it or what stood there before.

    Args:
        path: the file to write; its folder is made where it is missing.
        content: all of it.
        durable: whether the bytes are flushed to disk first. False is faster, for what costs only time where it is lost.

    Raises:
        OSError: it cannot be written; the message names ``path``.
    """
    try:
        with replacing(path) as draft, draft.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} while writing {path}", str(path)) from error


def flush(path: Path) -> None:
    """Flush ``path`` to disk: what any process wrote into a file, or a folder's names, so that a rename outlasts a power cut.

    Raises:
        OSError: it cannot be opened or flushed.
    """
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def canonical(value: Any) -> bytes:
    """``value`` as JSON bytes that are the same for equal values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any) -> str:
    """24 hexadecimal digits that name ``value``, the same on every machine.

    Raises:
        ValueError: ``value`` holds a number that is not finite.
        TypeError: it is nothing that JSON can say.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def json_sha256(value: Any) -> str:
    """sha256, in hexadecimal, of ``value`` as ``canonical`` writes it."""
    return hashlib.sha256(canonical(value)).hexdigest()
