"""Checks of the machine that trains: what this process was given of it, on a workstation or in a job of Slurm."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import psutil

from scaling.cores import usable_cores
from scaling.jobs.deadline import seconds_left
from scaling.jobs.doctor.finding import ABSENT, FAIL, PASS, Check, Finding
from scaling.jobs.estimates import CELL_MB, PROGRAM_MB
from scaling.jobs.slurm import SHARED, SlurmError, look_for_mark
from scaling.training import nvidia

IMPORT_SECONDS: Final = 60.0
"""Seconds from which importing torch counts as slow: 8 s are usual, 20 to 30 s on a shared filesystem."""
CGROUP: Final = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
UNLIMITED: Final = 2**60


def cpus() -> Finding:
    """CPUs by affinity, and by Slurm."""
    machine, here = os.cpu_count() or 1, usable_cores()
    said = os.environ.get("SLURM_CPUS_ON_NODE")
    found = f"{here} of {machine}" + (f", Slurm gave {said}" if said else "")
    if said and here < int(said):
        return Finding(FAIL, found, "the job is bound to fewer CPUs than it was given: look at --cpu-bind and the cgroup")
    return Finding(PASS, found)


def gpus() -> Finding:
    """GPUs that Slurm gave to the job, and those that are seen."""
    asked = os.environ.get("SLURM_GPUS_ON_NODE") or os.environ.get("SLURM_GPUS")
    seen = len(nvidia.visible() or nvidia.mig_parts() or nvidia.smi_gpus())
    if not asked:
        return Finding(ABSENT, f"no job of Slurm with GPUs; {seen} seen")
    count = int(asked.rpartition(":")[2])
    if seen < count:
        return Finding(
            FAIL, f"{count} given, {seen} seen", "CUDA_VISIBLE_DEVICES is changed by something: look at the job's prolog"
        )
    return Finding(PASS, f"{count} given, {seen} seen")


def memory() -> Finding:
    """The memory that this process may use: the least of machine, cgroup and Slurm."""
    limits = {"the machine": float(psutil.virtual_memory().total)}
    for path in CGROUP:
        text = path.read_text().strip() if path.is_file() else ""
        if text.isdigit() and int(text) < UNLIMITED:
            limits["the cgroup"] = float(text)
    if (given := os.environ.get("SLURM_MEM_PER_NODE", "")).isdigit() and int(given):
        limits["Slurm"] = float(given) * 1e6
    least = min(limits, key=limits.__getitem__)
    found = f"{limits[least] / 1e9:.1f} GB, by {least}"
    needed = (PROGRAM_MB + CELL_MB) * 1e6
    if limits[least] < needed:
        return Finding(FAIL, found, f"one run needs {needed / 1e9:.1f} GB: ask for more (mem_mb)")
    return Finding(PASS, found)


def time_left() -> Finding:
    """Until the job's limit."""
    left = seconds_left()
    if left is None:
        return Finding(ABSENT, "no limit" if "SLURM_JOB_ID" in os.environ else "no job of Slurm")
    return Finding(PASS, f"{left / 60:.0f} min")


def import_torch() -> Finding:
    """Seconds that a job takes to import torch and timm."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", "import torch, timm"], capture_output=True, text=True)
    took = time.perf_counter() - began
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["?"])[-1]
        return Finding(FAIL, f"torch and timm cannot be imported: {said}", "uv sync")
    if took > IMPORT_SECONDS:
        mend = "UV_COMPILE_BYTECODE=1 uv sync --reinstall once, unset PYTHONDONTWRITEBYTECODE, or move .venv to a faster disk"
        return Finding(FAIL, f"torch and timm take {took:.0f} s to import", mend)
    return Finding(PASS, f"torch and timm take {took:.0f} s to import")


def mark() -> Finding:
    """Whether this node sees the folder of the driver that sent the job."""
    if not os.environ.get(SHARED):
        return Finding(ABSENT, "no job of a driver")
    try:
        look_for_mark(seconds=0.0)
    except SlurmError as error:
        return Finding(FAIL, str(error).split("; ")[0], "put the project on a filesystem that all nodes see at the same path")
    return Finding(PASS, "the driver's folder is seen")


def checks() -> list[Check]:
    """The checks of this machine."""
    named = {
        "CPUs": cpus,
        "GPUs": gpus,
        "memory": memory,
        "time left": time_left,
        "import": import_torch,
        "driver's mark": mark,
    }
    return [Check("node", name, look) for name, look in named.items()]
