"""Claim 1: fully-connected nets fail when an image is shifted or cropped; convolutions do not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import polars as pl

from scaling.analysis.claims.claim import Claim, Curves, Finding, MissingEvidence, Part
from scaling.analysis.claims.contrasts import BySeed, difference, mean_finding, summary, with_keys
from scaling.analysis.claims.evidence import Evidence
from scaling.analysis.claims.judge import limits

CONVOLUTIONAL = ("alexnet", "vgg", "googlenet", "resnet")
TRANSFORMERS = ("vit", "swin")
ALL = ("mlp", *CONVOLUTIONAL, *TRANSFORMERS)
NOT_SHIFTS = ("crop", "cut")
FAR, NEAR = 6.0, 3.0
"""Pixels of the farthest shift, and of one at which most of the garment is still in the picture."""
ONE_IMAGE = 2e-3
"""Share of one image among the five hundred test images."""


def in_place(family: str) -> str:
    """The arm that is trained on images in their place."""
    return f"{family}-in-place"


def in_place_much(family: str) -> str:
    """The same arm with eight times the images."""
    return f"{family}-in-place-4000"


def augmented(family: str) -> str:
    """The arm that is trained on images shifted by up to one pixel, as the modern recipe has it."""
    return f"{family}-augmented"


def by_distance(rows: pl.DataFrame) -> dict[int, dict[float, float]]:
    """seed -> pixels -> value, averaged over the directions; rows have seed, x, label and value."""
    moved = rows.filter(~pl.col("label").is_in(NOT_SHIFTS)).group_by("seed", "x").agg(pl.col("value").mean()).sort("seed", "x")
    found: dict[int, dict[float, float]] = {}
    for seed, x, value in moved.iter_rows():
        found.setdefault(int(seed), {})[float(x)] = float(value)
    return found


def loss_per_pixel(rows: pl.DataFrame) -> dict[int, float]:
    """By seed: accuracy lost per pixel, minus the slope of a straight line through the accuracies at 0 to 6 pixels."""
    return {seed: -float(np.polyfit(list(values), list(values.values()), 1)[0]) for seed, values in by_distance(rows).items()}


def lost_to_crops(rows: pl.DataFrame) -> dict[int, float]:
    """By seed: accuracy on the whole image minus the mean of that on the two crops."""
    crops = rows.filter(label="crop").group_by("seed").agg(pl.col("value").mean())
    whole = {seed: values[0.0] for seed, values in by_distance(rows).items()}
    return {int(seed): whole[int(seed)] - value for seed, value in crops.iter_rows()}


def due_to_lost_pixels(rows: pl.DataFrame) -> dict[int, float]:
    """By seed: share of the accuracy lost at 6 pixels that is also lost if those pixels are cut off and the rest stays."""
    left = rows.filter(label="cut").group_by("seed").agg(pl.col("value").mean())
    moved = by_distance(rows)
    found = {}
    for seed, value in left.iter_rows():
        here = moved[int(seed)]
        if here[0.0] > here[FAR]:
            found[int(seed)] = (here[0.0] - value) / (here[0.0] - here[FAR])
    return found


Statistic = Callable[[pl.DataFrame], BySeed]


def _of(evidence: Evidence, arm: str, statistic: Statistic, quantity: str = "accuracy") -> BySeed:
    return statistic(evidence.measurements("shift", quantity, family=arm))


def mean_of(lines: Sequence[BySeed]) -> dict[int, float]:
    """By seed: the mean of several families, for the seeds that all of them have.

    Raises:
        MissingEvidence: if there is no such seed.
    """
    seeds = set.intersection(*(set(line) for line in lines))
    if not seeds:
        raise MissingEvidence("no seed has a value of each family")
    return {seed: sum(line[seed] for line in lines) / len(lines) for seed in sorted(seeds)}


def log_of_ratio(first: BySeed, second: BySeed) -> Finding:
    """Mean over the seeds of log(first / second), paired.

    Raises:
        MissingEvidence: if a value is less than the accuracy of one test image, so that there is no meaningful ratio.
    """
    least = min([*first.values(), *second.values()], default=0.0)
    if least < ONE_IMAGE:
        raise MissingEvidence(f"no ratio: one of the two loses nothing ({least:.2g})")
    one, other = ({seed: math.log(value) for seed, value in line.items()} for line in (first, second))
    return difference(one, other)


def _against(
    families: Sequence[str], statistic: Statistic, unit: str, arm: Callable[[str], str] = in_place
) -> Callable[[Evidence], Finding]:
    """Log of the MLP's loss of accuracy over the mean of ``families``, all trained on images in their place."""

    def measure(evidence: Evidence) -> Finding:
        mlp = _of(evidence, arm("mlp"), statistic)
        others = {family: _of(evidence, arm(family), statistic) for family in families}
        found = log_of_ratio(mlp, mean_of(list(others.values())))
        figures = ", ".join(f"{name} {np.mean(list(line.values())):.3f}" for name, line in {"mlp": mlp, **others}.items())
        return with_keys(found, evidence.keys(*map(arm, ("mlp", *families))), note=f"{figures} {unit}")

    return measure


