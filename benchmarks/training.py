"""Training speed per family, beside loops that a user would write. All have one thread and take turns, a few steps at a time.

``bare``: the shortest loop, on normalised images in memory: AdamW and clipping, and nothing else that a run does.
``equal``: what a run does, by torch's own parts: images flipped and shifted each by itself, auxiliary losses, clipping, AdamW,
    a moving average of weights and buffers, the memory format of our runs.
``usual``: the bare loop with the images through a torchvision data set, its transforms and a DataLoader.
``timm``: the same with timm's loader and its transforms of training.
``lightning``: Lightning on the tensors of ``bare``, gathered batch by batch.
A figure is the median, over the rounds, of that loop's time by ours right before it: above 1 ours is faster. Times are those of
the process, so that other work of the machine counts less. ``peak`` is the share of the processor's matrix product that our
training reaches. The last line of a size has geometric means.

Run: uv run --group benchmarks python benchmarks/training.py [--params 20000 104000 300000] [--steps 8] [--precision bf16]
"""

import argparse
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import lightning
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from timm.data import create_loader
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler, TensorDataset
from torchvision import transforms

from scaling.data import DataSettings, ImageData, load, prepare
from scaling.data.augment import normalise
from scaling.models import Ladders, build
from scaling.models.family import ImageSpec, Regularisation
from scaling.runs.grid import ResolvedCell
from scaling.study.recipe import recipe_for
from scaling.training.device import seed_the_cpu_alone, use_one_thread
from scaling.training.loop import Trainer

FAMILIES = ("mlp", "alexnet", "vgg", "googlenet", "resnet", "vit", "swin")
LOOPS = ("bare", "equal", "usual", "timm", "lightning")
IMAGES, BATCH, ROUNDS, WARM_UP = 4000, 64, 15, 3

Seconds = Callable[[int], float]
"""Trains so many steps; the seconds that they took."""


class Pictures(Dataset):
    """Images as PIL pictures, as torchvision's data sets give them."""

    def __init__(self, data: ImageData, transform: Callable | None = None) -> None:
        self.images, self.labels, self.transform = np.array(data.train_images[:IMAGES]), data.train_labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        assert self.transform is not None
        return self.transform(Image.fromarray(self.images[index, 0])), int(self.labels[index])


def loss_of(model: nn.Module, images: Tensor, labels: Tensor, auxiliary: float = 0.0) -> Tensor:
    """The loss of the main head, and those of auxiliary heads with weight ``auxiliary``."""
    output = model(images)
    heads = output if isinstance(output, tuple) else (output, ())
    loss = F.cross_entropy(heads[0], labels)
    return loss + sum(auxiliary * F.cross_entropy(head, labels) for head in heads[1]) if auxiliary else loss


def timed(step: Callable[[], None]) -> Seconds:
    """The clock around ``step``, after the first steps, which make the optimiser's state."""
    for _ in range(WARM_UP):
        step()

    def seconds(steps: int) -> float:
        began = time.process_time()
        for _ in range(steps):
            step()
        return time.process_time() - began

    return seconds


