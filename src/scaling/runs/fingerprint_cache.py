"""Fingerprints that earlier processes found, so that a start need not parse the package again: 0.02 s and not 1 s."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path


class FingerprintCache:
    """The file ``path``: fingerprints by name, valid for the contents of ``sources`` and this version of Python.

    An outdated or damaged one is made anew; one that cannot be written costs time only.
    """

    def __init__(self, path: Path, sources: Mapping[Path, bytes]) -> None:
        self.path = path
        digest = hashlib.sha256(repr(sys.version_info).encode())
        for file, content in sources.items():
            digest.update(f"\0{file}\0{len(content)}\0".encode() + content)
        self._sources = digest.hexdigest()
        self.fingerprints = self._read()

    def add(self, name: str, fingerprint: str) -> None:
        """Remember ``fingerprint`` as ``name``."""
        self.fingerprints[name] = fingerprint
        body = {"sources": self._sources, "fingerprints": self._read() | self.fingerprints}
        draft = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(exist_ok=True)
            draft.write_text(json.dumps(body | {"checksum": _checksum(body)}))
            draft.replace(self.path)

    def _read(self) -> dict[str, str]:
        try:
            body = json.loads(self.path.read_bytes())
            checksum = body.pop("checksum")
            whole = body["sources"] == self._sources and checksum == _checksum(body)
            return body["fingerprints"] if whole else {}
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return {}


def _checksum(body: dict[str, object]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
