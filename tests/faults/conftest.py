"""A small study of small images for the faults, and its commands run black box, in a folder with an awkward name."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from checkout import Checkout
from command_server import CommandServer
from filelock import FileLock
from PIL import Image

from scaling.runs.records import MEASURED

CLASSES = ("Größe ß", "two words", "<img src=x onerror=alert(1)>")

STUDY = """\
name: faults
data: {source: image-folder, folder: 'pictures é', side: 28, validation: 12}
families:
  mlp:
grid: {params: [38000], images: [60], seeds: [0, 1, 2, 3, 4]}
recipe: {images_floor: 3200, images_factor: 1, evaluations: 2, first_evaluation: 0.1, patience: 0, learning_rate: 0.01}
jobs: {checkpoint_seconds: 0}
laws: {bootstrap: 0}
"""
"""Five cells of 50 steps, each a fraction of a second; a checkpoint after each step."""


@dataclass(frozen=True)
class Ended:
    """What a command left: its exit code and everything that it printed."""

    code: int
    text: str


class Command:
    """A command that runs in the server's child ``pid``."""

    def __init__(self, connection: socket.socket, output: Path) -> None:
        self.answers, self.output = connection.makefile("r"), output
        self.pid = json.loads(self.answers.readline())["pid"]
        self.ended: Ended | None = None

    def end(self) -> Ended:
        """Wait for it."""
        if self.ended is None:
            code = json.loads(self.answers.readline())["code"]
            self.answers.close()
            self.ended = Ended(code, self.output.read_text())
        return self.ended

    def kill(self) -> None:
        """End what a failed test left behind."""
        if self.ended is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            self.end()


class Bench(Checkout):
    """A checkout with a folder of images and a study of five small cells."""

    def __init__(self, folder: Path, server: CommandServer) -> None:
        super().__init__(folder)
        self.server, self.started = server, []
        self.write_images(folder / "pictures é")
        self.write_study()

    @classmethod
    def of(cls, folder: Path, server: CommandServer) -> Bench:
        """What stands in ``folder`` already."""
        bench = object.__new__(cls)
        bench.folder, bench.server, bench.started = folder, server, []
        return bench

    @staticmethod
    def write_images(folder: Path, train: int = 30, test: int = 10) -> None:
        """Classes that differ in where they are bright; names with spaces, letters beyond ASCII and of HTML."""
        noise = np.random.default_rng(0)
        for label, name in enumerate(CLASSES):
            for split, count in (("train", train), ("test", test)):
                (folder / split / name).mkdir(parents=True)
                for index in range(count):
                    pixels = noise.integers(0, 120, (28, 28, 3), dtype=np.uint8)
                    pixels[9 * label : 9 * label + 9] += 90
                    Image.fromarray(pixels).save(folder / split / name / f"Bild {index} ü.png")

    def write_study(self, *changes: tuple[str, str]) -> None:
        """The study, with texts replaced."""
        text = STUDY
        for before, after in changes:
            assert before in text
            text = text.replace(before, after)
        (self.folder / "studies" / "faults.yaml").write_text(text)

    def start(self, *words: str, **environment: str) -> Command:
        """Start `scaling WORDS`."""
        output = self.folder / "output.txt"
        variables = os.environ | {"COLUMNS": "200"} | environment
        with output.open("w") as file:
            connection = self.server.ask("scaling", list(words), self.folder, variables, file.fileno())
        self.started.append(Command(connection, output))
        return self.started[-1]

    def run(self, *words: str, **environment: str) -> Ended:
        """Run `scaling WORDS` to its end."""
        return self.start(*words, **environment).end()

    def do(self, *words: str, **environment: str) -> Ended:
        """Run `scaling WORDS` as the rules do, which must succeed."""
        going = ["--keep-going"] if words[0] in ("tune", "train", "collect", "fit", "report") else []
        ended = self.run(*words, *going, **environment)
        assert ended.code == 0, ended.text
        return ended

    def train(self, **environment: str) -> Ended:
        """Train, collect and fit, as Snakemake's rules do; what the command `complete` says of it."""
        ended = self.run("train", "studies/faults.yaml", "mlp", "--keep-going", **environment)
        assert ended.code == 0, ended.text
        self.do("collect", "studies/faults.yaml")
        self.do("fit", "studies/faults.yaml")
        complete = self.run("complete", "studies/faults.yaml")
        return Ended(complete.code, ended.text + complete.text)

    def table(self) -> pl.DataFrame:
        """The runs table without what two runs of a cell differ in."""
        return pl.read_parquet(self.folder / "results/faults/runs.parquet").drop(MEASURED)

    def cell(self, seed: int) -> Path:
        """The folder in the store of the cell with ``seed``."""
        row = self.table().row(by_predicate=pl.col("seed") == seed, named=True)
        return self.folder / "results" / "store" / row["key"]

    def stamps(self) -> dict[str, tuple[int, int]]:
        """Of every record in the store: its file and the time at which it was written."""
        paths = (self.folder / "results" / "store").glob("*/record.json")
        return {path.parent.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}

    def plant(self, name: str, text: str) -> str:
        """A module that a command imports at its start; returns its name."""
        (self.folder / f"{name}.py").write_text(text)
        return name


@pytest.fixture(scope="session")
def trained(tmp_path_factory, server, worker_id) -> Bench:
    """The study, trained once for all workers and never disturbed. Copy it; do not change it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "faults é"
    with FileLock(folder.with_name("faults.lock")):
        if not folder.exists():
            folder.mkdir()
            bench = Bench(folder, server())
            run = bench.snakemake("--config", "study=studies/faults.yaml")
            if run.returncode:
                shutil.rmtree(folder)
            assert run.returncode == 0, run.stdout + run.stderr
            bench.do("plan", "studies/faults.yaml")  # measures this machine's speed, once for all copies
        bench = Bench.of(folder, server())
        assert len(bench.stamps()) == 5
        return bench


@pytest.fixture
def bench(trained, tmp_path) -> Iterator[Bench]:
    """The trained study in a folder of its own."""
    shutil.copytree(trained.folder, tmp_path / "a copy é")
    copy = Bench.of(tmp_path / "a copy é", trained.server)
    yield copy
    for command in copy.started:
        command.kill()


@pytest.fixture
def fresh(bench) -> Bench:
    """The study with its images prepared and its rate known, and no cell trained."""
    shutil.rmtree(bench.folder / "results" / "store")
    (bench.folder / "results" / "faults" / "runs.parquet").unlink()
    return bench
