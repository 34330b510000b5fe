"""What keys of a study were called in older files, which are still read."""

from __future__ import annotations

from typing import Any, Final

OLDER_KEYS: Final = {"probes": "measures", "benchmarks": "timings", "names": "measures"}
"""Key of today -> its older name."""


def renamed(given: Any, key: str) -> Any:
    """The block ``given`` with ``key`` in place of its older name; where both stand, the older one is an unknown key."""
    older = OLDER_KEYS[key]
    if not isinstance(given, dict) or older not in given or key in given:
        return given
    return {key if name == older else name: value for name, value in given.items()}
