"""What a training step starts and waits for on the device, per family and size, and how fast it is.

A CPU counts operations as a GPU would get them, and waits that would be waits on a GPU: no GPU is needed for the two counts.
On a GPU a step is timed eagerly and as a captured graph, for one run and for several at once.

Run: uv run python benchmarks/gpu.py [--params 20000 300000] [--steps 200] [--families mlp vit] [--runs 1 2 4 8 16]
"""

import argparse
import dataclasses
import multiprocessing
import tempfile
import time
from pathlib import Path

import torch

from scaling.data import DataSettings, ImageData, load, prepare
from scaling.models import Ladders
from scaling.models.family import ImageSpec
from scaling.runs.grid import ResolvedCell
from scaling.study.recipe import recipe_for
from scaling.training.captured_step import WARM_UP
from scaling.training.device import detect
from scaling.training.loop import Trainer
from scaling.training.step_counts import count_step

FAMILIES = ("mlp", "alexnet", "vgg", "googlenet", "resnet", "vit", "swin")
IMAGES = 4000
SIDE = 4096
"""Of the matrices whose product gives the peak."""


def images_per_second(trainer: Trainer, steps: int) -> float:
    """Of training alone, after the steps in which a graph is captured."""
    for _ in range(WARM_UP + 2):
        trainer.train_step()
    wait(trainer.cell.device)
    began = time.perf_counter()
    for _ in range(steps):
        trainer.train_step()
    wait(trainer.cell.device)
    return steps * trainer.recipe.batch / (time.perf_counter() - began)


def wait(device: str) -> None:
    """Until the device is done."""
    if device == "cuda":
        torch.cuda.synchronize()


def limits(device: str) -> tuple[float, float]:
    """TFLOP/s of a product of matrices, and GB/s of a copy, in fp32."""
    side = SIDE if device == "cuda" else SIDE // 4
    one, other = (torch.randn(side, side, device=device) for _ in range(2))
    rates = []
    for work, amount in ((lambda: one @ other, 2 * side**3), (lambda: other.copy_(one), 2 * one.nbytes)):
        work()
        wait(device)
        began = time.perf_counter()
        for _ in range(10):
            work()
        wait(device)
        rates.append(10 * amount / (time.perf_counter() - began))
    return rates[0] / 1e12, rates[1] / 1e9


def one_run(cell: ResolvedCell, data: ImageData, steps: int, queue) -> None:
    """In a process of its own: images per second of one run beside others."""
    trainer = Trainer(cell, data)
    trainer.model.train()
    queue.put(images_per_second(trainer, steps))


def at_once(cell: ResolvedCell, data: ImageData, steps: int, runs: int) -> float:
    """Images per second of so many runs together."""
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    children = [context.Process(target=one_run, args=(cell, data, steps, queue)) for _ in range(runs)]
    for child in children:
        child.start()
    found = sum(queue.get() for _ in children)
    for child in children:
        child.join()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=int, nargs="+", default=[20_000, 300_000])
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--families", nargs="+", default=FAMILIES)
    parser.add_argument("--runs", type=int, nargs="+", default=[1, 2, 4, 8, 16], help="runs per GPU at once; GPUs only")
    options = parser.parse_args()
    here = detect()
    torch.set_num_threads(1)
    product, copy = limits(here.kind)
    print(f"{here.machine}, fp32: {product:.2f} TFLOP/s in a product, {copy:.0f} GB/s in a copy")
    gpu = here.kind == "cuda"
    several = [f"{runs:>4d} runs" for runs in options.runs] if gpu else []
    print(f"{'family':10s} {'N':>7s} {'launches':>8s} {'waits':>5s} {'eager/s':>9s} {'graph/s':>9s}", *several)
    with tempfile.TemporaryDirectory() as folder:
        data = load(prepare(DataSettings("fashion-mnist"), Path(folder), progress=False))
        ladders, spec = Ladders(Path(folder) / "ladders.json"), ImageSpec(data.side, data.channels, len(data.classes))
        for params in options.params:
            for family in options.families:
                rung = ladders.rung(family, params, spec)
                recipe = recipe_for("modern", family)
                place = (rung.width, rung.depth, rung.params, IMAGES, 0, 1e-3, recipe, here.kind, "fp32", data.checksum, 2000)
                cell = ResolvedCell(family, *place)
                trainer = Trainer(cell, data)
                trainer.model.train()
                captured, trainer.captured = trainer.captured, None
                seen = count_step(trainer)
                speeds = [images_per_second(trainer, options.steps)]
                if gpu:
                    trainer.captured = captured
                    speeds.append(images_per_second(trainer, options.steps))
                    longer = dataclasses.replace(cell, seed=1)
                    speeds += [at_once(longer, data, options.steps, runs) for runs in options.runs]
                speeds_text = " ".join(f"{speed:9.0f}" for speed in speeds)
                print(f"{family:10s} {rung.params:7d} {seen.launches:8d} {len(seen.names):5d} {speeds_text}", flush=True)


if __name__ == "__main__":
    main()
