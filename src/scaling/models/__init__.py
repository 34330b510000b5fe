"""The families, one per file; importing this package imports no torch, building a model does."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from scaling.models.architecture import Architecture
from scaling.models.family import Family, ImageSpec, Regularisation
from scaling.models.ladder import Ladders, Rung, SizeError
from scaling.models.outside import is_outside, own_place
from scaling.models.registry import FAMILIES, Option

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Architecture", "Family", "ImageSpec", "Ladders", "Regularisation", "Rung", "SizeError", "build", "get_family"]


def get_family(name: str, options: Iterable[tuple[str, Option]] = ()) -> Family:
    """The family of that name; its file alone is imported. ``options`` matter to the widths of a model of timm alone.

    Raises:
        ValueError: there is no such family.
    """
    if is_outside(name):
        return import_module(f"scaling.models.{'own' if own_place(name) else 'timm'}_family").make(name, options)
    if name not in FAMILIES:
        raise ValueError(f"no family is called {name!r}; there are {', '.join(FAMILIES)}")
    return import_module(f"scaling.models.{name}").family


def build(
    name: str,
    width: float,
    depth: int,
    image: ImageSpec,
    regularisation: Regularisation | None = None,
    options: Iterable[tuple[str, Option]] = (),
) -> nn.Module:
    """A model of a family in a size; see `Family.build`."""
    return get_family(name).build(width, depth, image, regularisation or Regularisation(), options)
