from xml.etree import ElementTree

import pandas as pd
import plotnine as p9
import pytest

from scaling.report.figures.theme import family_colour, family_scales, look
from scaling.report.figures.told import UNSEEN, told_points, told_segments
from scaling.report.inline_svg import inline_svg
from scaling.report.marked_svg import family_colours, mark_families

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def root():
    """Two families in one panel, told points of a third in another, a bar, and a band that is not seen."""
    points = pd.DataFrame({"x": [1.0, 2.0, 3.0], "y": [3.0, 1.0, 2.0], "family": ["mlp", "vit", "vit"], "panel": "both"})
    points["told"] = points["family"] + "\n<first> & more"
    alone = pd.DataFrame({"x": [1.0, 2.0], "y": [1.0, 1.0], "panel": "own", "told": ["swin\nx", "swin\ny"]})
    bar = pd.DataFrame({"x": [1.0], "end": [2.0], "y": [1.0], "panel": "own", "told": ["swin\nbar"]})
    figure = (
        p9.ggplot(points, p9.aes("x", "y"))
        + told_points(p9.aes(color="family", shape="family", label="told"), size=2, stroke=0)
        + p9.geom_ribbon(
            p9.aes("x", ymin=0, ymax="y", fill="family", group="family"), inherit_aes=False, alpha=UNSEEN, show_legend=False
        )
        + told_points(p9.aes(label="told"), data=alone)
        + told_segments(p9.aes(xend="end", yend="y", label="told"), data=bar)
        + p9.facet_wrap("panel")
        + family_scales(["mlp", "vit"])
        + look(4, 2)
    )
    return ElementTree.fromstring(inline_svg(figure, "one", "x"))


def test_each_told_mark_has_its_own_text_and_family(root):
    told = [
        (mark.find(f"{SVG}title").text, mark.get("data-family")) for mark in root.iter() if mark.find(f"{SVG}title") is not None
    ]
    expected = [(f"{name}\n<first> & more", name) for name in ("mlp", "vit", "vit")]
    assert sorted(told) == sorted([*expected, ("swin\nx", "swin"), ("swin\ny", "swin"), ("swin\nbar", "swin")])


def test_marks_in_a_familys_colour_and_its_name_are_the_familys(root):
    named = [text.get("data-family") for text in root.iter(f"{SVG}text") if "".join(text.itertext()) in ("mlp", "vit")]
    assert sorted(named) == ["mlp", "vit"]
    # the legend's key of a family is in its colour
    assert sum(mark.get("data-family") == "mlp" for mark in root.iter()) >= 3


def test_a_panel_of_one_family_is_the_familys_whole(root):
    panels = [group.get("data-family") for group in root.iter(f"{SVG}g") if "axes_" in group.get("id", "")]
    assert sorted(panels, key=str) == [None, "swin"]


def test_what_is_drawn_without_opacity_can_be_shown(root):
    unseen = [mark.get("data-family") for mark in root.iter() if "data-unseen" in mark.attrib]
    assert sorted(unseen) == ["mlp", "vit"]


def test_a_colour_that_two_families_share_names_none():
    figure = p9.ggplot() + p9.scale_color_manual(
        values=["#111111", "#111111", "#222222"], limits=["a", "b", "c"], name="family"
    )
    assert family_colours(figure) == {"#222222": "c"}
    assert family_colours(p9.ggplot()) == {}
    assert family_colours(p9.ggplot() + family_scales(["vit"])) == {family_colour("vit"): "vit"}


def test_texts_and_marks_that_do_not_match_are_refused():
    root = ElementTree.fromstring(
        '<svg xmlns="http://www.w3.org/2000/svg"><g id="told[&quot;a&quot;, &quot;b&quot;]"><path d="M 0 0"/></g></svg>'
    )
    with pytest.raises(ValueError, match="a group of 1 marks has 2 texts"):
        mark_families(root, p9.ggplot())
