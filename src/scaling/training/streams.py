"""Random streams that depend on (seed, purpose, step) alone, so that a resumed run draws what an unbroken one draws."""

from __future__ import annotations

import hashlib

import torch


def stream(seed: int, *purpose: str | int | float) -> int:
    """A 63-bit seed for ``purpose``, e.g. ``stream(0, "augment", step)``."""
    name = repr((seed, *purpose)).encode()
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little") >> 1


def generator(seed: int, *purpose: str | int | float) -> torch.Generator:
    """A CPU generator of the stream ``purpose``."""
    return torch.Generator().manual_seed(stream(seed, *purpose))
