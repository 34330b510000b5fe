"""The stamp of a prepared file: its size, time and checksum when its contents were last read and found right."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from scaling.data.prepared import load, read_metadata
from scaling.files import write_atomic


def stamp_path(prepared: Path) -> Path:
    """Where the stamp of ``prepared`` lies."""
    return prepared.with_suffix(".verified.json")


def verify(path: Path) -> None:
    """Read the prepared file wholly, compare it with its checksum, and leave its stamp.

    Raises DataError when there is no such file; DamagedData when it is damaged.
    """
    before = path.stat() if path.exists() else None
    checksum = load(path).checksum
    assert before is not None  # load has raised
    body = {"size": before.st_size, "mtime_ns": before.st_mtime_ns, "checksum": checksum}
    with contextlib.suppress(OSError):  # without a stamp the file is read again, which costs time alone
        write_atomic(stamp_path(path), (json.dumps(body) + "\n").encode(), durable=False)


def is_verified(path: Path) -> bool:
    """Whether ``path`` is by size, time and header the file that was verified; its contents are not read."""
    try:
        now, stamp = path.stat(), json.loads(stamp_path(path).read_bytes())
        seen = (stamp["size"], stamp["mtime_ns"], stamp["checksum"])
        return seen == (now.st_size, now.st_mtime_ns, read_metadata(path)["checksum"])
    except (OSError, ValueError, KeyError, TypeError):
        return False
