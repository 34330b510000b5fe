"""One look for all figures: palette and shape per family, line type per kind, log axes, sizes.

The families' colours were found by a search for hues that stay apart for readers with protan, deutan or tritan vision
(simulated as in Machado et al. 2009); a shape says the family again, a line type its kind.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import plotnine as p9

from scaling.models.registry import FAMILIES
from scaling.report.figures.labels import counts, level_breaks, log_breaks, plain, powers

if TYPE_CHECKING:
    from plotnine.ggplot import PlotAddable

FAMILY_COLOURS: Final[dict[str, str]] = {name: facts.colour for name, facts in FAMILIES.items()}
"""On white: contrast at least 3, any two at least 0.1 apart in OKLab for normal, protan, deutan and tritan vision."""
FAMILY_COLOURS_ON_DARK: Final[dict[str, str]] = {name: facts.colour_on_dark for name, facts in FAMILIES.items()}
"""The same on a dark page."""
FAMILY_SHAPES: Final[dict[str, str]] = {name: facts.shape for name, facts in FAMILIES.items()}
KIND_LINES: Final[dict[str, str]] = {
    "fully-connected": "dotted",
    "convolutional": "solid",
    "transformer": "dashed",
    "other": "dashdot",
}

KIND_COLOURS: Final[dict[str, str]] = {
    "fully-connected": "#6a5300",
    "convolutional": "#0063a6",
    "transformer": "#c2410c",
    "other": "#5c636b",
}
"""Colour per architecture class: contrast above 3 on white; each class has a shape of its own too."""
KIND_SHAPES: Final[dict[str, str]] = {"fully-connected": "s", "convolutional": "o", "transformer": "^", "other": "D"}

LARGER_IS_DARKER: Final = ("#6a9f1c", "#2f9467", "#24807f", "#2f6d8e", "#3f4a8a", "#43236b")
"""Sequential palette (like viridis reversed, each colour with a contrast above 3 on white): larger quantities are darker."""

INK: Final = "#202428"
QUIET: Final = "#5c636b"
GRID: Final = "#e6e8eb"


def family_order(families: Iterable[str]) -> list[str]:
    """The distinct ``families`` in order of publication; unknown families follow by name."""
    known = list(FAMILIES)
    return sorted(set(families), key=lambda name: (known.index(name) if name in FAMILIES else len(known), name))


def family_colour(family: str) -> str:
    """The family's own colour; an unknown family gets one that depends on its name only."""
    spare = list(FAMILY_COLOURS.values())
    return FAMILY_COLOURS.get(family) or spare[zlib.crc32(family.encode()) % len(spare)]


def family_shape(family: str) -> str:
    """The family's own marker; an unknown family gets one that depends on its name only."""
    spare = list(FAMILY_SHAPES.values())
    return FAMILY_SHAPES.get(family) or spare[zlib.crc32(family.encode()[::-1]) % len(spare)]


def family_line(family: str, kind: str = "") -> str:
    """The line type of the family's kind, ``kind`` where it is no family here; of an unknown kind a dash-dotted line."""
    return KIND_LINES.get(FAMILIES[family].kind if family in FAMILIES else kind, "dashdot")


def family_scales(families: Iterable[str], kinds: Mapping[str, str] | None = None) -> list[PlotAddable]:
    """Scales for colour, fill, shape and line type that name the families in one merged legend.

    ``kinds`` says of which kind those are that are no families here.
    """
    kinds = kinds or {}
    order = family_order(families)
    colours = _distinct(order, FAMILY_COLOURS, family_colour)
    return [
        p9.scale_color_manual(values=colours, limits=order, name="family"),
        p9.scale_fill_manual(values=colours, limits=order, name="family"),
        p9.scale_shape_manual(values=_distinct(order, FAMILY_SHAPES, family_shape), limits=order, name="family"),
        p9.scale_linetype_manual(
            values=[family_line(family, kinds.get(family, "")) for family in order], limits=order, name="family"
        ),
    ]


def kind_scales(kinds: Iterable[str]) -> list[PlotAddable]:
    """Scales for colour, fill and shape that name the architecture classes in one merged legend."""
    order = list(kinds)
    colours = [KIND_COLOURS.get(kind, KIND_COLOURS["other"]) for kind in order]
    shapes = [KIND_SHAPES.get(kind, KIND_SHAPES["other"]) for kind in order]
    return [
        p9.scale_color_manual(values=colours, limits=order, name="class"),
        p9.scale_fill_manual(values=colours, limits=order, name="class"),
        p9.scale_shape_manual(values=shapes, limits=order, name="class"),
    ]


