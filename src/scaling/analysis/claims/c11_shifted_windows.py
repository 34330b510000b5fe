"""Claim 11: Swin mixes local and global information by shifting its windows."""

from __future__ import annotations

import math

import polars as pl

from scaling.analysis.claims.claim import Claim, Finding, MissingEvidence, Part
from scaling.analysis.claims.contrasts import difference, log_ratio, summary, with_keys
from scaling.analysis.claims.evidence import Evidence

SHIFTED, STILL = "swin-shifted", "swin-still"
FIRST_STAGE = "layers.0"


def _loss(evidence: Evidence) -> Finding:
    found = log_ratio(evidence, STILL, SHIFTED)
    rows = tuple(summary(evidence.by_seed(arm), arm, arm) for arm in (SHIFTED, STILL))
    return with_keys(found, found.keys, rows=rows)


def _field(quantity: str):
    def measure(evidence: Evidence) -> Finding:
        shares = {}
        for name in (SHIFTED, STILL):
            rows = evidence.measurements("receptive-field", quantity, family=name, label=FIRST_STAGE)
            shares[name] = {int(seed): share for seed, share in rows.group_by("seed").agg(pl.col("value").mean()).iter_rows()}
        seeds = shares[SHIFTED].keys() & shares[STILL].keys()
        if not seeds:
            raise MissingEvidence("no seed has its receptive field measured with shifted and with still windows")
        found = difference(shares[SHIFTED], shares[STILL])
        means = [sum(by_seed.values()) / len(by_seed) for by_seed in shares.values()]
        note = f"shifted {means[0]:.0%} of the image, still {means[1]:.0%}"
        return with_keys(found, evidence.keys(SHIFTED, STILL), note=note)

    return measure


claim = Claim(
    number=11,
    title="Shifted windows",
    statement="Swin joins local attention to a global view by shifting its windows from block to block.",
    source="Liu et al. 2021, arXiv:2103.14030, sections 3.2 and 4.4, table 4",
    otherwise="At 28 pixels the second stage is a single window that sees the whole image, shifted or not: the shift can help "
    "the first stage only. On larger images there are many windows in each stage and more to gain.",
    parts=(
        Part(
            "loss",
            "At equal parameters shifted windows give a lower loss than still ones.",
            "test loss with still windows over that with shifted ones, less 1",
            _loss,
            negligible=math.log(1.02),
        ),
        Part(
            "reach",
            "Behind the first stage a position depends on more of the image with shifted windows.",
            "share of the image's pixels that a position of the first stage's output depends on, shifted less still",
            _field("reach"),
            scale="plain",
            unit="share of the pixels",
        ),
        Part(
            "effective field",
            "Behind the first stage the pixels that matter are more with shifted windows.",
            "share of the pixels whose gradient is at least 4.55 % of the largest, shifted less still",
            _field("effective"),
            scale="plain",
            unit="share of the pixels",
            decides=False,
        ),
    ),
)