def _mlp_fails(evidence: Evidence) -> Finding:
    rows = []
    for family in ALL:
        for arm, panel in (
            (in_place(family), "trained in place"),
            (augmented(family), "trained with shifts of up to 1 pixel"),
            (in_place_much(family), "trained in place, 4,000 images"),
        ):
            try:
                lines = by_distance(evidence.measurements("shift", "accuracy", family=arm))
            except MissingEvidence:
                continue
            for pixels in sorted(set.intersection(*(set(line) for line in lines.values()))):
                rows.append(summary({seed: line[pixels] for seed, line in lines.items()}, family, pixels, panel))
    found = mean_finding(np.array(list(_of(evidence, in_place("mlp"), loss_per_pixel).values())))
    return with_keys(found, evidence.keys(in_place("mlp")), note=_slopes(evidence), rows=tuple(rows))


def _slopes(evidence: Evidence) -> str:
    """Accuracy that each family loses per pixel, with its interval."""
    shown = []
    for family in ALL:
        try:
            found = mean_finding(np.array(list(_of(evidence, in_place(family), loss_per_pixel).values())))
        except MissingEvidence:
            continue
        ends = limits(found)
        shown.append(f"{family} {found.effect:.3f}" + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else ""))
    return "accuracy lost per pixel: " + ", ".join(shown)


def _survival(evidence: Evidence) -> Finding:
    def at_three(rows: pl.DataFrame) -> BySeed:
        return {seed: values[NEAR] for seed, values in by_distance(rows).items()}

    lines = {family: _of(evidence, in_place(family), at_three, "survival") for family in ("mlp", *CONVOLUTIONAL)}
    found = difference(mean_of([lines[family] for family in CONVOLUTIONAL]), lines["mlp"])
    figures = ", ".join(f"{name} {np.mean(list(line.values())):.2f}" for name, line in lines.items())
    return with_keys(
        found, evidence.keys(*map(in_place, lines)), note=f"share of predictions that survive {NEAR:g} pixels: {figures}"
    )


def _training_with_shifts(family: str) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        found = log_of_ratio(*(_of(evidence, arm(family), loss_per_pixel) for arm in (in_place, augmented)))
        return with_keys(found, evidence.keys(in_place(family), augmented(family)))

    return measure


def _lost_pixels(evidence: Evidence) -> Finding:
    shares = mean_of([_of(evidence, in_place(family), due_to_lost_pixels) for family in CONVOLUTIONAL])
    return with_keys(mean_finding(np.array(list(shares.values()))), evidence.keys(*map(in_place, CONVOLUTIONAL)))


PER_PIXEL = "of accuracy lost per pixel"
TWICE = math.log(2)

