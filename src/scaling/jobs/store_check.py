"""A check of the whole store: does each file hold what its place says? Files that do not are set aside.

A run that is being trained is left alone, and all files are written whole or not at all, so the check disturbs no training.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from scaling.files import digest, json_sha256
from scaling.runs.store import DamagedRecord, ForeignRecord, Record, Store

_SAME: Final = (
    "family",
    "width",
    "depth",
    "params",
    "images",
    "seed",
    "learning_rate",
    "device",
    "precision",
    "recipe_version",
)
"""Settings that a record's row repeats."""
_NOT_PROBES: Final = ("record.json", "progress.json")


@dataclass
class Checked:
    """What a check of the store found: how many files of each kind it read, and those that it set aside."""

    counts: Counter[str] = field(default_factory=Counter)
    aside: list[Path] = field(default_factory=list)

    def summary(self, root: Path) -> str:
        """What was checked, in one line."""
        counts = self.counts
        parts = [
            f"{counts['record']} records (checksum, version, key and row against settings)",
            f"{counts['probe']} probes and answers (checksum)",
            f"{counts['weights'] + counts['checkpoint']} weights and checkpoints (checksum, key against settings)",
        ]
        left = {
            "newer": "of a newer version, left as they are",
            "training": "in training now, left alone",
            "without": "folders without a record",
        }
        parts += [f"{counts[name]} {words}" for name, words in left.items() if counts[name]]
        return f"{root}: checked {', '.join(parts)}; {len(self.aside) or 'no'} files set aside"


def check_store(store: Store, say: Callable[[str], None]) -> Checked:
    """Check every file of the store; each that is wrong is named through ``say`` and renamed to ``NAME.damaged``.

    Raises:
        OSError: a file cannot be read or renamed.
    """
    found = Checked()
    for folder in sorted(path for path in store.root.iterdir() if path.is_dir()) if store.root.is_dir() else ():
        key, lease = folder.name, store.lease(folder.name)
        if lease.owner_now()[1]:
            found.counts["training"] += 1
            continue
        counts: Counter[str] = Counter()
        faults = list(_faults(store, key, counts, say))
        if faults:
            # Nobody may train the run meanwhile; and what was wrong may have been mended before we had the lease.
            if not lease.acquire():
                found.counts["training"] += 1
                continue
            try:
                counts = Counter()
                for path, why in list(_faults(store, key, counts, lambda message: None)):
                    aside = path.with_suffix(".damaged")
                    path.replace(aside)
                    found.aside.append(path)
                    say(f"{path}: {why}; set aside as {aside.name}")
            finally:
                lease.release()
        found.counts += counts
    return found


def _faults(store: Store, key: str, counts: Counter[str], say: Callable[[str], None]) -> Iterator[tuple[Path, str]]:
    """The files of the run ``key`` that are wrong, and why; ``counts`` is told what was read."""
    path_of_record = store.record_path(key)
    others = [path for path in sorted(store.folder(key).iterdir()) if path.suffix in (".json", ".safetensors")]
    others = [path for path in others if path.name not in _NOT_PROBES]
    wrong = ""
    if not path_of_record.exists():
        counts["without"] += 1
    else:
        counts["record"] += 1
        try:
            record = store.read(key) if path_of_record.is_file() else None
            wrong = "not a file" if record is None else _disagreement(key, record)
            if wrong:
                yield path_of_record, wrong
        except DamagedRecord as error:
            yield path_of_record, str(error).removeprefix(f"{path_of_record}: ")
        except ForeignRecord as error:
            counts["newer"] += 1
            say(str(error))
    for path in others:
        kind = "probe" if path.suffix == ".json" else path.stem
        counts[kind] += 1
        why = "not a file" if not path.is_file() else _probe_fault(path) if kind == "probe" else _weights_fault(path, key)
        if why:
            yield path, why
        elif wrong:
            yield path, "of the record that is set aside"


def _disagreement(key: str, record: Record) -> str:
    """How a whole record contradicts the place where it lies, or itself; an empty string if it does not."""
    own = digest(record.settings)
    if own != key:
        return f"its settings are not those of its key: they are those of {own}"
    row, settings = record.row, record.settings
    differing = [name for name in _SAME if name in row and row[name] != settings.get(name)]
    if row.get("key") != key:
        differing.insert(0, "key")
    return f"its row and its settings differ in {', '.join(differing)}" if differing else ""


def _probe_fault(path: Path) -> str:
    try:
        body: dict[str, Any] = json.loads(path.read_bytes())
        checksum = body.pop("checksum")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        return f"not a whole probe ({type(error).__name__}: {error})"
    return "" if json_sha256(body) == checksum else "its checksum does not match its contents"


def _weights_fault(path: Path, key: str) -> str:
    from scaling.training.checkpoint import UnusableCheckpoint, read_checkpoint  # torch takes seconds to import

    try:
        settings = read_checkpoint(path)[1]["settings"]
    except UnusableCheckpoint as error:
        return str(error).removeprefix(f"{path}: ")
    own = digest(settings)
    return "" if own == key else f"its settings are not those of its key: they are those of {own}"
