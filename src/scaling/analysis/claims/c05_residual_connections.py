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
"""A training loss that is higher by less than 10 % counts as trained as well (assumption)."""
LEAST = 1.18e-38
"""The smallest normal number of single precision (IEEE 754): in its stead stands a gradient of exactly 0."""
EQUAL_GRADIENTS = math.log(2)
"""Gradients within a factor of 2 of each other have not vanished (assumption)."""
NO_HELP = math.log(1.02)
"""Losses within 2 % of each other do not matter (assumption; about the noise between two seeds)."""
PIECES = ("resnet-11k", "resnet-bare", "resnet-bare-dropout", "resnet-dropout")


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

    A gradient of exactly 0 counts as ``LEAST``, so that a net whose gradient has vanished altogether is not left out.

    Args:
        rows: seed, x (layer, from 0 at the input) and value (norm) of one net; the last layer, the classifier, is left out.
    """
    found = {}
    for (seed,), own in rows.sort("x").group_by("seed", maintain_order=True):
        norms = np.log(np.maximum(own.sort("x")["value"].to_numpy()[:-1], LEAST))
        quarter = max(1, len(norms) // 4)
        found[int(seed)] = float(np.mean(norms[-quarter:]) - np.mean(norms[:quarter]))
    return found


def _by_layer(evidence: Evidence) -> tuple[dict[str, Any], ...]:
    """Rows for the figure: norm of the gradient in each layer of the deepest nets.

    Geometric mean over seeds with its 95 % interval; a row of 0 besides where it is exactly 0 in some seed.
    """
    drawn = []
    for phase, panel in _PHASES.items():
        for family, norm in (("plain", True), ("resnet", True), ("plain", False), ("resnet", False)):
            try:
                rows = evidence.measurements("gradients", "norm", family=arm(family, LAYERS[-1], norm), phase=phase)
            except MissingEvidence:
                continue
            series = family if norm else f"{family}, no norms"
            for (layer,), own in rows.drop_nulls("value").sort("x").group_by("x", maintain_order=True):
                at = float(layer) + 1
                logs = {int(seed): math.log(value) for seed, value in own.select("seed", "value").iter_rows() if value > 0}
                if len(logs) < len(own):
                    drawn.append(
                        {"panel": panel, "series": series, "x": at, "y": 0.0, "low": None, "high": None, "bound": True}
                    )
                if logs:
                    row = summary(logs, series, at, panel)
                    drawn.append(row | {name: math.exp(row[name]) for name in ("y", "low", "high") if row[name] is not None})
    return tuple(drawn)


_PHASES = {"start": "gradients at the start", "100 steps": "gradients after 100 steps"}
_WHEN = {"start": "at the start of training", "100 steps": "after 100 steps"}


def _vanishing(name: str, phase: str, draw: bool = False):
    def measure(evidence: Evidence) -> Finding:
        rows = evidence.measurements("gradients", "norm", family=name, phase=phase)
        if not (rows.filter(pl.col("x") < pl.col("x").max())["value"] > 0).any():
            raise MissingEvidence(
                f"{name}, {_WHEN[phase]}: the gradient is exactly 0 in every layer below the classifier and in every seed, "
                "so that first layers cannot be compared with last ones; no layer learns any more"
            )
        falls = fall_of_gradient(rows)
        found = mean_finding(np.array(list(falls.values())))
        note = f"the gradient in the first quarter of the layers is {math.exp(-found.effect):.3g} times that in the last"
        zero = rows.filter(pl.col("value") == 0)
        if len(zero):
            layers = f"{zero['x'].n_unique()} of {rows['x'].n_unique()} layers"
            note += (
                f"; exactly 0 in {layers} in {zero['seed'].n_unique()} of {rows['seed'].n_unique()} seeds, counted as {LEAST:g}"
            )
        drawn = _by_layer(evidence) if draw else ()
        return with_keys(found, tuple(rows["key"].unique()), note=note, rows=drawn)

    return measure


_LAST_OVER_FIRST = (
    "how much larger the norm of the gradient is in the last quarter of the layers than in the first, at 56 layers"
)


def _gradient_part(norm: bool, phase: str) -> Part:
    condition = "batch norm" if norm else "no norms"
    return Part(
        f"gradient vanishes, {condition}, {phase}",
        f"With {condition}, {_WHEN[phase]}, the plain net of 56 layers has smaller gradients in its first layers than in its "
        "last.",
        _LAST_OVER_FIRST,
        _vanishing(arm("plain", 56, norm), phase, draw=norm and phase == "start"),
        margin=EQUAL_GRADIENTS,
        group="gradients, last layers relative to first",
    )


def _loss_part(norm: bool) -> Part:
    condition = "" if norm else ", no norms"
    return Part(
        f"plain worse than residual{condition}",
        f"At 56 layers{condition or ' with batch norm'} the plain net fits the training images worse than the residual net.",
        "how much higher the plain net's training loss is than the residual net's at 56 layers",
        _ratio(arm("plain", 56, norm), arm("resnet", 56, norm), "train_loss", _ALL if norm else ()),
        margin=NO_HELP,
        group="losses",
    )


claim = Claim(
    number=5,
    title="Residual connections",
    statement="Very deep nets can only be trained with residual connections. Without them the gradient vanishes on its way "
    "to the first layers, and a deeper net is worse, even on the training images.",
    source="He et al. 2015, arXiv:1512.03385, sections 1, 3.3, 4.2",
    scope="nets of 16 to 64 channels and up to 56 layers, trained for 64,000 steps (the paper's on CIFAR-10); tested are "
    "narrower ones with N = 100,000 at every depth, trained for fewer steps",
    otherwise="The plain nets of the paper grew in N with their depth; here N is the same at every depth, so that deeper nets "
    "are narrower. He et al. themselves doubt that gradients vanish with batch norm (their section 4.1). The parts on "
    "gradients compare first layers with last ones: where the gradient is exactly 0 in all of them there is no verdict, and "
    "the part says why. That rule was added after the first run of the present entries, which showed it.",
    primary=True,
    parts=(
        _loss_part(norm=True),
        _loss_part(norm=False),
        Part(
            "deeper plain net is worse",
            "Without residual connections a net of 56 layers fits the training images worse than one of 8.",
            "how much higher the plain net's training loss is at 56 layers than at 8",
            _ratio(arm("plain", 56), arm("plain", 8), "train_loss"),
            margin=NO_HELP,
            group="losses",
        ),
        Part(
            "deeper residual net trains",
            "With residual connections the training loss at 56 layers exceeds that at 8 by less than 10 %.",
            "how much higher the residual net's training loss is at 8 layers than at 56",
            _ratio(arm("resnet", 8), arm("resnet", 56), "train_loss"),
            threshold=-MARGIN,
            group="losses",
        ),
        *(_gradient_part(norm, phase) for norm in (True, False) for phase in _PHASES),
        Part(
            "gradient with skips, 100 steps",
            "After 100 steps the residual net's gradients are also smaller in its first layers than in its last.",
            _LAST_OVER_FIRST,
            _vanishing(arm("resnet", 56), "100 steps"),
            margin=EQUAL_GRADIENTS,
            decides=False,
            group="gradients, last layers relative to first",
        ),
        Part(
            "test loss at 56 layers",
            "At 56 layers the residual net has the lower test loss.",
            "how much higher the plain net's test loss is than the residual net's at 56 layers",
            _ratio(arm("plain", 56), arm("resnet", 56), "loss", _ALL),
            margin=NO_HELP,
            decides=False,
            group="losses",
        ),
        Part(
            "norm or dropout",
            "Batch norm gives a lower loss than dropout of one half.",
            "how much higher the test loss is with dropout and no batch norm than with batch norm and no dropout",
            lambda evidence: log_ratio(evidence, "resnet-bare-dropout", "resnet-11k", pool=PIECES),
            margin=NO_HELP,
            decides=False,
            group="pieces of a ResNet",
        ),
        Part(
            "dropout with batch norm",
            "With batch norm, dropout is not needed: without it the loss is less than 2 % higher.",
            "how much higher the test loss is with batch norm and dropout than with batch norm alone",
            lambda evidence: log_ratio(evidence, "resnet-dropout", "resnet-11k", pool=PIECES),
            threshold=-NO_HELP,
            decides=False,
            group="pieces of a ResNet",
        ),
        Part(
            "norm or nothing",
            "Batch norm gives a lower loss than no norm.",
            "how much higher the test loss is without batch norm than with it",
            lambda evidence: log_ratio(evidence, "resnet-bare", "resnet-11k", pool=PIECES),
            margin=NO_HELP,
            decides=False,
            group="pieces of a ResNet",
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
            "the classifier, before clipping. Lines: geometric mean over seeds; bars: its 95 % interval. Crosses at the "
            "bottom edge: exactly 0 in at least one seed. The residual net's blocks start as their shortcuts, so that half of "
            "their layers have a gradient of 0 at the start.",
            "layer",
            "norm of the gradient",
            log_y=True,
            panels=tuple(_PHASES.values()),
        ),
    ),
)
