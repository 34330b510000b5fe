"""What this machine says of NVIDIA's GPUs without torch: the driver, the devices, and what promises that a job has one."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ANSWER_SECONDS: Final = 30.0
"""Seconds that nvidia-smi may take: without its persistence mode it starts the driver first (assumption)."""

FIELDS: Final = ("uuid", "name", "compute_mode", "memory.total", "memory.free", "compute_cap")
MIB: Final = 1024**2
HIDDEN: Final = ("", "-1", "NoDevFiles")
"""Values of CUDA_VISIBLE_DEVICES that show no GPU; the last is Slurm's, for jobs that asked for none."""

LEAST_DRIVER: Final = {11: 450, 12: 525, 13: 580}
"""CUDA's major version -> the oldest driver that serves it ("CUDA Compatibility", docs.nvidia.com/deploy)."""

DRIVERS: Final = ("libcuda.so.1", "/dev/kfd")
"""What torch needs of a GPU's driver on Linux: CUDA's library, loaded by this name, or the kernel's door to AMD's."""


@dataclass(frozen=True)
class SmiGpu:
    """A GPU as nvidia-smi knows it; memory in bytes, ``mode`` such as Default or Exclusive_Process, ``capability`` as 8.0."""

    uuid: str
    name: str
    mode: str
    total: int
    free: int
    capability: str


def smi_gpus() -> list[SmiGpu]:
    """The GPUs that nvidia-smi sees from here; none where it is missing or does not answer."""
    found = []
    for line in _smi(f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits").splitlines():
        values = [value.strip() for value in line.split(",")]
        if len(values) == len(FIELDS) and values[3].isdigit() and values[4].isdigit():
            uuid, name, mode, total, free, capability = values
            found.append(SmiGpu(uuid, name, mode, int(total) * MIB, int(free) * MIB, capability))
    return found


def mig_parts() -> tuple[str, ...]:
    """The UUIDs of all parts into which GPUs are divided (MIG), as CUDA_VISIBLE_DEVICES takes them."""
    return tuple(re.findall(r"UUID:\s*(MIG-[^)\s]+)", _smi("-L")))


def mps_is_on() -> bool:
    """Whether CUDA's multi-process service has its pipe here, so that processes share a GPU whatever its mode says."""
    return (Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps")) / "control").exists()


def driver_version() -> str:
    """The version of the loaded driver, such as 580.65.06; empty if none is seen."""
    try:
        text = Path("/proc/driver/nvidia/version").read_text()
    except OSError:
        text = ""
    found = re.search(r"Kernel Module.*?\s(\d+\.\d+(?:\.\d+)?)\s", text)
    if found:
        return found[1]
    lines = _smi("--query-gpu=driver_version", "--format=csv,noheader").split()
    return lines[0] if lines and re.fullmatch(r"[\d.]+", lines[0]) else ""


def device_files() -> list[str]:
    """The device files of GPUs."""
    return sorted(str(path) for path in Path("/dev").glob("nvidia[0-9]*"))


def visible() -> tuple[str, ...] | None:
    """The GPUs that CUDA_VISIBLE_DEVICES names, none if it hides all; None if it is not set."""
    said = os.environ.get("CUDA_VISIBLE_DEVICES")
    if said is None:
        return None
    return () if said.strip() in HIDDEN else tuple(part.strip() for part in said.split(",") if part.strip())


def promised() -> str:
    """What says that this process has a GPU, in words; empty if nothing does, CUDA_VISIBLE_DEVICES hides them all, or Slurm
    simulates them."""
    named = visible()
    if named == () or is_simulated():
        return ""
    version, files = driver_version(), device_files()
    signs = [f"driver {version}"] if version else []
    signs += files[:1]
    signs += [f"CUDA_VISIBLE_DEVICES={','.join(named)}"] if named else []
    return ", ".join(signs)


def is_simulated() -> bool:
    """Whether Slurm gave this job GPUs on a node without any sign of a driver, as clusters for trying things out do.

    Slurm sets CUDA_VISIBLE_DEVICES for any file that its configuration calls a GPU.
    """
    given = "SLURM_JOB_ID" in os.environ and bool(visible())
    return given and not has_driver() and not driver_version() and not device_files()


def has_driver() -> bool:
    """Whether there may be a GPU here: False where torch, whose import takes seconds, could not find one either."""
    library, door = DRIVERS
    if not sys.platform.startswith("linux") or Path(door).exists():
        return True
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _smi(*arguments: str) -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    try:
        found = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=ANSWER_SECONDS)
    except (OSError, subprocess.SubprocessError):
        return ""
    return found.stdout if found.returncode == 0 else ""
