"""Claim 12: pre-training as a masked autoencoder helps when labels are few."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import polars as pl

from scaling.analysis.claims.claim import Claim, Curves, Finding, MissingEvidence, Part
from scaling.analysis.claims.contrasts import difference, log_by_seed, log_ratio, mean_finding, summary, trend, with_keys
from scaling.analysis.claims.evidence import Evidence

MAE, SCRATCH, LONG = "vit-mae", "vit-scratch", "vit-scratch-long"
LABELS = (100, 300, 1000)
AT = 300
"""Number of labels at which compute is matched."""
SPENT = 0.98
"""Least ratio of the compute of the long training to that of pre-training and fine-tuning together (assumption)."""
MARGIN = math.log(1.02)
"""Losses within 2 % of each other do not matter (assumption; about the noise between two seeds)."""
PICTURE = "picture"


def _tuned(images: int) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        found = log_ratio(evidence, SCRATCH, MAE, images=images, chance_loss=True)
        rows = tuple(
            summary(evidence.by_seed(arm, images=images, chance_loss=True), name, images, "test loss")
            for arm, name in ((SCRATCH, "from scratch"), (MAE, "MAE, fine-tuned"))
        )
        return with_keys(found, found.keys, rows=rows)

    return measure


def _same_compute(evidence: Evidence) -> Finding:
    found = log_ratio(evidence, LONG, MAE, images=AT, chance_loss=True)
    spent = [evidence.cells(arm, images=AT, chance_loss=True)["flop"].drop_nulls().to_numpy().mean() for arm in (LONG, MAE)]
    ratio = spent[0] / spent[1]
    if ratio < SPENT:
        raise MissingEvidence(f"{LONG} used only {ratio:.0%} of the compute of {MAE}: its images_floor is too low")
    row = summary(evidence.by_seed(LONG, images=AT, chance_loss=True), "from scratch, same compute", AT, "test loss")
    return with_keys(found, found.keys, note=f"training from scratch used {ratio:.2f} times the compute", rows=(row,))


def accuracy(evidence: Evidence, arm: str, phase: str, classifier: str = "neighbours", **where: Any) -> dict[int, float]:
    """By seed: accuracy of a classifier on the features of an arm before (start) or after (end) it saw labels.

    Args:
        evidence: what was measured.
        arm, phase, classifier: the net, when it was read, and by what.
        where: as for ``Evidence.measurements``.

    Raises:
        MissingEvidence: if it was not measured.
    """
    rows = evidence.measurements("representation", f"{classifier} accuracy", family=arm, phase=phase, **where)
    return {int(seed): value for seed, value in rows.select("seed", "value").iter_rows() if value is not None}


def _neighbours(images: int, phase: str) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        mae = accuracy(evidence, MAE, "start", images=images)
        other = accuracy(evidence, SCRATCH, phase, images=images)
        rows = tuple(
            summary(line, name, images, "k-NN accuracy")
            for line, name in (
                (mae, "MAE, no labels"),
                (other, "no training" if phase == "start" else "from scratch"),
            )
        )
        return with_keys(difference(mae, other), evidence.keys(MAE, SCRATCH, images=images), rows=rows)

    return measure


def _exponents(evidence: Evidence) -> Finding:
    lines = {
        images: [log_by_seed(evidence, arm, images=images, chance_loss=True) for arm in (SCRATCH, MAE)] for images in LABELS
    }
    x = [math.log(images) for images in lines]
    gaps = [{seed: mae[seed] - scratch[seed] for seed in mae.keys() & scratch.keys()} for scratch, mae in lines.values()]
    betas = [-trend(x, line).effect for line in zip(*lines.values(), strict=True)]
    span = f"D from {min(lines):,} to {max(lines):,}"
    note = f"loss ~ D^-beta, {span}: beta {betas[0]:.3f} from scratch, {betas[1]:.3f} after MAE"
    found = trend(x, gaps)
    keys = tuple(key for images in lines for key in evidence.keys(SCRATCH, MAE, images=images))
    return with_keys(found, keys, note=note)


def _painted(evidence: Evidence) -> Finding:
    rows = evidence.measurements("reconstruction", "painted", family=MAE)
    one = rows.row(0, named=True)
    assert evidence.measurement_table is not None  # or there were no measurements
    pictures = evidence.measurement_table.filter(
        (pl.col("measure") == "reconstruction") & (pl.col("key") == one["key"]) & (pl.col("label") != "")
    )
    drawn = tuple(
        {"panel": PICTURE, "series": kind, "x": x, "y": None, "pixels": pixels, "side": int(side)}
        for kind, x, pixels, side in pictures.select("quantity", "x", "label", "value").iter_rows()
    )
    losses = evidence.measurements("representation", "validation_loss", family=MAE, phase="pre-training")
    last = losses.sort("x").group_by("seed", maintain_order=True).last()
    found = mean_finding(1 - last["value"].to_numpy())
    return with_keys(found, tuple(last["key"]), rows=drawn)


claim = Claim(
    number=12,
    title="Masked autoencoders",
    statement="With 100 to 1,000 labels, a vision transformer that first learns, without labels, to reconstruct hidden "
    "patches of images reaches a lower loss than one that starts from scratch.",
    source="He et al. 2021, arXiv:2111.06377, sections 3, 4 and figure 5",
    scope="transformers of 86 million weights and more, pre-trained on 1.3 million images; tested is one of 14,000 weights, "
    "pre-trained on 10,000 images",
    otherwise="The unlabelled images are ten thousand from the same source, and images of 28 pixels have 16 patches. "
    "Checkpoints and learning rates are chosen on 2,000 labelled validation images, which are more than the labels trained "
    "on; both sides use them. The rate of pre-training is fixed.",
    primary=True,
    parts=(
        *(
            Part(
                f"{images:,} labels",
                f"With {images:,} labels fine-tuning after MAE gives a lower loss than as many steps from scratch.",
                "how much higher the test loss is from scratch than after MAE",
                _tuned(images),
                margin=MARGIN,
            )
            for images in LABELS
        ),
        Part(
            "same compute",
            f"With {AT} labels fine-tuning after MAE gives a lower loss than training from scratch with the compute of "
            "pre-training and fine-tuning together.",
            "how much higher the test loss is from scratch than after MAE",
            _same_compute,
            margin=MARGIN,
            decides=False,
        ),
        Part(
            "k-NN",
            f"Nearest neighbours among {AT} labelled images classify better by MAE's features than by those of a random net.",
            "accuracy with MAE's features minus that with a random net's",
            _neighbours(AT, "start"),
            scale="plain",
            unit="share of the images",
            margin=0.01,
            decides=False,
        ),
        *(
            Part(
                f"k-NN, {images:,} labels",
                f"The same holds with {images:,} labels.",
                "accuracy with MAE's features minus that with a random net's",
                _neighbours(images, "start"),
                scale="plain",
                unit="share of the images",
                decides=False,
            )
            for images in LABELS
            if images != AT
        ),
        *(
            Part(
                f"k-NN relative to supervised, {images:,} labels",
                "MAE's features, learnt without labels, separate the classes better than those of a net trained on the labels.",
                "accuracy with MAE's features minus that with those of the net from scratch",
                _neighbours(images, "end"),
                scale="plain",
                unit="share of the images",
                decides=False,
            )
            for images in LABELS
        ),
        Part(
            "fewer labels, more help",
            "More labels reduce the help: the loss falls faster with D from scratch than after MAE.",
            "exponent of the loss in D from scratch minus that after MAE",
            _exponents,
            scale="plain",
            unit="exponent",
            decides=False,
        ),
        Part(
            "hidden patches",
            "Hidden patches are reconstructed better than by the mean of each patch.",
            "share of the variance of hidden patches, each scaled to variance 1, that is reconstructed, on validation images",
            _painted,
            scale="plain",
            unit="share of the variance",
            decides=False,
        ),
    ),
    curves=(
        Curves(
            "With few labels",
            "Test loss against the number of labelled images, from scratch and after MAE, at equal steps of fine-tuning; at "
            "one D also from scratch at equal total compute. Points: mean over seeds with its 95 % interval. Power laws "
            "would be straight lines.",
            "labelled images D",
            "test loss (nats)",
            log_x=True,
            log_y=True,
            panels=("test loss",),
        ),
        Curves(
            "What the features are worth",
            "Accuracy of nearest neighbours among the labelled images, by the features of a net that is untrained, "
            "pre-trained by MAE without labels, or trained on the labels. Points: mean over seeds with its 95 % interval.",
            "labelled images D",
            "k-NN accuracy",
            log_x=True,
            panels=("k-NN accuracy",),
        ),
    ),
)
