"""The checks of a compute node: the doctor sends itself there with what slurm/config.yaml asks for a training job."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import Final

from scaling.jobs.doctor.finding import ABSENT, FAIL, Check, Checked, Finding, make
from scaling.jobs.doctor.login_checks import asked, cluster, profile
from scaling.jobs.slurm import CONFIG

QUEUE_SECONDS: Final = 20
"""How long to wait for a node, so that the answer comes within a minute (assumption)."""
RUN_SECONDS: Final = 300
"""How long the checks may take there (assumption: an import of torch from a slow disk)."""


def on_a_node() -> list[Checked]:
    """What the checks find on a compute node; nothing where there is no Slurm, or in a job of it."""
    if shutil.which("srun") is None or "SLURM_JOB_ID" in os.environ or cluster() is not None:
        return []
    options = [option for option in asked(profile()) if not option.startswith("--time=")]
    words = ["srun", f"--immediate={QUEUE_SECONDS}", "--ntasks=1", "--time=6", *options]
    command = [*words, sys.executable, "-m", "scaling", "doctor", "--json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=QUEUE_SECONDS + RUN_SECONDS)
    except subprocess.TimeoutExpired:
        return _one(Finding(FAIL, f"no answer within {RUN_SECONDS} s", "try srun by hand"))
    try:
        found = [Checked(**entry) for entry in json.loads(done.stdout)["checks"]]
    except (ValueError, KeyError, TypeError):
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        if "mmediate" in done.stderr or "Requested nodes are busy" in done.stderr:
            return _one(Finding(ABSENT, f"no node was free within {QUEUE_SECONDS} s"))
        return _one(Finding(FAIL, f"{' '.join(words)}: {said}", f"edit {CONFIG}"))
    return [
        Checked(
            "compute node",
            f"{check.group}: {check.name}" if check.group != "node" else check.name,
            check.status,
            check.found,
            check.mend,
        )
        for check in found
        if check.group in ("node", "gpu") and check.status != ABSENT
    ]


def _one(finding: Finding) -> list[Checked]:
    return make([Check("compute node", "srun", lambda: finding)])
