"""What a folder holds, and what each entry is; nothing is opened."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from scaling.data.data_errors import one_line

LOOPS: Final = ("a link that loops", "a link to a folder that holds it")


def entries(folder: Path | str) -> list[os.DirEntry[str]]:
    """What a folder holds, sorted by name, hidden entries left out."""
    with os.scandir(folder) as found:
        return sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)


def identity(folder: Path | str) -> tuple[int, int]:
    """What is the same for two paths to one folder."""
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def kind_of(entry: os.DirEntry[str], above: frozenset[tuple[int, int]] = frozenset()) -> str:
    """What an entry of a folder is, in words; ``above`` are the identities of the folders on the way to it."""
    if entry.is_file(follow_symlinks=False):
        return "a file"
    try:
        status = entry.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return LOOPS[0]
        return "a link to nothing" if error.errno == errno.ENOENT else one_line(error)
    if stat.S_ISDIR(status.st_mode):
        here = Path(entry.path).parent.resolve()
        holds = entry.is_symlink() and here.is_relative_to(Path(entry.path).resolve())
        return LOOPS[1] if holds or (status.st_dev, status.st_ino) in above else "a folder"
    kinds = {stat.S_IFREG: "a file", stat.S_IFIFO: "a pipe (FIFO)", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(status.st_mode), "a device")
