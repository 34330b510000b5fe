"""A plotnine figure as SVG that stands inside a page: no script, no request, readable on light and dark ground."""

from __future__ import annotations

import io
import re
from html import escape

import matplotlib
import plotnine as p9

_COLOUR = re.compile(r"(fill|stroke): (#[0-9a-f]{6})")


def inline_svg(figure: p9.ggplot, name: str, description: str) -> str:
    """``figure`` as an ``<svg>`` element with ids that begin with ``name`` and ``description`` for screen readers.

    Every colour gets a partner for dark ground: its lightness in OKLab turned round, its hue kept, so that what stands out
    on white stands out on black. The same figure gives the same text: no dates, no random ids.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "path", "savefig.facecolor": "none"}):
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
        f'width="{float(width):.0f}pt" '
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
    """The partner of ``colour`` ("#rrggbb") on dark ground: OKLab (Ottosson 2020) lightness reflected, hue and chroma kept."""
    lightness, a, b = _to_oklab(tuple(int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)))
    reflected = 0.2 + 0.75 * (1 - lightness)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in _from_oklab(reflected, a, b))


def _to_oklab(rgb: tuple[float, ...]) -> tuple[float, float, float]:
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    long = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) ** (1 / 3)
    medium = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) ** (1 / 3)
    short = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b) ** (1 / 3)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _from_oklab(lightness: float, a: float, b: float) -> tuple[float, ...]:
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return tuple(_gamma(min(max(channel, 0.0), 1.0)) for channel in linear)


def _gamma(channel: float) -> float:
    return 12.92 * channel if channel <= 0.0031308 else 1.055 * channel ** (1 / 2.4) - 0.055
