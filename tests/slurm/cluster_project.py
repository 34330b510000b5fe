"""A checkout on the cluster: the project's front as a user edits it, and the literal command."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import psutil
from private_slurm import Job, jobs_from, wait

from scaling.runs.records import MEASURED

SNAKEMAKE = str(Path(sys.executable).with_name("snakemake"))
LITERAL = (SNAKEMAKE, "--cores", "all", "--profile", "slurm")
PATIENCE = 400.0  # seconds; an idle machine needs a fifth of it

FAULTS = """\
name: faults
families: {vit: }
grid: {params: [4000, 11000], images: [300, 1000]}
recipe: {images_floor: 4000, images_factor: 130, evaluations: 4, patience: 0, learning_rate: 0.01}
jobs: {pack: size, checkpoint_seconds: 0.5}
"""
"""Two jobs, each of a short run (5 s on an idle core) and one that a fault can strike (20 s)."""

LIMIT = """\
name: limit
families: {mine: {model: ../mine.py:mine}}
grid: {params: [3000], images: [300]}
recipe: {images_floor: 12800, images_factor: 1, evaluations: 4, patience: 0, learning_rate: 0.01}
benchmarks: {names: [paper-sizes]}
"""
"""One job of one run of 200 steps, and one of benchmarks."""

PHOTOS = """\
name: photos
data: {source: image-folder, folder: photos, side: 28, channels: 1, validation: 8}
families: {mlp: }
grid: {params: [13000], images: [20]}
recipe: {images_floor: 1280, images_factor: 1, evaluations: 1, learning_rate: 0.01, anchors: {images: 20}}
"""
"""Of images in files of one's own, which a job prepares."""

MODEL = """\
import time
from pathlib import Path

from torch import nn

SLOW = Path(__file__).with_name("slow")


class Mine(nn.Sequential):
    def forward(self, images):
        if self.training and SLOW.exists():
            time.sleep(1)
        return super().forward(images)


def mine(width, depth, image):
    return Mine(nn.Flatten(), nn.Linear(image.side**2 * image.channels, width), nn.ReLU(), nn.Linear(width, image.classes))
"""
"""A model that needs seconds for a step while a file named slow lies beside it, on a fast machine as on a slow one."""


class Project:
    """A checkout on the cluster: the project's front as a user edits it, and the literal command."""

    def __init__(self, checkout: Any, study: str) -> None:
        self.checkout, self.folder, self.name = checkout, checkout.folder, study
        (self.folder / "studies" / "faults.yaml").write_text(FAULTS)
        (self.folder / "studies" / "limit.yaml").write_text(LIMIT)
        (self.folder / "mine.py").write_text(MODEL)
        self.edit("slurm-init-seconds-before-status-checks: 20", "slurm-init-seconds-before-status-checks: 1")
        self.study = ("--config", f"study=studies/{study}.yaml")
        self.log = self.folder / "driver.log"
        self.driver: subprocess.Popen | None = None

    def edit(self, before: str, after: str) -> None:
        """Edit slurm/config.yaml as a user would."""
        path = self.folder / "slurm" / "config.yaml"
        text = path.read_text()
        assert text.count(before) == 1, f"{before!r} stands {text.count(before)} times in {path}"
        path.write_text(text.replace(before, after))

    def start(self, *command: str) -> subprocess.Popen:
        """Start ``command``, the literal one if none is given, on the study; its words go to ``log``."""
        words = [*(command or LITERAL), *self.study]
        with self.log.open("ab") as log:
            self.driver = subprocess.Popen(words, cwd=self.folder, stdout=log, stderr=log, start_new_session=True)
        return self.driver

    def end(self) -> None:
        """End the command where it still runs, and the jobs of a node that went down under them."""
        if self.driver is not None and self.driver.poll() is None:
            self.driver.terminate()
            try:
                self.driver.wait(60)
            except subprocess.TimeoutExpired:  # it waits for its jobs, which are ended below, or lie in a queue
                os.killpg(self.driver.pid, signal.SIGKILL)
                self.driver.wait()
        for process in psutil.process_iter(["cwd"]):
            if process.info["cwd"] == str(self.folder):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()

    def start_as_job(self) -> str:
        """Send the literal command to Slurm as a job of its own; the job's number."""
        words = ["sbatch", "--parsable", "--time=60", "--cpus-per-task=1", "--mem=2000", f"--output={self.log}"]
        command = shlex.join([*LITERAL, *self.study])
        sent = subprocess.run([*words, f"--wrap={command}"], cwd=self.folder, capture_output=True, text=True)
        assert sent.returncode == 0, sent.stderr
        return sent.stdout.strip()

    def finish(self) -> str:
        """Wait until the command ends, well; what it said."""
        assert self.driver is not None
        assert self.driver.wait(PATIENCE) == 0, self.words()
        return self.words()

    def words(self) -> str:
        """What the command has said so far."""
        return self.log.read_text(errors="replace")

    def table(self) -> pl.DataFrame:
        """The runs table without what differs between two runs of one cell."""
        return pl.read_parquet(self.folder / "results" / self.name / "runs.parquet").drop(MEASURED)

    def jobs(self) -> list[Job]:
        """The jobs that were sent from here, the oldest first."""
        return jobs_from(self.folder)

    def finished(self) -> dict[str, tuple[int, int]]:
        """Keys of finished cells with the inode and time of their records: a cell trained again has others."""
        paths = (self.folder / "results" / "store").glob("*/record.json")
        return {path.parent.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}

    def wait_for(self, is_so: Callable[[], bool], what: str) -> None:
        """Wait until ``is_so``, with the driver's words where it never is."""
        wait(is_so, what, self.words, PATIENCE)

    def wait_for_training(self, finished: int, checkpoints: int) -> None:
        """Wait until so many cells are finished and so many others have a checkpoint."""
        store = self.folder / "results" / "store"
        self.wait_for(
            lambda: len(self.finished()) >= finished and len(list(store.glob("*/checkpoint.safetensors"))) >= checkpoints,
            f"{finished} finished cells and {checkpoints} checkpoints",
        )