claim = Claim(
    number=1,
    title="Shifts and crops",
    statement="Fully-connected nets fail when an image is shifted or cropped; convolutional nets do not.",
    source="the text; LeCun et al. 1998, Gradient-based learning applied to document recognition, section II",
    otherwise="A shift also moves part of the garment out of the picture, which costs every net accuracy. A control measures "
    "this cost: the same pixels are cut off and the rest stays. Garments are centred in all training images; an MLP trained on "
    "objects in any place would learn to recognise them there. Five hundred images may be too few for a convolutional net to "
    "learn features that survive a shift, so that the study also trains on four thousand. An MLP is near guessing after three "
    "pixels and can lose little more beyond, which a line through all six pixels does not show. The intervals are over seeds, "
    "for one set of 500 test images.",
    primary=True,
    parts=(
        Part(
            "MLP fails",
            "Trained on images in their place, the MLP loses more than 0.05 of accuracy per pixel of a shift.",
            "accuracy lost per pixel: slope of a line through the accuracies at 0 to 6 pixels in eight directions",
            _mlp_fails,
            scale="plain",
            unit="of accuracy per pixel",
            threshold=0.05,
        ),
        Part(
            "shift",
            "Per pixel of a shift the MLP loses more than twice as much accuracy as convolutional nets.",
            "how much more accuracy the MLP loses per pixel than the mean of AlexNet, VGG, GoogLeNet and ResNet",
            _against(CONVOLUTIONAL, loss_per_pixel, PER_PIXEL),
            threshold=TWICE,
        ),
        Part(
            "crop",
            "In an enlarged crop the MLP loses more than twice as much accuracy as convolutional nets.",
            "how much more accuracy the MLP loses in the central 24 and 20 of 28 pixels than the convolutional nets' mean",
            _against(CONVOLUTIONAL, lost_to_crops, "of accuracy lost in a crop"),
            threshold=TWICE,
        ),
        *(
            Part(
                f"shift against {family}",
                f"Per pixel of a shift the MLP loses more than twice as much accuracy as {family}.",
                f"how much more accuracy the MLP loses per pixel than {family}",
                _against((family,), loss_per_pixel, PER_PIXEL),
                threshold=TWICE,
                decides=False,
            )
            for family in (*CONVOLUTIONAL, *TRANSFORMERS)
        ),
        Part(
            "shift, 4,000 images",
            "With eight times the images, too, the MLP loses more than twice as much accuracy per pixel as convolutional nets.",
            "how much more accuracy the MLP loses per pixel than the convolutional nets' mean",
            _against(CONVOLUTIONAL, loss_per_pixel, PER_PIXEL, in_place_much),
            threshold=TWICE,
            decides=False,
        ),
        Part(
            "crop, 4,000 images",
            "With eight times the images, too, the MLP loses more than twice as much accuracy in a crop as convolutional nets.",
            "how much more accuracy the MLP loses in the central 24 and 20 of 28 pixels than the convolutional nets' mean",
            _against(CONVOLUTIONAL, lost_to_crops, "of accuracy lost in a crop", in_place_much),
            threshold=TWICE,
            decides=False,
        ),
        Part(
            "survival",
            "More predictions of convolutional nets than of the MLP survive a shift of 3 pixels.",
            "share of predictions that survive, the convolutional nets' mean minus the MLP's",
            _survival,
            scale="plain",
            unit="share of predictions",
            decides=False,
        ),
        *(
            Part(
                f"{family}, trained with shifts",
                f"Training on images shifted by up to one pixel reduces the accuracy that {family} loses to a shift.",
                f"how much more accuracy {family} loses per pixel when trained in place than when trained with shifts",
                _training_with_shifts(family),
                decides=False,
            )
            for family in ALL
        ),
        Part(
            "lost pixels",
            "More than half of the accuracy that convolutional nets lose at 6 pixels is due to what leaves the picture.",
            "accuracy lost if the same pixels are cut off and the rest stays in place, as a share of that lost to the shift",
            _lost_pixels,
            scale="plain",
            unit="share of the loss",
            threshold=0.5,
            decides=False,
        ),
    ),
    curves=(
        Curves(
            "Accuracy under shifts",
            "Test accuracy of every family against the shift of the test images, averaged over eight directions, for "
            "training on images in their place and on images shifted by up to one pixel. Points: mean over seeds with its 95 "
            "% interval.",
            "shift (pixels)",
            "test accuracy",
        ),
    ),
)
