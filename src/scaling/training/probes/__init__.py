"""What is read off a trained model beside its loss and error: each probe is a file of this folder, found by its name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from scaling.study.declared import PROBES, module_of

if TYPE_CHECKING:
    from scaling.data import ImageData
    from scaling.training.loop import Trainer

Row = dict[str, Any]
"""A row of the table of measurements (``scaling.runs.records``)."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """How one probe is taken.

    Attributes:
        description: what it tells, in a few words, for the list of allowed values; a literal, since it is read off the file.
        take: gives the rows of a trainer whose average holds the weights of the reported checkpoint, and of the images.
        of_diverged: whether it is taken of a run that diverged too, which has no weights to read.
        objective: the objective of the pre-training without which there is nothing to read, a literal; "" for none.
    """

    description: str
    take: Callable[[Trainer, ImageData], list[Row]]
    of_diverged: bool = False
    objective: str = ""


def load_probe(name: str) -> Probe:
    """The probe ``name``.

    Raises:
        ValueError: there is no such probe.
    """
    if name not in PROBES:
        raise ValueError(f"no probe is called {name!r}; there are {', '.join(PROBES)}")
    return import_module(f"{__name__}.{module_of(name)}").probe
