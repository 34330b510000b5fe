"""How long a step takes and how much memory it needs, measured so that the noise is known.

All settings that will be compared are timed in rounds: every setting once per round, in the same order. Whatever slows the
machine down for a while then slows all of them alike, and the noise of a statistic that is computed within each round (a ratio,
an exponent) can be read from the rounds. The caller makes sure that nothing else runs.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Step = Callable[[], None]
Name = TypeVar("Name")

PHASES: Final = ("training", "prediction")
LEAST_SECONDS: Final = 0.04
LEAST_STEPS: Final = 3
"""A benchmark repeats its step for at least this many seconds and steps; the figure is the fastest step (assumption)."""

_fork = multiprocessing.get_context("fork")


def prediction_step(model: nn.Module, images: Tensor) -> Step:
    """One forward pass of a batch without gradients, in evaluation mode.

    Args:
        model: images [b, c, h, w] -> logits [b, classes].
        images: [b, c, h, w], on the model's device.
    """

    def step() -> None:
        model.eval()
        with torch.inference_mode():
            model(images)
        _wait(images)

    return step


def training_step(model: nn.Module, images: Tensor, labels: Tensor) -> Step:
    """One step of the modern recipe on a batch: forward, backward, clipping to norm 1, AdamW (with a rate of 0).

    Args:
        model: images [b, c, h, w] -> logits [b, classes], in training perhaps with logits of auxiliary heads.
        images: [b, c, h, w]; labels: [b], both on the model's device.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.0, weight_decay=0.0, fused=True)

    def step() -> None:
        model.train()
        output = model(images)
        logits, auxiliary = output if isinstance(output, tuple) else (output, ())
        loss = sum((F.cross_entropy(head, labels) for head in auxiliary), F.cross_entropy(logits, labels))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        _wait(images)

    return step


def _wait(tensor: Tensor) -> None:
    if tensor.device.type == "cuda":
        torch.cuda.synchronize(tensor.device)


def time_rounds(steps: Mapping[Name, Step], rounds: int, least: float = LEAST_SECONDS) -> dict[Name, list[float]]:
    """Seconds per step of each of ``steps``, one figure per round.

    Each step is run once beforehand, unmeasured, to warm caches up. Within a round it is repeated for at least ``least``
    seconds, and the figure is the fastest repeat: other work of the machine can only make a step slower.
    """
    for step in steps.values():
        step()
    found: dict[Name, list[float]] = {name: [] for name in steps}
    enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, step in steps.items():
                marks = [time.perf_counter()]
                while len(marks) <= LEAST_STEPS or marks[-1] - marks[0] < least:
                    step()
                    marks.append(time.perf_counter())
                found[name].append(min(after - before for before, after in pairwise(marks)))
            gc.collect()
    finally:
        if enabled:
            gc.enable()
    return found


def peak_bytes(make: Callable[[], Step], device: str = "cpu") -> float | None:
    """Peak memory in bytes of one step of ``make()``, model included, beyond what was held before it.

    On CUDA it is counted by torch's allocator. On a CPU it is the peak of the resident memory of a forked child, which Linux
    resets on demand; None on other systems, where it could only be guessed.
    """
    if device.startswith("cuda"):
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        make()()
        return float(torch.cuda.max_memory_allocated() - before)
    if device != "cpu" or not Path("/proc/self/clear_refs").exists():
        return None
    queue = _fork.SimpleQueue()
    child = _fork.Process(target=_peak_here, args=(make, queue))
    child.start()
    child.join()
    return None if queue.empty() else queue.get()


def _peak_here(make: Callable[[], Step], queue: Any) -> None:
    torch.set_num_threads(1)  # a forked child must not wake the parent's threads
    before = resident_bytes()
    if before is not None:
        make()()
        peak = resident_bytes(at_peak=True)
        queue.put(None if peak is None else peak - before)
    os._exit(0)


def resident_bytes(at_peak: bool = False) -> float | None:
    """Resident memory of this process in bytes, now or at its peak since the last call without ``at_peak``; None if the
    system does not tell (Linux does, see proc(5))."""
    try:
        if not at_peak:
            Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
        return _memory("VmHWM" if at_peak else "VmRSS")
    except OSError:
        return None


def _memory(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024.0 * float(line.split()[1])
    raise OSError(f"/proc/self/status has no {field}")
