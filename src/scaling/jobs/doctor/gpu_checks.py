"""Checks of the GPUs: that CUDA starts on them, how they are shared, and that they compute what a CPU computes."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from scaling.jobs.doctor.finding import ABSENT, FAIL, PASS, Check, Finding
from scaling.jobs.doctor.on_device import in_process
from scaling.training import nvidia
from scaling.training.device import Device, DeviceError, Gpu, detect
from scaling.training.memory import CONTEXT_BYTES

MEND_SEPARATOR: Final = "; "
AGREEMENT: Final = {"fp32": 1e-3, "bf16": 0.1}
"""By how much the loss of a step may differ from that on a CPU, by precision (assumption: eight times bfloat16's rounding,
and sums in another order)."""
FP32_ERROR: Final = 1e-5
"""Relative error of a convolution: 32 bits give 1e-6, TF32 with its 10 bits of mantissa 1e-3."""
RUNS_AT_A_TIME: Final = (1, 2, 4, 8)


@cache
def device() -> Device | DeviceError:
    """The device of this machine, or why there is none."""
    try:
        return detect()
    except DeviceError as error:
        return error


def starts() -> Finding:
    """Driver, wheel and kernels."""
    found = device()
    if isinstance(found, DeviceError):
        said, _, mend = str(found).rpartition(MEND_SEPARATOR)
        return Finding(FAIL, said or str(found), mend)
    if found.kind != "cuda" and nvidia.is_simulated():
        given = ",".join(nvidia.visible() or ())
        return Finding(
            FAIL,
            f"Slurm gave CUDA_VISIBLE_DEVICES={given}, but this node has no driver: jobs train on the CPU",
            "load the driver on this node; if its GPUs are simulated, `device: cpu` in the study says that the CPU is meant",
        )
    if found.kind != "cuda":
        return Finding(ABSENT, f"no GPU is promised here; training is on {found.kind} ({found.machine})")
    versions = nvidia.driver_version()
    named = f"{found.count} x {found.machine}, driver {versions or 'unknown'}"
    return Finding(PASS, f"{named}; `precision: auto` means {found.precision} in studies with large models")


def on_gpu(look: Callable[[Gpu], Finding]) -> Finding:
    """What ``look`` finds on the first GPU; absent without one."""
    found = device()
    if isinstance(found, DeviceError) or found.kind != "cuda":
        return Finding(ABSENT, "no GPU that computes")
    return look(found.gpus[0])


def sharing() -> Finding:
    """Mode, parts and the multi-process service."""
    found = device()
    if isinstance(found, DeviceError) or found.kind != "cuda":
        return Finding(ABSENT, "no GPU that computes")
    parts, mps = len(nvidia.mig_parts()), nvidia.mps_is_on()
    words = f"{f'{parts} parts (MIG)' if parts else 'not divided'}, MPS is {'on' if mps else 'off'}"
    if any(gpu.exclusive for gpu in found.gpus):
        mend = "nvidia-smi -c 0, or start MPS (nvidia-cuda-mps-control -d): runs cannot share a GPU"
        return Finding(FAIL, f"exclusive mode, {words}: one run at a time", mend)
    return Finding(PASS, f"shared mode, {words}")


def families(gpu: Gpu) -> Finding:
    """A step of each family in both precisions, against the CPU."""
    precisions = ("fp32", "bf16") if gpu.bf16 else ("fp32",)
    differ = in_process("family_steps", gpu, "cuda", precisions)
    wrong = [f"{name} in {precision} by {gap:.2g}" for name, precision, gap in differ if not gap <= AGREEMENT[precision]]
    if wrong:
        return Finding(FAIL, f"losses differ from the CPU's: {', '.join(wrong)}", "report it, with `scaling doctor --json`")
    return Finding(PASS, f"{len({name for name, _, _ in differ})} families agree with the CPU in {' and '.join(precisions)}")


def steps(gpu: Gpu) -> Finding:
    """What a training step of each family starts, and that nothing in it makes the host wait, so that it can be captured."""
    counted = in_process("step_counts", gpu, "cuda")
    launches = sorted(count for _, count, _ in counted)
    said = f"{launches[0]} to {launches[-1]} launches per step, by family"
    waiting = [f"{name}: {len(waits)} ({', '.join(sorted(set(waits)))})" for name, _, waits in counted if waits]
    if waiting:
        found = f"{said}; the host waits for the GPU in a step of {'; '.join(waiting)}"
        return Finding(FAIL, found, "report it, with `scaling doctor --json`")
    return Finding(PASS, f"{said}, captured as one; no waits for the GPU within a step")


def full_precision(gpu: Gpu) -> Finding:
    """That 32 bits are 32 bits."""
    error = in_process("convolution_error", gpu, "cuda")
    if error > FP32_ERROR:
        return Finding(FAIL, f"a convolution in fp32 is off by {error:.1g}: TF32 is on", "unset NVIDIA_TF32_OVERRIDE")
    return Finding(PASS, f"TF32 is off: a convolution is off by {error:.1g}")


def memory_that_runs_out(gpu: Gpu) -> Finding:
    """That running out is recognised, and that the GPU computes afterwards."""
    said = in_process("run_out_of_memory", gpu, "cuda", gpu.total)
    if said:
        return Finding(FAIL, f"an allocation of twice its memory: {said}", "report it, with `scaling doctor --json`")
    return Finding(PASS, "is recognised, and the GPU computes afterwards")


def context(gpu: Gpu) -> Finding:
    """Bytes of the GPU that a process takes before its first tensor."""
    taken = in_process("context_bytes", gpu, "cuda")
    found = f"{taken / 1024**2:.0f} MiB a process"
    if taken > CONTEXT_BYTES:
        return Finding(
            FAIL, f"{found}, {CONTEXT_BYTES / 1024**2:.0f} are assumed", "fewer runs fit: they are begun again alone"
        )
    return Finding(PASS, found)


def throughput(gpu: Gpu) -> Finding:
    """Images per second of several runs at a time, and the CPUs to ask for."""
    if gpu.exclusive:
        return Finding(ABSENT, "one run at a time")
    speeds = {count: in_process("images_per_second", gpu, "cuda", count) for count in RUNS_AT_A_TIME}
    best = max(speeds, key=speeds.__getitem__)
    rates = ", ".join(f"{count}: {speed:,.0f}" for count, speed in speeds.items())
    return Finding(PASS, f"images/s by runs at a time {rates}; ask for {best} CPUs per GPU")


def checkpoint() -> Finding:
    """A checkpoint written and read again, of tensors on the GPU where there is one."""
    found = device()
    gpu = found.gpus[0] if isinstance(found, Device) and found.gpus else None
    kind = "cuda" if gpu else "cpu"
    with tempfile.TemporaryDirectory() as folder:
        same = in_process("checkpoint_round_trip", gpu, kind, Path(folder) / "checkpoint.safetensors")
    if not same:
        return Finding(FAIL, f"a checkpoint from {kind} comes back changed", "report it, with `scaling doctor --json`")
    return Finding(PASS, f"a checkpoint from {kind} comes back as it was")


def checks() -> list[Check]:
    """The checks of the GPUs that this process sees."""
    measured = {
        "families": families,
        "steps": steps,
        "fp32": full_precision,
        "out of memory": memory_that_runs_out,
        "context": context,
        "throughput": throughput,
    }
    found = [Check("gpu", "CUDA", starts), Check("gpu", "sharing", sharing)]
    found += [Check("gpu", name, lambda look=look: on_gpu(look)) for name, look in measured.items()]
    return [*found, Check("gpu", "checkpoint", checkpoint)]
