"""When the time limit of this job will strike, if it runs in one of Slurm's.

Slurm's signals before a time limit do not reach a job step's programs, so the limit is asked for once, at the start. Time left
is asked for rather than the time of the end: it needs no agreement of clocks and time zones.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Final

MARGIN_SECONDS: Final = 120.0
"""Training stops so long before the limit: a step, an evaluation, a checkpoint and the disk take their time (assumption)."""

MARGIN_SHARE: Final = 0.2
"""But at most this share of the time that was left at the start, or a short job would do nothing (assumption)."""

ANSWER_SECONDS: Final = 30.0
"""How long Slurm may take to say when the job ends (assumption)."""


def stop_time() -> float | None:
    """When training has to stop, on the clock of ``time.monotonic``; None where there is no limit, or none to be found."""
    left = seconds_left()
    return None if left is None else time.monotonic() + left - min(MARGIN_SECONDS, MARGIN_SHARE * left)


def seconds_left() -> float | None:
    """Seconds until this job's time limit; None outside of Slurm, without a limit, or where Slurm does not say."""
    job = os.environ.get("SLURM_JOB_ID")
    if job is None:
        return None
    end = os.environ.get("SLURM_JOB_END_TIME", "")  # since Slurm 23.02, where it has not been taken away
    if end.isdigit():
        return max(0.0, float(end) - time.time())
    command = ["squeue", "--noheader", f"--jobs={job}", "--format=%L"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=True).stdout
        return read_duration(found)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        print(
            f"the time limit of job {job} is not known ({error}): what is lost at most is since the last checkpoint",
            file=sys.stderr,
        )
        return None


def read_duration(text: str) -> float | None:
    """Seconds of what Slurm writes as ``days-hours:minutes:seconds``, the first two left out where nought; None: no limit.

    Raises ValueError for anything else.
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
