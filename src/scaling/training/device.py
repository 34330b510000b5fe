"""Which device and precision a job computes with, found without touching CUDA in a process that forks."""

from __future__ import annotations

import multiprocessing
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from scaling.training import nvidia
from scaling.training.cuda_start import is_busy, trouble, try_steps, why_not_available

BF16_CAPABILITY: Final = 8
"""Major compute capability from which GPUs have bfloat16 units (Ampere)."""


class DeviceError(RuntimeError):
    """The device that a study asks for is not here; the message says what is."""


@dataclass(frozen=True)
class Gpu:
    """One GPU that this job sees.

    Attributes:
        uuid: its own name in the whole machine.
        total: its memory in bytes.
        free: what of it was free when it was looked at, in bytes.
        name: what it is, such as NVIDIA A100.
        handle: what CUDA_VISIBLE_DEVICES calls it; positions mean other GPUs under MPS and MIG. Empty: its position.
        exclusive: whether only one process at a time may use it.
        bf16: whether it has units for bfloat16.
    """

    uuid: str
    total: int
    free: int
    name: str = ""
    handle: str = ""
    exclusive: bool = False
    bf16: bool = False


@dataclass(frozen=True)
class Device:
    """A device class (cpu, cuda, mps), a precision (fp32, bf16), the number of devices, the hardware's name, its GPUs."""

    kind: str
    precision: str
    count: int
    machine: str
    gpus: tuple[Gpu, ...] = ()


def _look(queue: Any) -> None:
    """Put what a child sees of devices: their kind, and the GPUs; or a line that says what is wrong."""
    if "torch" not in sys.modules and not nvidia.promised() and not nvidia.has_driver():
        queue.put(("cpu", ()))
        return
    import torch

    if torch.cuda.is_available():
        try:
            queue.put(("cuda", _gpus_of_torch()))
        except RuntimeError as error:
            if is_busy(error) and torch.version.hip is None:
                queue.put(("busy", trouble(nvidia.promised(), " ".join(str(error).split()))))
                return
            # torch adds hints for programmers after the first line
            queue.put(("broken", trouble(nvidia.promised() or torch.cuda.get_device_name(), str(error).split("\n")[0])))
    elif torch.backends.mps.is_available():
        queue.put(("mps", ()))
    elif signs := nvidia.promised():
        queue.put(("broken", trouble(signs, why_not_available())))
    else:
        queue.put(("cpu", ()))


def _gpus_of_torch() -> tuple[Gpu, ...]:
    """The GPUs that this process sees, each of which has computed what training needs. Raises torch's errors."""
    import torch

    modes = {gpu.uuid: gpu.mode for gpu in nvidia.smi_gpus()}
    found = []
    for index in range(torch.cuda.device_count()):
        try_steps(index)
        facts = torch.cuda.get_device_properties(index)
        hip = torch.version.hip is not None
        free, total = torch.cuda.mem_get_info(index)
        handle = "" if hip else f"GPU-{str(facts.uuid).removeprefix('GPU-')}"
        exclusive = modes.get(handle) == "Exclusive_Process" and not nvidia.mps_is_on()
        found.append(
            Gpu(str(facts.uuid), total, free, facts.name, handle, exclusive, bf16=hip or facts.major >= BF16_CAPABILITY)
        )
    return tuple(found)


def _gpus_of_smi() -> tuple[Gpu, ...]:
    """The same of GPUs that other processes hold for themselves, from nvidia-smi, which needs no context on them."""
    named = nvidia.visible()
    found = []
    for index, gpu in enumerate(nvidia.smi_gpus()):
        if named is None or str(index) in named or any(gpu.uuid.startswith(part) for part in named if part.startswith("GPU-")):
            major = int(gpu.capability.split(".")[0]) if gpu.capability[:1].isdigit() else 0
            bare = gpu.uuid.removeprefix("GPU-")
            found.append(
                Gpu(bare, gpu.total, gpu.total, gpu.name, gpu.uuid, gpu.mode != "Default", bf16=major >= BF16_CAPABILITY)
            )
    return tuple(found)


def _in_child(look: Callable[[Any], None], visible: str | None = None) -> tuple[str, Any]:
    """What ``look`` finds in a child process, for one that has initialised CUDA cannot fork children that use it; ``visible``
    is its CUDA_VISIBLE_DEVICES. Raises DeviceError."""
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def run() -> None:
        if visible is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = visible
        look(queue)

    child = context.Process(target=run)
    child.start()
    child.join()
    if child.exitcode != 0 or queue.empty():
        raise DeviceError(f"looking for a device failed with exit code {child.exitcode}; `scaling doctor` says more")
    return queue.get()