def usual_loop(model: nn.Module, loader: Iterable) -> Seconds:
    """The loop of a tutorial, with AdamW and clipping."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batches = endless(loader)

    def step() -> None:
        images, labels = next(batches)
        optimizer.zero_grad()
        loss_of(model, images, labels).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return timed(step)


def endless(loader: Iterable) -> Iterator:
    """Epoch after epoch."""
    while True:
        yield from loader


def bare_loop(model: nn.Module, images: Tensor, labels: Tensor) -> Seconds:
    """The loop on normalised images that lie in memory, with torch's fastest AdamW and clipping."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)

    def step() -> None:
        at = torch.randint(len(images), (BATCH,))
        loss_of(model, images[at], labels[at]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return timed(step)


def flipped_and_shifted(batch: Tensor) -> Tensor:
    """Each image of ``batch`` [b, c, h, w] mirrored or not, and shifted by up to a pixel; the fastest of some plain ways."""
    b, _, h, w = batch.shape
    batch = torch.where((torch.rand(b) < 0.5)[:, None, None, None], batch.flip(3), batch)
    windows = F.pad(batch, (1, 1, 1, 1)).unfold(2, h, 1).unfold(3, w, 1)
    return windows[torch.arange(b), :, torch.randint(3, (b,)), torch.randint(3, (b,))]


def equal_loop(
    model: nn.Module, images: Tensor, labels: Tensor, auxiliary: float, memory_format: torch.memory_format
) -> Seconds:
    """The bare loop with all that a run of the modern recipe does in a step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.99), use_buffers=True)

    def step() -> None:
        at = torch.randint(len(images), (BATCH,))
        batch = flipped_and_shifted(images[at]).contiguous(memory_format=memory_format)
        loss_of(model, batch, labels[at], auxiliary).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        average.update_parameters(model)

    return timed(step)


class Module(lightning.LightningModule):
    """A model as Lightning takes it; it notes the time from the end of its first steps to the end of its last."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.began, self.seconds = model, 0.0, 0.0

    def training_step(self, batch, index: int) -> Tensor:
        """The loss of a batch."""
        return loss_of(self.model, *batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimiser of the bare loop."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3, fused=True)

    def on_train_batch_start(self, batch, batch_idx: int) -> None:
        """Begin to measure where the first steps are done."""
        if batch_idx == WARM_UP:
            self.began = time.process_time()

    def on_train_end(self) -> None:
        """Stop."""
        self.seconds = time.process_time() - self.began


def lightning_loop(model: nn.Module, loader: DataLoader) -> Seconds:
    """Lightning, without logger, checkpoints and bars."""

    def seconds(steps: int) -> float:
        module = Module(model)
        quiet = {name: False for name in ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")}
        last = WARM_UP + steps
        trainer = lightning.Trainer(accelerator="cpu", devices=1, max_steps=last, gradient_clip_val=1.0, **quiet)
        trainer.fit(module, loader)
        return module.seconds

    return seconds


def loops(data: ImageData) -> dict[str, Callable[[Trainer], Seconds]]:
    """Each of LOOPS, for a model of the size that a trainer has."""
    augment = [transforms.RandomHorizontalFlip(), transforms.RandomCrop(data.side, padding=1), transforms.ToTensor()]
    usual = DataLoader(Pictures(data, transforms.Compose(augment)), batch_size=BATCH, shuffle=True)
    size, mean, std = (data.channels, data.side, data.side), tuple(data.mean.tolist()), tuple(data.std.tolist())
    settings = {"is_training": True, "use_prefetcher": False, "color_jitter": None, "num_workers": 0, "mean": mean, "std": std}
    with_timm = create_loader(Pictures(data), size, BATCH, **settings)
    pixels = normalise(torch.from_numpy(np.array(data.train_images[:IMAGES])), data.mean, data.std)
    labels = torch.from_numpy(np.array(data.train_labels[:IMAGES]))
    whole = TensorDataset(pixels, labels)
    gathered = DataLoader(whole, sampler=BatchSampler(RandomSampler(whole), BATCH, drop_last=True), batch_size=None)

    def model(ours: Trainer) -> nn.Module:
        cell, rates = ours.cell, Regularisation(ours.recipe.dropout, ours.recipe.stochastic_depth)
        return build(cell.family, cell.width, cell.depth, ours.spec, rates).train()

    def equal(ours: Trainer) -> Seconds:
        memory_format = torch.channels_last if ours.channels_last else torch.contiguous_format
        like_ours = model(ours).to(memory_format=memory_format)
        return equal_loop(like_ours, pixels, labels, ours.recipe.auxiliary_weight, memory_format)

    return {
        "bare": lambda ours: bare_loop(model(ours), pixels, labels),
        "equal": equal,
        "usual": lambda ours: usual_loop(model(ours), usual),
        "timm": lambda ours: usual_loop(model(ours), with_timm),
        "lightning": lambda ours: lightning_loop(model(ours), gathered),
    }


def peak() -> float:
    """FLOP/s of a product of matrices in fp32, the best of some."""
    one, other, seconds = torch.randn(1024, 1024), torch.randn(1024, 1024), []
    for _ in range(20):
        began = time.process_time()
        one @ other
        seconds.append(time.process_time() - began)
    return 2 * 1024**3 / min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=int, nargs="+", default=[20_000, 104_000, 300_000])
    parser.add_argument("--families", nargs="+", default=FAMILIES)
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=LOOPS)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--steps", type=int, default=8, help="of each loop in a round")
    options = parser.parse_args()
    use_one_thread()
    seed_the_cpu_alone()  # as runs do
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    with tempfile.TemporaryDirectory() as folder:
        path = prepare(DataSettings("fashion-mnist"), Path(folder), progress=False)
        data, ladders = load(path), Ladders(Path(folder) / "ladders.json")
        spec = ImageSpec(data.side, data.channels, len(data.classes))
        others = {name: loop for name, loop in loops(data).items() if name in options.loops}
        print(f"{'family':10s} {'N':>7s} {'images/s':>9s} {'peak':>5s}  times faster than", *(f"{name:>9s}" for name in others))
        for params in options.params:
            shares, ratios = [], []
            for family in options.families:
                rung, top = ladders.rung(family, params, spec), peak()
                recipe = recipe_for("modern", family)
                place = (rung.width, rung.depth, rung.params, IMAGES, 0, 1e-3, recipe, "cpu", options.precision)
                trainer = Trainer(ResolvedCell(family, *place, data.checksum, 2000), data)
                trainer.model.train()
                ours, theirs = timed(trainer.train_step), [make(trainer) for make in others.values()]
                rounds = [[seconds(options.steps) for one in theirs for seconds in (ours, one)] for _ in range(ROUNDS)]
                speed = BATCH * options.steps / statistics.median(each for row in rounds for each in row[::2])
                shares.append(speed * trainer.flop_trained / top)
                ratios.append([statistics.median(row[2 * n + 1] / row[2 * n] for row in rounds) for n in range(len(theirs))])
                words = " ".join(f"{ratio:9.2f}" for ratio in ratios[-1])
                print(f"{family:10s} {rung.params:7d} {speed:9.0f} {shares[-1]:5.0%} {'':18s}{words}", flush=True)
            means = " ".join(f"{statistics.geometric_mean(each):9.2f}" for each in zip(*ratios, strict=True))
            print(f"{'mean':10s} {params:7d} {'':9s} {statistics.geometric_mean(shares):5.1%} {'':18s}{means}", flush=True)


if __name__ == "__main__":
    main()
