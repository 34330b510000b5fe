"""Fixtures shared by all tests: images prepared once, small cells to train on them, a checkout to run as users do."""

import functools
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from checkout import Checkout
from command_server import CommandServer

from scaling.data import DataSettings, ImageData, load, prepare
from scaling.data.arrays import Arrays
from scaling.data.source_registry import SOURCES
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.runs.grid import ResolvedCell
from scaling.study.recipe import recipe_for

TEST_IMAGES = 1000

ALONE = "slurm"
"""The folder whose tests share a cluster, so that one worker runs them all, one after the other."""

LONGEST = ("slurm", "training", "faults", "end_to_end")
"""Folders of the tests that take longest. They start first, so that no worker begins a long file when the others are done."""


def unit(file: Path) -> str:
    """What one worker runs: a file, whose tests share fixtures, or the folder ALONE."""
    return ALONE if ALONE in file.parts else str(file)


def pytest_collection_modifyitems(config, items):
    """The order in which workers take files: the folders LONGEST first, and in each the files with the most tests."""
    if not hasattr(config, "workerinput"):
        return
    tests = Counter(item.path for item in items)
    ranks = {name: rank for rank, name in enumerate(LONGEST)}

    def place(item) -> tuple[int, int]:
        rank = min((ranks[part] for part in item.path.parts if part in ranks), default=len(ranks))
        return rank, -tests[item.path]

    items.sort(key=place)  # a stable sort: the tests of a file stay in their order


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, whose own --dist loadgroup does not group under pytest 9.2
def pytest_xdist_make_scheduler(config, log):
    """Units of work as ``unit`` has them, in the order of the collection."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return unit(Path(nodeid.split("::")[0]))

    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def one_thread_per_worker() -> None:
    """A worker of pytest-xdist per core: more threads would only wait for each other."""
    import torch  # not at the top of this file, or the process that hands out the tests would wait for it too

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> Path:
    """Fashion-MNIST with a tenth of its test images: of a run of twenty steps, they would take most of the time."""
    source = SOURCES["fashion-mnist"]

    def read(downloads: Path) -> Arrays:
        whole = source.read(downloads)
        return replace(whole, test_images=whole.test_images[:TEST_IMAGES], test_labels=whole.test_labels[:TEST_IMAGES])

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SOURCES, "fashion-mnist", replace(source, read=read))
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


@pytest.fixture(scope="session", autouse=True)
def shared_caches(tmp_path_factory, request) -> None:
    """Checkouts of all workers share the sizes and speeds that one of them has found."""
    base = tmp_path_factory.getbasetemp()
    Checkout.shared = (base.parent if hasattr(request.config, "workerinput") else base) / "shared caches"


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Callable[[], CommandServer]]:
    """A function that gives the command server, which starts when it is first asked for."""

    @functools.cache
    def start() -> CommandServer:
        # A socket's path has at most 107 letters: not in pytest's own folder.
        return CommandServer(Path(tempfile.mkdtemp(prefix="served")) / "socket")

    yield start
    if start.cache_info().currsize:
        start().close()
        shutil.rmtree(start().socket_file.parent)


@pytest.fixture(scope="session", autouse=True)
def served_checkouts(server) -> None:
    """Commands of checkouts run in forks of the server."""
    Checkout.start_server = staticmethod(server)


@pytest.fixture(scope="session")
def make_checkout() -> type[Checkout]:
    """Checkouts in folders of one's own."""
    return Checkout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Checkout:
    # spaces and letters beyond ASCII: the path of a checkout is the user's business
    return Checkout(Path(tmp_path_factory.mktemp("check out é")))
