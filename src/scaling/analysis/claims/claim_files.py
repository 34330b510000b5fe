"""Names of the claims, from the names of their files, without importing them: a study is checked before anything runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

_FOLDER = Path(__file__).parent
_NAME = re.compile(r"c(\d+)_(\w+)")


def claim_files() -> dict[str, Path]:
    """Name of each claim -> its file, in the order of their numbers: alexnet-parts -> .../c02_alexnet_parts.py."""
    found = [(match, path) for path in _FOLDER.glob("c*.py") if (match := _NAME.fullmatch(path.stem))]
    return {match[2].replace("_", "-"): path for match, path in sorted(found, key=lambda pair: int(pair[0][1]))}


def claims_tested(claims: Literal["all"] | list[str]) -> list[str]:
    """Names of the claims that a study tests, from its key ``claims``."""
    return list(claim_files()) if claims == "all" else list(claims)
