"""Whether the store holds all that is wanted of a run: its record, what is to be read off its model, a backbone's weights."""

from __future__ import annotations

from collections.abc import Iterable

from scaling.runs.deciding_code import probe_code
from scaling.runs.grid import Run
from scaling.runs.records import DIVERGED
from scaling.runs.store import Store


def missing_probes(store: Store, key: str, wanted: Iterable[str]) -> list[str]:
    """The probes of ``wanted`` that the store does not hold of the run ``key``."""
    return [name for name in wanted if store.probe_rows(key, name, probe_code(name)) is None]


def is_complete(store: Store, key: str, wanted: Iterable[str]) -> bool:
    """Whether the store holds the record of the run ``key`` and all probes of ``wanted``."""
    return store.record_path(key).exists() and not missing_probes(store, key, wanted)


def is_kept(store: Store, backbone: Run) -> bool:
    """Whether the store holds all of the backbone that its runs need."""
    if not store.record_path(backbone.key).exists():
        return False
    if store.weights_path(backbone.key).exists():
        return True
    entry = store.read(backbone.key)
    return entry is not None and entry.row["status"] == DIVERGED
