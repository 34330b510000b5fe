"""What checks of GPUs measure, each in a process of its own: one that has used CUDA cannot fork others that do.

All of it runs on a CPU too, where tests run it.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from scaling.training.device import Gpu, full_fp32, see_gpu, use_one_thread

BATCH: Final = 32
SIDE: Final = 28
CLASSES: Final = 10
SECONDS: Final = 3.0
"""How long each measurement of speed takes (assumption: thousands of steps)."""


def in_process(name: str, gpu: Gpu | None, device: str, *arguments: Any) -> Any:
    """What the function ``name`` of this file returns for ``device`` and ``arguments``, on ``gpu``.

    Raises RuntimeError with the words of the process if it fails.
    """
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    child = context.Process(target=_here, args=(name, gpu, device, arguments, queue))
    child.start()
    child.join()
    if queue.empty():
        raise RuntimeError(f"{name} ended with exit code {child.exitcode}")
    well, found = queue.get()
    if not well:
        raise RuntimeError(found)
    return found


def _here(name: str, gpu: Gpu | None, device: str, arguments: tuple[Any, ...], queue: Any) -> None:
    try:
        use_one_thread()
        if gpu is not None:
            see_gpu(gpu, 0)
        queue.put((True, MEASURES[name](device, *arguments)))
    except Exception as error:
        queue.put((False, " ".join(f"{type(error).__name__}: {error}".split())[:300]))


def family_steps(device: str, precisions: tuple[str, ...], names: tuple[str, ...] = ()) -> list[tuple[str, str, float]]:
    """(family, precision, by how much the loss after a step differs from the CPU's in fp32), of each family's least model."""
    from scaling.models.registry import FAMILIES

    found = []
    for name in names or tuple(FAMILIES):
        reference = _loss_after_a_step(name, "cpu", bf16=False)
        for precision in precisions:
            gap = abs(_loss_after_a_step(name, device, bf16=precision == "bf16") - reference)
            found.append((name, precision, gap))
    return found


def _loss_after_a_step(name: str, device: str, *, bf16: bool) -> float:
    """The loss of a model in evaluation mode after one small step of gradient descent on images of noise."""
    import torch

    model = _model(name).to(device).eval()  # no dropout, no statistics of a batch: the same on all devices
    images, labels = (tensor.to(device) for tensor in _noise())
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)

    def loss() -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            output = model(images)
        return torch.nn.functional.cross_entropy((output[0] if isinstance(output, tuple) else output).float(), labels)

    loss().backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    with torch.no_grad():
        return float(loss())


def _model(name: str) -> Any:
    import torch

    from scaling.models import get_family
    from scaling.models.family import ImageSpec, Regularisation

    family = get_family(name)
    torch.manual_seed(0)
    width = max(family.widths[0], 16)

    return family.build(width, family.depth(width), ImageSpec(SIDE, 1, CLASSES), Regularisation())


def _noise() -> tuple[Any, Any]:
    import torch

    draw = torch.Generator().manual_seed(1)
    return torch.randn(BATCH, 1, SIDE, SIDE, generator=draw), torch.randint(0, CLASSES, (BATCH,), generator=draw)


def step_counts(device: str, names: tuple[str, ...] = ()) -> list[tuple[str, int, list[str]]]:
    """(family, launches in a training step, operations in it for which the host waits), of each family's least model."""
    import numpy as np

    from scaling.data import ImageData
    from scaling.models import get_family
    from scaling.models.registry import FAMILIES
    from scaling.runs.grid import ResolvedCell
    from scaling.study.recipe import recipe_for
    from scaling.training.loop import Trainer
    from scaling.training.step_counts import count_step

    draw, found = np.random.default_rng(0), []
    images, labels = draw.integers(0, 256, (200, 1, SIDE, SIDE), dtype=np.uint8), np.arange(200) % CLASSES
    mean, std = np.full(1, 0.5, np.float32), np.full(1, 0.3, np.float32)
    data = ImageData("noise", SIDE, 1, tuple("0123456789"), images, labels, images, labels, "", mean, std)
    for name in names or tuple(FAMILIES):
        family = get_family(name)
        width = max(family.widths[0], 16)
        recipe = recipe_for("modern", name)
        cell = ResolvedCell(name, width, family.depth(width), 0, 100, 0, 1e-3, recipe, device, "fp32", "", 100)
        trainer = Trainer(cell, data)
        trainer.model.train()
        trainer.captured = None
        seen = count_step(trainer)
        found.append((name, seen.launches, seen.names))
    return found


def convolution_error(device: str) -> float:
    """The error of a convolution in fp32 against fp64 on the CPU, relative to the largest value."""
    import torch
    import torch.nn.functional as F

    full_fp32()
    draw = torch.Generator().manual_seed(2)
    images, weights = torch.randn(8, 64, 16, 16, generator=draw), torch.randn(64, 64, 3, 3, generator=draw)
    exact = F.conv2d(images.double(), weights.double())
    found = F.conv2d(images.to(device), weights.to(device)).cpu().double()
    return float((found - exact).abs().max() / exact.abs().max())


def run_out_of_memory(device: str, total: int) -> str:
    """Ask for twice ``total`` bytes; empty if that is recognised for what it is and the device computes afterwards."""
    import torch

    from scaling.training.memory import is_out_of_memory

    try:
        torch.empty(2 * total, dtype=torch.uint8, device=device)
    except Exception as error:
        if not is_out_of_memory(error):
            return f"not recognised: {type(error).__name__}: {error}"
        return "" if float(torch.ones(8, device=device).sum()) == 8 else "wrong sums afterwards"
    return "nothing ran out"


def context_bytes(device: str) -> int:
    """Bytes of the device that are taken once it has its first tensor; other programs' changes meanwhile count too."""
    import torch

    from scaling.training.nvidia import smi_gpus

    before = {gpu.uuid: gpu.free for gpu in smi_gpus()}
    torch.ones(1, device=device)
    after = {gpu.uuid: gpu.free for gpu in smi_gpus()}
    return max((before[uuid] - free for uuid, free in after.items() if uuid in before), default=0)


def images_per_second(device: str, runs: int) -> float:
    """Images per second that ``runs`` processes together train a small convolutional network on."""
    context = multiprocessing.get_context("spawn")  # this process may have used CUDA
    queue, barrier = context.SimpleQueue(), context.Barrier(runs)
    children = [context.Process(target=_train_for_a_while, args=(device, barrier, queue)) for _ in range(runs)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    if any(child.exitcode for child in children):
        raise RuntimeError(f"{sum(bool(child.exitcode) for child in children)} of {runs} processes failed")
    return sum(queue.get() for _ in children)


def _train_for_a_while(device: str, barrier: Any, queue: Any) -> None:
    import torch
    import torch.nn.functional as F

    use_one_thread()
    model = _model("resnet").to(device).train()
    images, labels = (tensor.to(device) for tensor in _noise())
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    step()
    barrier.wait(120)
    began, steps = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        step()
        steps += 1
    if device == "cuda":
        torch.cuda.synchronize()
    queue.put(steps * BATCH / (time.perf_counter() - began))


def checkpoint_round_trip(device: str, path: Path) -> bool:
    """Whether tensors of ``device`` come back from a checkpoint bit by bit."""
    import torch

    from scaling.training.checkpoint import load_checkpoint, save_checkpoint

    tensors = {"a": torch.randn(1000, device=device), "b": torch.arange(7, device=device)}
    save_checkpoint(path, {name: tensor.cpu() for name, tensor in tensors.items()}, {"step": 1}, {"seed": 0})
    found = load_checkpoint(path, {"seed": 0})
    assert found is not None
    return found[1] == {"step": 1} and all(torch.equal(found[0][name].to(device), tensors[name]) for name in tensors)


MEASURES: Final[dict[str, Callable[..., Any]]] = {
    measure.__name__: measure
    for measure in (
        family_steps,
        step_counts,
        convolution_error,
        run_out_of_memory,
        context_bytes,
        images_per_second,
        checkpoint_round_trip,
    )
}
