"""Which device and precision a job computes with, found without touching CUDA in a process that forks."""

from __future__ import annotations

import multiprocessing
import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class DeviceError(RuntimeError):
    """The device that a study asks for is not here; the message says what is."""


@dataclass(frozen=True)
class Gpu:
    """One GPU that this job sees: its own name in the whole machine, its memory and what of it was free, in bytes."""

    uuid: str
    total: int
    free: int


@dataclass(frozen=True)
class Device:
    """A device class (cpu, cuda, mps), a precision (fp32, bf16), the number of devices, the hardware's name, its GPUs."""

    kind: str
    precision: str
    count: int
    machine: str
    gpus: tuple[Gpu, ...] = ()


def _probe(queue: Any) -> None:
    import torch

    if torch.cuda.is_available():
        major, _ = torch.cuda.get_device_capability()
        bf16 = torch.version.hip is not None or major >= 8  # bfloat16 units since Ampere
        gpus = []
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            gpus.append(Gpu(str(torch.cuda.get_device_properties(index).uuid), total, free))
        queue.put(("cuda", bf16, torch.cuda.get_device_name(), tuple(gpus)))
    elif torch.backends.mps.is_available():
        queue.put(("mps", False, platform.processor() or "Apple GPU", ()))
    else:
        queue.put(("cpu", False, cpu_name(), ()))


def cpu_name() -> str:
    """The processor's name, or "unknown"."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def cpu_has_bf16() -> bool:
    """Whether the processor multiplies bfloat16 numbers by itself, as its flags say."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return False
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})


def detect(device: str = "auto", precision: str = "auto") -> Device:
    """The device and precision to use for what a study says of them.

    Asked in a child process, since a process that has initialised CUDA cannot fork children that use it.
    Raises DeviceError where ``device`` or ``precision`` cannot be had.
    """
    if device == "cpu":
        found = ("cpu", False, cpu_name(), ())
    else:
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        child = context.Process(target=_probe, args=(queue,))
        child.start()
        child.join()
        if child.exitcode != 0:
            raise DeviceError(f"looking for a device failed with exit code {child.exitcode}")
        found = queue.get()
    kind, bf16, machine, gpus = found
    if device not in ("auto", kind):
        raise DeviceError(f"device: {device} asked for, but only {kind} is here ({machine})")
    if precision == "bf16" and kind == "cuda" and not bf16:
        raise DeviceError(f"precision: bf16 asked for, but {machine} has no bf16 units")
    if precision == "bf16" and kind == "cpu" and not cpu_has_bf16():
        raise DeviceError(f"precision: bf16 asked for, but {machine} has no bf16 units (avx512_bf16, amx or Arm's bf16)")
    chosen = ("bf16" if bf16 else "fp32") if precision == "auto" else precision
    return Device(kind, chosen, len(gpus) or int(kind == "mps"), machine, gpus)


def cores_here() -> int:
    """Cores that this process may use: of its affinity, and of its Slurm job where it runs in one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, int(os.environ.get("SLURM_CPUS_ON_NODE", cores)))


def see_only(gpu: int) -> None:
    """Let this process, which has not touched CUDA yet, see the GPU at position ``gpu`` of those visible and no other.

    With fp32 asked for, convolutions compute in 32 bits and not, as is torch's default, in TF32 (10 bits of mantissa).
    """
    import torch

    visible = [part for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part]
    os.environ["CUDA_VISIBLE_DEVICES"] = visible[gpu % len(visible)] if visible else str(gpu)
    torch.backends.cudnn.allow_tf32 = False


def use_one_thread() -> None:
    """One thread a cell: two cells of one thread run at 93-98 % speed each, one cell of two threads gains 1.2-1.6x."""
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
