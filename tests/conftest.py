"""Fixtures shared by all tests: images prepared once, small cells to train on them, a checkout to run as users do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scaling.data import DataSettings, ImageData, load, prepare
from scaling.grid import ResolvedCell
from scaling.models.family import ImageSpec
from scaling.models.ladder import Ladders
from scaling.recipe import recipe_for


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


ROOT = Path(__file__).parents[1]


class Checkout:
    """A folder with the project's front (Snakefile, workflow, profiles, studies); the package is the one under test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("Snakefile", "workflow", "profiles", "slurm", "studies", "config.yaml", "envs"):
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)

    def snakemake(self, *arguments: str, cores: int = 2, timeout: float = 300) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments]
        return subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=timeout, env=os.environ | {"COLUMNS": "200"}
        )

    def scaling(self, *arguments: str, timeout: float = 200) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "scaling", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=timeout)

    def records(self) -> dict[str, int]:
        """Keys in the store with the times at which their records were written."""
        paths = (self.folder / "results" / "store").glob("*/record.json")
        return {path.parent.name: path.stat().st_mtime_ns for path in paths}

    def jobs(self, *arguments: str) -> dict[str, int]:
        """Jobs that a run would start, by rule."""
        found = self.snakemake("-n", *arguments)
        assert found.returncode == 0, found.stdout + found.stderr
        text = found.stdout + found.stderr
        if "Job stats:" not in text:
            return {}
        lines = text.split("Job stats:")[1].splitlines()[3:]
        return {line.split()[0]: int(line.split()[1]) for line in lines[: lines.index("")] if line.split()[0] != "total"}


@pytest.fixture(scope="session")
def make_checkout() -> type[Checkout]:
    """Checkouts in folders of one's own."""
    return Checkout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Checkout:
    # spaces and letters beyond ASCII: the path of a checkout is the user's business
    return Checkout(Path(tmp_path_factory.mktemp("check out é")))
