"""The registry of families: what each file of this folder says of its family, read without importing torch.

A family is one file that ends with a ``family``, and begins with its ``facts = Facts(...)``, written in plain values: they are
read off the text, so that a study is checked, planned and drawn where no torch is at hand.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

Kind = Literal["fully-connected", "convolutional", "transformer", "other"]
Option = bool | int | float | str


@dataclass(frozen=True)
class Facts:
    """What is known of a family before any model is built.

    Attributes:
        name: as a study names it.
        kind: its class of architectures.
        published: date of the paper, as 2015-12-10; families stand in this order on pages and in legends.
        reference: the paper.
        recipe: what the modern recipe sets for it beside the defaults: at least ``anchors``, the sizes at which its learning
            rate is tuned and the candidates.
        historical: what its paper trained it with, as changes to the defaults.
        options: option -> what it may be, the usual first; the builder takes them as keywords.
        maps: (module, layout) whose outputs still have positions, the last one is what the average pool sees; layouts are
            nchw, nhwc and nlc (tokens row by row). None where a family has no positions.
        pretrainable: whether it can be pre-trained without labels: the objectives leave out patches, or read tokens, as
            timm's ViT has them.
        colour, colour_on_dark, shape: how figures draw it; tests hold the colours apart for colour-blind readers.
    """

    name: str
    kind: Kind
    published: str
    reference: str
    recipe: Mapping[str, Any]
    historical: Mapping[str, Any]
    colour: str
    colour_on_dark: str
    shape: str
    options: Mapping[str, tuple[Option, ...]] = field(default_factory=dict)
    maps: tuple[tuple[str, str], ...] = ()
    pretrainable: bool = False


def read_facts(path: Path) -> Facts | None:
    """The facts that the file at ``path`` states; None where it states none and is no family's.

    Raises:
        ValueError: they are not written in plain values, lack something, or are not named as their file; the message names
            the file and the line.
    """
    for statement in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and [getattr(target, "id", "") for target in statement.targets] == ["facts"]:
            call = statement.value
            where = f"{path}: line {statement.lineno}: facts"
            try:
                if not (isinstance(call, ast.Call) and not call.args):
                    raise ValueError("must be Facts(name=..., ...)")
                facts = Facts(**{keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg})
            except (ValueError, TypeError) as error:
                raise ValueError(f"{where}: {error}; they are read as text, so only plain values will do") from error
            if facts.name != path.stem:
                raise ValueError(f"{where}: the name is {facts.name!r}; it must be that of the file, {path.stem!r}")
            return facts
    return None


def _families(folder: Path) -> dict[str, Facts]:
    found = [facts for path in sorted(folder.glob("[a-z]*.py")) if (facts := read_facts(path)) is not None]
    return {facts.name: facts for facts in sorted(found, key=lambda facts: (facts.published, facts.name))}


FAMILIES: Final[dict[str, Facts]] = _families(Path(__file__).parent)
"""Every family a study may name, in the order in which the architectures were published."""
