"""Starts Snakemake with the workflow of this package, in the current folder, and stops it as Ctrl-C does. No torch."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import scaling
from scaling.jobs.job_errors import JobError

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What stops a study in good order. All reach the jobs as SIGINT, with which Snakemake ends its jobs."""


def workflow_folder() -> Path:
    """The folder with the Snakefile, its profile and Slurm's settings: within an installed package, around a checkout.

    Raises:
        JobError: there is none.
    """
    package = Path(scaling.__file__).parent
    for folder in (package / "front", package.parents[1]):
        if (folder / "Snakefile").is_file():
            return folder
    raise JobError(f"the workflow is missing beside {package}; install the package again")


def snakemake_command(study: Path, cores: str, profile: str | None, more: Sequence[str]) -> list[str]:
    """The call of Snakemake for the study file ``study``, on ``cores`` (a number, or all), with further options ``more``.

    Raises:
        JobError: the workflow is missing, or ``cores`` is neither.
    """
    if cores != "all" and not (cores.isascii() and cores.isdigit() and int(cores) > 0):
        raise JobError(f"--cores: received {cores}; allowed: a whole number from 1, or all")
    folder = workflow_folder()
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(folder / "Snakefile")]
    command += ["--workflow-profile", str(folder / "profiles" / "default"), "--cores", cores]
    return [*command, *(["--profile", profile] if profile else []), *more, "--config", f"study={study}"]


def bring_profile(profile: str, say: Callable[[str], None]) -> None:
    """Copy the packaged settings of ``profile`` into this folder, to be edited, unless Snakemake finds some of that name.

    Raises:
        JobError: there is no such profile anywhere.
    """
    from snakemake.cli import get_profile_dir  # imports much

    if get_profile_dir(profile) is not None:
        return
    packaged = workflow_folder() / profile / "config.yaml"
    if Path(profile).name != profile or not packaged.is_file():
        raise JobError(f"--profile: received {profile}; allowed: slurm, or a folder with Snakemake's config.yaml in it")
    own = Path(profile) / "config.yaml"
    own.parent.mkdir(exist_ok=True)
    shutil.copyfile(packaged, own)
    say(f"{own}: written; partition, account and limits are set there")


class Driver:
    """A call of Snakemake that is under way.

    Attributes:
        code: its exit code; None while it runs.
        stopped: whether it was asked to stop.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.code: int | None = None
        self.stopped = False

    def wait(self, seconds: float | None = None) -> bool:
        """Wait ``seconds`` at most for its end; returns whether it has ended."""
        try:
            self.code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def stop(self) -> None:
        """Ask it and all its jobs to stop in good order; ``wait`` says when they have."""
        self.stopped = True
        # A signal's handler may run between the end of the process and that of the wait for it.
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGINT)


@contextmanager
def started(command: Sequence[str], output: IO[bytes] | None = None) -> Iterator[Driver]:
    """Start ``command``, its words to ``output`` or the terminal. While the block runs, signals stop it and not this process.

    It has a process group of its own, so that each signal reaches it and its jobs once, wherever the signal came from.
    """
    words = None if output is None else subprocess.STDOUT
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=words, process_group=0)
    driver = Driver(process)
    before = {number: signal.signal(number, lambda *_: driver.stop()) for number in SIGNALS}
    try:
        yield driver
    finally:
        if driver.code is None:
            driver.stop()
            driver.wait()
        for number, handler in before.items():
            signal.signal(number, handler)
