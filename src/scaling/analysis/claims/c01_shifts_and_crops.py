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
"""Pixels: the farthest shift, and one at which most of the garment is still in the picture."""
ONE_IMAGE = 2e-3
"""Accuracy that one of the five hundred test images is worth."""


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
    """seed -> pixels -> value, the mean over the directions; rows have seed, x, label, value."""
    moved = rows.filter(~pl.col("label").is_in(NOT_SHIFTS)).group_by("seed", "x").agg(pl.col("value").mean()).sort("seed", "x")
    found: dict[int, dict[float, float]] = {}
    for seed, x, value in moved.iter_rows():
        found.setdefault(int(seed), {})[float(x)] = float(value)
    return found


def loss_a_pixel(rows: pl.DataFrame) -> dict[int, float]:
    """By seed: accuracy lost a pixel, minus the slope of a straight line through the accuracies at 0 to 6 pixels."""
    return {seed: -float(np.polyfit(list(values), list(values.values()), 1)[0]) for seed, values in by_distance(rows).items()}


def lost_to_crops(rows: pl.DataFrame) -> dict[int, float]:
    """By seed: accuracy on the whole image less the mean of that on the two crops."""
    crops = rows.filter(label="crop").group_by("seed").agg(pl.col("value").mean())
    whole = {seed: values[0.0] for seed, values in by_distance(rows).items()}
    return {int(seed): whole[int(seed)] - value for seed, value in crops.iter_rows()}


def due_to_lost_pixels(rows: pl.DataFrame) -> dict[int, float]:
    """By seed: the accuracy lost at 6 pixels that is lost too where those pixels are cut off and the rest stays in place."""
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
    """By seed: the mean of several families, of those seeds that all have."""
    seeds = set.intersection(*(set(line) for line in lines))
    if not seeds:
        raise MissingEvidence("no seed has a value of each family")
    return {seed: sum(line[seed] for line in lines) / len(lines) for seed in sorted(seeds)}


def log_of_ratio(first: BySeed, second: BySeed) -> Finding:
    """Mean over the seeds of log(first / second), paired.

    Raises:
        MissingEvidence: a value is not above 0 by as much as one test image, so that there is no ratio.
    """
    least = min([*first.values(), *second.values()], default=0.0)
    if least < ONE_IMAGE:
        raise MissingEvidence(f"there is no ratio: one of them loses nothing ({least:.2g})")
    one, other = ({seed: math.log(value) for seed, value in line.items()} for line in (first, second))
    return difference(one, other)


def _against(
    families: Sequence[str], statistic: Statistic, unit: str, arm: Callable[[str], str] = in_place
) -> Callable[[Evidence], Finding]:
    """The MLP's loss over the mean one of ``families``, all trained on images in their place."""

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
    found = mean_finding(np.array(list(_of(evidence, in_place("mlp"), loss_a_pixel).values())))
    return with_keys(found, evidence.keys(in_place("mlp")), note=_slopes(evidence), rows=tuple(rows))


def _slopes(evidence: Evidence) -> str:
    """What each family loses a pixel, with its interval."""
    shown = []
    for family in ALL:
        try:
            found = mean_finding(np.array(list(_of(evidence, in_place(family), loss_a_pixel).values())))
        except MissingEvidence:
            continue
        ends = limits(found)
        shown.append(f"{family} {found.effect:.3f}" + (f" [{ends[0]:.3f}, {ends[1]:.3f}]" if ends else ""))
    return "accuracy lost a pixel: " + ", ".join(shown)


def _survival(evidence: Evidence) -> Finding:
    def at_three(rows: pl.DataFrame) -> BySeed:
        return {seed: values[NEAR] for seed, values in by_distance(rows).items()}

    lines = {family: _of(evidence, in_place(family), at_three, "survival") for family in ("mlp", *CONVOLUTIONAL)}
    found = difference(mean_of([lines[family] for family in CONVOLUTIONAL]), lines["mlp"])
    figures = ", ".join(f"{name} {np.mean(list(line.values())):.2f}" for name, line in lines.items())
    return with_keys(found, evidence.keys(*map(in_place, lines)), note=f"of predictions survive {NEAR:g} pixels: {figures}")


def _training_with_shifts(family: str) -> Callable[[Evidence], Finding]:
    def measure(evidence: Evidence) -> Finding:
        found = log_of_ratio(*(_of(evidence, arm(family), loss_a_pixel) for arm in (in_place, augmented)))
        return with_keys(found, evidence.keys(in_place(family), augmented(family)))

    return measure


