"""Fingerprints that earlier processes found, so that a start need not parse the package again: 0.02 s instead of 1 s."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from scaling.files import json_sha256, write_atomic


class FingerprintCache:
    """The file ``path``: fingerprints by name, valid for the contents of ``sources`` and this version of Python.

    An outdated or damaged file is made again; a file that cannot be written costs time only.
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
        with contextlib.suppress(OSError):
            write_atomic(self.path, json.dumps(body | {"checksum": json_sha256(body)}).encode(), durable=False)

    def _read(self) -> dict[str, str]:
        try:
            body = json.loads(self.path.read_bytes())
            checksum = body.pop("checksum")
            whole = body["sources"] == self._sources and checksum == json_sha256(body)
            return body["fingerprints"] if whole else {}
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            return {}
