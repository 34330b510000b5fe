"""The text of a first study, for people to edit: images, families and a grid, each key with a comment."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scaling.models.outside import TIMM, is_outside
from scaling.study.layout import LONGEST_NAME, RESERVED
from scaling.study.starter_grids import Shape

MORE_SEEDS: Final = (2, 1)
"""Seeds added at the smallest data sizes, the smallest first: they are cheap there, and tell noise from misfit
(docs/studies.md, "Choosing a grid")."""

PLAIN: Final = re.compile(r"(?!(true|false|null|yes|no|on|off|y|n)$)[a-z][a-z0-9_./-]*", re.IGNORECASE)
"""Text that YAML reads as it stands."""


@dataclass(frozen=True)
class Starter:
    """What a first study says.

    Attributes:
        name: of the study.
        data: the keys of its block ``data`` and their values; ``validation`` is one of them.
        families: entry -> the model that it names, or None where its name is a family's.
        shape: its N and D.
        data_sizes: the same D, one by one.
        anchor_images: D at which learning rates are tuned.
        device: where runs are trained.
        budget: the time that it was made for, in words.
    """

    name: str
    data: Mapping[str, object]
    families: Mapping[str, str | None]
    shape: Shape
    data_sizes: tuple[int, ...]
    anchor_images: int
    device: str
    budget: str

    def text(self, path: Path) -> str:
        """The study file, to be written at ``path``."""
        return TEXT.format(
            path=shlex.quote(str(path)),
            budget=self.budget,
            name=self.name,
            description=scalar(f"{', '.join(self.families)} on {_images_in_words(self.data)}."),
            data="\n".join(f"  {key}: {scalar(value)}{DATA_COMMENTS.get(key, '')}" for key, value in self.data.items()),
            families="\n".join(f"  {name}:{_named(of)}" for name, of in self.families.items()),
            params=self.shape.params,
            images=self.shape.images,
            data_sizes=", ".join(f"{size:,}" for size in self.data_sizes),
            repeats="\n".join(
                f"    - images: [{size}]\n      seeds: {list(range(1, 1 + more))}"
                for size, more in zip(self.data_sizes, MORE_SEEDS, strict=False)
            ),
            anchor_images=self.anchor_images,
            device=self.device,
        )


def name_from(path: Path) -> str:
    """A name for the study in the file ``path``: the file's, in the letters that a name may have."""
    name = re.sub(r"[^a-z0-9_-]+", "-", path.stem.lower()).strip("-_")[: LONGEST_NAME - len("-study")]
    return name if name and name not in RESERVED else f"{name}-study".lstrip("-")


def entry_of(word: str) -> tuple[str, str | None]:
    """An entry of ``families`` for a family, timm/NAME or PATH.py:NAME: its name, and the model that it has to name."""
    if not is_outside(word):
        return word, None
    name = word.removeprefix(TIMM).rpartition(":")[2]
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"), word


def scalar(value: object) -> str:
    """``value`` as YAML reads it back."""
    text = str(value)
    return text if isinstance(value, int) or PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _named(model: str | None) -> str:
    return f" {{ model: {scalar(model)} }}" if model else ""


def _images_in_words(data: Mapping[str, object]) -> str:
    place = next((data[key] for key in ("folder", "files", "shards") if key in data), None)
    return f"the images of {place or data['source']}"


DATA_COMMENTS: Final = {
    "source": " # what kind of images; docs/images.md lists them all",
    "side": " # pixels",
    "validation": " # images split off those for training; checkpoints and learning rates are chosen on them",
}

TEXT: Final = """\
# A scaling study for {budget}. What it would train, and how long that takes: scaling plan {path}
# It starts with: scaling run {path}
name: {name} # names results/{name} and reports/{name}
description: {description}

data:
{data}

# What is compared. A family may have its own sizes and changes to the recipe: vit: {{ params: [5000, 20000] }}
families:
{families}

# The grid: every size with every data size and seed. Add a number and run again: only what is new is trained.
# from, to and count are sizes evenly spaced in their logarithm; a list does as well.
grid:
  params: {params} # N, the sizes of the models
  images: {images} # D, unique training images: {data_sizes}
  out_of_range: move # sizes that a family cannot have for these images are moved, all by one factor | refuse
  seeds: [0]
  repeats: # more seeds where they are cheap; they tell noise from misfit
{repeats}

# How every model is trained: only what differs from the defaults (docs/recipe.md).
recipe:
  anchors:
    images: {anchor_images} # D at which learning rates are tuned, whatever the grid is

device: {device} # auto | cpu | cuda | mps

# Nothing here changes a result.
jobs:
  pack: size # a job trains the runs of one family and N
"""
