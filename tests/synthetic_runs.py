"""Runs tables drawn from known laws: what simulations of coverage, power and false positives are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from scaling.models.registry import FAMILIES
from scaling.runs.records import SCHEMA

TRUTHS: Mapping[str, Mapping[str, float]] = {
    "mlp": {"E": 0.25, "A": 40.0, "alpha": 0.60, "B": 3.5, "beta": 0.35},
    "alexnet": {"E": 0.22, "A": 12.0, "alpha": 0.50, "B": 9.0, "beta": 0.48},
    "vgg": {"E": 0.20, "A": 6.0, "alpha": 0.45, "B": 14.0, "beta": 0.55},
    "googlenet": {"E": 0.18, "A": 5.0, "alpha": 0.42, "B": 20.0, "beta": 0.60},
    "resnet": {"E": 0.20, "A": 3.0, "alpha": 0.38, "B": 15.0, "beta": 0.58},
    "vit": {"E": 0.22, "A": 9.0, "alpha": 0.46, "B": 10.0, "beta": 0.45},
    "swin": {"E": 0.21, "A": 15.0, "alpha": 0.50, "B": 9.0, "beta": 0.44},
}
"""E, A, alpha, B, beta of the loss, of the size that small image classifiers show."""

SIZES: Mapping[str, tuple[float, float]] = {
    "mlp": (13e3, 262e3),
    "alexnet": (8e3, 69e3),
    "vgg": (5e3, 73e3),
    "googlenet": (4e3, 84e3),
    "resnet": (5e3, 78e3),
    "vit": (3e3, 62e3),
    "swin": (6e3, 67e3),
}


def synthetic_runs(
    families: Sequence[str] = tuple(TRUTHS),
    *,
    sizes: int = 4,
    data_sizes: int = 4,
    seeds: int = 1,
    second_seed_share: float = 0.0,
    noise: float = 0.02,
    noise_slope: float = 0.5,
    shared: float = 0.3,
    truths: Mapping[str, Mapping[str, float]] = TRUTHS,
    seed: int = 0,
) -> pl.DataFrame:
    """A runs table drawn from known laws, crossed: at one (seed, D) all families and sizes share a noise term.

    Args:
        families: names, with truths and ranges of N.
        sizes, data_sizes, seeds: the grid.
        second_seed_share: share of cells with one more seed.
        noise: standard deviation of the log loss at D = 1000; it falls as D^(-noise_slope / 2).
        shared: share of the variance common to a (seed, D).
        truths: family -> E, A, alpha, B, beta.
        seed: of the noise.
    """
    rng = np.random.default_rng(seed)
    data = np.round(np.geomspace(300, 8000, data_sizes)).astype(int)
    common = {(s, int(d)): rng.standard_normal() for s in range(seeds + 1) for d in data}
    rows = []
    for family in families:
        law = truths[family]
        low, high = SIZES[family]
        for size in np.round(np.geomspace(low, high, sizes)).astype(int):
            for images in data:
                repeats = seeds + (rng.random() < second_seed_share)
                for replicate in range(repeats):
                    spread = noise * (images / 1000.0) ** (-noise_slope / 2)
                    error = np.sqrt(shared) * common[replicate, int(images)] + np.sqrt(1 - shared) * rng.normal()
                    clean = law["E"] + law["A"] / size ** law["alpha"] + law["B"] / images ** law["beta"]
                    loss = clean * np.exp(spread * error)
                    share = 0.9 * loss / np.sqrt(loss**2 + 2.2**2) * np.exp(0.5 * spread * rng.normal())
                    seen = max(48_000, 16 * int(images))
                    flop_forward = 60.0 * size
                    rows.append(
                        {
                            "key": f"{family}-{size}-{images}-{replicate}",
                            "study": "synthetic",
                            "pack": family,
                            "family": family,
                            "kind": FAMILIES[family].kind,
                            "recipe": "modern",
                            "target_params": int(size),
                            "params": int(size),
                            "width": float(round(np.sqrt(size / 30))),
                            "depth": 3,
                            "images": int(images),
                            "seed": replicate,
                            "learning_rate": 0.3 / np.sqrt(size / 30),
                            "batch": 64,
                            "steps": seen // 64,
                            "images_seen": seen,
                            "flop": 3 * flop_forward * seen,
                            "flop_to_best": 2.4 * flop_forward * seen,
                            "flop_forward": flop_forward,
                            "loss": loss,
                            "loss_se": 0.008 * loss,
                            "error": share,
                            "error_se": float(np.sqrt(share * (1 - share) / 10_000)),
                            "validation_loss": loss * float(np.exp(rng.normal(0, 0.01))),
                            "validation_error": share,
                            "train_loss": 0.6 * loss,
                            "best_step": int(0.8 * seen) // 64,
                            "stopped_early": False,
                            "status": "done",
                            "reason": None,
                            "seconds": 3 * flop_forward * seen / 2e10,
                            "device": "cpu",
                            "precision": "fp32",
                            "machine": "synthetic",
                            "torch_version": "none",
                            "timm_version": "none",
                            "recipe_version": 1,
                        }
                    )
    return pl.DataFrame(rows, schema=SCHEMA)
