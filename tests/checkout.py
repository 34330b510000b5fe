"""A folder to run the project in as users do."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

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
        return jobs_in(found.stdout + found.stderr)


def jobs_in(text: str) -> dict[str, int]:
    """Jobs by rule, as a dry run of Snakemake counts them."""
    if "Job stats:" not in text:
        return {}
    lines = text.split("Job stats:")[1].splitlines()[3:]
    return {line.split()[0]: int(line.split()[1]) for line in lines[: lines.index("")] if line.split()[0] != "total"}
