"""When this job will reach its time limit, if it is a job of Slurm.

The signals that Slurm sends before a time limit do not reach the programs of a job step, so Slurm is asked once, at the start.
It is asked for the time left rather than for the time of the end, so that clocks and time zones need not agree.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Final

MARGIN_SECONDS: Final = 120.0
"""Training stops this long before the limit: a step, an evaluation, a checkpoint and the disk take time (assumption)."""

MARGIN_SHARE: Final = 0.2
"""The margin is at most this share of the time left at the start, or a short job would do nothing (assumption)."""

ANSWER_SECONDS: Final = 30.0
"""How long Slurm may take to say when the job ends (assumption)."""


def stop_time() -> float | None:
    """When training has to stop, on the clock of ``time.monotonic``; None if there is no limit, or if it is not known."""
    left = seconds_left()
    return None if left is None else time.monotonic() + left - min(MARGIN_SECONDS, MARGIN_SHARE * left)


def seconds_left() -> float | None:
    """Seconds until this job's time limit; None outside of Slurm, without a limit, or if Slurm does not say."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return None
    end = os.environ.get("SLURM_JOB_END_TIME", "")  # set since Slurm 23.02, unless something removed it
    if end.isdigit():
        return max(0.0, float(end) - time.time())
    command = ["squeue", "--noheader", f"--jobs={job}", "--format=%L"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True).stdout
        return read_duration(found)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        print(
            f"the time limit of job {job} is not known ({error}): at most the work since the last checkpoint is lost",
            file=sys.stderr,
        )
        return None


def read_duration(text: str) -> float | None:
    """Seconds of a time that Slurm writes as ``[days-][hours:]minutes:seconds``; None if there is no limit.

    Raises:
        ValueError: ``text`` is anything else.
    """
    text = text.strip()
    if text in ("UNLIMITED", "NOT_SET"):
        return None
    days, dash, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if not 2 <= len(parts) <= 3 or (dash and len(parts) != 3):
        raise ValueError(f"received {text!r} as the time left, allowed: [days-][hours:]minutes:seconds")
    hours, minutes, seconds = [0, *parts][-3:]
    return float(int(days or 0) * 86_400 + hours * 3_600 + minutes * 60 + seconds)
