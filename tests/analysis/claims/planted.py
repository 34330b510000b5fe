"""Runs and measurements with effects planted in them: no training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl

from scaling.analysis.claims.claim import Claim
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.judge import judge_claims
from scaling.analysis.claims.load_claims import load_claims
from scaling.runs.records import MEASUREMENT_SCHEMA, SCHEMA

CLASSES = 10


def runs(
    losses: Mapping[str, float],
    *,
    seeds: int | Mapping[str, int] = 3,
    noise: float = 0.02,
    shared: float = 0.05,
    rng: int = 0,
    diverged: Sequence[str] = (),
) -> pl.DataFrame:
    """A runs table: one cell an arm and seed, its log loss that of ``losses`` plus the seed's and the cell's own noise."""
    random = np.random.default_rng(rng)
    common = random.normal(0, shared, 100)
    rows = []
    for arm, loss in losses.items():
        for seed in range(seeds if isinstance(seeds, int) else seeds[arm]):
            value = loss * math.exp(common[seed] + random.normal(0, noise))
            row: dict[str, Any] = dict.fromkeys(SCHEMA)
            row |= {"key": f"{arm}-{seed}", "family": arm, "kind": "convolutional", "status": "done", "seed": seed}
            row |= {"params": 15_000, "target_params": 15_000, "images": 1000}
            row |= {"loss": value, "train_loss": 0.6 * value, "error": min(0.9, 0.4 * value)}
            if arm in diverged:
                row |= {"status": "diverged", "loss": None, "train_loss": None, "error": None}
            rows.append(row)
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def measurements(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """A table of measurements; what a row does not say is null."""
    return pl.DataFrame(
        [dict.fromkeys(MEASUREMENT_SCHEMA) | dict(row) for row in rows], schema=MEASUREMENT_SCHEMA, orient="row"
    )


def named(name: str) -> Claim:
    """The claim of that name."""
    return load_claims([name])[0]


def verdicts(claim: Claim, evidence: Evidence) -> dict[str, str]:
    """Verdict by part, and of the whole under the claim's name."""
    (entry,) = judge_claims([claim], evidence)
    return {part["name"]: part["verdict"] for part in entry["parts"]} | {claim.name: entry["verdict"]}


def alone(claim: Claim, part: str) -> Claim:
    """A claim of one of its parts, which decides."""
    return replace(claim, parts=(replace(next(own for own in claim.parts if own.name == part), decides=True),))


def share_seen(claim: Claim, part: str, tables: Sequence[Evidence]) -> float:
    """Share of the tables in which ``part`` is supported, if it is judged alone."""
    judged = alone(claim, part)
    return float(np.mean([judge_claims([judged], evidence)[0]["verdict"] == "seen" for evidence in tables]))
