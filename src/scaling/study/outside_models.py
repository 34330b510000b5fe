"""What a study may say of a model of timm (``timm/NAME``) or of a user's own (``PATH.py:NAME``); no torch.

What only building them tells (that timm has the model, which arguments it takes) the ladder says, before any job.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from scaling.models.outside import BY_DEPTH, BY_WIDTH, SEPARATOR, TIMM, is_outside, own_place
from scaling.models.own_files import check_defined
from scaling.models.registry import FAMILIES, Kind, Option
from scaling.models.timm_rules import TIMM_RULES, rule_of

OUTSIDE: Final = r"^(timm/[A-Za-z0-9_.]+|.+\.py:[A-Za-z_][A-Za-z0-9_]*)$"
OutsideName = Annotated[str, Field(pattern=OUTSIDE, max_length=1000)]
"""A model of timm or of a user's own."""


def _multiples(said: Any) -> Any:
    values = said if isinstance(said, list) else [said]
    plain = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if not 1 <= len(plain) == len(values) <= MOST_STAGES or not all(0 < value <= LARGEST_MULTIPLE for value in plain):
        raise ValueError(f"must be a number above 0 and at most {LARGEST_MULTIPLE:,}, or a list of up to {MOST_STAGES} of them")
    return said


MOST_STAGES: Final = 100
LARGEST_MULTIPLE: Final = 1_000_000
Moves = Annotated[
    dict[str, Annotated[float | list[float], BeforeValidator(_multiples)]], Field(min_length=1, max_length=MOST_STAGES)
]
"""Argument -> what it is for a width (or a depth) of 1; a list for one value per stage."""


def check_own(model: str | None) -> str | None:
    """``model``; of a user's own, that its file is there and defines it. Raises ValueError."""
    place = own_place(model) if model else None
    if place is not None:
        path, name = place
        if not path.is_file():
            near = [file.name for file in sorted(path.parent.glob("*.py"))] if path.parent.is_dir() else []
            raise ValueError(f"there is no file {path}" + (f"; beside it are {', '.join(near[:5])}" if near else ""))
        check_defined(path, name)
    return model


def only_of_timm(said: Any, model: str | None) -> Any:
    """``said``, which is None, a number, or arguments that move, as a model of timm alone has them. Raises ValueError."""
    if isinstance(said, dict) and model is not None and not model.startswith(TIMM):
        raise ValueError(f"{model} is no model of timm, and only of those it is said which arguments move")
    return said


def only_from_outside(kind: Kind | None, model: str | None) -> Kind | None:
    """``kind``, which is said of models from outside alone. Raises ValueError."""
    if kind is not None and model is not None and not is_outside(model):
        raise ValueError(f"{model} is {FAMILIES[model].kind}; only of models from outside it is said what they are")
    return kind


def why_not(model: str, width: Any, recipe_name: str) -> str:
    """Why a model from outside cannot be trained as its entry says; empty where it can, as far as its name tells."""
    if not is_outside(model):
        return ""
    if recipe_name == "historical":
        return f"no paper's recipe is known of {model}; allowed: recipe_name: modern"
    if width is not None or own_place(model) is not None or rule_of(model.removeprefix(TIMM)) is not None:
        return ""
    near = difflib.get_close_matches(model.removeprefix(TIMM), TIMM_RULES, n=1, cutoff=0.6)
    meant = f"did you mean {TIMM}{near[0]}? Otherwise say" if near else "say"
    return (
        f"received {json.dumps(model)}; how it is scaled is not known: {meant} by `width` which of its arguments move, such as "
        f"`width: {{dims: [1, 2, 4, 8]}}`; known are names that begin with {', '.join(sorted(TIMM_RULES))}"
    )


def moved_options(width: Mapping[str, Any] | None, depth: Mapping[str, Any] | None) -> dict[str, Option]:
    """What a study says of which arguments move, as options of the architecture.

    Args:
        width, depth: argument -> its multiple of the width or depth, or one multiple per stage; None where nothing is said.
    """
    said = {BY_WIDTH: width, BY_DEPTH: depth}
    return {name: json.dumps({key: _plain(one) for key, one in moves.items()}) for name, moves in said.items() if moves}


def _plain(value: Any) -> Any:
    """Whole numbers as such, so that 1 and 1.0 are one key."""
    if isinstance(value, list):
        return [_plain(part) for part in value]
    return int(value) if value == int(value) else value


def locate(families: Any, folder: Path) -> None:
    """Make the paths of ``model: PATH.py:NAME``, which are relative to ``folder``, relative to where the program runs.

    ``families`` is that block of a study file's tree; it is changed in place.
    """
    for own in families.values() if isinstance(families, dict) else ():
        model = own.get("model") if isinstance(own, dict) else None
        if isinstance(model, str) and SEPARATOR in model and not model.startswith(TIMM):
            path, _, name = model.rpartition(":")
            found, here = Path(os.path.normpath(folder.absolute() / path)), Path.cwd()
            own["model"] = f"{found.relative_to(here) if found.is_relative_to(here) else found}:{name}"
