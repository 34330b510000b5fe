import re
import xml.etree.ElementTree as ElementTree

import pandas as pd
import plotnine as p9
import pytest

from scaling.report.figures.oklab import to_oklab
from scaling.report.figures.theme import FAMILY_COLOURS, FAMILY_COLOURS_ON_DARK, GRID, INK
from scaling.report.inline_svg import inline_svg, on_dark


@pytest.fixture(scope="module")
def figure():
    points = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [3.0, 1.0, 2.0], "who": ["a", "b", "<b>$x_$ -->"]})
    return p9.ggplot(points, p9.aes("x", "y", color="who")) + p9.geom_point(size=2, stroke=0)


def test_it_is_one_svg_element_that_loads_nothing(figure):
    text = inline_svg(figure, "one", 'what "it" <shows>')
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    assert root.get("aria-label") == 'what "it" <shows>'
    assert not re.search(r"(href|src)=\"(?!#)|url\((?!#)|<script|<image|<!--", text)


def test_ids_of_two_figures_never_meet_and_references_hold(figure):
    first, second = inline_svg(figure, "one", "x"), inline_svg(figure, "two", "x")
    ids = [set(re.findall(r'\bid="([^"]+)"', text)) for text in (first, second)]
    assert ids[0]
    assert not ids[0] & ids[1]
    for text, own in zip((first, second), ids, strict=True):
        assert set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text)) <= {(i, "") for i in own} | {("", i) for i in own}


def test_the_same_figure_gives_the_same_text(figure):
    assert inline_svg(figure, "one", "x") == inline_svg(figure, "one", "x")


def test_dots_become_circles_where_they_were():
    points = pd.DataFrame({"x": [0.0, 10.0], "y": [0.0, 0.0]})
    text = inline_svg(p9.ggplot(points, p9.aes("x", "y")) + p9.geom_point(size=3, stroke=0), "dots", "x")
    circles = [tuple(map(float, found)) for found in re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)" r="([\d.]+)"', text)]
    assert len(circles) == 2
    (x0, y0, r0), (x1, y1, r1) = circles
    assert x1 - x0 > 100
    assert y0 == y1
    assert r0 == r1 > 1


def test_a_family_has_its_own_colour_on_dark_ground():
    assert {on_dark(FAMILY_COLOURS[family]) for family in FAMILY_COLOURS} == set(FAMILY_COLOURS_ON_DARK.values())


def test_ink_becomes_light_and_the_grid_stays_faint():
    ground = to_oklab("#15181b")[0]
    assert to_oklab(on_dark(INK))[0] - ground > 0.6
    assert 0.05 < to_oklab(on_dark(GRID))[0] - ground < 0.2
