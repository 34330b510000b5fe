"""Paths and patterns of files that a study names, short enough for a file system."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field

LONGEST_PART: Final = 255
"""Bytes of a file's name without its folders: the limit of ext4, XFS and APFS."""


def _with_short_names(path: Path) -> Path:
    for part in path.parts:
        if len(part.encode()) > LONGEST_PART:
            raise ValueError(f"no file's name is longer than {LONGEST_PART} bytes, this one has {len(part.encode())}")
    return path


FilePath = Annotated[Path, AfterValidator(_with_short_names)]
FilePattern = Annotated[str, Field(min_length=1), AfterValidator(lambda pattern: str(_with_short_names(Path(pattern))))]
