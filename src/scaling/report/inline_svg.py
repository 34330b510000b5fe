"""A plotnine figure as SVG that stands inside a page: no script, no request, readable on light and dark ground."""

from __future__ import annotations

import io
import math
import re
from html import escape

import matplotlib
import plotnine as p9

from scaling.report.figures.oklab import from_oklab, to_oklab
from scaling.report.figures.theme import FAMILY_COLOURS, FAMILY_COLOURS_ON_DARK

_FAMILIES = {FAMILY_COLOURS[family]: FAMILY_COLOURS_ON_DARK[family] for family in FAMILY_COLOURS}
_COLOUR = re.compile(r"(fill|stroke): (#[0-9a-f]{6})")


def inline_svg(figure: p9.ggplot, name: str, description: str) -> str:
    """``figure`` as an ``<svg>`` element with ids that begin with ``name`` and ``description`` for screen readers.

    Every colour gets a partner for dark ground, so that what stands out on white stands out on black. The same
    figure gives the same text: no dates, no random ids.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context(
        {"svg.hashsalt": name, "svg.fonttype": "path", "savefig.facecolor": "none", "text.parse_math": False}
    ):
        figure.save(buffer, format="svg", verbose=False, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r"<!--.*?-->\n?", "", text, flags=re.S)
    # Several figures share one page: ids must not meet.
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'href="#', f'href="#{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.S)
    text = re.sub(r'(?<= d=")[^"]*|(?<= [xy]=")[^"]*', _round, text)
    text = re.sub(r'<path d="(M [^"MLz]*z)"', _circle, text)
    text = re.sub(r"\n\s*", "\n", text)
    text, rules = _styles_to_classes(text, name)
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text).groups()
    head = (
        f'<svg role="img" aria-label="{escape(description, quote=True)}" viewBox="0 0 {width} {height}" '
        f'width="{float(width):.0f}pt" style="min-width: min({float(width):.0f}pt, 40rem)" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f"<style>{rules}</style>"
    )
    return head + text[text.index(">") + 1 :].strip()


def _styles_to_classes(text: str, name: str) -> tuple[str, str]:
    # A thousand points share a few dozen styles: said once each, the file is half as long.
    classes: dict[str, str] = {}

    def to_class(match: re.Match[str]) -> str:
        label = classes.setdefault(match[1], f"{name}-{len(classes)}")
        return f'class="{label}"'

    text = re.sub(r'style="([^"]*)"', to_class, text)
    rules = "".join(f".{label}{{{_COLOUR.sub(_both_grounds, style)}}}" for style, label in classes.items())
    return text, rules


def _round(match: re.Match[str]) -> str:
    # A hundredth of a point is less than any screen shows.
    return re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.2f}", match[0]).replace("\n", "")


def _circle(match: re.Match[str]) -> str:
    # matplotlib draws a dot as eight Bezier arcs, 400 characters long.
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", match[1])]
    xs, ys = numbers[0::2], numbers[1::2]
    width, height = max(xs) - min(xs), max(ys) - min(ys)
    if len(xs) != 25 or abs(width - height) > 0.02:
        return match[0]
    return f'<circle cx="{min(xs) + width / 2:.2f}" cy="{min(ys) + height / 2:.2f}" r="{width / 2:.2f}"'


def _both_grounds(match: re.Match[str]) -> str:
    prop, light = match.groups()
    # The first declaration is for browsers that do not know light-dark().
    return f"{prop}: {light}; {prop}: light-dark({light}, {on_dark(light)})"


def on_dark(colour: str) -> str:
    """The partner of ``colour`` ("#rrggbb") on dark ground: a family's own, else lightness reflected and hue kept.

    Greys keep their whole range, so that a grid stays faint; colours are held where they stand out.
    """
    if colour in _FAMILIES:
        return _FAMILIES[colour]
    lightness, a, b = to_oklab(colour)
    grey = math.hypot(a, b) < 0.03
    return from_oklab(min(0.27 + 0.85 * (1 - lightness), 1.0) if grey else 0.52 + 0.38 * (1 - lightness), a, b)
