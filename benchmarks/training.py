"""Training speed per family, beside two loops that a user would write: ``bare``, on the same tensors without augmentation,
average or checks, and ``usual``, with the same images through a torchvision data set, transforms and DataLoader. One thread
each, measured in turns in one run. ``peak`` is the share of the processor's matrix product that training reaches.

Run: uv run python benchmarks/training.py [--params 20000 300000] [--steps 40] [--precision bf16]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from scaling.data import DataSettings, load, prepare
from scaling.data.augment import normalise
from scaling.models import Ladders, build
from scaling.models.family import ImageSpec, Regularisation
from scaling.runs.grid import ResolvedCell
from scaling.study.recipe import recipe_for
from scaling.training.loop import Trainer

FAMILIES = ("mlp", "alexnet", "vgg", "googlenet", "resnet", "vit", "swin")
ROUNDS = 3


class Pictures(Dataset):
    """Images as PIL pictures, as torchvision's data sets give them."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform) -> None:
        self.images, self.labels, self.transform = images, labels, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        return self.transform(Image.fromarray(self.images[index, 0])), int(self.labels[index])


def usual_loop(model: torch.nn.Module, loader: DataLoader, steps: int) -> float:
    """Seconds of ``steps`` steps of the loop of a tutorial, with AdamW and clipping."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model.train()
    began, done = time.perf_counter(), 0
    while done < steps:
        for images, labels in loader:
            output = model(images)
            logits = output[0] if isinstance(output, tuple) else output
            optimizer.zero_grad()
            F.cross_entropy(logits, labels).backward()
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
        at = torch.randint(len(images), (64,))
        output = model(images[at])
        logits = output[0] if isinstance(output, tuple) else output
        F.cross_entropy(logits, labels[at]).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return time.perf_counter() - began


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
    parser.add_argument("--params", type=int, nargs="+", default=[20_000])
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = prepare(DataSettings("fashion-mnist"), Path(folder), progress=False)
        data, ladders = load(path), Ladders(Path(folder) / "ladders.json")
        spec = ImageSpec(data.side, data.channels, len(data.classes))
        transform = transforms.Compose(
            [transforms.RandomHorizontalFlip(), transforms.RandomCrop(28, padding=1), transforms.ToTensor()]
        )
        loader = DataLoader(
            Pictures(np.array(data.train_images[:4000]), data.train_labels, transform), batch_size=64, shuffle=True
        )
        pixels = normalise(torch.from_numpy(np.array(data.train_images[:4000])), data.mean, data.std)
        labels, top = torch.from_numpy(np.array(data.train_labels[:4000])), peak()
        print(
            f"{'family':10s} {'N':>7s} {'images/s':>9s} {'peak':>5s} {'bare':>9s} {'usual':>9s} {'times bare':>11s} and usual"
        )
        for family, params in ((family, params) for params in options.params for family in FAMILIES):
            rung = ladders.rung(family, params, spec)
            cell = ResolvedCell(
                family,
                rung.width,
                rung.depth,
                rung.params,
                4000,
                0,
                1e-3,
                recipe_for("modern", family),
                "cpu",
                options.precision,
                data.checksum,
                2000,
            )
            trainer = Trainer(cell, data)
            trainer.model.train()
            plain = build(family, rung.width, rung.depth, spec, Regularisation())
            ours, bare, usual = [], [], []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                for _ in range(options.steps):
                    trainer.train_step()
                ours.append(time.perf_counter() - began)
                bare.append(bare_loop(plain, pixels, labels, options.steps))
                usual.append(usual_loop(plain, loader, options.steps))
            fast, same, slow = (64 * options.steps / statistics.median(seconds) for seconds in (ours, bare, usual))
            share = fast * trainer.flop_trained / top
            print(
                f"{family:10s} {rung.params:7d} {fast:9.0f} {share:5.0%} {same:9.0f} {slow:9.0f}  "
                f"{fast / same:12.2f} {fast / slow:9.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
