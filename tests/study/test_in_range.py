"""Anchors, sizes and plans of the default study for images of every kind; nothing is trained."""

from itertools import pairwise
from math import log
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling.jobs import plan as planning
from scaling.jobs.plan import make_plan
from scaling.models.family import ImageSpec
from scaling.models.ladder import TOLERANCE
from scaling.models.registry import FAMILIES
from scaling.report.size_notes import size_notes
from scaling.study.in_range import into_range, moved_into_range
from scaling.study.layout import Layout
from scaling.study.schema import Study
from scaling.study.study_file import parse, read_tree

ROOT = Path(__file__).parents[2]
GREY = ImageSpec(28, 1, 10)


@pytest.fixture(scope="module")
def default() -> Study:
    """The default study with all families there are."""
    tree = read_tree(ROOT / "config.yaml")
    for family in FAMILIES:
        tree["families"].setdefault(family, None)
    study, problems = parse(tree)
    assert problems == []
    assert study is not None
    return study


@given(
    sizes=st.lists(st.integers(100, 10**8), min_size=1, max_size=6, unique=True),
    least=st.integers(1000, 10**6),
    ratio=st.floats(100, 10_000),
)
def test_the_rule(sizes, least, ratio):
    largest = round(least * ratio)
    found, low, high = into_range(sizes, least, largest), min(sizes), max(sizes)
    assert len(found) == len(sizes)
    assert found == sorted(found)
    if low >= least * (1 - TOLERANCE) and high <= largest * (1 + TOLERANCE):
        assert found == sorted(sizes)
        return
    assert all(least <= size <= largest for size in found)
    assert found[0] < 1.011 * least or found[-1] > 0.989 * largest
    if high / low < 0.97 * ratio:  # the ratios fit
        for (one, other), (before, after) in zip(pairwise(found), pairwise(sorted(sizes)), strict=True):
            assert other / one == pytest.approx(after / before, rel=0.011)
    elif len(sizes) > 1:
        share = [log(size / found[0]) / log(found[-1] / found[0]) for size in found]
        assert share == pytest.approx([log(size / low) / log(high / low) for size in sorted(sizes)], abs=0.01)


def test_where_all_fit_nothing_changes(default, ladders):
    own = moved_into_range(default, ladders, GREY)
    assert own is default


@pytest.mark.parametrize("classes", [2, 10, 100, 1000])
@pytest.mark.parametrize("side", [28, 32, 64, 96])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_family_has_its_anchors_and_sizes(default, ladders, channels, side, classes):
    image = ImageSpec(side, channels, classes)
    study = moved_into_range(default, ladders, image)
    for family in study.families:
        least, largest = ladders.range(family, image)
        for what, said, used in (
            ("anchors", default.family_recipe(family).anchors.params, study.family_recipe(family).anchors.params),
            ("sizes", default.sizes(family), study.sizes(family)),
        ):
            assert len(used) == len(said), family
            assert all(least * (1 - TOLERANCE) <= size <= largest * (1 + TOLERANCE) for size in used), family
            assert used[-1] / used[0] == pytest.approx(said[-1] / said[0], rel=0.01), family
            move = next((move for move in study.moves(family) if move.what == what), None)
            assert (move is None) == (min(said) >= least * (1 - TOLERANCE)), family
            assert used == (said if move is None else list(move.used)), family


@pytest.mark.parametrize("image", [ImageSpec(32, 3, 10), ImageSpec(96, 3, 1000)], ids=str)
def test_the_default_study_is_planned(default, ladders, monkeypatch, tmp_path, image):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(planning, "image_spec", lambda study: image)
    monkeypatch.setattr(planning, "Ladders", lambda path: ladders)
    study = moved_into_range(default, ladders, image)
    plan = make_plan(study, Layout("a", tmp_path))
    assert plan.new == 28 * len(FAMILIES)
    assert set(plan.own_sizes) == {"mlp", "alexnet", "swin"}
    for part in plan.families:
        assert [rung["target"] for rung in part.rungs] == study.sizes(part.family)
        assert all(abs(rung["params"] - rung["target"]) <= 0.1 * rung["target"] for rung in part.rungs), part.family
        assert part.anchors == tuple(study.family_recipe(part.family).anchors.params)
        assert part.moves == study.moves(part.family)
    notes = size_notes(study)
    assert len(notes) == 1 + sum(len(part.moves) for part in plan.families)
    assert notes[-1] == "grid.params has no effect on mlp, alexnet, swin: own sizes"
    moved = {32: "49.7k, 134k, 367k, 994k", 96: "460k, 1.24M, 3.4M, 9.2M"}[image.side]
    assert any(note.startswith(f"mlp: sizes moved from 13k, 35k, 96k, 260k to {moved}; for these images") for note in notes)
