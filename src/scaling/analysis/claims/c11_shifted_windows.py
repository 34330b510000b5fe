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
            raise MissingEvidence("no seed has its receptive field measured both with shifted and with fixed windows")
        found = difference(shares[SHIFTED], shares[STILL])
        means = [sum(by_seed.values()) / len(by_seed) for by_seed in shares.values()]
        note = f"shifted {means[0]:.0%} of the image, fixed {means[1]:.0%}"
        return with_keys(found, evidence.keys(SHIFTED, STILL), note=note)

    return measure


claim = Claim(
    number=11,
    title="Shifted windows",
    statement="Shifting its windows from block to block lets Swin's local attention see more of the image.",
    source="Liu et al. 2021, arXiv:2103.14030, sections 3.2 and 4.4, table 4",
    scope="Swin on images of 224 pixels with windows of 7 x 7 patches; tested is a small one on images of 28 pixels",
    otherwise="At 28 pixels the second stage is a single window that sees the whole image, shifted or not, so that the shift "
    "can only help in the first stage. On larger images each stage has many windows, and there is more to gain.",
    parts=(
        Part(
            "loss",
            "At equal parameters shifted windows give a lower loss than fixed ones.",
            "how much higher the test loss is with fixed windows than with shifted ones",
            _loss,
            margin=math.log(1.02),
            decides=False,
        ),
        Part(
            "reach",
            "After the first stage a position depends on more of the image with shifted windows than with fixed ones.",
            "share of the image's pixels on which a position of the first stage's output depends, shifted minus fixed",
            _field("reach"),
            scale="plain",
            unit="share of the pixels",
            in_scope=True,
        ),
        Part(
            "effective field",
            "After the first stage more pixels matter to a position with shifted windows than with fixed ones.",
            "share of the pixels whose gradient is at least 4.55 % of the largest, shifted minus fixed",
            _field("effective"),
            scale="plain",
            unit="share of the pixels",
            margin=0.01,
        ),
    ),
)
