"""Training speed per family, beside the loop that a user would write: the same model, optimiser and images through a
torchvision data set, transforms and DataLoader. One thread each, measured in turns in one run.

Run: uv run python benchmarks/training.py [--params 20000] [--steps 40]
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=int, default=20_000)
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
        print(f"{'family':10s} {'N':>7s} {'images/s':>9s} {'usual':>9s} {'ratio':>6s}")
        for family in FAMILIES:
            rung = ladders.rung(family, options.params, spec)
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
                "fp32",
                data.checksum,
                2000,
            )
            trainer = Trainer(cell, data)
            trainer.model.train()
            plain = build(family, rung.width, rung.depth, spec, Regularisation())
            ours, theirs = [], []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                for _ in range(options.steps):
                    trainer.train_step()
                ours.append(time.perf_counter() - began)
                theirs.append(usual_loop(plain, loader, options.steps))
            images = 64 * options.steps
            fast, slow = images / statistics.median(ours), images / statistics.median(theirs)
            print(f"{family:10s} {rung.params:7d} {fast:9.0f} {slow:9.0f} {fast / slow:6.2f}", flush=True)


if __name__ == "__main__":
    main()