def _distinct(order: list[str], own: dict[str, str], look_of: Callable[[str], str]) -> list[str]:
    """A look for each of ``order``: a family's own; for another the one of its name or, where that is taken, the next free."""
    found = {name: own[name] for name in order if name in own}
    spare = list(own.values())
    for name in order:
        if name not in found:
            first = spare.index(look_of(name))
            turned = spare[first:] + spare[:first]
            found[name] = next((each for each in turned if each not in found.values()), spare[first])
    return [found[name] for name in order]


def level_scales(
    name: str, values: Iterable[float], labels: Callable[[Sequence[Any]], list[str]] = counts
) -> list[PlotAddable]:
    """Sequential log scales for colour and fill over ``values`` (positive; N, D or C); larger is darker."""
    values = list(values)
    limits = (min(values), max(values)) if values else (1.0, 10.0)
    if limits[0] == limits[1]:
        limits = (limits[0] / 2, limits[1] * 2)
    breaks = level_breaks(values) or log_breaks(limits)
    shared: dict[str, Any] = {
        "colors": LARGER_IS_DARKER,
        "limits": limits,
        "trans": "log10",
        "breaks": breaks,
        "labels": labels,
    }
    return [
        p9.scale_color_gradientn(name=name, **shared),
        p9.scale_fill_gradientn(name=name, guide=None, **shared),
        p9.guides(color=p9.guide_legend(reverse=True)),
    ]


def log_x_counts(title: str, trained: Iterable[float] = ()) -> p9.scale_x_continuous:
    """Log x axis of parameters or images: 1k, 10k, 1M; with ticks at the sizes that were ``trained`` where they are given."""
    breaks = level_breaks(trained, 4) or _breaks(4)
    return p9.scale_x_continuous(trans="log10", minor_breaks=[], breaks=breaks, labels=counts, name=title)


def log_y_counts(title: str, trained: Iterable[float] = ()) -> p9.scale_y_continuous:
    """Log y axis of parameters or images, as ``log_x_counts``."""
    breaks = level_breaks(trained, 5) or _breaks(5)
    return p9.scale_y_continuous(trans="log10", minor_breaks=[], breaks=breaks, labels=counts, name=title)


def log_x_powers(title: str) -> p9.scale_x_continuous:
    """Log x axis of compute: 10⁹, 10¹²."""
    return p9.scale_x_continuous(trans="log10", minor_breaks=[], breaks=_breaks(6), labels=powers, name=title)


def log_x_plain(title: str, most: int = 5) -> p9.scale_x_continuous:
    """Log x axis of a quantity near one: 0.3, 0.5, 1."""
    return p9.scale_x_continuous(trans="log10", minor_breaks=[], breaks=_breaks(most), labels=plain, name=title)


def log_y_plain(title: str, most: int = 6) -> p9.scale_y_continuous:
    """Log y axis of a quantity near one: 0.3, 0.5, 1."""
    return p9.scale_y_continuous(trans="log10", minor_breaks=[], breaks=_breaks(most), labels=plain, name=title)


def _breaks(most: int):
    return lambda limits: log_breaks((float(min(limits)), float(max(limits))), most)


def look(width: float, height: float) -> p9.theme:
    """The common theme at a size in inches: light grid, no frame, text that stays legible at half size."""
    return p9.theme_minimal(base_size=9, base_family="DejaVu Sans") + p9.theme(
        figure_size=(width, height),
        plot_background=p9.element_blank(),
        panel_background=p9.element_blank(),
        panel_grid_major=p9.element_line(color=GRID, size=0.5),
        panel_grid_minor=p9.element_blank(),
        panel_spacing=0.022,
        text=p9.element_text(color=INK),
        axis_text=p9.element_text(color=QUIET, size=8),
        axis_title=p9.element_text(color=INK, size=9),
        strip_text=p9.element_text(color=INK, size=9, ha="left", x=0.0, lineheight=1.25),
        legend_title=p9.element_text(size=9, ha="left"),
        legend_text=p9.element_text(size=8),
        legend_position="right",
        legend_background=p9.element_blank(),
        legend_key=p9.element_blank(),
    )


def facet_size(panels: int, columns: int = 4) -> tuple[int, float, float]:
    """Columns, width and height (inches) for ``panels`` small panels beside a legend."""
    columns = max(1, min(columns, panels))
    rows = max(1, -(-panels // columns))
    return columns, max(2.3 * columns + 1.1, 4.6), 2.25 * rows + 0.55


def empty(message: str) -> p9.ggplot:
    """An empty figure that says in words why there is nothing to draw."""
    return (
        p9.ggplot(pd.DataFrame({"x": [0.0], "y": [0.0], "message": [message]}), p9.aes("x", "y", label="message"))
        + p9.geom_text(color=QUIET, size=9)
        + look(3.5, 0.6)
        + p9.theme(
            axis_text=p9.element_blank(),
            axis_title=p9.element_blank(),
            axis_ticks=p9.element_blank(),
            panel_grid_major=p9.element_blank(),
        )
    )