def _lost_pixels(evidence: Evidence) -> Finding:
    shares = mean_of([_of(evidence, in_place(family), due_to_lost_pixels) for family in CONVOLUTIONAL])
    return with_keys(mean_finding(np.array(list(shares.values()))), evidence.keys(*map(in_place, CONVOLUTIONAL)))


PER_PIXEL = "of accuracy lost a pixel"
TWICE = math.log(2)

claim = Claim(
    number=1,
    title="Shifts and crops",
    statement="Fully-connected nets fail when an image is shifted or cropped; convolutional nets do not.",
    source="the text; LeCun et al. 1998, Gradient-based learning applied to document recognition, section II",
    otherwise="A shift also pushes part of the garment out of the picture, which costs every net: how much, a control says, in "
    "which the same pixels are cut off and the rest stays. Garments are centred in all training images; where objects lie "
    "anywhere, an MLP would learn that too. Five hundred images may be too few for a convolutional net to learn what survives "
    "a shift: beside, four thousand. An MLP nears guessing within three pixels and can lose little more from there on, which "
    "a line through all six does not show. The intervals are over seeds, for one set of 500 test images.",
    primary=True,
    parts=(
        Part(
            "MLP fails",
            "Trained on images in their place, the MLP loses more than 0.05 of accuracy for each pixel of a shift.",
            "accuracy lost a pixel, by a line through the accuracies at 0 to 6 pixels in eight directions",
            _mlp_fails,
            scale="plain",
            unit="of accuracy a pixel",
            threshold=0.05,
        ),
        Part(
            "shift",
            "For each pixel of a shift the MLP loses more than twice the accuracy that convolutional nets lose.",
            "accuracy lost a pixel, the MLP's over the mean of AlexNet, VGG, GoogLeNet and ResNet, less 1",
            _against(CONVOLUTIONAL, loss_a_pixel, PER_PIXEL),
            threshold=TWICE,
        ),
        Part(
            "crop",
            "In a crop, enlarged, the MLP loses more than twice the accuracy that convolutional nets lose.",
            "accuracy lost in the central 24 and 20 pixels of 28, the MLP's over the convolutional nets' mean, less 1",
            _against(CONVOLUTIONAL, lost_to_crops, "of accuracy lost in a crop"),
            threshold=TWICE,
        ),
        *(
            Part(
                f"shift against {family}",
                f"For each pixel of a shift the MLP loses more than twice what {family} loses.",
                f"accuracy lost a pixel, the MLP's over {family}'s, less 1",
                _against((family,), loss_a_pixel, PER_PIXEL),
                threshold=TWICE,
                decides=False,
            )
            for family in (*CONVOLUTIONAL, *TRANSFORMERS)
        ),
        Part(
            "shift, 4,000 images",
            "Trained on eight times the images, the MLP loses more than twice the accuracy that convolutional nets lose.",
            "accuracy lost a pixel, the MLP's over the convolutional nets' mean, less 1",
            _against(CONVOLUTIONAL, loss_a_pixel, PER_PIXEL, in_place_much),
            threshold=TWICE,
            decides=False,
        ),
        Part(
            "crop, 4,000 images",
            "Trained on eight times the images, the MLP loses more than twice in a crop what convolutional nets lose.",
            "accuracy lost in the central 24 and 20 pixels of 28, the MLP's over the convolutional nets' mean, less 1",
            _against(CONVOLUTIONAL, lost_to_crops, "of accuracy lost in a crop", in_place_much),
            threshold=TWICE,
            decides=False,
        ),
        Part(
            "survival",
            "More predictions of convolutional nets survive a shift of 3 pixels than of the MLP.",
            "share of predictions that survive, convolutional nets' mean less the MLP's",
            _survival,
            scale="plain",
            unit="share of predictions",
            decides=False,
        ),
        *(
            Part(
                f"{family}, trained with shifts",
                f"Training images shifted by up to a pixel lower what {family} loses to a shift.",
                f"accuracy that {family} loses a pixel when trained in place over that when trained with shifts, less 1",
                _training_with_shifts(family),
                decides=False,
            )
            for family in ALL
        ),
        Part(
            "lost pixels",
            "More than half of what convolutional nets lose at 6 pixels is due to the part that leaves the picture.",
            "accuracy lost where the same pixels are cut off and the rest stays in place, as a share of that lost to the shift",
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
            "Test accuracy of every family by the pixels that the test images are shifted, mean of eight directions; trained "
            "on images in their place, and on images shifted by up to one pixel. Points: mean of the seeds, 95 % interval.",
            "shift (pixels)",
            "test accuracy",
        ),
    ),
)
