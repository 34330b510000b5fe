"""An sbatch that waits while Slurm is busy, or takes no more jobs of this user for now.

Snakemake takes a refusal of sbatch for a failure of the job and tries again at once, so that a controller that is busy for a
minute uses up all retries. The driver therefore puts this program before the real sbatch in its PATH.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

BUSY: Final = (
    "Socket timed out",
    "Unable to contact slurm controller",
    "temporarily unavailable",
    "temporarily unable to accept job",
    "try again later",
    "Zero Bytes were transmitted",
    "Connection refused",
    "Connection timed out",
    "SubmitJobsPerUser",
    "SubmitJobLimit",
    "MaxSubmitJob",
)
"""Words of refusals that pass; "Socket timed out" may come of a job that was taken, whose twin then waits for its leases."""

PATIENCE_SECONDS: Final = 1800.0
"""How long one job is tried (assumption: a controller that is restarted is back by then, and some jobs have ended)."""

PAUSE_SECONDS: Final = (5.0, 10.0, 20.0, 40.0, 60.0)
"""Pauses between tries; the last is repeated (assumption)."""


def be_patient(results: Path) -> None:
    """In the driver: put a patient sbatch before the real one, below ``results``. Raises OSError."""
    real = shutil.which("sbatch")
    folder = results.resolve() / "cache" / "bin"
    if real is None or Path(real).parent == folder:
        return
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"sbatch.{os.getpid()}"
    draft.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-P", str(Path(__file__)), real])} "$@"\n')
    draft.chmod(0o755)
    draft.replace(folder / "sbatch")
    os.environ["PATH"] = f"{folder}{os.pathsep}{os.environ['PATH']}"


def submit(command: Sequence[str], script: bytes | None, sleep: Callable[[float], None] = time.sleep) -> int:
    """Run ``command``, the real sbatch and its options, with ``script`` as its input, until Slurm has time for it.

    What the last try said is printed; its exit code is returned.
    """
    passed, tries = 0.0, 0
    while True:
        done = subprocess.run(
            command, input=script, capture_output=True, stdin=None if script is not None else subprocess.DEVNULL
        )
        said = done.stderr.decode(errors="replace")
        pause = PAUSE_SECONDS[min(tries, len(PAUSE_SECONDS) - 1)]
        if done.returncode == 0 or passed + pause > PATIENCE_SECONDS or not any(word in said for word in BUSY):
            sys.stdout.buffer.write(done.stdout)
            sys.stderr.buffer.write(done.stderr)
            sys.stdout.flush()
            sys.stderr.flush()
            return done.returncode
        sleep(pause)
        passed, tries = passed + pause, tries + 1


if __name__ == "__main__":
    from_input = sys.stdin.buffer.read() if "/dev/stdin" in sys.argv else None
    sys.exit(submit(sys.argv[1:], from_input))
