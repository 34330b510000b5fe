import itertools
import math

import numpy as np
import pytest

from scaling.models.registry import FAMILIES
from scaling.report.figures.held_out import PERSISTENCE
from scaling.report.figures.oklab import from_oklab, linear_rgb, to_oklab
from scaling.report.figures.theme import (
    FAMILY_COLOURS,
    FAMILY_COLOURS_ON_DARK,
    FAMILY_SHAPES,
    KIND_COLOURS,
    KIND_LINES,
    LARGER_IS_DARKER,
    family_colour,
    family_line,
    family_order,
    family_scales,
    family_shape,
)
from scaling.report.inline_svg import on_dark

VISION = {  # Machado, Oliveira, Fernandes 2009, severity 1.0, on linear RGB
    "normal": np.eye(3),
    "protan": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deutan": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "tritan": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}


def seen(colour, vision):
    linear = np.clip(VISION[vision] @ np.array(linear_rgb(colour)), 0, 1)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.array(to_oklab("#" + "".join(f"{round(255 * float(c)):02x}" for c in encoded)))


def contrast(one, other):
    light, dark = sorted((float(np.dot((0.2126, 0.7152, 0.0722), linear_rgb(c))) for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("palette", [FAMILY_COLOURS, FAMILY_COLOURS_ON_DARK], ids=["light", "dark"])
def test_any_two_families_stay_apart(palette, vision):
    distances = {
        (a, b): np.linalg.norm(seen(palette[a], vision) - seen(palette[b], vision))
        for a, b in itertools.combinations(palette, 2)
    }
    assert min(distances.values()) > 0.1, min(distances, key=distances.get)


@pytest.mark.parametrize(
    ("palette", "ground"), [(FAMILY_COLOURS, "#ffffff"), (FAMILY_COLOURS_ON_DARK, "#15181b")], ids=["light", "dark"]
)
def test_families_stand_out_from_the_page(palette, ground):
    assert {family: contrast(colour, ground) for family, colour in palette.items() if contrast(colour, ground) < 3} == {}


@pytest.mark.parametrize("colour", [*LARGER_IS_DARKER, *KIND_COLOURS.values(), PERSISTENCE])
def test_other_colours_stand_out_from_both_pages(colour):
    assert contrast(colour, "#ffffff") >= 3
    assert contrast(on_dark(colour), "#15181b") >= 3


@pytest.mark.parametrize("vision", VISION)
def test_the_sequential_palette_darkens_step_by_step_for_everyone(vision):
    lightness = [seen(colour, vision)[0] for colour in LARGER_IS_DARKER]
    assert all(lower < higher - 0.03 for higher, lower in itertools.pairwise(lightness))


def test_every_family_has_its_own_colour_shape_and_its_kinds_line():
    assert set(FAMILY_COLOURS) == set(FAMILY_COLOURS_ON_DARK) == set(FAMILY_SHAPES) == set(FAMILIES)
    assert len(set(FAMILY_SHAPES.values())) == len(FAMILIES)
    assert all(family_line(family) == KIND_LINES[facts.kind] for family, facts in FAMILIES.items())


def test_an_unknown_family_keeps_its_looks_and_comes_last():
    assert family_order(["zeta", "vit", "mlp", "vit"]) == ["mlp", "vit", "zeta"]
    assert family_colour("zeta") == family_colour("zeta") in FAMILY_COLOURS.values()
    assert family_shape("zeta") == family_shape("zeta") in FAMILY_SHAPES.values()
    assert family_line("zeta") == KIND_LINES["other"]


def test_families_of_a_figure_have_looks_of_their_own():
    names = [*list(FAMILIES)[:6], "mine", "yours", "theirs", "ours"]
    colour, fill, shape, line = family_scales(names, {"mine": "transformer"})
    assert [len(set(scale.palette(len(names)))) for scale in (colour, fill, shape)] == [len(names)] * 3
    lines = dict(zip(colour.limits, line.palette(len(names)), strict=True))
    assert (lines["mine"], lines["yours"], lines["vgg"]) == ("dashed", "dashdot", "solid")


@pytest.mark.parametrize("colour", [*FAMILY_COLOURS.values(), "#000000", "#ffffff", "#123456"])
def test_oklab_there_and_back(colour):
    assert from_oklab(*to_oklab(colour)) == colour


def test_oklab_of_white_and_red():
    # Ottosson 2020: white is L = 1; sRGB red is L 0.628, a 0.2249, b 0.1258.
    assert to_oklab("#ffffff") == pytest.approx((1, 0, 0), abs=1e-4)
    assert to_oklab("#ff0000") == pytest.approx((0.62796, 0.22486, 0.12585), abs=1e-4)
    assert math.isclose(linear_rgb("#808080")[0], 0.2158605, rel_tol=1e-5)
