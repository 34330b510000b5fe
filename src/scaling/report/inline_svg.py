"""A plotnine figure as SVG inside a page: no script, no request, readable on light and dark backgrounds."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import matplotlib
import plotnine as p9

from scaling.report.figures.oklab import from_oklab, to_oklab
from scaling.report.figures.theme import FAMILY_COLOURS, FAMILY_COLOURS_ON_DARK
from scaling.report.marked_svg import mark_families

_FAMILIES = {FAMILY_COLOURS[family]: FAMILY_COLOURS_ON_DARK[family] for family in FAMILY_COLOURS}
_COLOUR = re.compile(r"(fill|stroke): (#[0-9a-f]{6})")
FONTS = "'DejaVu Sans', 'Bitstream Vera Sans', Verdana, sans-serif"
"""Fonts of the width that the text was laid out for, the first that a reader has."""
_LONG_NUMBER = re.compile(r"-?\d+\.\d{3,}")

_SVG, _XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
ElementTree.register_namespace("", _SVG)
ElementTree.register_namespace("xlink", _XLINK)


def inline_svg(figure: p9.ggplot, name: str, description: str) -> str:
    """``figure`` as an ``<svg>`` element with ids that begin with ``name`` and ``description`` for screen readers.

    Every colour gets a partner for dark ground, so that what stands out on white stands out on black. The same
    figure gives the same text: no dates, no random ids.
    """
    return stacked_svg([figure], name, description)


def stacked_svg(figures: Sequence[p9.ggplot], name: str, description: str) -> str:
    """``figures``, at least one, below each other in one ``<svg>`` element, otherwise as ``inline_svg``."""
    panels = [_panel(figure, name if len(figures) == 1 else f"{name}-{place}") for place, figure in enumerate(figures)]
    width, height = 0.0, 0.0
    root = ElementTree.Element(f"{{{_SVG}}}svg")
    for panel in panels:
        across, down = (float(size) for size in panel.attrib["viewBox"].split()[2:])
        place = root
        if height:
            place = ElementTree.SubElement(root, f"{{{_SVG}}}g", transform=f"translate(0 {height:.2f})")
        place.extend(panel)
        width, height = max(width, across), height + down
    root.attrib = {
        "role": "img",
        "aria-label": description,
        "viewBox": f"0 0 {width:g} {height:g}",
        "width": f"{width:.0f}pt",
        "style": f"min-width: min({width:.0f}pt, 40rem)",
    }
    return ElementTree.tostring(root, encoding="unicode").strip()


def _panel(figure: p9.ggplot, name: str) -> ElementTree.Element:
    """The root of a drawn figure whose ids and classes begin with ``name``."""
    root = _drawn(figure, name)
    mark_families(root, figure)
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag in (f"{{{_SVG}}}metadata", f"{{{_SVG}}}style")]:
            parent.remove(child)
    classes: dict[str, str] = {}
    for element in root.iter():
        element.text, element.tail = (element.text or "").strip(), "\n"
        _make_ids_own(element, name)
        _shorten(element)
        # A thousand points share a few dozen styles: said once each, the file is half as long.
        if style := element.attrib.pop("style", "").replace("'DejaVu Sans'", FONTS):
            element.set("class", classes.setdefault(style, f"{name}-{len(classes)}"))
    rules = ElementTree.Element(f"{{{_SVG}}}style")
    rules.text = "".join(f".{label}{{{_COLOUR.sub(_both_grounds, style)}}}" for style, label in classes.items())
    root.insert(0, rules)
    return root


def _drawn(figure: p9.ggplot, name: str) -> ElementTree.Element:
    buffer = io.BytesIO()
    settings: dict[Any, Any] = {
        "svg.hashsalt": name,
        "svg.fonttype": "none",  # text stays text: it is read out, searched and copied
        "savefig.facecolor": "none",
        "text.parse_math": False,
    }
    with matplotlib.rc_context(settings):
        figure.save(buffer, format="svg", verbose=False, metadata={"Date": None, "Creator": None})
    return ElementTree.fromstring(buffer.getvalue())


def _make_ids_own(element: ElementTree.Element, name: str) -> None:
    """Prefix ids, and references to them, with ``name``: several figures share one page."""
    for key, value in element.attrib.items():
        if key == "id":
            element.set(key, f"{name}-{value}")
        elif key in ("href", f"{{{_XLINK}}}href"):
            element.set(key, value.replace("#", f"#{name}-", 1))
        else:
            element.set(key, value.replace("url(#", f"url(#{name}-"))


def _shorten(element: ElementTree.Element) -> None:
    """Round coordinates to a hundredth of a point, below what any screen shows, and write circles as circles."""
    for key in {"d", "x", "y"} & set(element.attrib):
        rounded = _LONG_NUMBER.sub(lambda number: f"{float(number[0]):.2f}", element.attrib[key])
        element.set(key, " ".join(rounded.split()))
    if element.tag == f"{{{_SVG}}}path" and (circle := _circle(element.attrib.get("d", ""))):
        element.tag = f"{{{_SVG}}}circle"
        element.attrib.pop("d")
        element.attrib = circle | element.attrib


def _circle(path: str) -> dict[str, str] | None:
    """The circle that ``path`` draws, if it does: matplotlib draws a dot as eight Bezier arcs, 400 characters long."""
    if set(path) & set("LQAHVST") or not path.endswith("z"):
        return None
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", path)]
    xs, ys = numbers[0::2], numbers[1::2]
    if len(xs) != 25:
        return None
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    if abs(width - height) > 0.02:
        return None
    return {"cx": f"{min(xs) + width / 2:.2f}", "cy": f"{min(ys) + height / 2:.2f}", "r": f"{width / 2:.2f}"}


def _both_grounds(match: re.Match[str]) -> str:
    prop, light = match.groups()
    # The first declaration is for browsers that do not know light-dark().
    return f"{prop}: {light}; {prop}: light-dark({light}, {on_dark(light)})"


def on_dark(colour: str) -> str:
    """The partner of ``colour`` ("#rrggbb") on a dark background: a family's own, else lightness reflected and hue kept.

    Greys keep their whole range, so that a grid stays faint; colours are held where they stand out.
    """
    if colour in _FAMILIES:
        return _FAMILIES[colour]
    lightness, a, b = to_oklab(colour)
    grey = math.hypot(a, b) < 0.03
    return from_oklab(min(0.27 + 0.85 * (1 - lightness), 1.0) if grey else 0.52 + 0.38 * (1 - lightness), a, b)
