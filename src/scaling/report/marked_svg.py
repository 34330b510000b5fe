"""What a figure's marks stand for, as titles and ``data-family`` in its SVG: the page's script shows and toggles by them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree

import plotnine as p9

from scaling.report.figures.told import TOLD, UNSEEN

_SVG: Final = "{http://www.w3.org/2000/svg}"
_SHAPES: Final = {f"{_SVG}{tag}" for tag in ("path", "use", "circle")}
_COLOUR: Final = re.compile(r"(?:fill|stroke): (#[0-9a-f]{6})")
_UNSEEN: Final = re.compile(rf"fill-opacity: {UNSEEN:.6f}(?:;|$)")
_AFTER_A_NAME: Final = re.compile(r" \(|: |\n")
"""What ends the family where a label goes on: "vit (0.76)", "vit: too few cells"."""


def mark_families(root: ElementTree.Element, figure: p9.ggplot) -> None:
    """Write into ``root``, as matplotlib drew it, what each mark stands for.

    A told mark gets a ``<title>``. ``data-family`` names the family of told marks, of everything in a family's own colour, of
    text that is a family's name, and of panels whose told marks are all of one family. What is drawn with the opacity UNSEEN,
    to be shown on demand, gets ``data-unseen``.

    Raises ValueError where a group of marks has more or fewer shapes than texts.
    """
    colours = family_colours(figure)
    families = {family for group in _told_groups(root) for family in _mark_told(group)} | set(colours.values())
    for panel in root.iter(f"{_SVG}g"):
        if panel.get("id", "").startswith("axes_"):
            own = {mark.attrib["data-family"] for mark in panel.iter() if "data-family" in mark.attrib}
            if len(own) == 1 and len(families) > 1:
                panel.set("data-family", own.pop())
    for element in root.iter():
        style = element.get("style", "")
        if element.tag == f"{_SVG}text":
            name = _AFTER_A_NAME.split("".join(element.itertext()).strip())[0]
            if name in families:
                element.set("data-family", name)
        elif (colour := _COLOUR.search(style)) and colour[1] in colours:
            element.set("data-family", colours[colour[1]])
        if element.tag in _SHAPES and _UNSEEN.search(style):
            element.set("data-unseen", "")


def family_colours(figure: p9.ggplot) -> dict[str, str]:
    """Colour -> family, where the figure has a scale of families; a colour that two of them share names none."""
    for scale in figure.scales:
        if scale.name == "family" and "color" in scale.aesthetics:
            names = list(scale.limits)
            colours = [str(colour).lower() for colour in scale.palette(len(names))]  # type: ignore[attr-defined]
            return {
                colour: name for colour, name in zip(colours, names, strict=False) if colours[: len(names)].count(colour) == 1
            }
    return {}


def _told_groups(root: ElementTree.Element) -> Iterator[ElementTree.Element]:
    for group in root.iter(f"{_SVG}g"):
        if group.get("id", "").startswith(TOLD):
            yield group


def _mark_told(group: ElementTree.Element) -> list[str]:
    """Give each shape of ``group`` its text; returns the families."""
    labels = json.loads(group.attrib.pop("id").removeprefix(TOLD))
    shared = {shape for kept in group.iter(f"{_SVG}defs") for shape in kept.iter()}
    shapes = [shape for shape in group.iter() if shape.tag in _SHAPES and shape not in shared]
    if len(shapes) != len(labels):
        raise ValueError(f"a group of {len(shapes)} marks has {len(labels)} texts")
    families = [label.split("\n")[0] for label in labels]
    for shape, label, family in zip(shapes, labels, families, strict=True):
        ElementTree.SubElement(shape, f"{_SVG}title").text = label
        shape.set("data-family", family)
    return families
