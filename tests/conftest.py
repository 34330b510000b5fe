"""Fixtures shared by all tests: images prepared once, small cells to train on them, a checkout to run as users do."""

from pathlib import Path

import pytest
import torch
from checkout import Checkout

from scaling.data import DataSettings, ImageData, load, prepare
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.runs.grid import ResolvedCell
from scaling.study.recipe import recipe_for

torch.set_num_threads(1)  # a worker of pytest-xdist per core: more threads would only wait for each other

ALONE = ("faults", "slurm")
"""Folders of tests that stop, kill and wait for processes: never two tests of one folder at a time."""


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, whose own --dist loadgroup does not group under pytest 9.2
def pytest_xdist_make_scheduler(config, log):
    """Tests of a file run in one worker, for they share fixtures; those of a folder of ALONE too, one after the other."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return next((folder for folder in ALONE if folder in Path(file).parts), file)

    return ByFile(config, log)


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
