"""A folder to run the project in as users do."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from command_server import SERVED, CommandServer

from scaling.files import write_atomic

ROOT = Path(__file__).parents[1]
CACHES = ("ladders.json", "speed.json")
"""Sizes of models, and this machine's speed: files below ``results/cache`` that every new checkout would else make again."""


class Checkout:
    """A folder with the project's front (Snakefile, workflow, profiles, studies); the package is the one under test."""

    shared: Path | None = None
    """Folder of the caches that the checkouts of one call of pytest share, set by conftest.py; None: each has its own."""

    start_server: Callable[[], CommandServer] | None = None
    """Gives the server that runs commands in forks, set by conftest.py; None: every process starts anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._copy_caches(self.shared, folder / "results" / "cache")
        for name in ("Snakefile", "workflow", "profiles", "slurm", "studies", "config.yaml", "envs"):
            source = ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)

    def snakemake(self, *arguments: str, cores: int = 2, timeout: float = 300) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments]
        return self._run(command, timeout, {"COLUMNS": "200"})

    def scaling(self, *arguments: str, timeout: float = 200) -> subprocess.CompletedProcess:
        return self._run([sys.executable, "-m", "scaling", *arguments], timeout, {})

    @classmethod
    def server_variables(cls) -> dict[str, str]:
        """Variables with which processes are left to the server."""
        if cls.start_server is None:
            return {}
        paths = [str(SERVED), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        return {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "COMMAND_SERVER": str(cls.start_server().socket_file)}

    def _run(self, command: list[str], timeout: float, more: dict[str, str]) -> subprocess.CompletedProcess:
        environment = os.environ | more | self.server_variables()
        ended = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=timeout, env=environment, check=False
        )
        self._copy_caches(self.folder / "results" / "cache", self.shared)
        return ended

    @staticmethod
    def _copy_caches(source: Path | None, target: Path | None) -> None:
        """Copy the caches that know more in ``source`` than in ``target``; what is lost between two that copy is made again."""
        for name in CACHES:
            if source is None or target is None or not (source / name).exists():
                continue
            content = (source / name).read_bytes()
            if not (target / name).exists() or (target / name).stat().st_size < len(content):
                write_atomic(target / name, content, durable=False)

    def records(self) -> dict[str, int]:
        """Keys in the store with the times at which their records were written."""
        paths = (self.folder / "results" / "store").glob("*/record.json")
        return {path.parent.name: path.stat().st_mtime_ns for path in paths}

    def jobs(self, *arguments: str) -> dict[str, int]:
        """Jobs that a run would start, by rule."""
        found = self.snakemake("-n", *arguments)
        assert found.returncode == 0, found.stdout + found.stderr
        return jobs_in(found.stdout + found.stderr)


def jobs_in(text: str) -> dict[str, int]:
    """Jobs by rule, as a dry run of Snakemake counts them."""
    if "Job stats:" not in text:
        return {}
    lines = text.split("Job stats:")[1].splitlines()[3:]
    return {line.split()[0]: int(line.split()[1]) for line in lines[: lines.index("")] if line.split()[0] != "total"}
