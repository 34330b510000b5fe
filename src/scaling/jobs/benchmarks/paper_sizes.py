"""AlexNet and GoogLeNet in their papers' sizes, counted: on images of 224 pixels and 1,000 classes.

The models are torchvision's, an implementation that others check too. Its AlexNet is the one-tower net of Krizhevsky 2014
("One weird trick for parallelizing convolutional neural networks"); the two-tower net of 2012 has 61.0 M parameters. Its
GoogLeNet has batch norm, and its two auxiliary classifiers are thrown away after training, so they are left out here.
"""

from __future__ import annotations

from typing import Any, Final

from torch import nn
from torchvision import models

from scaling.jobs.benchmarks.settings import Benchmark, Request, Row
from scaling.models.counting import count_params, forward_flop, sketch
from scaling.models.family import ImageSpec

IMAGE: Final = ImageSpec(224, 3, 1000)


def _alexnet() -> nn.Module:
    return models.alexnet(weights=None)


def _googlenet() -> nn.Module:
    return models.googlenet(weights=None, aux_logits=False, init_weights=False)


def paper_size_counts() -> list[dict[str, Any]]:
    """Rows with family, quantity (params, flop_forward), value, unit."""
    rows = []
    for family, make in (("alexnet", _alexnet), ("googlenet", _googlenet)):
        model = sketch(make)
        for quantity, value, unit in (
            ("params", count_params(model), "parameters"),
            ("flop_forward", forward_flop(model, IMAGE), "FLOP/image"),
        ):
            rows.append({"family": family, "quantity": quantity, "value": float(value), "unit": unit})
    return rows


def paper_rows(_: Request) -> list[Row]:
    """The counts as rows of the table of measurements."""
    return [{"measure": "paper-sizes", "phase": "", "x": float(IMAGE.side)} | row for row in paper_size_counts()]


benchmark = Benchmark(description="AlexNet and GoogLeNet as published, counted", rows=paper_rows, seconds=(0, 0))
