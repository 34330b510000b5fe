"""Fixtures shared by all tests: images prepared once, small cells to train on them, a checkout to run as users do."""

from pathlib import Path

import pytest
from checkout import Checkout

from scaling.data import DataSettings, ImageData, load, prepare
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.runs.grid import ResolvedCell
from scaling.study.recipe import recipe_for


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    return prepare(DataSettings("fashion-mnist"), tmp_path_factory.mktemp("data"), progress=False)


@pytest.fixture(scope="session")
def images(prepared) -> ImageData:
    return load(prepared)


@pytest.fixture(scope="session")
def ladders(tmp_path_factory) -> Ladders:
    return Ladders(tmp_path_factory.mktemp("cache") / "ladders.json")


@pytest.fixture(scope="session")
def small_cell(images, ladders):
    """A function that makes a resolved cell of 20 steps; keywords change its recipe."""

    def make(family="mlp", target=13_000, images_=200, seed=0, rate=0.01, **changes) -> ResolvedCell:
        recipe = recipe_for("modern", family, {"images_floor": 1280, "images_factor": 1.0, "evaluations": 4} | changes)
        rung = ladders.rung(family, target, ImageSpec(28, 1, 10))
        return ResolvedCell(
            family, rung.width, rung.depth, rung.params, images_, seed, rate, recipe, "cpu", "fp32", images.checksum, 500
        )

    return make


@pytest.fixture(scope="session")
def make_checkout() -> type[Checkout]:
    """Checkouts in folders of one's own."""
    return Checkout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Checkout:
    # spaces and letters beyond ASCII: the path of a checkout is the user's business
    return Checkout(Path(tmp_path_factory.mktemp("check out é")))