def _found() -> tuple[str, tuple[Gpu, ...]]:
    """The kind of device that is here, and the GPUs. Raises DeviceError where a GPU is promised and does not compute."""
    named = nvidia.visible()
    parts = nvidia.mig_parts() if named is None else tuple(part for part in named if part.startswith("MIG-"))
    if not parts:
        kind, found = _in_child(_look)
        if kind == "busy" and (gpus := _gpus_of_smi()):
            return "cuda", gpus
        if kind in ("broken", "busy"):
            raise DeviceError(found)
        return kind, found
    gpus: tuple[Gpu, ...] = ()
    for part in parts:  # a process sees one part of a divided GPU at a time
        kind, found = _in_child(_look, part)
        if kind != "cuda":
            raise DeviceError(found or f"CUDA_VISIBLE_DEVICES={part}: no GPU of this machine")
        gpus += tuple(replace(gpu, uuid=part, handle=part) for gpu in found)
    return "cuda", gpus


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

    Raises DeviceError where ``device`` or ``precision`` cannot be had, and where a driver, a device file or
    CUDA_VISIBLE_DEVICES promises a GPU on which CUDA does not start: nothing trains on a CPU in silence. GPUs that Slurm only
    simulates are a warning.
    """
    kind, gpus = ("cpu", ()) if device == "cpu" else _found()
    machine = cpu_name()
    if kind == "cuda":
        machine = ", ".join(dict.fromkeys(gpu.name for gpu in gpus))
    elif kind == "mps":
        machine = platform.processor() or "Apple GPU"
    if device not in ("auto", kind):
        raise DeviceError(f"device: {device} asked for, but only {kind} is here ({machine})")
    if device == "auto" and kind == "cpu" and nvidia.is_simulated():
        print(f"Slurm gave this job a GPU, but its node has no driver: training is on the CPU ({machine})", file=sys.stderr)
    bf16 = bool(gpus) and all(gpu.bf16 for gpu in gpus)
    if precision == "bf16" and kind == "cuda" and not bf16:
        without = next(gpu.name for gpu in gpus if not gpu.bf16)
        raise DeviceError(f"precision: bf16 asked for, but {without} has no bf16 units")
    if precision == "bf16" and kind == "cpu" and not cpu_has_bf16():
        raise DeviceError(f"precision: bf16 asked for, but {machine} has no bf16 units (avx512_bf16, amx or Arm's bf16)")
    chosen = ("bf16" if bf16 else "fp32") if precision == "auto" else precision
    return Device(kind, chosen, len(gpus) or int(kind == "mps"), machine, gpus)


def see_only(gpu: int) -> None:
    """Let this process, which has not touched CUDA yet, see the GPU at position ``gpu`` of those visible and no other.

    With fp32 asked for, convolutions compute in 32 bits and not, as is torch's default, in TF32 (10 bits of mantissa).
    """
    import torch

    visible = [part for part in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if part]
    os.environ["CUDA_VISIBLE_DEVICES"] = visible[gpu % len(visible)] if visible else str(gpu)
    torch.backends.cudnn.allow_tf32 = False


def see_gpu(gpu: Gpu, position: int) -> None:
    """The same for ``gpu``, by its own name where it has one: a position means another GPU under MPS, and a part under MIG."""
    if gpu.handle:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu.handle
        position = 0
    see_only(position)
    full_fp32()


def full_fp32() -> None:
    """Let products and convolutions of 32-bit numbers compute in 32 bits, whatever the environment says of TF32."""
    import torch

    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def use_one_thread() -> None:
    """One thread a cell: two cells of one thread run at 93-98 % speed each, one cell of two threads gains 1.2-1.6x."""
    import torch

    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


def seed_the_cpu_alone() -> None:
    """Let ``torch.manual_seed`` give this process, which trains on the CPU, the same random numbers in less time.

    torch's own seeds every kind of GPU too, and notes the stack of the call for each that is not in use: 0.3 ms per training
    step, a fifth of the step of a small MLP (measured).
    """
    import torch

    torch.manual_seed = torch.default_generator.manual_seed
