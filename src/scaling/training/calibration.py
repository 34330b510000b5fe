"""Measuring how fast this machine trains each family, for `scaling plan`."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch

from scaling.models import build, get_family
from scaling.models.family import ImageSpec, Regularisation
from scaling.models.ladder import Ladders
from scaling.objectives.supervised import supervised_loss
from scaling.plan import Speed
from scaling.store import write_atomic
from scaling.study import Study
from scaling.training.device import cpu_name, use_one_thread
from scaling.training.optimizer import make_optimizer

MEASURED_STEPS = 12


def calibrate(study: Study, ladders: Ladders, image: ImageSpec, path: Path, device: str) -> dict[str, Speed]:
    """Time training steps of the least and largest model of each family of ``study``; written to ``path``.

    What ``path`` holds of other families is kept. The median of a few steps of the study's own batch, one thread.
    """
    use_one_thread()
    found = {}
    for family in study.families:
        recipe, architecture = study.family_recipe(family), study.architecture(family)
        points = []
        for target in {min(study.sizes(family)), max(study.sizes(family))}:
            rung = ladders.rung(architecture, target, image)
            model = build(rung.family, rung.width, rung.depth, image, Regularisation(), architecture.options).to(device)
            from_width = get_family(rung.family).channels_last_from
            layout = torch.channels_last if from_width is not None and rung.width >= from_width else torch.contiguous_format
            model.to(memory_format=layout)
            seconds = _step_seconds(model, recipe, image, layout, device)
            points.append((float(rung.flop_forward), seconds / recipe.batch))
        points.sort()
        found[str(architecture)] = _line(points)
    kept = json.loads(path.read_text())["families"] if path.exists() else {}
    content = {"machine": cpu_name(), "families": kept | {name: vars(speed) for name, speed in found.items()}}
    write_atomic(path, (json.dumps(content, indent=1) + "\n").encode())
    return found


def _line(points: list[tuple[float, float]]) -> Speed:
    """The line through seconds an image at the two sizes; through the origin's side where only one was measured."""
    if len(points) == 1:
        return Speed(points[0][1], 0.0)
    (low, fast), (high, slow) = points
    slope = max(0.0, (slow - fast) / (high - low))
    return Speed(fast - slope * low, slope)


def _step_seconds(model, recipe, image: ImageSpec, layout: torch.memory_format, device: str) -> float:
    optimizer = make_optimizer(model, recipe, 1e-4)
    images = torch.randn(recipe.batch, image.channels, image.side, image.side, device=device)
    images = images.contiguous(memory_format=layout)
    labels = torch.arange(recipe.batch, device=device) % image.classes
    times = []
    for _ in range(MEASURED_STEPS):
        began = time.perf_counter()
        loss = supervised_loss(model, images, labels, label_smoothing=0.0, auxiliary_weight=0.3)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()
        times.append(time.perf_counter() - began)
    return sorted(times[2:])[len(times[2:]) // 2]
