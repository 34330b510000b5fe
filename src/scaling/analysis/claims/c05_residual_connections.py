"""Claim 5: residual connections make deep nets trainable; without them gradients vanish and deeper nets are worse."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl

from scaling.analysis.claims.claim import Claim, Curves, Finding, MissingEvidence, Part
from scaling.analysis.claims.contrasts import log_ratio, mean_finding, summary, with_keys
from scaling.analysis.claims.evidence import Evidence

LAYERS = (8, 20, 56)
MARGIN = math.log(1.1)
PIECES = ("resnet-11k", "resnet-pool", "resnet-bare", "resnet-bare-dropout", "resnet-dropout")


def arm(family: str, layers: int, norm: bool = True) -> str:
    """Name of the arm: plain-56, resnet-20-bare."""
    return f"{family}-{layers}" + ("" if norm else "-bare")


def _ratio(worse: str, better: str, response: str, drawn: tuple[tuple[str, int, bool], ...] = ()):
    def measure(evidence: Evidence) -> Finding:
        found = log_ratio(evidence, worse, better, response, chance_loss=response == "loss")
        rows = []
        for family, layers, norm in drawn:
            try:
                values = evidence.by_seed(arm(family, layers, norm), response)
            except MissingEvidence:
                continue
            rows.append(summary(values, family if norm else f"{family}, no norms", layers, panel=_PANELS[response]))
        return with_keys(found, found.keys, rows=tuple(rows))

    return measure


_PANELS = {"train_loss": "training loss", "loss": "test loss"}
_ALL = tuple((family, layers, norm) for family in ("plain", "resnet") for layers in LAYERS for norm in (True, False))


def fall_of_gradient(rows: pl.DataFrame) -> dict[int, float]:
    """By seed: log ratio of the gradient's norm in the last quarter of the layers to that in the first; above 0 it vanishes.

    Args:
        rows: seed, x (layer, from 0 at the input) and value (norm) of one net; the last layer, the classifier, is left out.

    A seed in which a layer has a gradient of exactly 0 (all units dead, or blocks that start as their shortcuts) is left out.
    """
    found = {}
    for (seed,), own in rows.sort("x").group_by("seed", maintain_order=True):
        values = own.sort("x")["value"].to_numpy()[:-1]
        if not np.all(values > 0):
            continue
        norms = np.log(values)
        quarter = max(1, len(norms) // 4)
        found[int(seed)] = float(np.mean(norms[-quarter:]) - np.mean(norms[:quarter]))
    return found


def _by_layer(evidence: Evidence) -> tuple[dict[str, Any], ...]:
    """Rows for the figure: norm of the gradient in each layer of the deepest nets; geometric mean over seeds, 95 % interval."""
    drawn = []
    for phase, panel in _PHASES.items():
        for family, norm in (("plain", True), ("resnet", True), ("plain", False), ("resnet", False)):
            try:
                rows = evidence.measurements("gradients", "norm", family=arm(family, LAYERS[-1], norm), phase=phase)
            except MissingEvidence:
                continue
            for (layer,), own in rows.filter(pl.col("value") > 0).sort("x").group_by("x", maintain_order=True):
                logs = {int(seed): math.log(value) for seed, value in own.select("seed", "value").iter_rows()}
                row = summary(logs, family if norm else f"{family}, no norms", float(layer) + 1, panel)
                drawn.append(row | {name: math.exp(row[name]) for name in ("y", "low", "high") if row[name] is not None})
    return tuple(drawn)


_PHASES = {"start": "gradients at the start", "100 steps": "gradients after 100 steps"}


def _vanishing(name: str, phase: str, draw: bool = False):
    def measure(evidence: Evidence) -> Finding:
        rows = evidence.measurements("gradients", "norm", family=name, phase=phase)
        falls, seeds = fall_of_gradient(rows), rows["seed"].n_unique()
        if not falls:
            raise MissingEvidence("in every seed some layer has a gradient of exactly 0")
        found = mean_finding(np.array(list(falls.values())))
        ratio = math.exp(-found.effect)
        note = f"the gradient in the first quarter of the layers is {ratio:.3g} times that in the last"
        if len(falls) < seeds:
            note += f"; {seeds - len(falls)} of {seeds} seeds left out, in which a layer has a gradient of exactly 0"
        drawn = _by_layer(evidence) if draw else ()
        return with_keys(found, tuple(rows["key"].unique()), note=note, rows=drawn)

    return measure


_LAST_OVER_FIRST = "how much larger the norm of the gradient is in the last quarter of the layers than in the first"

claim = Claim(
    number=5,
    title="Residual connections",
    statement="Very deep nets can only be trained with residual connections. Without them the gradient vanishes on its way "
    "to the first layers, and a deeper net is worse, even on the training images.",
    source="He et al. 2015, arXiv:1512.03385, sections 1, 3.3, 4.2",
    otherwise="At equal parameters the deepest nets have stages of three to twelve channels. The plain nets of the paper, "
    "with up to 56 layers, had 16 to 64 channels, were trained for 64,000 steps, and their N grew with the depth. He et al. "
    "themselves doubt that gradients vanish with batch norm (their section 4.1).",
    primary=True,
    parts=(
        Part(
            "training loss at 56 layers",
            "At 56 layers the residual net fits the training images better than the plain net.",
            "how much higher the plain net's training loss is than the residual net's at 56 layers",
            _ratio(arm("plain", 56), arm("resnet", 56), "train_loss", _ALL),
        ),
        Part(
            "test loss at 56 layers",
            "At 56 layers the residual net has the lower test loss.",
            "how much higher the plain net's test loss is than the residual net's at 56 layers",
            _ratio(arm("plain", 56), arm("resnet", 56), "loss", _ALL),
        ),
        Part(
            "deeper plain nets are worse",
            "Without residual connections a net of 56 layers fits the training images worse than one of 8.",
            "how much higher the plain net's training loss is at 56 layers than at 8",
            _ratio(arm("plain", 56), arm("plain", 8), "train_loss"),
        ),
        Part(
            "deeper residual nets train",
            "With residual connections the training loss at 56 layers exceeds that at 8 by less than 10 %.",
            "how much higher the residual net's training loss is at 8 layers than at 56",
            _ratio(arm("resnet", 8), arm("resnet", 56), "train_loss"),
            threshold=-MARGIN,
        ),
        Part(
            "gradients vanish",
            "At the start of training the plain net of 56 layers has smaller gradients in its first layers than in its last.",
            _LAST_OVER_FIRST,
            _vanishing(arm("plain", 56), "start", draw=True),
        ),
        Part(
            "gradients vanish, no norms",
            "The same holds without batch norm.",
            _LAST_OVER_FIRST,
            _vanishing(arm("plain", 56, norm=False), "start"),
            decides=False,
        ),
        Part(
            "gradients vanish, after 100 steps",
            "The same holds, with batch norm, after 100 steps.",
            _LAST_OVER_FIRST,
            _vanishing(arm("plain", 56), "100 steps"),
            decides=False,
        ),
        Part(
            "gradients with skips",
            "After 100 steps the residual net's gradients are also smaller in its first layers than in its last.",
            _LAST_OVER_FIRST,
            _vanishing(arm("resnet", 56), "100 steps"),
            decides=False,
        ),
        Part(
            "training loss without norms",
            "Without batch norm, too, the residual net of 56 layers fits the training images better than the plain net.",
            "how much higher the plain net's training loss is than the residual net's at 56 layers without batch norm",
            _ratio(arm("plain", 56, norm=False), arm("resnet", 56, norm=False), "train_loss"),
            decides=False,
        ),
        Part(
            "stride or pool",
            "Strided convolutions between stages give a lower loss than max-pooling.",
            "how much higher the test loss is with max-pooling than with strides",
            lambda evidence: log_ratio(evidence, "resnet-pool", "resnet-11k", pool=PIECES),
            negligible=math.log(1.02),
            decides=False,
        ),
        Part(
            "norm or dropout",
            "Batch norm gives a lower loss than dropout of one half.",
            "how much higher the test loss is with dropout and no batch norm than with batch norm and no dropout",
            lambda evidence: log_ratio(evidence, "resnet-bare-dropout", "resnet-11k", pool=PIECES),
            negligible=math.log(1.02),
            decides=False,
        ),
        Part(
            "dropout with batch norm",
            "With batch norm, dropout is not needed: without it the loss is less than 2 % higher.",
            "how much higher the test loss is with batch norm and dropout than with batch norm alone",
            lambda evidence: log_ratio(evidence, "resnet-dropout", "resnet-11k", pool=PIECES),
            threshold=-math.log(1.02),
            decides=False,
        ),
        Part(
            "norm or nothing",
            "Batch norm gives a lower loss than no norm.",
            "how much higher the test loss is without batch norm than with it",
            lambda evidence: log_ratio(evidence, "resnet-bare", "resnet-11k", pool=PIECES),
            negligible=math.log(1.02),
            decides=False,
        ),
    ),
    curves=(
        Curves(
            "Loss by depth",
            "Training and test loss of plain and residual nets with the same number of parameters against their number of "
            "layers, with and without batch norm. Points: mean over seeds with its 95 % interval.",
            "layers",
            "loss (nats)",
            log_x=True,
            log_y=True,
        ),
        Curves(
            "Gradients by layer",
            "Norm of the gradient of the loss for the weights of each layer of the nets of 56 layers, from the input (left) to "
            "the classifier, before clipping. Lines: geometric mean over seeds; bars: its 95 % interval. Gradients of exactly "
            "0 are not drawn: at the start the residual net's blocks pass their input on unchanged.",
            "layer",
            "norm of the gradient",
            log_y=True,
            panels=tuple(_PHASES.values()),
        ),
    ),
)
