"""Training speed per family, beside loops that a user would write. All have one thread and are measured in turns in one run.

``bare``: a plain loop on the same tensors, without augmentation, average or checks.
``usual``: the same loop with the images through a torchvision data set, its transforms and a DataLoader.
``timm``: the same loop with timm's loader and its transforms of training.
``lightning``: Lightning on the tensors of ``bare``, gathered batch by batch.
``peak`` is the share of the processor's matrix product that training reaches. The last line of a size has geometric means.

Run: uv run --group benchmarks python benchmarks/training.py [--params 14000 104000 300000] [--steps 40] [--precision bf16]
"""

import argparse
import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

import lightning
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from timm.data import create_loader
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
LOOPS = ("bare", "usual", "timm", "lightning")
IMAGES, BATCH, ROUNDS = 4000, 64, 3


class Pictures(Dataset):
    """Images as PIL pictures, as torchvision's data sets give them."""

    def __init__(self, data: ImageData, transform: Callable | None = None) -> None:
        self.images, self.labels, self.transform = np.array(data.train_images[:IMAGES]), data.train_labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        assert self.transform is not None
        return self.transform(Image.fromarray(self.images[index, 0])), int(self.labels[index])


def loss_of(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The loss of the main head."""
    output = model(images)
    return F.cross_entropy(output[0] if isinstance(output, tuple) else output, labels)


def usual_loop(model: torch.nn.Module, loader: Iterable, steps: int) -> float:
    """Seconds of ``steps`` steps of the loop of a tutorial, with AdamW and clipping."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    began, done = time.perf_counter(), 0
    while done < steps:
        for images, labels in loader:
            optimizer.zero_grad()
            loss_of(model, images, labels).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            done += 1
            if done == steps:
                break
    return time.perf_counter() - began


def bare_loop(model: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor, steps: int) -> float:
    """Seconds of ``steps`` steps on normalised images that lie in memory, with torch's fastest AdamW and clipping."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    model.train()
    began = time.perf_counter()
    for _ in range(steps):
        at = torch.randint(len(images), (BATCH,))
        loss_of(model, images[at], labels[at]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return time.perf_counter() - began


class Module(lightning.LightningModule):
    """A model as Lightning takes it; it notes the time from its first batch to its last."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model, self.began, self.seconds = model, 0.0, 0.0

    def training_step(self, batch, index: int) -> torch.Tensor:
        """The loss of a batch."""
        return loss_of(self.model, *batch)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The optimiser of the bare loop."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3, fused=True)

    def on_train_epoch_start(self) -> None:
        """Begin to measure: what Lightning does before its first epoch is left out."""
        self.began = self.began or time.perf_counter()

    def on_train_end(self) -> None:
        """Stop."""
        self.seconds = time.perf_counter() - self.began


def lightning_loop(model: torch.nn.Module, loader: DataLoader, steps: int) -> float:
    """Seconds of ``steps`` steps by Lightning, without logger, checkpoints and bars."""
    module = Module(model)
    quiet = {name: False for name in ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")}
    trainer = lightning.Trainer(accelerator="cpu", devices=1, max_steps=steps, gradient_clip_val=1.0, **quiet)
    trainer.fit(module, loader)
    return module.seconds


def loops(data: ImageData) -> dict[str, Callable[[torch.nn.Module, int], float]]:
    """Each of LOOPS: (model, steps) -> seconds."""
    augment = [transforms.RandomHorizontalFlip(), transforms.RandomCrop(data.side, padding=1), transforms.ToTensor()]
    usual = DataLoader(Pictures(data, transforms.Compose(augment)), batch_size=BATCH, shuffle=True)
    size, mean, std = (data.channels, data.side, data.side), tuple(data.mean.tolist()), tuple(data.std.tolist())
    settings = {"is_training": True, "use_prefetcher": False, "color_jitter": None, "num_workers": 0, "mean": mean, "std": std}
    with_timm = create_loader(Pictures(data), size, BATCH, **settings)
    pixels = normalise(torch.from_numpy(np.array(data.train_images[:IMAGES])), data.mean, data.std)
    labels = torch.from_numpy(np.array(data.train_labels[:IMAGES]))
    whole = TensorDataset(pixels, labels)
    gathered = DataLoader(whole, sampler=BatchSampler(RandomSampler(whole), BATCH, drop_last=True), batch_size=None)
    return {
        "bare": lambda model, steps: bare_loop(model, pixels, labels, steps),
        "usual": lambda model, steps: usual_loop(model, usual, steps),
        "timm": lambda model, steps: usual_loop(model, with_timm, steps),
        "lightning": lambda model, steps: lightning_loop(model, gathered, steps),
    }


def peak() -> float:
    """FLOP/s of a product of matrices in fp32, the best of some."""
    one, other, seconds = torch.randn(1024, 1024), torch.randn(1024, 1024), []
    for _ in range(20):
        began = time.perf_counter()
        one @ other
        seconds.append(time.perf_counter() - began)
    return 2 * 1024**3 / min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=int, nargs="+", default=[14_000, 104_000, 300_000])
    parser.add_argument("--families", nargs="+", default=FAMILIES)
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=LOOPS)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--steps", type=int, default=40)
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
                plain = build(family, rung.width, rung.depth, spec, Regularisation())
                seconds: dict[str, list[float]] = {name: [] for name in ("ours", *others)}
                trainer.train_step()  # makes the optimiser's state; the median leaves out the others' slow first round
                for _ in range(ROUNDS):
                    began = time.perf_counter()
                    for _ in range(options.steps):
                        trainer.train_step()
                    seconds["ours"].append(time.perf_counter() - began)
                    for name, loop in others.items():
                        seconds[name].append(loop(plain, options.steps))
                ours = statistics.median(seconds["ours"])
                speed = BATCH * options.steps / ours
                shares.append(speed * trainer.flop_trained / top)
                ratios.append([statistics.median(seconds[name]) / ours for name in others])
                words = " ".join(f"{ratio:9.2f}" for ratio in ratios[-1])
                print(f"{family:10s} {rung.params:7d} {speed:9.0f} {shares[-1]:5.0%} {'':18s}{words}", flush=True)
            means = " ".join(f"{statistics.geometric_mean(each):9.2f}" for each in zip(*ratios, strict=True))
            print(f"{'mean':10s} {params:7d} {'':9s} {statistics.geometric_mean(shares):5.0%} {'':18s}{means}", flush=True)


if __name__ == "__main__":
    main()
