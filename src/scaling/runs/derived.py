"""Derived files: tables and verdicts of a study, made from the store and from each other.

Beside each lies its seal: what the file is, its study, hashes of the settings (code included) and of the files that it was made
from, and its checksum. So a file that is damaged, was edited by hand or belongs to another study is noticed when it is read,
and set aside. Nothing is lost by that, since all of them can be made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scaling.files import write_atomic

if TYPE_CHECKING:
    import polars as pl


AGAIN_SECONDS: Final = 0.2
"""Seconds until a file that does not match its seal is read again (assumption)."""


class WrongFile(ValueError):
    """A derived file that must not be used; the message names it and says why."""


@dataclass(frozen=True)
class Seal:
    """What is known of a derived file apart from its contents."""

    file: str
    """what it is: runs, probes, benchmarks, fits, claims, or pack and its name"""
    study: str
    settings: str
    """hash of the settings and the code that it was made with"""
    inputs: str = ""
    """hash of the derived files that it was made from"""
    sha256: str = ""
    """of the file; empty if it is not written yet"""

    def same_origin(self, other: Seal) -> bool:
        """Whether both are of the same file, made from the same things."""
        return replace(self, sha256="") == replace(other, sha256="")


def seal_path(path: Path) -> Path:
    """Where the seal of the file at ``path`` lies."""
    return path.with_name(f"{path.name}.seal")


def read_seal(path: Path, expected: Seal) -> Seal:
    """The seal of the file at ``path``, which is whole, and the kind of file and the study that ``expected`` says.

    Raises:
        WrongFile: the file is damaged, is another kind of file, or belongs to another study.
        FileNotFoundError: there is no such file.
    """
    return _read(path, expected)[1]


def read_table(path: Path, expected: Seal) -> tuple[pl.DataFrame, Seal]:
    """The Parquet table at ``path`` and its seal. Raises as ``read_seal`` does."""
    import polars as pl

    content, seal = _read(path, expected)
    return pl.read_parquet(io.BytesIO(content)), seal


def read_json(path: Path, expected: Seal) -> tuple[Any, Seal]:
    """The contents of the JSON file at ``path`` and its seal. Raises as ``read_seal`` does."""
    content, seal = _read(path, expected)
    return json.loads(content), seal


def _read(path: Path, expected: Seal) -> tuple[bytes, Seal]:
    try:
        content, seal = _matching(path)
    except WrongFile:
        time.sleep(AGAIN_SECONDS)  # another program may have been between the writing of the two
        content, seal = _matching(path)
    if (seal.file, seal.study) != (expected.file, expected.study):
        raise WrongFile(f"{path}: is the {seal.file} of study {seal.study}, not the {expected.file} of study {expected.study}")
    return content, seal


def _matching(path: Path) -> tuple[bytes, Seal]:
    content = path.read_bytes()
    try:
        seal = Seal(**json.loads(seal_path(path).read_bytes()))
    except (FileNotFoundError, ValueError, TypeError) as error:
        raise WrongFile(f"{path}: its checksum, {seal_path(path).name}, is missing or damaged") from error
    if hashlib.sha256(content).hexdigest() != seal.sha256:
        raise WrongFile(f"{path}: {'its contents do' if content else 'empty, which does'} not match its checksum")
    return content, seal


def write_table(table: pl.DataFrame, path: Path, seal: Seal) -> Seal:
    """Write ``table`` as Parquet, and its seal; returns the seal with the checksum. Raises OSError."""
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return _write(buffer.getvalue(), path, seal)


def write_json(value: Any, path: Path, seal: Seal) -> Seal:
    """The same for ``value`` as JSON. Raises OSError; TypeError if JSON cannot hold it."""
    return _write((json.dumps(value, indent=1) + "\n").encode(), path, seal)


def _write(content: bytes, path: Path, seal: Seal) -> Seal:
    # The seal comes first, so that whoever waits for the file finds both. If the program is killed between the two, they do not
    # match, and the file is made again.
    whole = replace(seal, sha256=hashlib.sha256(content).hexdigest())
    write_atomic(seal_path(path), (json.dumps(asdict(whole), indent=1) + "\n").encode())
    write_atomic(path, content)
    return whole


def set_aside(path: Path, error: WrongFile, warn: Callable[[str], None]) -> None:
    """Rename the file at ``path``, which ``error`` is about, to ``NAME.damaged``, and say so through ``warn``."""
    aside = path.with_suffix(".damaged")
    with contextlib.suppress(FileNotFoundError):  # another program was faster
        path.replace(aside)
    seal_path(path).unlink(missing_ok=True)
    warn(f"{error}; set aside as {aside.name}, it is made again")
