"""Checkpoints: tensors and plain data in one safetensors file, checked before they are believed."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from scaling.files import canonical, write_atomic


class UnusableCheckpoint(ValueError):
    """A checkpoint that is damaged or belongs to other settings; the message names the file and why."""


def _checksum(tensors: dict[str, Tensor], state: str) -> str:
    sha = hashlib.sha256(state.encode())
    for name in sorted(tensors):
        sha.update(name.encode())
        sha.update(tensors[name].contiguous().view(torch.uint8).numpy().tobytes() if tensors[name].numel() else b"")
    return sha.hexdigest()


def save_checkpoint(path: Path, tensors: dict[str, Tensor], state: dict[str, Any], settings: dict[str, Any]) -> None:
    """Write ``tensors`` (any device) and ``state`` (JSON) of a cell with ``settings`` to ``path``, atomically."""
    flat = {name: tensor.detach().reshape(-1).cpu().contiguous().clone() for name, tensor in tensors.items()}
    text = json.dumps({"state": state, "settings": settings})
    write_atomic(path, save(flat, metadata={"state": text, "checksum": _checksum(flat, text)}))


def load_checkpoint(path: Path, settings: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Flat tensors and state of the checkpoint at ``path``; None where there is none.

    Raises UnusableCheckpoint where the file is damaged (a flipped bit included) or was made with other settings.
    """
    if not path.exists():
        return None
    tensors, content = read_checkpoint(path)
    if canonical(content["settings"]) != canonical(settings):
        differing = ", ".join(_differing(content["settings"], settings))
        raise UnusableCheckpoint(f"{path}: made with other settings: {differing}")
    return tensors, content["state"]


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Flat tensors of the checkpoint at ``path``, and a dict of its ``state`` and ``settings``, whatever these are.

    Raises UnusableCheckpoint where the file is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = metadata["state"]
        matches = _checksum(tensors, text) == metadata["checksum"]
        content = json.loads(text)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise UnusableCheckpoint(f"{path}: not a whole checkpoint ({error})") from error
    if not matches:
        raise UnusableCheckpoint(f"{path}: its checksum does not match its contents")
    return tensors, content


def _differing(theirs: dict[str, Any], ours: dict[str, Any], within: str = "") -> list[str]:
    """Names of the settings that are not the same in both, those of a block as ``block.name``."""
    found = []
    for name in sorted(theirs.keys() | ours.keys()):
        one, other = theirs.get(name), ours.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            found += _differing(one, other, f"{within}{name}.")
        elif one != other:
            found.append(within + name)
    return found
