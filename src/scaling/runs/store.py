"""The store: ``<root>/<key>/`` holds the record of one run, its log and, while it is trained, its checkpoint and lease.

Nothing half-written is ever read: a file is written beside its target, flushed to disk and renamed. A record carries a
checksum; a record that does not match it is named, set aside and trained again. A stored record is never rewritten.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scaling.files import json_sha256, write_atomic
from scaling.runs.lease import Lease
from scaling.runs.records import MIGRATIONS, RECORD_VERSION

TRUNK: Final = "trunk-"
"""Begins the names of files with states that several runs may start from."""


class DamagedRecord(ValueError):
    """A record that cannot be trusted; the message names the file and says why."""


class ForeignRecord(ValueError):
    """A record of another version of the columns; the message names both."""


@dataclass(frozen=True)
class Record:
    """What the store holds of a finished run: its row of the runs table, its settings and its evaluations."""

    row: dict[str, Any]
    settings: dict[str, Any]
    curve: list[dict[str, Any]]


class Store:
    """The records of runs under one folder, shared by all studies."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.held: Lease | None = None
        """the lease under which this process writes, if it trains a run"""

    def check_held(self) -> None:
        """Call this before each write of a trainer. Raises LostLease if another trainer has taken the run over."""
        if self.held is not None:
            self.held.check()

    def folder(self, key: str) -> Path:
        """The folder of the run ``key``."""
        return self.root / key

    def record_path(self, key: str) -> Path:
        """The record of the run ``key``."""
        return self.folder(key) / "record.json"

    def log_path(self, key: str) -> Path:
        """The log of the latest attempt at the run ``key``."""
        return self.folder(key) / "log.txt"

    def checkpoint_path(self, key: str) -> Path:
        """The checkpoint of the run ``key``, while it is being trained."""
        return self.folder(key) / "checkpoint.safetensors"

    def weights_path(self, key: str) -> Path:
        """The weights of the reported checkpoint of the run ``key``, kept if something is read off them later."""
        return self.folder(key) / "weights.safetensors"

    def trunk_path(self, key: str, step: int) -> Path:
        """The state after ``step`` from which runs of several lengths may go on; ``key`` names what they have in common."""
        return self.folder(key) / f"{TRUNK}{step}.safetensors"

    def trunk_steps(self, key: str) -> list[int]:
        """The steps after which such states are stored, ascending."""
        names = [path.name.split(".")[0].removeprefix(TRUNK) for path in self.folder(key).glob(f"{TRUNK}*.safetensors")]
        return sorted(int(name) for name in names if name.isdecimal())

    def probe_path(self, key: str, name: str) -> Path:
        """What the probe ``name`` read off the model of the run ``key``."""
        return self.folder(key) / f"{name}.json"

    def write_probe(self, key: str, name: str, version: str, rows: list[dict[str, Any]]) -> None:
        """Store what the probe ``name``, in its ``version``, read off the run ``key``. Raises LostLease, OSError."""
        body: dict[str, Any] = {"version": version, "rows": rows}
        body["checksum"] = json_sha256(body)
        self.check_held()
        write_atomic(self.probe_path(key, name), json.dumps(body, ensure_ascii=False, allow_nan=False).encode())

    def probe_rows(self, key: str, name: str, version: str) -> list[dict[str, Any]] | None:
        """What the probe ``name`` read off the run ``key``; None if it has not been read by this version, or if the file
        is damaged: then it is read again, off the weights that are kept."""
        try:
            body = json.loads(self.probe_path(key, name).read_bytes())
            checksum = body.pop("checksum")
            whole = json_sha256(body) == checksum and body["version"] == version
            return body["rows"] if whole else None
        except (FileNotFoundError, ValueError, KeyError, AttributeError, TypeError):
            return None

    def progress_path(self, key: str) -> Path:
        """How far the run ``key`` is, while it is being trained."""
        return self.folder(key) / "progress.json"

    def write(self, key: str, record: Record) -> None:
        """Store the finished run ``key``, unless it is stored already. Raises LostLease, OSError."""
        if self.record_path(key).exists():
            return
        body = {"version": RECORD_VERSION, "row": record.row, "settings": record.settings, "curve": record.curve}
        body["checksum"] = json_sha256(body)
        self.check_held()
        write_atomic(self.record_path(key), json.dumps(body, indent=1, ensure_ascii=False).encode())

    def read(self, key: str) -> Record | None:
        """The record of the finished run ``key``, or None. Raises DamagedRecord, ForeignRecord."""
        path = self.record_path(key)
        try:
            body = json.loads(path.read_bytes())
            checksum = body.pop("checksum")
            version, row, settings, curve = body["version"], body["row"], body["settings"], body["curve"]
            of = row.get("key", key)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise DamagedRecord(f"{path}: not a whole record ({type(error).__name__}: {error})") from error
        if json_sha256(body) != checksum:
            raise DamagedRecord(f"{path}: its checksum does not match its contents")
        if of != key:
            raise DamagedRecord(f"{path}: the record of another run, {of}")
        while version in MIGRATIONS:
            row, curve = MIGRATIONS[version](row, curve)
            version += 1
        if version != RECORD_VERSION:
            raise ForeignRecord(f"{path}: a record of version {version}, this program reads up to {RECORD_VERSION}")
        return Record(row, settings, curve)

    def read_or_discard(self, key: str, warn: Callable[[str], None]) -> Record | None:
        """As ``read``; a damaged record is named through ``warn`` and set aside, and None is returned. Raises ForeignRecord."""
        try:
            return self.read(key)
        except DamagedRecord as error:
            path = self.record_path(key)
            path.replace(path.with_suffix(".damaged"))
            warn(f"{error}; set aside as {path.with_suffix('.damaged').name}, the run is trained again")
            return None

    def sweep(self, key: str) -> None:
        """Remove the half-written files that a killed trainer of the run ``key`` left behind.

        Only for the holder of the run's lease: then nobody else is writing there.
        """
        for path in self.folder(key).glob(".*.tmp"):
            path.unlink(missing_ok=True)

    def lease(self, key: str) -> Lease:
        """The right to train the run ``key``."""
        return Lease(self.folder(key) / "lease")
